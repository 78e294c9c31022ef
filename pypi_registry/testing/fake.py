"""A registry for tests: a real one in memory, with or without a port, that has faults when a test injects them."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from pypi_registry._api.links import API_PREFIX
from pypi_registry._app import MAX_FILE_SIZE
from pypi_registry.distributions import Verify, verify
from pypi_registry.testing.archives import one_or_more
from pypi_registry.testing.engine import Engine, Settings
from pypi_registry.testing.faults import Fault
from pypi_registry.testing.projects import FakeProject
from pypi_registry.testing.requests import RecordedRequest
from pypi_registry.testing.rules import FaultRule, Matcher, check_met, check_rule
from pypi_registry.testing.server import Server
from pypi_registry.testing.tokens import Right

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_NOT_STARTED = "http://registry.invalid"
"""The origin of a registry that is not started. RFC 6761 reserves ``.invalid``, so only a transport can reach it."""


class FakeRegistry(FakeProject):
    """A registry for tests, which is also its own default project.

    In a ``with`` block, or between `start` and `stop`, it listens on a free port of the loopback interface. Without a
    port it is reached through `app`, which is a WSGI application, or through the transports for urllib3, requests and
    httpx. It forwards no name to another index. It accepts any credentials, and none, until you call `tokens`.

    :param project: the path of the default project.
    :param max_file_size: bytes; a file that a client publishes must be smaller.
    :param verify: checks every file that a client publishes, as in `Registry`; None accepts any file.
    """

    def __init__(
        self,
        project: str = "fake/packages",
        *,
        max_file_size: int = MAX_FILE_SIZE,
        verify: Verify | None = verify,
    ) -> None:
        super().__init__(project, lambda: self.url, lambda: self._engine)
        self._settings = Settings(max_file_size, verify)
        self._engine = Engine(self._settings)
        self._server: Server | None = None

    def start(self) -> Self:
        """Listen on a free port; harmless if it listens already."""
        if self._server is None:
            self._server = Server(self.app)
        return self

    def stop(self) -> None:
        """Close the port and end all connections; harmless if it is not started. The packages stay."""
        server, self._server = self._server, None
        if server is not None:
            with self._engine.waits_ended():
                server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def app(self) -> "WSGIApplication":
        """The registry as a WSGI application, with the same paths."""
        return self._call_engine

    def _call_engine(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        return self._engine(environ, start_response)

    @property
    def url(self) -> str:
        """Scheme, host and port while it is started; otherwise ``http://registry.invalid``."""
        return f"http://127.0.0.1:{self._server.port}" if self._server else _NOT_STARTED

    @property
    def api_url(self) -> str:
        """The URL of GitLab's API, with which all URLs of the registry begin."""
        return f"{self.url}{API_PREFIX}"

    def project(self, path: str) -> FakeProject:
        """Return the project with a full path. Every path is a project, and contained in the groups of its path.

        :raises ValueError: if it is not the path of a project, such as ``acme/tools``.
        """
        return FakeProject(path, lambda: self.url, lambda: self._engine)

    def tokens(
        self, *, read: str | Iterable[str] = (), write: str | Iterable[str] = (), expired: str | Iterable[str] = ()
    ) -> None:
        """Require one of these secrets for every request. They replace all secrets that were set before.

        :param read: allow to install.
        :param write: allow everything.
        :param expired: the registry responds to these as to expired tokens.
        """
        secrets: dict[Right, str | Iterable[str]] = {"read": read, "write": write, "expired": expired}
        self._engine.tokens.rights = {secret: right for right, some in secrets.items() for secret in one_or_more(some)}

    def fault(self, matcher: Matcher, fault: Fault, *, times: int | None = None, after: int = 0) -> FaultRule:
        """Inject a fault: from now on, it affects the requests that match.

        If several faults affect a request, the one that was injected first is outermost, nearest to the client.

        :param matcher: which requests; see :data:`~pypi_registry.testing.Matcher`.
        :param fault: one of :mod:`pypi_registry.testing.faults`.
        :param times: how many of these requests it affects, at least 1; None for all.
        :param after: how many of these requests pass before the first one that it affects.
        :raises TypeError: if an argument has the wrong type.
        :raises ValueError: if the fault could never affect a request.
        """
        check_rule(matcher, times, after)
        if not isinstance(fault, Fault):
            raise TypeError(f"fault= must be a fault, such as faults.Status(503): {fault!r}")
        return self._engine.inject(FaultRule(matcher, fault, times, after))

    def assert_all_faults_met(self) -> None:
        """Check that each fault has affected at least one request since the registry was created or cleared.

        If a fault affects no request, its matcher is often wrong, and the test proves nothing.

        :raises AssertionError: if a fault affected no request; the message names it and lists the recorded requests.
        """
        check_met(self._engine.rules, self._engine.requests)

    @property
    def requests(self) -> Sequence[RecordedRequest]:
        """The requests since the registry was created or cleared, in the order of their arrival."""
        return [*self._engine.requests]

    def clear(self) -> None:
        """Delete all packages, requests, faults and tokens, and end all waits of faults. The port stays open."""
        cleared, self._engine = self._engine, Engine(self._settings)
        cleared.end()


def with_credentials(url: str, secret: str, user: str = "any") -> str:
    """Return a URL with a user and a secret in it, in the form that pip and uv accept.

    >>> with_credentials("http://127.0.0.1:8080/simple", "s/cret")
    'http://any:s%2Fcret@127.0.0.1:8080/simple'
    """
    return url.replace("://", f"://{quote(user, safe='')}:{quote(secret, safe='')}@", 1)
