"""Load: requests over kept-alive connections, and how long they took."""

import re
import selectors
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle, repeat
from pathlib import Path

from tests.benchmarks.registry import Ask

WRK = shutil.which("wrk")
CONNECTIONS = 8


def rate(ask: Ask, port: int, seconds: int, connections: int = CONNECTIONS) -> float:
    """Return the responses per second; wrk sends the requests if it is installed, otherwise Python."""
    if WRK is None:
        sent = send(port, repeat(ask.to(port)), connections, seconds=seconds, status=ask.status)
        return len(sent.latencies) / sent.seconds
    options = [word for name, value in ask.headers.items() if value for word in ("-H", f"{name}: {value}")]
    command = [WRK, "-t1", f"-c{connections}", f"-d{seconds}s", *options, f"http://127.0.0.1:{port}{ask.path}"]
    out = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    answers = re.search(r"(\d+) requests in", out)
    found = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert found is not None, out
    assert answers is not None, out
    assert int(bad[1]) == int(answers[1]) if bad and ask.status >= 400 else not bad, out
    assert "Socket errors" not in out, out
    return float(found[1])


@dataclass
class Sent:
    """The result of many requests."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds of each, from its first byte to the last of its answer."""

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the latency below which this share of them lies."""
        return sorted(self.latencies)[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def send(port: int, requests: Iterable[bytes], connections: int, *, seconds: float = 1e9, status: int = 201) -> Sent:
    """Send requests until there are none left or time is up, each connection one after the other.

    :raises RuntimeError: if an answer has another status.
    """
    source, sent = iter(requests), Sent()
    with selectors.DefaultSelector() as selector:
        sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
        started = time.perf_counter()
        under_way = sum(_begin(selector, each, source) for each in sockets)
        while under_way:
            for key, _ in selector.select():
                one: _Exchange = key.data
                if not one.goes_on():
                    continue
                now = time.perf_counter()
                sent.latencies.append(now - one.started)
                if one.status != status:
                    raise RuntimeError(f"{one.status} and not {status}: {bytes(one.answer[:1000])!r}")
                selector.unregister(one.socket)
                if now - started > seconds or not _begin(selector, one.socket, source):
                    under_way -= 1
        sent.seconds = time.perf_counter() - started
        for each in sockets:
            each.close()
    return sent


def send_in_turn(ports: Iterable[int], requests: Iterable[bytes], status: int) -> None:
    """Send one request after the other, to each server in turn, over one connection to each.

    :raises RuntimeError: if an answer has another status.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for port in ports]
        for request, connection in zip(requests, cycle(sockets), strict=False):
            connection.sendall(request)
            one = _Exchange(connection, 0.0)
            while not one.goes_on():
                pass
            if one.status != status:
                raise RuntimeError(f"{one.status} and not {status}: {bytes(one.answer[:1000])!r}")


def _begin(selector: selectors.BaseSelector, connection: socket.socket, requests: Iterator[bytes]) -> bool:
    request = next(requests, None)
    if request is None:
        return False
    selector.register(connection, selectors.EVENT_READ, _Exchange(connection, time.perf_counter()))
    connection.sendall(request)
    return True


@dataclass
class _Exchange:
    socket: socket.socket
    started: float
    answer: bytearray = field(default_factory=bytearray)

    def goes_on(self) -> bool:
        """Read what has arrived; return whether the response is complete."""
        data = self.socket.recv(256 * 1024)
        if not data:
            raise RuntimeError(f"the connection was closed after {bytes(self.answer[:1000])!r}")
        self.answer += data
        end = self.answer.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = re.search(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)", self.answer[:end])
        return len(self.answer) >= end + 4 + (int(length[1]) if length and self.status != 304 else 0)

    @property
    def status(self) -> int:
        return int(self.answer[9:12])


def fetch(ask: Ask, port: int) -> tuple[str, list[tuple[str, str]], bytes]:
    """Ask once, and return status line, headers and body."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(ask.to(port))
        one = _Exchange(connection, 0.0)
        while not one.goes_on():
            pass
    if one.status != ask.status:
        raise RuntimeError(f"{one.status} and not {ask.status}: {bytes(one.answer[:1000])!r}")
    head, _, body = bytes(one.answer).partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    return first.partition(" ")[2], headers, body


def download(port: int, ask: Ask, size: int, clients: int, times: int) -> float:
    """Download a file of `size` bytes so many times in each of some threads, and return bytes per second."""
    started = time.perf_counter()
    failures: list[BaseException] = []

    def client() -> None:
        try:
            _receive(port, ask, size, times)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return size * times * clients / (time.perf_counter() - started)


def _receive(port: int, ask: Ask, size: int, times: int) -> None:
    buffer = memoryview(bytearray(512 * 1024))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(times):
            connection.sendall(ask.to(port))
            head = bytearray()
            while (end := head.find(b"\r\n\r\n")) < 0:
                head += connection.recv(16 * 1024)
            assert head[9:12] == b"200", bytes(head)
            left = size - (len(head) - end - 4)
            while left:
                got = connection.recv_into(buffer)
                assert got, "the file broke off"
                left -= got


def send_file(port: int, head: bytes, file: Path, tail: bytes) -> float:
    """Send one large request, whose middle is a file, and return the seconds until it was answered with success."""
    with socket.create_connection(("127.0.0.1", port)) as connection, file.open("rb") as stream:
        started = time.perf_counter()
        connection.sendall(head)
        connection.sendfile(stream)
        connection.sendall(tail)
        one = _Exchange(connection, started)
        while not one.goes_on():
            pass
        seconds = time.perf_counter() - started
    if one.status not in (200, 201):
        raise RuntimeError(f"the upload was answered {bytes(one.answer[:1000])!r}")
    return seconds
