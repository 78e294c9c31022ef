"""A proxy in front of a bucket, which lets the whole bucket fail in one of the ways in which buckets fail."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from threading import Lock, Thread

_BLOCK = 64 * 1024
_BODY = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_UNAVAILABLE = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class State(Enum):
    """How the bucket behaves."""

    WELL = auto()
    REFUSES = auto()
    """No connection is accepted, and those that exist end."""
    SILENT = auto()
    """Connections are accepted, and nothing is answered."""
    ERRORS = auto()
    """Every request is answered with 503."""
    SLOW = auto()
    """Each block of 64 KiB, in both directions, takes a tenth of a second more."""


class Bucket:
    """Forwards connections of a local port to a bucket, as its state allows."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._state = State.WELL
        self._open: set[socket.socket] = set()
        self._lock = Lock()

    def become(self, state: State) -> None:
        """Change the state; connections of the previous state end, except those that only become slow."""
        self._state = state
        if state is not State.SLOW:
            self._end_all()

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed in the end
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._handle, args=(client,), daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._end_all()

    def _end_all(self) -> None:
        with self._lock:
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def _registered(self, connection: socket.socket) -> Iterator[socket.socket]:
        with self._lock:
            self._open.add(connection)
        try:
            yield connection
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _handle(self, client: socket.socket) -> None:
        with self._registered(client), suppress(OSError):
            if self._state is State.REFUSES:
                return
            if self._state is State.ERRORS:
                _answer_unavailable(client)
            elif self._state is State.SILENT:
                while client.recv(_BLOCK):
                    pass
            else:
                self._forward(client)

    def _forward(self, client: socket.socket) -> None:
        with self._registered(socket.create_connection(("127.0.0.1", self._target))) as server:
            back = Thread(target=self._copy, args=(server, client), daemon=True)
            back.start()
            self._copy(client, server)
            back.join()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_BLOCK):
                if self._state is State.SLOW:
                    time.sleep(0.1)  # this is the fault
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _answer_unavailable(client: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(_BLOCK)
        if not data:
            return
        head += data
    client.sendall(_UNAVAILABLE)
    client.shutdown(socket.SHUT_WR)
    while client.recv(_BLOCK):  # otherwise unread bytes would reset the connection before the answer is read
        pass


@contextmanager
def in_front_of(target: int) -> Iterator[Bucket]:
    """Run the proxy in front of a port."""
    bucket = Bucket(target)
    thread = Thread(target=bucket.serve, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        bucket.close()
        thread.join()
