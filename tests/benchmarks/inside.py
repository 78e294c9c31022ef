"""Microseconds inside the application, without a server: the shortest of many short repetitions."""

import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING

from tests.benchmarks.registry import Ask

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment


def environ_of(ask: Ask) -> "WSGIEnvironment":
    """Create the environ that gunicorn would give an application."""
    path, _, query = ask.path.partition("?")
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "RAW_URI": ask.path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "SERVER_SOFTWARE": "gunicorn/27",
        "HTTP_HOST": "127.0.0.1",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in ask.headers.items() if value},
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.input": io.BytesIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": _Sent,
    }


class _Sent:
    """A file that the server sends by itself: the application's part is over."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.close()
        return iter(())


def answer(application: "WSGIApplication", environ: "WSGIEnvironment") -> tuple[str, bytes]:
    """Ask once, and return the status and the body."""
    said: list[str] = []

    def start_response(status: str, headers: object, error: object = None) -> Callable[[bytes], object]:
        said.append(status)
        return lambda data: None

    chunks: Iterable[bytes] = application(environ, start_response)
    body = b"".join(chunks)
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
    return said[0], body


def microseconds(application: "WSGIApplication", ask: Ask, *, seconds: float, calls: int = 100) -> float:
    """Return what one request takes."""
    environ = environ_of(ask)
    assert answer(application, environ)[0].startswith(str(ask.status))

    def start_response(status: str, headers: object, error: object = None) -> Callable[[bytes], object]:
        return _nothing

    least, end = float("inf"), time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        for _ in range(calls):
            for _ in application(environ, start_response):
                pass
        least = min(least, time.perf_counter() - started)
    return least / calls * 1e6


def _nothing(data: bytes) -> None:
    pass
