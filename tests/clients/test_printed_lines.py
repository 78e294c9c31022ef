"""What the process prints: the access log, and the line with which it refuses to start."""

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients import wire
from tests.clients.programs import Programs, with_login
from tests.clients.served import Served

pytestmark = pytest.mark.slow

LINE = re.compile(
    r'127\.0\.0\.1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "([^" ]+) ([^" ]+)" (\d{3}) (\d+|-) \d+\.\d{3}'
    r'( (user|file|reason)="[^"]*")*'
)


def test_every_request_has_one_line_and_no_line_contains_a_secret(serve: Callable[..., Served]) -> None:
    server = serve()
    secret, place = server.secret, "/api/v4/projects/1/packages/pypi"
    wire.get(f"{server.site}/?token={secret}")
    wire.get(f"{server.site}{place}/simple/?private_token={secret}", secret)
    wire.get(f"{server.site}{place}/simple/", "wrong-secret")
    wire.request("GET", f"{server.site}{place}/simple/", {"PRIVATE-TOKEN": secret})
    fields = {"name": "demo", "version": "1.0", "comment": secret}
    sdist = distribution("demo-1.0.tar.gz")
    assert wire.upload(f"{server.site}{place}", secret, fields, "demo-1.0.tar.gz", sdist).status == 201
    wire.get(f"{server.site}/%0A127.0.0.1%20%22GET%20/forged%22%20200/%1B%5B2J%C3%A9")
    found = [LINE.fullmatch(line) for line in server.err.splitlines()]
    assert all(found), server.err
    assert [match.group(1, 2, 3) for match in found if match] == [
        ("GET", "/", "200"),
        ("GET", f"{place}/simple/", "200"),
        ("GET", f"{place}/simple/", "401"),
        ("GET", f"{place}/simple/", "200"),
        ("POST", place, "201"),
        ("GET", "/%0A127.0.0.1%20%22GET%20/forged%22%20200/%1B%5B2J%C3%A9", "404"),
    ]
    assert secret not in server.err and "wrong-secret" not in server.err


@pytest.mark.parametrize(
    ("head", "line"),
    [
        pytest.param("this is no request: {secret}", ("-", "-", "400"), id="no request"),
        pytest.param("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {secret}", ("GET", "/", "501"), id="encoding"),
        pytest.param("GET / HTTP/1.1\r\nHost : a\r\nPRIVATE-TOKEN: {secret}", ("-", "-", "400"), id="header"),
    ],
)
def test_a_malformed_request_has_one_line_and_does_not_delay_the_stop(
    serve: Callable[..., Served], head: str, line: tuple[str, ...]
) -> None:
    server = serve()
    with wire.Slow(server.site, head.format(secret=server.secret)) as malformed:
        malformed.send()
        assert str(malformed.answer().status) == line[2]
    server.stop()
    [found] = [LINE.fullmatch(line) for line in server.err.splitlines()]
    assert found and found.group(1, 2, 3) == line
    assert server.secret not in server.err


def test_the_lines_of_real_programs_contain_no_secret(
    serve: Callable[..., Served], programs: Programs, wheel: Path
) -> None:
    server = serve()
    place = f"{server.api}/projects/1/packages/pypi"
    programs.twine_upload(place, server.secret, wheel)
    index = f"{with_login(place, server.secret)}/simple"
    programs.run("pip", "download", "--no-deps", "--index-url", index, "demo")
    programs.run("uv", "pip", "install", "--target", "got", "--default-index", index, "demo")
    assert all(LINE.fullmatch(line) for line in server.err.splitlines()), server.err
    assert len(server.access_lines) >= 5
    assert server.secret not in server.err
    assert "?" not in server.err


def test_a_port_in_use_is_one_line_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "pypi_registry", "serve", "--port", port]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"pypi-registry: 127.0.0.1:{port}: Address already in use\n"
    assert not [*tmp_path.iterdir()]


def test_a_port_of_another_registry_is_refused_too(serve: Callable[..., Served], tmp_path: Path) -> None:
    port = str(serve().port)
    command = [sys.executable, "-m", "pypi_registry", "serve", "--port", port, "--data", str(tmp_path / "second")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (2, "")
    assert port in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "second").exists()
