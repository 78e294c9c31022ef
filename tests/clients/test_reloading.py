"""A running server reloads a changed ``registry.toml``."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients import wire
from tests.clients.served import Served, until

pytestmark = pytest.mark.slow

SOON = 3.0
"""Seconds within which a change is reloaded."""

SECRET, NEW_SECRET = "glpat-from-the-start", "glpat-made-later"

BEFORE = f"""\
forward_to = false
max_file_size = 1000

[[projects]]
id = 1
path = "main/packages"
visibility = "private"

[[users]]
name = "ada"
roles = {{ "main" = "owner" }}

[[tokens]]
kind = "personal"
user = "ada"
scopes = ["api"]
sha256 = "{sha256(SECRET.encode()).hexdigest()}"
"""

NEW_TOKEN = f"""
[[tokens]]
kind = "personal"
user = "ada"
scopes = ["read_api"]
sha256 = "{sha256(NEW_SECRET.encode()).hexdigest()}"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    config = tmp_path / "registry.toml"
    config.write_text(BEFORE, encoding="utf-8")
    return config


@pytest.fixture
def server(serve: Callable[..., Served], config: Path) -> Served:
    return serve("--config", str(config))


@pytest.fixture
def upload_url(server: Served) -> str:
    return f"{server.api}/projects/1/packages/pypi"


def edit(config: Path, old: str, new: str) -> None:
    text = config.read_text(encoding="utf-8")
    assert text.count(old) == 1
    config.write_text(text.replace(old, new), encoding="utf-8")


def publish(upload_url: str, version: str, size: int) -> wire.Answer:
    fields = {"name": "demo", "version": version}
    filename = f"demo-{version}.tar.gz"
    return wire.upload(upload_url, SECRET, fields, filename, distribution(filename, size=size))


def test_visibility_is_reloaded(config: Path, upload_url: str) -> None:
    assert wire.get(f"{upload_url}/simple/").status == 401
    edit(config, '"private"', '"public"')
    until(lambda: wire.get(f"{upload_url}/simple/").status == 200, SOON)


def test_a_new_token_and_the_removal_of_an_old_one_are_reloaded(config: Path, upload_url: str) -> None:
    assert wire.get(f"{upload_url}/simple/", NEW_SECRET).status == 401
    config.write_text(BEFORE.partition("[[tokens]]")[0] + NEW_TOKEN, encoding="utf-8")
    until(lambda: wire.get(f"{upload_url}/simple/", NEW_SECRET).status == 200, SOON)
    assert wire.get(f"{upload_url}/simple/", SECRET).status == 401


def test_forwarding_is_reloaded(config: Path, upload_url: str) -> None:
    assert wire.get(f"{upload_url}/simple/absent/", SECRET).status == 404
    edit(config, "forward_to = false", 'forward_to = "http://mirror.example/simple"')
    until(lambda: wire.get(f"{upload_url}/simple/absent/", SECRET).status == 302, SOON)
    location = wire.get(f"{upload_url}/simple/absent/", SECRET).headers["Location"]
    assert location == "http://mirror.example/simple/absent/"


def test_reserved_names_are_reloaded(config: Path, upload_url: str) -> None:
    edit(config, "forward_to = false", 'forward_to = "http://mirror.example/simple"\nreserved = ["acme-*"]')
    until(lambda: wire.get(f"{upload_url}/simple/absent/", SECRET).status == 302, SOON)
    assert wire.get(f"{upload_url}/simple/acme-secret/", SECRET).status == 404
    edit(config, "acme-*", "beta-*")
    until(lambda: wire.get(f"{upload_url}/simple/acme-secret/", SECRET).status == 302, SOON)
    assert wire.get(f"{upload_url}/simple/beta-secret/", SECRET).status == 404


def test_the_limit_of_a_file_is_reloaded_by_registry_and_server(config: Path, server: Served, upload_url: str) -> None:
    refused = publish(upload_url, "1.0", 2000)
    assert refused.status == 400
    assert refused.reason == "Bad request - File is too large (it must be smaller than 1000 bytes)"
    size = 64 * 1024**2 + 5000  # more than the server accepts with the first limit, and less than with the second
    head = f"POST {urlsplit(upload_url).path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}"
    for login, status in (("", 401), (f"\r\nPRIVATE-TOKEN: {SECRET}", 413)):
        with wire.Slow(upload_url, head + login) as large:
            large.send()
            with large.answer() as answer:
                assert answer.status == status
    edit(config, "max_file_size = 1000", "max_file_size = 100_000_000")
    until(lambda: "reloaded" in server.err, SOON)
    assert publish(upload_url, "1.0", size).status == 201


def test_a_file_that_is_replaced_as_editors_do_is_reloaded(config: Path, upload_url: str) -> None:
    other = config.with_name("registry.toml~")
    other.write_text(BEFORE.replace('"private"', '"public"'), encoding="utf-8")
    other.replace(config)
    until(lambda: wire.get(f"{upload_url}/simple/").status == 200, SOON)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param('"private"', '"secret"', "projects[1].visibility = 'secret'", id="bad value"),
        pytest.param("visibility", "visibilty", "projects[1].visibilty", id="unknown key"),
        pytest.param("forward_to = false", "forward_to = ", "this is not TOML", id="not TOML"),
        pytest.param('user = "ada"', 'user = "bob"', "tokens[1].user = 'bob'", id="unknown user"),
    ],
)
def test_an_invalid_edit_is_reported_and_the_previous_configuration_stays(
    config: Path, server: Served, upload_url: str, old: str, new: str, message: str
) -> None:
    edit(config, old, new)
    until(lambda: "stays in effect" in server.err, SOON)
    [complaint] = [line for line in server.err.splitlines() if "stays in effect" in line]
    assert complaint.startswith(f"{config}: ")
    assert message in complaint
    assert wire.get(f"{upload_url}/simple/", SECRET).status == 200
    assert wire.get(f"{upload_url}/simple/").status == 401
    edit(config, new, old.replace('"private"', '"public"'))
    until(lambda: "reloaded" in server.err, SOON)


def test_a_deleted_file_is_reported_and_the_previous_configuration_stays(
    config: Path, server: Served, upload_url: str
) -> None:
    config.unlink()
    until(lambda: "stays in effect" in server.err, SOON)
    assert str(config) in server.err
    assert wire.get(f"{upload_url}/simple/", SECRET).status == 200
    config.write_text(BEFORE + NEW_TOKEN, encoding="utf-8")
    until(lambda: wire.get(f"{upload_url}/simple/", NEW_SECRET).status == 200, SOON)


def test_an_upload_that_began_before_a_change_finishes_with_the_configuration_at_its_beginning(
    config: Path, server: Served, upload_url: str
) -> None:
    fields = {"name": "demo", "version": "1.0"}
    sdist = distribution("demo-1.0.tar.gz")
    with wire.Slow.upload(upload_url, SECRET, fields, "demo-1.0.tar.gz", sdist) as upload:
        upload.send(300)
        edit(config, "max_file_size = 1000", "max_file_size = 999")
        until(lambda: "reloaded" in server.err, SOON)
        upload.send()
        answer = upload.answer()
        assert answer.status == 201
        assert json.loads(answer.read()) == {"message": "201 Created"}
