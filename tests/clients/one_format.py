"""A proxy in front of a server: clients have the simple pages in one format, and the proxy notes what they receive."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.clients.served import PATIENCE

HTML = "text/html"
JSON = "application/vnd.pypi.simple.v1+json"

_FRAMING = {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}


class OneFormat(ThreadingHTTPServer):
    """Passes on requests and responses; pages are requested with an `Accept` of its own, if it has one."""

    daemon_threads = True

    def __init__(self, port: int, accept: str) -> None:
        """`port` is the server's. An empty `accept` leaves the client's as it is."""
        super().__init__(("127.0.0.1", 0), _Relay)
        self.target = port
        self.accept = accept
        self._formats: list[str] = []

    @property
    def formats(self) -> set[str]:
        """Return the media types of the pages that were sent."""
        return {*self._formats}

    def note(self, content_type: str) -> None:
        self._formats.append(content_type.partition(";")[0])


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OneFormat

    def _pass_on(self) -> None:
        of_a_page = "/simple" in self.path
        headers = [(name, value) for name, value in self.headers.items() if name.lower() != "connection"]
        if of_a_page and self.server.accept:
            headers = [(name, value) for name, value in headers if name.lower() != "accept"]
            headers.append(("Accept", self.server.accept))
        connection = HTTPConnection("127.0.0.1", self.server.target, timeout=PATIENCE)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if of_a_page and self.command == "GET" and response.status == 200:
            self.server.note(response.headers["Content-Type"])
        self.send_response(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _FRAMING:
                self.send_header(name, value)
        length = response.headers["Content-Length"] if self.command == "HEAD" else str(len(body))
        if response.status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_OPTIONS = _pass_on  # noqa: N815  # the names of the base class

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def one_format(port: int, accept: str) -> Iterator[OneFormat]:
    with OneFormat(port, accept) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
