"""A proxy that cuts the connection in the middle of the first file that a client downloads."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from tests.clients.served import PATIENCE

BLOCK = 16 * 1024


class Cutter(ThreadingTCPServer):
    """Hands on what is sent either way; of the first long answer about a file only so many bytes get through."""

    daemon_threads = True

    def __init__(self, port: int, ending: bytes, allowed: int) -> None:
        """`port` is the server's, `ending` that of the files' names; `allowed` counts an answer's head, too."""
        super().__init__(("127.0.0.1", 0), _Relay)
        self.target = port
        self.file_is_asked = ending + b" HTTP/1"
        self.allowed = allowed
        self._cut = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def has_cut(self) -> bool:
        return self._cut.is_set()

    def note_cut(self) -> None:
        self._cut.set()


class _Relay(BaseRequestHandler):
    server: Cutter

    def handle(self) -> None:
        client: socket.socket = self.request
        with socket.create_connection(("127.0.0.1", self.server.target), timeout=PATIENCE) as server:
            self._left = -1  # bytes that may still come back; negative: all
            back = threading.Thread(target=self._answer, args=(server, client), daemon=True)
            back.start()
            with suppress(OSError):
                while data := client.recv(BLOCK):
                    asks = data.startswith(b"GET") and self.server.file_is_asked in data
                    self._left = self.server.allowed if asks and not self.server.has_cut else -1
                    server.sendall(data)
                server.shutdown(socket.SHUT_WR)
            back.join()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(BLOCK):
                if self._left >= 0:
                    data, self._left = data[: self._left], self._left - len(data[: self._left])
                client.sendall(data)
                if self._left == 0:
                    self.server.note_cut()
                    break
            client.shutdown(socket.SHUT_RDWR)
            server.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutter(*arguments: Any) -> Iterator[Cutter]:
    with Cutter(*arguments) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
