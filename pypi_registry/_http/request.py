"""A WSGI request: its headers, its credentials and its body. Nothing here knows what a package is.

Credentials are read by hand: each server passes them on a little differently, and Werkzeug's ``request.authorization``
decodes only UTF-8.
"""

import binascii
import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from pypi_registry._http.body import Body
from pypi_registry.auth import AuthScheme, Credentials
from pypi_registry.errors import InvalidRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_MAX_JSON = 64 * 1024


class Request:
    """One request, read from its environ as far as it is asked for."""

    def __init__(self, environ: "WSGIEnvironment") -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]

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
    def is_cross_site(self) -> bool:
        """Whether a browser sends this for the page of another site (Fetch Metadata, ``Sec-Fetch-Site``).

        Browsers attach stored Basic credentials to cross-site requests (CSRF).
        """
        return self.header("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site")

    def has_representation(self, etag: str) -> bool:
        """Return whether the client already has the representation with this (strong, quoted) entity tag.

        RFC 9110, 13.1.2: "A recipient MUST use the weak comparison function when comparing entity tags for
        If-None-Match". Proxies that compress make tags weak.
        """
        known = self.header("HTTP_IF_NONE_MATCH")
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
    ['yankd is not known']
    """
    return [f"{key} is not known" for key in body if key not in known]


def is_plain(text: str) -> bool:
    r"""Return whether a text can be stored and shown: no control characters, no surrogates.

    >>> is_plain("broken on 3.11; use 1.1"), is_plain("a\0b"), is_plain("\ud800")
    (True, False, False)
    """
    return not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


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


def origin(environ: Mapping[str, object]) -> str:
    """Return scheme and host as the client sees them, ``https://registry.example:8443``.

    A Host header that is not a host is replaced by the name that the server has for itself.
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
