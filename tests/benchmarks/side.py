"""One side of a comparison of two versions of the package: a registry in this process, measured by commands.

`tests.benchmarks.compare` and `tests.benchmarks.hops` run this file as a program with a version of the package on its
path, so it imports nothing else of the tests. It uses only what both versions have: ``registry.toml``, WSGI, SQLite and
files. Each line of the standard input is a command; the answer to each is one line of JSON.

Usage: python tests/benchmarks/side.py FOLDER

The folder has ``registry.toml``, and the bodies of uploads: ``fill/PROJECT-*`` and ``new/*``.
"""

import io
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any

from pypi_registry.accounts import Accounts
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue

BATCH = 50
"""Requests between two readings of the clock."""

UPLOADS = 10
"""Uploads between two readings of the clock."""

Environ = dict[str, Any]


class Side:
    """A registry, and the requests that are measured."""

    def __init__(self, folder: Path, requests: dict[str, Any]) -> None:
        self._requests: dict[str, dict[str, Any]] = requests["requests"]
        self._boundary: str = requests["boundary"]
        self._uploads = iter(sorted((folder / "new").iterdir()))
        self.registry = _open(folder)
        for body in sorted((folder / "fill").iterdir()):
            status = self.send(self._upload(body, body.name.partition("-")[0]))[0]
            assert status == "201 Created", status
        for request in self._requests.values():
            self._complete(request)

    def _complete(self, request: dict[str, Any]) -> None:
        """Put the current entity tag, or the URL of a file, into a request that refers to a page."""
        if page := request.get("page"):
            _, headers, body = self.send(_environ(page, request["headers"]))
            if "HTTP_IF_NONE_MATCH" in request["headers"]:
                request["headers"]["HTTP_IF_NONE_MATCH"] = headers["ETag"]
            else:
                url = json.loads(body)["files"][0]["url"].partition("#")[0]
                request["path"] = f"{page.partition('/simple/')[0]}/files/{url.partition('/files/')[2]}"
        status = self.send(_environ(request["path"], request["headers"]))[0]
        assert status.startswith(str(request["status"])), (request, status)

    def send(self, environ: Environ) -> tuple[str, dict[str, str], bytes]:
        """Send a request; return the status, the headers and the body."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> object:
            started[:] = [status, dict(headers)]
            return None

        chunks = self.registry(environ, start_response)
        body = b"".join(chunks)
        return started[0], started[1], body

    def microseconds(self, name: str, seconds: float) -> float:
        """Return the microseconds of one request: the fastest batch.

        They are processor time, which other processes disturb less than the time of a clock.
        """
        if name == "upload":
            return min(self._batch_of_uploads() for _ in range(max(2, round(seconds * 20))))
        request = self._requests[name]
        environ, registry = _environ(request["path"], request["headers"]), self.registry
        least, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            started = time.thread_time()
            for _ in range(BATCH):
                for _ in registry(dict(environ), _ignore):
                    pass
            least = min(least, time.thread_time() - started)
        return least / BATCH * 1e6

    def _batch_of_uploads(self) -> float:
        environs = [self._upload(next(self._uploads), "1") for _ in range(UPLOADS)]
        started = time.thread_time()
        for environ in environs:
            self.send(environ)
        return (time.thread_time() - started) / UPLOADS * 1e6

    def hops(self, name: str) -> tuple[int, int]:
        """Return how many files of the package, and how many calls of functions in them, one request runs through."""
        if name == "upload":
            warm, environ = (self._upload(next(self._uploads), "1") for _ in range(2))
        else:
            request = self._requests[name]
            warm, environ = (_environ(request["path"], request["headers"]) for _ in range(2))
        self.send(warm)
        files, calls = set(), 0

        def profile(frame: FrameType, event: str, argument: object) -> None:
            nonlocal calls
            file = frame.f_code.co_filename
            if event == "call" and PACKAGE in file:
                files.add(file)
                calls += 1

        sys.setprofile(profile)
        try:
            self.send(environ)
        finally:
            sys.setprofile(None)
        return len(files), calls

    def _upload(self, body: Path, project: str) -> Environ:
        data = body.read_bytes()
        return {
            **_environ(f"/projects/{project}/packages/pypi", self._requests["page"]["headers"]),
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": f"multipart/form-data; boundary={self._boundary}",
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
        }


PACKAGE = "/pypi_registry/"


def _open(folder: Path) -> Any:
    accounts: Any = Accounts.from_toml(folder / "registry.toml")
    stores: Any = {"catalogue": SQLiteCatalogue(folder / "catalogue.sqlite3"), "blobs": FileBlobs(folder / "files")}
    if hasattr(accounts, "registry"):
        return accounts.registry(**stores)
    from pypi_registry import Registry  # a version whose accounts do not know their forwarding rules

    options: Any = {"forward_to": accounts.forward_to, "max_file_size": accounts.max_file_size}
    return Registry(directory=accounts, auth=accounts, **stores, **options)


def _environ(path: str, headers: dict[str, str]) -> Environ:
    """Return the environ of a GET request as gunicorn passes it."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "RAW_URI": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        **headers,
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
    """A file that the server sends itself, outside the application."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.close()
        return iter(())


def _ignore(status: str, headers: object, error: object = None) -> Callable[[bytes], object]:
    return print


def main(commands: Iterable[str]) -> None:
    folder = Path(sys.argv[1])
    side = Side(folder, json.loads((folder / "requests.json").read_text(encoding="utf-8")))
    for line in commands:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(side, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main(sys.stdin)
