import subprocess
import sys
from pathlib import Path

import newest
import pytest
import requests
from newest import newest_version
from packaging.version import Version

from pypi_registry.testing import FakeRegistry, faults, with_credentials


def test_the_highest_version_is_the_newest(fake_registry: FakeRegistry) -> None:
    for version in ("1.9", "1.10", "1.2"):
        fake_registry.add("demo", version)
    assert newest_version(fake_registry.index_url, "demo") == Version("1.10")


def test_a_yanked_version_is_ignored(fake_registry: FakeRegistry) -> None:
    fake_registry.add("demo", "1.0", sdist=True)
    fake_registry.add("demo", "2.0", yanked="it deletes your files")
    assert newest_version(fake_registry.index_url, "demo") == Version("1.0")


def test_an_unknown_name_has_no_version(fake_registry: FakeRegistry) -> None:
    assert newest_version(fake_registry.index_url, "absent") is None


def test_the_requested_name_is_normalized(fake_registry: FakeRegistry) -> None:
    fake_registry.add("my-demo", "1.0")
    assert newest_version(fake_registry.index_url, "My_Demo") == Version("1.0")
    [request] = fake_registry.requests
    assert (request.kind, request.path.endswith("/simple/my-demo/")) == ("page", True)


def test_a_token_in_the_url_is_sent(fake_registry: FakeRegistry) -> None:
    fake_registry.tokens(read="secret")
    fake_registry.add("demo", "1.0")
    assert newest_version(with_credentials(fake_registry.index_url, "secret"), "demo") == Version("1.0")
    with pytest.raises(requests.HTTPError, match="401"):
        newest_version(fake_registry.index_url, "demo")


@pytest.mark.parametrize("status", [429, 503])
def test_a_request_is_repeated_if_the_index_is_busy(status: int, fake_registry: FakeRegistry) -> None:
    fake_registry.add("demo", "1.0")
    busy = fake_registry.fault("demo", faults.Status(status, {"Retry-After": "0"}), times=2)
    assert newest_version(fake_registry.index_url, "demo") == Version("1.0")
    assert (len(busy.met), len(fake_registry.requests)) == (2, 3)


@pytest.mark.parametrize(
    "fault",
    [faults.Status(503, {"Retry-After": "0"}), faults.Status(500), faults.Truncate(), faults.HtmlOnly(), faults.Hang()],
    ids=str,
)
def test_an_index_that_fails_is_an_error(
    fault: faults.Fault, fake_registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "TIMEOUT", 0.1)
    monkeypatch.setattr(newest, "RETRIES", newest.RETRIES.new(total=1))
    fake_registry.add("demo", "1.0")
    fake_registry.fault("demo", fault)
    with pytest.raises(requests.RequestException):
        newest_version(fake_registry.index_url, "demo")


@pytest.mark.parametrize(("name", "printed", "status"), [("demo", "1.0\n", 0), ("absent", "there is no absent\n", 1)])
def test_the_program_prints_the_version(name: str, printed: str, status: int, fake_registry: FakeRegistry) -> None:
    fake_registry.add("demo", "1.0")
    program = Path(newest.__file__)
    done = subprocess.run(
        [sys.executable, program, fake_registry.index_url, name], stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert (done.stdout, done.returncode) == (printed, status)
