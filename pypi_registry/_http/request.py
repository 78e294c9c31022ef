"""A WSGI request: its headers, its credentials and its body. Nothing here knows what a package is.

Credentials are read by hand: each server passes them on a little differently, and Werkzeug's ``request.authorization``
decodes only UTF-8.
"""

import binascii
import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from pypi_registry._excerpt import excerpt
from pypi_registry._http.body import Body
from pypi_registry._http.notes import notes_of
from pypi_registry.auth import AuthScheme, Credentials
from pypi_registry.errors import InvalidRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_MAX_JSON = 64 * 1024


class Request:
    """One request. Its parts are read from the environ when they are needed."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.notes = notes_of(environ)
        self.is_authenticated = False
        """Whether its credentials were accepted."""

    @cached_property
    def body(self) -> Body:
        return Body(self.environ)

    @property
    def has_body(self) -> bool:
        """Whether the client sends a body, read or not."""
        return bool(self.environ.get("CONTENT_LENGTH") or self.environ.get("HTTP_TRANSFER_ENCODING"))

    def header(self, name: str) -> str:
        """Return a request header by its name in the environ, ``HTTP_ACCEPT``; empty if there is none."""
        return self.environ.get(name) or ""

    @property
    def is_cross_origin(self) -> bool:
        """Whether a browser sends this for a page of another origin (CSRF): it attaches stored Basic credentials.

        Browsers send ``Sec-Fetch-Site`` (W3C, Fetch Metadata) over TLS and to the local host only. To a host name on
        plain HTTP they send ``Origin`` alone. Programs that publish send neither.
        """
        site = self.header("HTTP_SEC_FETCH_SITE")
        if site:
            return site not in ("same-origin", "none")
        sent = self.header("HTTP_ORIGIN")
        return bool(sent) and not _is_own_origin(sent, origin(self.environ))

    def has_representation(self, etag: str) -> bool:
        """Return whether the client already has the representation with this (strong, quoted) entity tag.

        RFC 9110, 13.1.2: "A recipient MUST use the weak comparison function when comparing entity tags for
        If-None-Match". Proxies that compress make tags weak.
        """
        known: str = self.environ.get("HTTP_IF_NONE_MATCH") or ""
        return bool(known) and (etag in re.findall(r'"[^"]*"', known) or known.strip() == "*")

    def read_json(self) -> Mapping[str, object]:
        """Read the JSON object in a small body.

        :raises InvalidRequest: if the body is too large or holds no JSON object.
        """
        data = bytearray()
        while len(data) <= _MAX_JSON and (more := self.body.read(_MAX_JSON)):
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


def unknown_keys(body: Mapping[str, object], *known: str) -> list[str]:
    """Return one problem for each key of a JSON object that is not known.

    >>> unknown_keys({"yanked": True, "yankd": True}, "yanked")
    ["'yankd' is not known"]
    """
    return [f"{excerpt(key)} is not known" for key in body if key not in known]


def read_path(path_info: str) -> str:
    r"""Read a ``PATH_INFO``, decoded as UTF-8, with exactly one slash at the beginning.

    WSGI passes bytes as latin-1 (PEP 3333, "Unicode Issues"). Some servers leave the scheme and the host of an
    absolute-form target in it (RFC 9112, 3.2.2).

    >>> read_path("http://registry.example/caf\xc3\xa9")
    '/café'
    """
    text = path_info
    if text.startswith(("http://", "https://")):
        text = text.partition("//")[2].partition("/")[2]
    if not text.isascii():
        text = text.encode("latin-1", "replace").decode("utf-8", "replace")
    return "/" + text.lstrip("/")


SCHEMES = ("http", "https")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_HOST = r"(?P<host>[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{1,45}\])(:(?P<port>[0-9]{1,5}))?"
_ORIGIN = re.compile(f"(?P<scheme>https?)://{_HOST}")


def is_host(text: str) -> bool:
    """Return whether a text is a host name or an address, with or without a port.

    >>> is_host("registry.example:8443"), is_host("[::1]"), is_host("user@registry.example")
    (True, True, False)
    """
    return re.fullmatch(_HOST, text) is not None


def origin(environ: Mapping[str, object]) -> str:
    """Return scheme and host as the client sees them, ``https://registry.example:8443``.

    A Host header that is not a host is replaced by the name that the server has for itself. Both may come from a header
    of a proxy, through a middleware such as Werkzeug's ProxyFix, so both are checked.
    """
    scheme = str(environ["wsgi.url_scheme"]).lower()
    name, port = str(environ.get("SERVER_NAME")), environ.get("SERVER_PORT")
    own = f"[{name}]:{port}" if name.count(":") > 1 and not name.startswith("[") else f"{name}:{port}"
    host = next((text for text in (str(environ.get("HTTP_HOST") or ""), own) if is_host(text)), "localhost")
    return f"{scheme if scheme in SCHEMES else 'http'}://{host}"


def mount_path(environ: Mapping[str, object]) -> str:
    """Return the path at which the application is mounted, encoded for a URL; empty at the root.

    It begins with one slash: ``//other.example`` would be a URL of another host.
    """
    mount = str(environ.get("SCRIPT_NAME") or "").strip("/")
    return f"/{quote(mount.encode('latin-1', 'replace'))}" if mount else ""


def mount_url(environ: Mapping[str, object]) -> str:
    """Return the URL at which the application is mounted, as the client sees it, without a final slash."""
    return origin(environ) + mount_path(environ)


def _is_own_origin(sent: str, own: str) -> bool:
    """Return whether the value of an ``Origin`` header is the origin at which the client reaches the registry.

    A scheme of ``http`` proves nothing: TLS may end at a proxy that does not forward the scheme. Then ``https`` counts
    as the own scheme, too, and only host and port are compared.

    >>> _is_own_origin("https://registry.example", "https://registry.example:443")
    True
    >>> _is_own_origin("https://registry.example", "http://registry.example")
    True
    >>> _is_own_origin("http://registry.example", "https://registry.example")
    False
    >>> _is_own_origin("null", "http://registry.example")
    False
    """
    theirs, ours = _ORIGIN.fullmatch(sent.lower()), _ORIGIN.fullmatch(own.lower())
    if theirs is None or ours is None:
        return False
    default = _DEFAULT_PORTS[theirs["scheme"]]
    return (
        ours["scheme"] in ("http", theirs["scheme"])
        and ours["host"] == theirs["host"]
        and (ours["port"] or default) == (theirs["port"] or default)
    )


_TOKEN_HEADERS = {
    "HTTP_PRIVATE_TOKEN": AuthScheme.PRIVATE_TOKEN,
    "HTTP_DEPLOY_TOKEN": AuthScheme.DEPLOY_TOKEN,
    "HTTP_JOB_TOKEN": AuthScheme.JOB_TOKEN,
}


def read_credentials(environ: Mapping[str, object], *, job_header: bool = False) -> Credentials | None:
    """Read the credentials of a request; malformed ones count as none, as in GitLab.

    :param job_header: whether a ``JOB-TOKEN`` header counts. GitLab's Packages API reads it, its PyPI endpoints do not.
    """
    if not environ.keys().isdisjoint(_TOKEN_HEADERS):
        for header, scheme in _TOKEN_HEADERS.items():
            if (text := environ.get(header)) and (job_header or scheme is not AuthScheme.JOB_TOKEN):
                return Credentials(scheme, _decoded(str(text).encode("latin-1", "replace")))
    scheme_name, _, rest = str(environ.get("HTTP_AUTHORIZATION") or "").partition(" ")
    match scheme_name.lower():
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
    # RFC 7617, 2: "a user-id containing a colon character is invalid"; a password may contain one.
    user, colon, secret = pair.partition(b":")
    return Credentials(AuthScheme.BASIC, _decoded(secret), _decoded(user)) if colon else None


def _decoded(data: bytes) -> str:
    # uv and httpx send UTF-8; everything built on requests (pip, twine, poetry) sends latin-1, which never fails.
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
