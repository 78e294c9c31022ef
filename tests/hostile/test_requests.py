"""Whatever a client sends: no 500, no traceback, nothing unescaped, no header injection, no file outside the folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.requests import TAG, Responses, _check_body, _check_head, registry, send_many

LONG_RUN = 1_000_000


def test_no_generated_request_breaks_a_rule(tmp_path: Path) -> None:
    statuses = send_many(2000, seed=1, folder=tmp_path)
    assert {200, 201, 204, 400, 401, 404} <= statuses.keys()  # otherwise the requests come nowhere


@pytest.mark.slow
def test_no_generated_request_opens_a_file_outside_of_the_folder() -> None:
    assert run(20_000, seed=2)["requests"] == 20_000


@pytest.mark.long
def test_a_million_generated_requests() -> None:
    counts = run(LONG_RUN, seed=3)
    print(counts)
    assert counts["requests"] == LONG_RUN


def run(number: int, seed: int) -> dict[str, int]:
    command = [sys.executable, "-m", "tests.hostile.requests", str(number), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


# What the checks find


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("500 Internal Server Error", []),
        ("503 Service Unavailable", []),
        ("200 OK", [("X", "a\r\nb")]),
        ("200 a\nb", []),
        ("302 Found", [("Location", "https://evil.example/")]),
        ("302 Found", [("Location", "/")]),
        ("200 OK", [("ETag", f"<{TAG}>")]),
        ("200 OK", [("Content-Length", "5")]),
    ],
)
def test_a_wrong_head_is_found(status: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(AssertionError):
        _check_head(status, headers, {"REQUEST_METHOD": "GET"}, 4)


@pytest.mark.parametrize(
    "body",
    [f"<p><{TAG} onclick=x>", "<script>x</script>", '<a href="javascript:x">', "<p onclick=x>", "Traceback", "s3cr3t"],
)
def test_a_wrong_page_is_found(body: str) -> None:
    with pytest.raises(AssertionError):
        _check_body({"Content-Type": "text/html; charset=utf-8"}, body.encode())


def test_a_defect_is_found(tmp_path: Path) -> None:
    request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/projects/1/packages", "wsgi.url_scheme": "http"}
    with registry(tmp_path) as found:
        found._services = None  # type: ignore[assignment]  # every request fails
        with pytest.raises((AssertionError, AttributeError)):
            Responses(found).send(request)
