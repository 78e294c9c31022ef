"""A TCP proxy between a client and a server, which a test lets fail at a chosen moment."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from threading import Lock, Thread


class Fault(Enum):
    """What happens when the client sends the bytes that the test waits for."""

    LOSE_ANSWER = auto()
    """The server receives them and answers; the client sees its connection end instead."""
    LOSE_REQUEST = auto()
    """Both connections end, and the server receives nothing."""
    LOSE_CLIENT = auto()
    """The connection of the client ends; that of the server stays open and silent."""
    FREEZE = auto()
    """Nothing is forwarded any more, and both connections stay open."""


class Proxy:
    """Forwards connections of a local port to another one."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = Lock()
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []
        self._without_answer: set[socket.socket] = set()
        self._awaited: tuple[bytes, Fault] | None = None
        self._then: Callable[[], object] = lambda: None
        self._is_refusing = False
        self.faults = 0

    def fail_once_at(self, sent: bytes, fault: Fault, then: Callable[[], object] = lambda: None) -> None:
        """Let a fault happen when a client sends these bytes; then call a function."""
        self._awaited, self._then = (sent, fault), then

    def refuse_new_connections(self) -> None:
        self._is_refusing = True

    def end_connections(self) -> None:
        with self._lock:
            for each in self._open:
                _end(each)

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed in the end
            while True:
                client, _ = self._listener.accept()
                if self._is_refusing:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                threads = [Thread(target=self._to_server, args=(client, server)),
                           Thread(target=self._to_client, args=(server, client))]  # fmt: skip
                with self._lock:
                    self._open += [client, server]
                    self._threads += threads
                for thread in threads:
                    thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # an accept() in another thread returns
        self._listener.close()
        self.end_connections()
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                fault = self._fault_of(data)
                if fault is not None:
                    self._fail(fault, data, client, server)
                    return
                server.sendall(data)
        _end(server)

    def _to_client(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if server in self._without_answer:
                    break
                client.sendall(data)
        _end(client)

    def _fault_of(self, data: bytes) -> Fault | None:
        with self._lock:
            if self._awaited is None or self._awaited[0] not in data:
                return None
            _, fault = self._awaited
            self._awaited = None
            return fault

    def _fail(self, fault: Fault, data: bytes, client: socket.socket, server: socket.socket) -> None:
        if fault is Fault.LOSE_ANSWER:
            self._without_answer.add(server)
            server.sendall(data)
        elif fault is Fault.LOSE_REQUEST:
            _end(server)
            _end(client)
        elif fault is Fault.LOSE_CLIENT:
            _end(client)
        self.faults += 1
        self._then()


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    proxy = Proxy(port)
    thread = Thread(target=proxy.serve)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


def _end(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
