"""Forwarding to a second index, with real programs."""

import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clients import wire
from tests.clients.distributions import make_wheel
from tests.clients.programs import Programs, with_login
from tests.clients.served import Served

pytestmark = pytest.mark.slow

SECRET = "glpat-of-the-forwarding"


class OtherIndex(ThreadingHTTPServer):
    """Serves a folder, whose listings are simple pages, and records the requests."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.credentials: list[str] = []
        index = self

        class Listing(SimpleHTTPRequestHandler):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments, directory=str(folder))

            def do_GET(self) -> None:
                index.asked.append(self.path)
                index.credentials += self.headers.get_all("Authorization", [])
                super().do_GET()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base's name
                pass

        super().__init__(("127.0.0.1", 0), Listing)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/simple/"


@pytest.fixture
def other_index(tmp_path: Path) -> Iterator[OtherIndex]:
    make_wheel(tmp_path / "other" / "simple" / "lonely", "lonely", "1.0")
    make_wheel(tmp_path / "other" / "simple" / "demo", "demo", "9.0")
    with OtherIndex(tmp_path / "other") as index:
        thread = threading.Thread(target=index.serve_forever)
        thread.start()
        yield index
        index.shutdown()
        thread.join()


@pytest.fixture
def server(serve: Callable[..., Served], other_index: OtherIndex, tmp_path: Path) -> Served:
    config = tmp_path / "registry.toml"
    config.write_text(
        f"""
        forward_to = "{other_index.address}"
        reserved = ["acme-*"]
        projects = [{{ id = 1, path = "main/packages" }}]
        users = [{{ name = "ada", roles = {{ "main" = "owner" }} }}]

        [[tokens]]
        kind = "personal"
        user = "ada"
        scopes = ["api"]
        sha256 = "{sha256(SECRET.encode()).hexdigest()}"
        """,
        encoding="utf-8",
    )
    return serve("--config", str(config))


@pytest.fixture
def index(server: Served) -> str:
    return f"{with_login(server.api, SECRET)}/projects/1/packages/pypi/simple"


def test_pip_installs_what_only_the_other_index_has(index: str, other_index: OtherIndex, installing: Programs) -> None:
    assert "Successfully installed lonely-1.0" in installing.run("pip", "install", "--index-url", index, "lonely")
    assert installing.run("python", "-c", "import lonely; print(lonely.VERSION)") == "1.0\n"
    assert other_index.asked == ["/simple/lonely/", "/simple/lonely/lonely-1.0-py3-none-any.whl"]


def test_uv_installs_what_only_the_other_index_has(index: str, other_index: OtherIndex, programs: Programs) -> None:
    programs.run("uv", "pip", "install", "--target", "got", "--default-index", index, "lonely")
    assert (programs.home / "got" / "lonely.py").exists()
    assert other_index.asked


def test_the_other_index_receives_no_credentials(index: str, other_index: OtherIndex, programs: Programs) -> None:
    programs.run("pip", "download", "--no-deps", "--index-url", index, "lonely")
    programs.run("uv", "pip", "install", "--target", "got", "--default-index", index, "lonely")
    assert other_index.asked
    assert not other_index.credentials


def test_a_published_name_is_not_forwarded(
    server: Served, index: str, other_index: OtherIndex, programs: Programs, wheel: Path
) -> None:
    programs.twine_upload(f"{server.api}/projects/1/packages/pypi", SECRET, wheel)
    programs.run("pip", "download", "--no-deps", "--dest", "got", "--index-url", index, "demo")
    assert [file.name for file in (programs.home / "got").iterdir()] == [wheel.name]
    assert other_index.asked == []


def test_anonymous_callers_and_reserved_names_are_not_forwarded(
    server: Served, index: str, other_index: OtherIndex, programs: Programs
) -> None:
    place = f"{server.api}/projects/1/packages/pypi/simple"
    assert wire.get(f"{place}/lonely/").status == 401
    programs.run("pip", "download", "--no-deps", "--index-url", place, "lonely", status=1)
    assert wire.get(f"{place}/acme-tools/", SECRET).status == 404
    programs.run("pip", "download", "--no-deps", "--index-url", index, "acme-tools", status=1)
    assert other_index.asked == []
