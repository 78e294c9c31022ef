"""The URL under which clients reach `serve`: what N reverse proxies forward (``--proxies N``), or a fixed one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from werkzeug.middleware.proxy_fix import ProxyFix

from pypi_registry._http.request import SCHEMES, is_host

_PREFIX = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True)
class PublicURL:
    """The URL under which clients reach the landing page (``--url``)."""

    scheme: str
    host: str
    """With a port, unless it is the default one."""
    prefix: str
    """The path below which a proxy serves the registry, ``/pypi``; empty at the root. The proxy removes it."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a URL such as ``https://packages.example``.

        :raises ValueError: if it is no such URL; the message names the problem.
        """
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise ValueError("it is not a URL") from None
        host = parts.netloc.lower()
        prefix = parts.path.rstrip("/")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(
                "it contains characters that a URL must not contain; write a host name with non-ASCII letters as xn--…"
            )
        if parts.scheme not in SCHEMES:
            raise ValueError("it must begin with https:// or http://")
        if "@" in host:
            raise ValueError("it must not contain a user or a password: every client sees it")
        if not is_host(host) or port == 0:
            raise ValueError("it has no valid host")
        if "?" in text or "#" in text:
            raise ValueError("it must have no query and no fragment")
        if not _PREFIX.fullmatch(prefix):
            raise ValueError("its path may have letters, digits, and any of -._~ between single slashes")
        return cls(parts.scheme, host, prefix)

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.prefix}"


def at_url(application: "WSGIApplication", url: PublicURL | None) -> "WSGIApplication":
    """Return an application whose environ has the scheme, the host and the prefix of a URL, whatever a client sends."""
    if url is None:
        return application

    def fixed(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ["wsgi.url_scheme"], environ["HTTP_HOST"] = url.scheme, url.host
        environ["SCRIPT_NAME"] = url.prefix
        return application(environ, start_response)

    return fixed


def behind_proxies(application: "WSGIApplication", count: int) -> "WSGIApplication":
    """Return an application whose environ has the client's address, scheme, host and prefix, as proxies forward them.

    It trusts ``X-Forwarded-For``, ``-Proto``, ``-Host`` and ``-Prefix``. Each proxy appends a value to such a header,
    or sets it; the value that counts is the `count`-th from the right, as the client can send only those before it.

    :param count: how many proxies are in front of the server; with 0 no header is trusted.
    """
    if count == 0:
        return application
    checked = _with_valid_values(application)
    return ProxyFix(checked, x_for=count, x_proto=count, x_host=count, x_prefix=count)


def forwarded_environ(environ: "WSGIEnvironment", count: int) -> "WSGIEnvironment":
    """Return what an application `behind_proxies` receives for an environ, which stays as it is."""
    received = []

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        received.append(environ)
        return ()

    behind_proxies(application, count)({**environ}, _no_response)
    return received[0]


def _no_response(*_: object) -> Any:
    raise AssertionError("nothing is sent")


def _with_valid_values(application: "WSGIApplication") -> "WSGIApplication":
    """Return an application that ignores a forwarded value that is not what it should be.

    A proxy that does not set one of the headers passes on that of the client, which may be any text.
    """

    def checked(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        before: dict[str, Any] = environ["werkzeug.proxy_fix.orig"]
        environ["REMOTE_ADDR"] = _address(environ.get("REMOTE_ADDR") or "") or before["REMOTE_ADDR"]
        environ["wsgi.url_scheme"] = environ["wsgi.url_scheme"].lower()
        if environ["wsgi.url_scheme"] not in SCHEMES:
            environ["wsgi.url_scheme"] = before["wsgi.url_scheme"]
        if not is_host(environ.get("HTTP_HOST") or ""):
            host = {name: before[name] for name in ("HTTP_HOST", "SERVER_NAME", "SERVER_PORT")}
            environ.update(host)
            if host["HTTP_HOST"] is None:
                del environ["HTTP_HOST"]
        prefix = (environ.get("SCRIPT_NAME") or "").strip("/")
        environ["SCRIPT_NAME"] = f"/{prefix}" if prefix else ""
        return application(environ, start_response)

    return checked


def _address(text: str) -> str:
    """Return the IP address in a value of ``X-Forwarded-For``, to which some proxies add a port; empty if it has none.

    >>> _address("192.0.2.7"), _address("192.0.2.7:4711"), _address("[2001:db8::1]:4711"), _address("unknown")
    ('192.0.2.7', '192.0.2.7', '2001:db8::1', '')
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return "" if "%" in text else str(ip_address(text))  # a zone may be any text, and only a local address has one
    except ValueError:
        return ""
