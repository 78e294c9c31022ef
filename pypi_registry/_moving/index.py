"""An index on the network as a source: requests, redirects, retries, credentials, and the limits of all of them.

The operator chooses the index, and nothing else is trusted: it cannot make this program request anything but http and
https, send the credentials of the source to another host, wait for hours, or keep large responses in memory.
"""

import base64
import netrc
import os
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event, Lock
from typing import BinaryIO, TypeVar
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from packaging.utils import NormalizedName
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import make_headers
from urllib3.util.retry import Retry

from pypi_registry._disk import disk_errors_as_storage_errors
from pypi_registry._index_urls import is_index_url, package_url
from pypi_registry._moving.digests import Comparison
from pypi_registry._moving.pace import PacedResponse
from pypi_registry._moving.pages import ACCEPT, INDEX_LIMITS, PAGE_LIMITS, Limits, read_files, read_names
from pypi_registry._moving.source import SourceError, SourceFile, SourcePage, Stopped
from pypi_registry.errors import FileTooLarge, RegistryError

T = TypeVar("T")

USER, PASSWORD = "PYPI_REGISTRY_SOURCE_USER", "PYPI_REGISTRY_SOURCE_PASSWORD"

_MAX_REDIRECTS = 10
_ATTEMPTS = 5
_MAX_WAIT = 600.0  # seconds that a source may let this program wait between two attempts
_MAX_WAITS = 6 * 3600.0  # seconds of all waits of an import together; its threads may wait at the same time
_BACKOFF = 0.5  # seconds before the second attempt, doubled for each one after it
_BLOCK = 64 * 1024
_TIMEOUT = urllib3.Timeout(connect=10, read=30)
_HINTS = dict.fromkeys((401, 403), f"; credentials are read from netrc, or from {USER} and {PASSWORD}")
_CERTIFICATE = "; REQUESTS_CA_BUNDLE names the file of another certificate authority"
_TEMPORARY = {429, 500, 502, 503, 504, *range(520, 528)}
_REDIRECTS = {301, 302, 303, 307, 308}


class InvalidSource(RegistryError):
    """The source is not a URL that can be read, or its credentials cannot be read; the message holds no secret."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True)
class Address:
    """The URL of an index without credentials, and the value of the Authorization header for it."""

    url: str
    authorization: str | None = None

    def __repr__(self) -> str:
        return f"<{self.url}>"  # a traceback must not show a secret

    @classmethod
    def of(cls, text: str, environ: Mapping[str, str]) -> "Address":
        """Split a URL into the address of the index and its credentials.

        The credentials in it come first, then those of the environment, then those of the file netrc.

        :raises InvalidSource: if it is not the URL of an index, or netrc cannot be read.
        """
        try:
            parts = urlsplit(text)
            host, port = parts.hostname or "", parts.port
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
        except ValueError:
            raise InvalidSource("the source is not a valid URL") from None
        bare = f"[{host}]" if ":" in host else host
        url = urlunsplit((parts.scheme, bare if port is None else f"{bare}:{port}", parts.path, parts.query, ""))
        if not is_index_url(url):
            raise InvalidSource(
                f"{url}: this is not the URL of a simple index, such as https://packages.example/simple/"
            )
        if not user and not password:
            user, password = environ.get(USER, ""), environ.get(PASSWORD, "")
        if not user and not password:
            user, password = _from_netrc(host, environ)
        if not user and not password:
            return cls(url)
        secret = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        return cls(url, f"Basic {secret}")


def _from_netrc(host: str, environ: Mapping[str, str]) -> tuple[str, str]:
    named = environ.get("NETRC")
    path = Path(named) if named else Path.home() / (".netrc" if os.name == "posix" else "_netrc")
    try:
        found = netrc.netrc(path).authenticators(host)
    except FileNotFoundError:
        return "", ""
    except netrc.NetrcParseError as error:  # its message repeats a word of the file
        raise InvalidSource(f"{path}: line {error.lineno} cannot be read") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSource(f"{path}: it cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    return (found[0] or "", found[2] or "") if found else ("", "")


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that verifies certificates: with those of the system, or those that the environment names.

    ``REQUESTS_CA_BUNDLE`` comes first, as for twine. OpenSSL itself reads ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``.

    :raises InvalidSource: if the file cannot be read.
    """
    path = environ.get("REQUESTS_CA_BUNDLE") or environ.get("SSL_CERT_FILE")
    if not path:
        return ssl.create_default_context()
    try:
        is_folder = Path(path).is_dir()
        return ssl.create_default_context(cafile=None if is_folder else path, capath=path if is_folder else None)
    except (OSError, ssl.SSLError) as error:
        raise InvalidSource(f"{path}: certificates cannot be read from it: {error}") from error


class _HTTPConnection(HTTPConnection):
    response_class = PacedResponse


class _HTTPSConnection(HTTPSConnection):
    response_class = PacedResponse


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class IndexSource:
    """An index that speaks PEP 503 or 691. Any thread may call it.

    :param jobs: how many connections to one host there are at most.
    """

    lacks_digests = one_name_per_page = True

    def __init__(self, address: Address, *, jobs: int, environ: Mapping[str, str]) -> None:
        self._address = address
        self._stopped = Event()
        self._waits, self._lock = 0.0, Lock()
        options = {"maxsize": jobs, "block": True, "ssl_context": tls_context(environ), "timeout": _TIMEOUT}
        self._direct = urllib3.PoolManager(**options)  # type: ignore[arg-type]  # options of its pools
        self._proxies = {
            scheme: _proxy_manager(url, options) for scheme, url in getproxies().items() if scheme in ("http", "https")
        }
        for manager in (self._direct, *self._proxies.values()):
            manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def names(self) -> Sequence[NormalizedName]:
        url = f"{self._address.url.rstrip('/')}/"
        try:
            return self._read_page(url, INDEX_LIMITS, read_names)
        except SourceError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            raise SourceError(f"{error}; if the index lists no names, pass --name", error.status) from None

    def page(self, name: NormalizedName) -> SourcePage:
        return self._read_page(package_url(self._address.url, name), PAGE_LIMITS, read_files)

    def fetch(self, file: SourceFile, into: BinaryIO, *, max_size: int) -> None:
        def receive(response: "_Response") -> None:
            # A second attempt begins at the start of the file.
            with disk_errors_as_storage_errors():
                into.seek(0)
                into.truncate()
            comparison, size = Comparison(file.digests), 0
            if (response.length or 0) >= max_size:
                raise FileTooLarge(max_size)
            for block in response.blocks():
                size += len(block)
                if size >= max_size:
                    raise FileTooLarge(max_size)
                comparison.update(block)
                with disk_errors_as_storage_errors():
                    into.write(block)
            comparison.check()

        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        self._get(file.url, headers, receive, decode=False)

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        """Close all connections."""
        for manager in (self._direct, *self._proxies.values()):
            manager.clear()

    def _read_page(self, url: str, limits: Limits, read: Callable[[bytes, str, str, Limits], T]) -> T:
        def receive(response: "_Response") -> T:
            limit = limits.size(response.content_type, response.url)
            body = bytearray()
            for block in response.blocks():
                body += block
                if len(body) > limit:
                    raise SourceError(f"{url}: the page has more than {limit} bytes")
            return read(bytes(body), response.content_type, response.url, limits)

        return self._get(url, {"Accept": ACCEPT, "Accept-Encoding": "gzip"}, receive, decode=True)

    # Requests

    def _get(self, url: str, headers: Mapping[str, str], receive: Callable[["_Response"], T], *, decode: bool) -> T:
        """Request a URL until it can be read, and return what `receive` makes of the response.

        :raises SourceError: if that fails, or is refused.
        :raises Stopped: if the import was stopped.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            wait, problem = _BACKOFF * 2 ** (attempt - 1), ""
            try:
                with self._response(url, headers, decode) as response:
                    if response.status == HTTPStatus.OK:
                        return receive(response)
                    problem = f"{_shown(url)}: the source responds with {response.status} {response.reason}".rstrip()
                    if response.status not in _TEMPORARY:
                        hint = _HINTS.get(response.status, "")
                        raise SourceError(f"{problem}{hint}", response.status)
                    wait = max(wait, response.retry_after)
            except urllib3.exceptions.SSLError as error:  # a second attempt would get the same certificate
                raise SourceError(f"{_shown(url)}: {error}{_CERTIFICATE}") from error
            except (urllib3.exceptions.HTTPError, OSError) as error:  # OSError: from a proxy, or from the name service
                problem = f"{_shown(url)}: {error}"
            if attempt == _ATTEMPTS:
                break
            if wait > _MAX_WAIT:
                problem += f", and asks to wait for {wait:.0f} seconds"
                break
            if not self._may_wait(wait):
                problem += f", and this import has waited for {_MAX_WAITS / 3600:.0f} hours already"
                break
            if self._stopped.wait(wait):
                raise Stopped
        raise SourceError(problem)

    def _may_wait(self, wait: float) -> bool:
        with self._lock:
            self._waits += wait
            return self._waits <= _MAX_WAITS

    @contextmanager
    def _response(self, url: str, headers: Mapping[str, str], decode: bool) -> Iterator["_Response"]:
        """Request a URL, and follow its redirects."""
        for _ in range(_MAX_REDIRECTS + 1):
            if self._stopped.is_set():
                raise Stopped
            sent = {**headers, "User-Agent": "pypi-registry"}
            if self._address.authorization is not None and may_send_credentials(self._address.url, url):
                sent["Authorization"] = self._address.authorization
            found = self._manager(url).request(
                "GET", url, headers=sent, redirect=False, retries=False, preload_content=False
            )
            response = _Response(found, url, decode, self._stopped)
            location = found.headers.get("Location")
            if found.status not in _REDIRECTS or not location:
                try:
                    yield response
                finally:
                    # A connection with unread bytes cannot be used again.
                    found.close()
                    found.release_conn()
                return
            found.close()
            found.release_conn()
            url = _redirected(url, location)
        raise SourceError(f"{_shown(url)}: more than {_MAX_REDIRECTS} redirects")

    def _manager(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme)
        return self._direct if proxy is None or proxy_bypass(parts.hostname or "") else proxy


class _Response:
    """A response whose body is read in blocks."""

    def __init__(self, response: urllib3.BaseHTTPResponse, url: str, decode: bool, stopped: Event) -> None:
        self.url = url
        self.status = response.status
        self.reason = "".join(filter(str.isprintable, response.reason or ""))[:100]
        self.content_type = response.headers.get("Content-Type", "")
        self._response, self._decode, self._stopped = response, decode, stopped

    @property
    def length(self) -> int | None:
        """The declared length of the body."""
        text = self._response.headers.get("Content-Length", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None

    @property
    def retry_after(self) -> float:
        """Seconds; 0 if the source names none."""
        text = self._response.headers.get("Retry-After")
        try:
            return Retry().parse_retry_after(text) if text else 0
        except (urllib3.exceptions.InvalidHeader, OverflowError, ValueError):
            return 0

    def blocks(self) -> Iterator[bytes]:
        """Yield the body.

        :raises Stopped: if the import was stopped.
        """
        for block in self._response.stream(_BLOCK, decode_content=self._decode):
            if self._stopped.is_set():
                raise Stopped
            yield block


def _proxy_manager(url: str, options: Mapping[str, object]) -> urllib3.PoolManager:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    except ValueError:
        raise InvalidSource("the proxy that the environment names is not a valid URL") from None
    bare = f"[{host}]" if ":" in host else host
    return urllib3.ProxyManager(
        f"{parts.scheme}://{bare}" if port is None else f"{parts.scheme}://{bare}:{port}",
        proxy_headers=make_headers(proxy_basic_auth=login) if login else None,
        **options,  # type: ignore[arg-type]  # options of its pools
    )


def may_send_credentials(source: str, url: str) -> bool:
    """Return whether the credentials of the source may be sent to a URL: to its host and port, and never less safely.

    >>> may_send_credentials("http://a.example/simple", "https://a.example/files/x")
    True
    >>> may_send_credentials("https://a.example/simple", "http://a.example/files/x")
    False
    """
    ours, theirs = urlsplit(source), urlsplit(url)
    if ours.hostname != theirs.hostname:
        return False
    same = ours.scheme == theirs.scheme and _port(ours.scheme, ours.port) == _port(theirs.scheme, theirs.port)
    upgraded = (ours.scheme, _port("http", ours.port), theirs.scheme, _port("https", theirs.port))
    return same or upgraded == ("http", 80, "https", 443)


def _port(scheme: str, port: int | None) -> int:
    return port if port is not None else {"http": 80, "https": 443}[scheme]


def _redirected(url: str, location: str) -> str:
    """Return the URL to which a response redirects, without credentials in it."""
    try:
        parts = urlsplit(urljoin(url, location))
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host:
        raise SourceError(f"{_shown(url)}: it redirects to a URL that is neither http nor https")
    bare = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, bare if port is None else f"{bare}:{port}", parts.path or "/", parts.query, ""))


def _shown(url: str) -> str:
    """Return a URL for a message: its query may hold a signature."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "…" if parts.query else "", ""))
