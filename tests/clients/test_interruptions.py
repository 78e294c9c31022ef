"""Kills, signals and slow clients: no incomplete file is ever visible, and requests in progress are finished."""

import signal
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients import wire
from tests.clients.programs import Programs, with_login
from tests.clients.served import Served, until

pytestmark = pytest.mark.slow

MIB = 1024**2
FIELDS = {"name": "demo", "version": "1.0"}
FILENAME = "demo-1.0.tar.gz"

Serve = Callable[..., Served]


def address(server: Served) -> str:
    return f"{server.api}/projects/1/packages/pypi"


def content(size: int, filename: str = FILENAME) -> bytes:
    return distribution(filename, size=size)


def file_address(server: Served, data: bytes) -> str:
    return f"{address(server)}/files/{sha256(data).hexdigest()}/{FILENAME}"


def assert_it_is_not_published_and_can_be_uploaded_again(server: Served, secret: str, data: bytes) -> None:
    assert b"<a " not in wire.get(f"{address(server)}/simple/", secret).body
    assert wire.get(file_address(server, data), secret).status == 404
    assert wire.upload(address(server), secret, FIELDS, FILENAME, data).status == 201
    assert wire.get(file_address(server, data), secret).body == data


def test_a_kill_while_an_upload_arrives_leaves_nothing_and_the_file_can_be_uploaded_again(serve: Serve) -> None:
    first, data = serve(), content(32 * MIB)
    secret = first.secret
    with wire.Slow.upload(address(first), secret, FIELDS, FILENAME, data) as upload:
        upload.send(len(data) // 2)
        first.kill()
    second = serve()
    assert not [*(second.data / "tmp").iterdir()]
    assert_it_is_not_published_and_can_be_uploaded_again(second, secret, data)


def test_a_kill_while_an_upload_is_stored_leaves_nothing_and_the_file_can_be_uploaded_again(serve: Serve) -> None:
    first, data = serve(), content(128 * MIB)
    secret, incoming = first.secret, first.data / "files" / "incoming"
    with wire.Slow.upload(address(first), secret, FIELDS, FILENAME, data) as upload:
        sending = Thread(target=upload.send)
        sending.start()
        until(lambda: any(incoming.iterdir()))
        first.kill()
        sending.join()
    assert any(incoming.iterdir()), "the kill came too late to prove anything"
    assert_it_is_not_published_and_can_be_uploaded_again(serve(), secret, data)


def test_what_was_acknowledged_survives_a_kill(serve: Serve) -> None:
    first, data = serve(), content(MIB)
    secret = first.secret
    assert wire.upload(address(first), secret, FIELDS, FILENAME, data).status == 201
    first.kill()
    assert wire.get(file_address(serve(), data), secret).body == data


def test_a_client_that_disconnects_leaves_nothing_and_the_server_goes_on(serve: Serve) -> None:
    server, data = serve(), content(4 * MIB)
    with wire.Slow.upload(address(server), server.secret, FIELDS, FILENAME, data) as upload:
        upload.send(len(data) // 2)
    assert_it_is_not_published_and_can_be_uploaded_again(server, server.secret, data)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_an_upload_and_a_download_are_finished_after_a_signal(serve: Serve, number: signal.Signals) -> None:
    server, old, new = serve(), content(64 * MIB), content(16 * MIB, "demo-2.0.tar.gz")
    secret = server.secret
    assert wire.upload(address(server), secret, FIELDS, FILENAME, old).status == 201
    fields = {"name": "demo", "version": "2.0"}
    with (
        wire.Slow.download(file_address(server, old), secret) as download,
        wire.Slow.upload(address(server), secret, fields, "demo-2.0.tar.gz", new) as upload,
    ):
        download.send()
        answer = download.answer()
        begun = answer.read(MIB)
        upload.send(len(new) // 2)
        server.signal(number)
        until(lambda: _refuses_connections(server))
        assert server.process.poll() is None
        upload.send()
        assert upload.answer().status == 201
        assert begun + answer.read() == old
        server.wait_until_stopped()
    restarted = serve()
    page = wire.get(f"{address(restarted)}/simple/demo/", secret).body
    assert page.count(b"<a ") == 2 and sha256(new).hexdigest().encode() in page


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_stops_at_once_although_idle_clients_are_connected(serve: Serve, number: signal.Signals) -> None:
    server = serve()
    with wire.Slow(server.api, "GET / HTTP/1.1\r\nHost: registry.example") as idle, wire.Slow(server.api, "") as silent:
        idle.send()
        assert idle.answer().read()
        silent.send(0)
        server.signal(number)
        assert until(lambda: server.process.poll() is not None) < 5
    server.wait_until_stopped()


def test_a_second_signal_stops_at_once_although_a_client_is_sending(serve: Serve) -> None:
    server, data = serve(), content(4 * MIB)
    with wire.Slow.upload(address(server), server.secret, FIELDS, FILENAME, data) as upload:
        upload.send(len(data) // 2)
        server.signal(signal.SIGTERM)
        until(lambda: _refuses_connections(server))
        server.signal(signal.SIGTERM)
        assert server.process.wait(5) == -signal.SIGTERM


def test_real_programs_work_after_a_kill(serve: Serve, programs: Programs, wheel: Path) -> None:
    first = serve()
    secret = first.secret
    with wire.Slow.upload(address(first), secret, FIELDS, FILENAME, content(4 * MIB)) as upload:
        upload.send(2 * MIB)
        first.kill()
    second = serve()
    programs.twine_upload(address(second), secret, wheel)
    index = f"{with_login(address(second), secret)}/simple"
    programs.run("pip", "download", "--no-deps", "--dest", "got", "--index-url", index, "demo")
    assert (programs.home / "got" / wheel.name).read_bytes() == wheel.read_bytes()


def _refuses_connections(server: Served) -> bool:
    try:
        with wire.Slow(server.api, ""):
            return False
    except ConnectionError:
        return True
