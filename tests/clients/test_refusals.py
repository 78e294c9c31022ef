"""Refusals, as real programs show them."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients import wire
from tests.clients.distributions import make_sdist, make_wheel
from tests.clients.programs import Programs, with_login
from tests.clients.served import Served

pytestmark = pytest.mark.slow

SDIST = distribution("demo-1.0.tar.gz")


@pytest.fixture
def server(serve: Callable[..., Served]) -> Served:
    return serve()


@pytest.fixture
def address(server: Served) -> str:
    return f"{server.api}/projects/1/packages/pypi"


def test_the_second_upload_is_refused_and_twine_says_why(
    server: Served, address: str, programs: Programs, wheel: Path
) -> None:
    programs.twine_upload(address, server.secret, wheel)
    shown = programs.twine_upload(address, server.secret, wheel, status=1)
    assert "400 Bad Request" in shown
    assert "File name has already been taken (demo-1.0-py3-none-any.whl already exists)" in shown


def test_a_changed_file_under_a_published_name_is_refused_and_the_first_one_stays(
    server: Served, address: str, programs: Programs, wheel: Path, tmp_path: Path
) -> None:
    programs.twine_upload(address, server.secret, wheel)
    published = wheel.read_bytes()
    changed = make_wheel(tmp_path / "changed", "demo", "1.0", stated="1.0.0")
    assert changed.name == wheel.name and changed.read_bytes() != published
    assert "already exists" in programs.twine_upload(address, server.secret, changed, status=1)
    login = with_login(address, server.secret)
    programs.run("pip", "download", "--no-deps", "--dest", "got", "--index-url", f"{login}/simple", "demo")
    assert (programs.home / "got" / wheel.name).read_bytes() == published


def test_further_files_of_a_published_version_are_taken(
    server: Served, address: str, programs: Programs, wheel: Path, tmp_path: Path
) -> None:
    programs.twine_upload(address, server.secret, wheel)
    programs.twine_upload(address, server.secret, make_sdist(tmp_path / "made", "demo", "1.0"))


def test_a_bad_version_is_refused_and_twine_says_why(
    server: Served, address: str, programs: Programs, tmp_path: Path
) -> None:
    # twine itself refuses most invalid versions before it sends anything, but not this one.
    doctored = make_wheel(tmp_path / "made", "demo", "1.0", stated="1.0 ")
    shown = programs.twine_upload(address, server.secret, doctored, status=1)
    assert "400 Bad Request" in shown
    assert "Version is invalid: '1.0 ' is not a valid version: unexpected ' '" in shown
    assert wire.get(f"{address}/simple/", server.secret).body.count(b"<a ") == 0


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        (
            "one",
            "Version is invalid: 'one' is not a valid version: it must begin with a number, or with 'v' and a number",
        ),
        ("1.0_1", "Version is invalid: '1.0_1' is not a valid version: unexpected '_1'"),
        ("", "version is missing"),
    ],
)
def test_a_bad_version_is_named_in_the_reason_phrase_and_in_the_body(
    server: Served, address: str, version: str, problem: str
) -> None:
    fields = {":action": "file_upload", "protocol_version": "1", "name": "demo", "version": version}
    answer = wire.upload(address, server.secret, fields, "demo-1.0.tar.gz", SDIST)
    assert answer.status == 400
    assert answer.reason == f"Bad request - Validation failed: {problem}"
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body) == {"message": f"400 {answer.reason}", "errors": [problem]}


def test_a_wrong_digest_is_refused_and_the_right_one_is_taken_after_it(server: Served, address: str) -> None:
    fields = {"name": "demo", "version": "1.0", "sha256_digest": "0" * 64}
    answer = wire.upload(address, server.secret, fields, "demo-1.0.tar.gz", SDIST)
    assert answer.status == 400
    assert "sha256_digest does not match the file" in answer.reason
    fields["sha256_digest"] = sha256(SDIST).hexdigest()
    assert wire.upload(address, server.secret, fields, "demo-1.0.tar.gz", SDIST).status == 201


def test_a_wrong_token_is_refused_and_neither_twine_nor_pip_waits_for_a_better_one(
    server: Served, address: str, programs: Programs, wheel: Path
) -> None:
    assert "401 Unauthorized" in programs.twine_upload(address, "wrong", wheel, status=1)
    index = f"{with_login(address, 'wrong')}/simple"
    shown = programs.run("pip", "download", "--no-deps", "--index-url", index, "demo", status=1)
    assert "No matching distribution found for demo" in shown


def test_who_publishes_to_a_group_is_told_where_to_go(server: Served, programs: Programs, wheel: Path) -> None:
    shown = programs.twine_upload(f"{server.api}/groups/main/-/packages/pypi", server.secret, wheel, status=1)
    assert "405" in shown
    assert "packages are published to a project: /projects/:id/packages/pypi" in shown
