"""A response that arrives too slowly is an error, whatever arrives."""

import socket
from collections.abc import Iterator

import pytest

from pypi_registry._moving import pace
from pypi_registry._moving.pace import GRACE, MIN_RATE, Pace, PacedResponse, TooSlow


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_response_may_be_slow_at_first_and_never_below_the_rate_afterwards() -> None:
    clock = Clock()
    paced = Pace(clock)
    clock.now += GRACE
    paced.add(1)
    clock.now += 10
    paced.add(10 * MIN_RATE - 1)
    clock.now += 1
    with pytest.raises(TooSlow, match="fewer than 1024 bytes a second"):
        paced.add(MIN_RATE - 1)


def test_a_fast_response_may_take_as_long_as_it_wants() -> None:
    clock = Clock()
    paced = Pace(clock)
    for _ in range(100):
        clock.now += 3600
        paced.add(3600 * MIN_RATE)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


DRIPS = {
    "status": (b"", b"H"),
    "interim": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "body": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
    "chunk size": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "trailer": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
}


@pytest.mark.parametrize("place", DRIPS)
def test_no_part_of_a_response_can_drip(
    place: str, pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    first, drip = DRIPS[place]
    reads = 0

    class Dripping(Clock):
        """Ten seconds pass at each read, and the next drop arrives."""

        def __call__(self) -> float:
            nonlocal reads
            reads += 1
            assert reads < 100, "it reads for ever"
            self.now += 10
            theirs.sendall(drip)
            return self.now

    monkeypatch.setattr(pace, "monotonic", Dripping())
    theirs.sendall(first)
    response = PacedResponse(ours, method="GET")
    with pytest.raises(TooSlow):
        _read_whole(response)
    assert reads <= 9


def _read_whole(response: PacedResponse) -> None:
    response.begin()
    response.read()


def test_a_response_is_read_and_closed_as_any_other(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    response = PacedResponse(ours, method="GET")
    response.begin()
    assert response.fileno() == ours.fileno()
    assert response.read() == b"ok"
    assert response.isclosed()
