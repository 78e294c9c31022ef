"""Ports for servers are not those that the kernel gives to others."""

import socket

import pytest

from tests.ports import free_port


def test_a_free_port_is_no_port_of_a_connection() -> None:
    assert all(free_port() < 32_768 for _ in range(100))


def test_a_port_at_which_a_server_listens_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        ports = [taken.getsockname()[1], free_port()]
        monkeypatch.setattr("tests.ports._RANDOM.randrange", lambda *_: ports.pop(0))
        assert free_port() != taken.getsockname()[1]
