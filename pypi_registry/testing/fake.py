"""A registry for tests: a real one, in memory, on a port or on none, that misbehaves when it is told to."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from pypi_registry._cli.site import MOUNT
from pypi_registry.distributions import Verify, verify
from pypi_registry.testing.archives import each
from pypi_registry.testing.engine import Settings, State
from pypi_registry.testing.faults import Fault
from pypi_registry.testing.projects import FakeProject
from pypi_registry.testing.requests import RecordedRequest
from pypi_registry.testing.rules import FaultRule, Matcher, check_rule
from pypi_registry.testing.server import Server
from pypi_registry.testing.tokens import Right

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

NOWHERE = "http://registry.invalid"
"""The origin of a registry that is not started: it leads nowhere but through a transport (RFC 6761)."""


class FakeRegistry(FakeProject):
    """A registry for tests, which is also its own default project.

    In a ``with`` block, or between `start` and `stop`, it is on a free port of this machine, which only this machine
    reaches. It needs no socket for `app`, a WSGI application, nor for the transports of
    :mod:`pypi_registry.testing.transports`. It never forwards. Any credentials do, or none, until there are `tokens`.

    :param project: the path of the default project.
    :param max_file_size: bytes; a file that a client publishes must be smaller.
    :param verify: looks into every file that a client publishes, as for `Registry`; None takes any.
    """

    def __init__(
        self,
        project: str = "fake/packages",
        *,
        max_file_size: int = 3 * 1024**3,
        verify: Verify | None = verify,
    ) -> None:
        super().__init__(project, lambda: self.url, lambda: self._state)
        self._settings = Settings(max_file_size, verify)
        self._state = State(self._settings)
        self._server: Server | None = None

    def start(self) -> Self:
        """Open a port; harmless if one is open."""
        if self._server is None:
            self._server = Server(self.app)
        return self

    def stop(self) -> None:
        """Close the port, and end whatever is under way; harmless if none is open. All that was published stays."""
        server, self._server = self._server, None
        if server is not None:
            with self._state.nothing_waits():
                server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def app(self) -> "WSGIApplication":
        """The registry as a WSGI application, at the same addresses."""
        return self._answer

    def _answer(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._state(environ, start_response)

    @property
    def url(self) -> str:
        """Scheme, host and port, as long as it is started; ``http://registry.invalid`` else."""
        return f"http://127.0.0.1:{self._server.port}" if self._server else NOWHERE

    @property
    def api_url(self) -> str:
        """What GitLab calls its API: the part that all addresses of the registry have in common."""
        return f"{self.url}{MOUNT}"

    def project(self, path: str) -> FakeProject:
        """Give a project by its full path; every path is one, and every part of a path is a group.

        :raises ValueError: if it is no path, such as ``acme/tools``.
        """
        return FakeProject(path, lambda: self.url, lambda: self._state)

    def tokens(
        self, *, read: str | Iterable[str] = (), write: str | Iterable[str] = (), expired: str | Iterable[str] = ()
    ) -> None:
        """Let nobody in but those who show one of these secrets, which replace all that were set before.

        :param read: who may install.
        :param write: who may do anything.
        :param expired: who is told that their token has expired.
        """
        secrets: dict[Right, str | Iterable[str]] = {"read": read, "write": write, "expired": expired}
        self._state.tokens.rights = {secret: right for right, some in secrets.items() for secret in each(some)}

    def fault(self, where: Matcher, what: Fault, *, times: int | None = None, after: int = 0) -> FaultRule:
        """Misbehave from now on.

        Of several faults that a request meets, the first that was planted is nearest to the client.

        :param where: which requests; see :data:`~pypi_registry.testing.Matcher`.
        :param what: one of :mod:`pypi_registry.testing.faults`.
        :param times: how many of these requests meet it; None for all.
        :param after: how many of them come through before.
        """
        check_rule(where, times, after)
        if not isinstance(what, Fault):
            raise TypeError(f"what= must be a fault, such as faults.Status(503): {what!r}")
        return self._state.plant(FaultRule(where, what, times, after))

    @property
    def requests(self) -> Sequence[RecordedRequest]:
        """What clients asked, the oldest first; more than one connection may have asked at once."""
        return [*self._state.requests]

    def clear(self) -> None:
        """Forget all that was published, asked, planted and set, and end whatever is under way."""
        cleared, self._state = self._state, State(self._settings)
        cleared.end()


def with_credentials(url: str, secret: str, user: str = "any") -> str:
    """Put a user and a secret into an address, as pip and uv take them.

    >>> with_login("http://127.0.0.1:8080/simple", "s/cret")
    'http://any:s%2Fcret@127.0.0.1:8080/simple'
    """
    return url.replace("://", f"://{quote(user, safe='')}:{quote(secret, safe='')}@", 1)
