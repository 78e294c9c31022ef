"""What an endpoint is given and what it gives back: HTTP and WSGI begin and end here.

Credentials are read by hand: every server hands them on a little differently, and Werkzeug's ``request.authorization``
knows only UTF-8.
"""

import binascii
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cached_property
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from pypi_registry._api.addresses import Address
from pypi_registry._http.body import Body
from pypi_registry._pages.cache import PageCache
from pypi_registry.auth import Ability, Auth, AuthScheme, Challenge, Credentials, Principal, refusal
from pypi_registry.directory import Directory
from pypi_registry.distributions import Verify
from pypi_registry.errors import InvalidRequest, NotFound
from pypi_registry.forwarding import ForwardTo
from pypi_registry.model import Group, Project
from pypi_registry.storage import Blobs, Catalogue

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Headers = list[tuple[str, str]]

# Different callers see different pages at one address, so no cache may mistake one for the other. A host may know its
# callers by a cookie.
VARY = ("Vary", "Accept, Accept-Encoding, Authorization, Cookie, PRIVATE-TOKEN, DEPLOY-TOKEN, JOB-TOKEN")


class Services(NamedTuple):
    """What a `Registry` was built from."""

    directory: Directory
    auth: Auth
    catalogue: Catalogue
    blobs: Blobs
    forward_to: ForwardTo
    max_file_size: int
    verify: Verify | None
    pages: PageCache


class Call:
    """One request: its environ, what its address says, and the registry's collaborators."""

    address: Address

    def __init__(self, environ: "WSGIEnvironment", registry: Services) -> None:
        self.environ = environ
        self.registry = registry
        self.method: str = environ["REQUEST_METHOD"]
        self._place: Project | Group | None = None

    @cached_property
    def body(self) -> Body:
        return Body(self.environ)

    def place(self) -> Project | Group | None:
        """Give the project or group of the address, looked up once; None if there is none."""
        if self._place is None and self.address.ref is not None:
            directory = self.registry.directory
            find = directory.group if self.address.is_group else directory.project
            self._place = find(self.address.ref)
        return self._place

    def project(self, *, packages_api: bool = False) -> Project:
        """Find the project of the address.

        :raises NotFound: if there is none; for everybody, so it comes before the credentials, as in GitLab.
        """
        place = self.place()
        if not isinstance(place, Project):
            raise NotFound("Project" if packages_api else "")
        return place

    def principal(self, *, packages_api: bool = False) -> Principal:
        """Find out who asks; the Packages API takes a ``JOB-TOKEN`` header too.

        :raises InvalidToken: if a token is known to be bad.
        :raises InsufficientScope: if the token's scope excludes the request.
        """
        return self.registry.auth.authenticate(read_credentials(self.environ, job_header=packages_api), self.environ)

    def readable(
        self, manner: Challenge = Challenge.ALWAYS, *, packages_api: bool = False
    ) -> tuple[Project | Group, Principal]:
        """Find the project or group of the address, for a caller who may read its packages.

        :raises NotFound: if there is none.
        """
        where = self.place()
        if where is None:
            raise NotFound(("Group" if self.address.is_group else "Project") if packages_api else "")
        principal = self.principal(packages_api=packages_api)
        if not principal.can(Ability.READ_PACKAGE, where):
            raise refusal(principal, Ability.READ_PACKAGE, where, manner)
        return where, principal

    def header(self, name: str) -> str:
        """Give a request header by its name in the environ, ``HTTP_ACCEPT``; empty if there is none."""
        return self.environ.get(name) or ""


def origin(environ: Mapping[str, object]) -> str:
    """Give scheme and host as the client sees them, ``https://registry.example:8443``.

    What a page shows and links to; a Host header that could not be one is replaced by what the server calls itself.
    """
    host = str(environ.get("HTTP_HOST") or "")
    if re.fullmatch(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?", host) is None:
        host = f"{environ.get('SERVER_NAME')}:{environ.get('SERVER_PORT')}"
    return f"{environ['wsgi.url_scheme']}://{host}"


_TOKEN_HEADERS = {
    "HTTP_PRIVATE_TOKEN": AuthScheme.PRIVATE_TOKEN,
    "HTTP_DEPLOY_TOKEN": AuthScheme.DEPLOY_TOKEN,
    "HTTP_JOB_TOKEN": AuthScheme.JOB_TOKEN,
}


def read_credentials(environ: Mapping[str, object], *, job_header: bool = False) -> Credentials | None:
    """Read what a request shows; malformed credentials are none at all, as in GitLab.

    `job_header` tells whether a ``JOB-TOKEN`` header counts: GitLab's Packages API takes it, its PyPI endpoints do not.
    """
    if not environ.keys().isdisjoint(_TOKEN_HEADERS):
        for header, presented in _TOKEN_HEADERS.items():
            if (text := environ.get(header)) and (job_header or presented is not AuthScheme.JOB_TOKEN):
                return Credentials(presented, _decoded(str(text).encode("latin-1", "replace")))
    scheme, _, rest = str(environ.get("HTTP_AUTHORIZATION") or "").partition(" ")
    match scheme.lower():
        case "basic":
            return _read_basic(rest)
        case "bearer" if rest.strip():
            return Credentials(AuthScheme.BEARER, _decoded(rest.strip().encode("latin-1", "replace")))
    return None


def _read_basic(text: str) -> Credentials | None:
    try:
        pair = binascii.a2b_base64(text.strip(), strict_mode=True)
    except ValueError:  # not Base64, or not ASCII
        return None
    user, colon, secret = pair.partition(b":")  # only a user name must not hold a colon
    return Credentials(AuthScheme.BASIC, _decoded(secret), _decoded(user)) if colon else None


def _decoded(data: bytes) -> str:
    # uv and httpx send UTF-8; everything built on requests (pip, twine, poetry) sends latin-1, which never fails.
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


_MAX_JSON = 64 * 1024


def read_json(call: Call) -> Mapping[str, object]:
    """Read the object that a small body holds.

    :raises InvalidRequest: if it holds none.
    """
    data = bytearray()
    while len(data) <= _MAX_JSON and (more := call.body.read(_MAX_JSON)):
        data += more
    if len(data) > _MAX_JSON:
        raise InvalidRequest([f"the body is larger than {_MAX_JSON} bytes"])
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidRequest(["the body must be a JSON object"])
    return value


def is_plain(text: str) -> bool:
    r"""Tell whether a text from a program can be kept and shown: no control characters, no halves of characters.

    >>> is_plain("broken on 3.11; use 1.1"), is_plain("a\0b"), is_plain("\ud800")
    (True, False, False)
    """
    return not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


class Response(NamedTuple):
    """A response, on its way to the server."""

    status: str
    """The whole status line, ``200 OK``."""
    headers: Headers
    body: Iterable[bytes] = ()

    def send(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response(self.status, self.headers)
        if environ["REQUEST_METHOD"] != "HEAD":
            return self.body  # as it is: a server recognizes its own file wrapper
        close = getattr(self.body, "close", None)
        if close is not None:
            close()
        return ()  # most servers would send whatever we gave them


def bytes_response(status: str, content_type: str, body: bytes, *headers: tuple[str, str]) -> Response:
    """Answer with a body that is at hand."""
    return Response(
        status, [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers], [body] if body else []
    )


def json_response(status: str, body: Mapping[str, object], *headers: tuple[str, str]) -> Response:
    """Answer a program."""
    return bytes_response(status, "application/json", json.dumps(body).encode(), *headers)


def redirect_response(url: str, *headers: tuple[str, str]) -> Response:
    """Send a client elsewhere, this time only: CacheControl (pip, poetry) keeps a 301 for ever.

    The body is HTML without an anchor: uv before 0.12 reads it as a simple page, and fails on any other type.
    """
    text = f"<!DOCTYPE html>\n<title>Found</title>\nThis resource has been moved temporarily to {escape(url)}.\n"
    return bytes_response("302 Found", "text/html; charset=utf-8", text.encode(), ("Location", url), *headers)


_MAX_REASON = 200


def status_line(status: int, sentence: str = "") -> str:
    r"""Make a status line, with a sentence in place of the standard phrase.

    It is all that twine and hatch show their users.

    >>> status_line(400, "Bad request - é is\r\nno ☃")
    '400 Bad request - é is no ?'
    >>> status_line(404)
    '404 Not Found'
    """
    # A line break here is header injection on five servers, and what is not latin-1 a dead connection on seven.
    words = " ".join(sentence.split()).encode("latin-1", "replace").decode("latin-1")
    if not words.isprintable():
        words = "".join(letter if letter.isprintable() else "?" for letter in words)
    return f"{status} {words[:_MAX_REASON].rstrip() or HTTPStatus(status).phrase}"
