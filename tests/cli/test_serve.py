import errno
import io
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from socket import socket
from threading import Thread
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry._cli import refusals, server, watch
from pypi_registry._cli import serve as module
from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.data_folder import DataFolder
from pypi_registry._cli.location import Location
from pypi_registry._cli.main import main
from pypi_registry._cli.proxies import PublicURL
from pypi_registry._cli.serve import Options, serve
from pypi_registry._cli.site import Site
from pypi_registry.accounts import Token, token_digest
from pypi_registry.accounts.tokens import toml_table

SECRET = "registry-of-the-first-start"


@pytest.mark.parametrize(
    ("host", "served", "reached"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::1", "[::1]", "[::1]"),
        pytest.param("0.0.0.0", "0.0.0.0", "127.0.0.1", id="every address"),
        pytest.param("::", "[::]", "[::1]", id="every address of version 6"),
    ],
)
def test_the_printed_lines_can_be_pasted_for_every_address(host: str, served: str, reached: str) -> None:
    stream = io.StringIO()
    module._announce(stream, host, 8080, SECRET)
    lines = stream.getvalue().splitlines()
    [publish] = [shlex.split(line) for line in lines if line.startswith("twine ")]
    [install] = [shlex.split(line) for line in lines if line.startswith("pip ")]
    place = f"{reached}:8080/api/v4/projects/1/packages/pypi"
    login = ["--username", "owner", "--password", SECRET]
    assert publish == ["twine", "upload", "--repository-url", f"http://{place}", *login, "dist/*"]
    assert install == ["pip", "install", "--index-url", f"http://owner:{SECRET}@{place}/simple", "mypypipackage"]
    assert lines[-1] == f"Serving on http://{served}:8080/api/v4/"
    assert SECRET in stream.getvalue().split(), "the secret is a word of its own"


def test_without_a_new_secret_only_the_address_is_printed() -> None:
    stream = io.StringIO()
    module._announce(stream, "127.0.0.1", 8080, None)
    assert stream.getvalue() == "Serving on http://127.0.0.1:8080/api/v4/\n"


def test_with_a_url_the_printed_lines_show_it() -> None:
    stream = io.StringIO()
    module._announce(stream, "127.0.0.1", 8080, SECRET, PublicURL.parse("https://packages.example/pypi/"))
    lines = stream.getvalue().splitlines()
    project = "packages.example/pypi/api/v4/projects/1/packages/pypi"
    assert f"twine upload --repository-url https://{project} --username owner --password {SECRET} dist/*" in lines
    assert f"pip install --index-url https://owner:{SECRET}@{project}/simple mypypipackage" in lines
    assert lines[-2:] == ["Clients use https://packages.example/pypi/", "Serving on http://127.0.0.1:8080/api/v4/"]


def test_what_is_printed_is_flushed_at_once() -> None:
    flushed: list[str] = []

    class Stream(io.StringIO):
        def flush(self) -> None:
            flushed.append(self.getvalue())

    module._announce(Stream(), "127.0.0.1", 8080, None)
    assert flushed[-1] == "Serving on http://127.0.0.1:8080/api/v4/\n"


class Full(io.StringIO):
    """An output on a disk without room."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Gone(io.StringIO):
    """A pipe whose reader has closed it."""

    def flush(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@pytest.mark.parametrize(
    ("out", "reason"),
    [(Full(), errno.ENOSPC), (Gone(), errno.EPIPE), pytest.param(None, errno.EBADF, id="closed")],
    ids=lambda value: type(value).__name__,
)
def test_a_token_that_cannot_be_printed_is_created_again_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: io.StringIO | None, reason: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(sys, "stdout", out)
    options = Options("127.0.0.1", 0, Location.of(tmp_path / "data"))
    with pytest.raises(OSError, match="standard output") as caught:
        serve(options)
    assert (caught.value.errno, caught.value.filename) == (reason, "the standard output")
    assert not (options.location.folder.folder / "registry.toml").exists()
    announced: list[object] = []

    def announce(stream: object, host: str, port: int, secret: str | None, *urls: object) -> None:
        announced.append(secret)
        Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()

    monkeypatch.setattr(module, "_announce", announce)
    serve(options)
    serve(options)
    assert str(announced[0]).startswith("registry-")
    assert announced[1:] == [None]


def test_an_existing_configuration_stays_if_the_address_cannot_be_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    config = tmp_path / "registry.toml"
    config.write_text("forward_to = false", encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", Full())
    for options in (
        Options("127.0.0.1", 0, Location.of(tmp_path)),
        Options("127.0.0.1", 0, Location.of(tmp_path / "other", config)),
    ):
        with pytest.raises(OSError, match="standard output"):
            serve(options)
    assert config.read_text(encoding="utf-8") == "forward_to = false"


@pytest.fixture
def stopping_when(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], bool]], None]:
    """Return a function that stops the next `serve` when a condition holds, or after some seconds."""
    monkeypatch.setattr(tempfile, "tempdir", None)  # undoes what a server sets

    def arrange(condition: Callable[[], bool]) -> None:
        def wait() -> None:
            deadline = time.monotonic() + 10
            while not condition() and time.monotonic() < deadline:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(module, "_announce", lambda *_: Thread(target=wait).start())

    return arrange


def test_a_change_during_the_start_is_reloaded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopping_when: Callable[[Callable[[], bool]], None]
) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.01)
    monkeypatch.setattr(watch, "QUIET", 0.05)
    err, config = io.StringIO(), tmp_path / "registry.toml"
    monkeypatch.setattr(sys, "stderr", err)
    config.write_text("forward_to = false", encoding="utf-8")

    def edit_and_log(*arguments: object) -> AccessLog:  # the configuration was read before
        config.write_text("forward_to = true", encoding="utf-8")
        return AccessLog(*arguments)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(module, "AccessLog", edit_and_log)
    stopping_when(lambda: "reloaded" in err.getvalue())
    serve(Options("127.0.0.1", 0, Location.of(tmp_path / "data", config)))
    assert err.getvalue() == f"{config}: reloaded\n"


CONFIG = """\
forward_to = "https://mirror.example/simple"
max_file_size = 1000
reserved = ["acme-*"]
projects = [{ id = 1, path = "acme/tools", visibility = "public" }]
"""


def test_serve_obeys_the_whole_configuration_also_after_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopping_when: Callable[[Callable[[], bool]], None]
) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.01)
    monkeypatch.setattr(watch, "QUIET", 0.05)
    err, config = io.StringIO(), tmp_path / "registry.toml"
    monkeypatch.setattr(sys, "stderr", err)
    config.write_text(CONFIG, encoding="utf-8")
    sites: list[Site] = []
    forwarded: list[dict[str, int]] = []

    def keep(site: Site, *arguments: object) -> AccessLog:
        sites.append(site)
        return AccessLog(site, *arguments)  # type: ignore[arg-type]  # as they came

    def forwarded_names() -> dict[str, int]:
        client = TestApp(sites[0])
        names = ["acme-secret", "beta-secret", "requests"]
        pages = {name: f"/api/v4/projects/1/packages/pypi/simple/{name}/" for name in names}
        return {name: client.get(page, status="*").status_int for name, page in pages.items()}

    def edit_and_wait() -> bool:
        if not forwarded:
            forwarded.append(forwarded_names())
            config.write_text(CONFIG.replace("acme-*", "beta-*"), encoding="utf-8")
        if "reloaded" not in err.getvalue():
            return False
        forwarded.append(forwarded_names())  # while it serves: a closed catalogue would open a new connection
        return True

    monkeypatch.setattr(module, "AccessLog", keep)
    stopping_when(edit_and_wait)
    serve(Options("127.0.0.1", 0, Location.of(tmp_path / "data", config)))
    before, after = forwarded
    assert before == {"acme-secret": 404, "beta-secret": 302, "requests": 302}
    assert after == {"acme-secret": 302, "beta-secret": 404, "requests": 302}


@pytest.mark.parametrize(
    ("arguments", "shown", "logged"),
    [
        ((), "http://packages.example/api/v4/", "127.0.0.1"),
        (("--proxies", "0"), "http://packages.example/api/v4/", "127.0.0.1"),
        (("--proxies", "1"), "https://outside.example/pypi/api/v4/", "192.0.2.7"),
        (("--proxies", "2"), "http://packages.example/api/v4/", "127.0.0.1"),
    ],
)
def test_headers_of_proxies_are_trusted_only_as_far_as_the_option_states(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopping_when: Callable[[Callable[[], bool]], None],
    arguments: tuple[str, ...],
    shown: str,
    logged: str,
) -> None:
    """waitress trusts headers of proxies by itself if it is asked to, and removes some of them otherwise."""
    err, listening, pages, statuses = io.StringIO(), list[socket](), list[str](), list[int]()
    monkeypatch.setattr(sys, "stderr", err)

    def listen_and_keep(host: str, port: int) -> socket:
        listening.append(server.listen(host, port))
        return listening[0]

    def ask() -> bool:
        connection = HTTPConnection("127.0.0.1", listening[0].getsockname()[1], timeout=10)
        forwarded = {"Proto": "https", "Host": "outside.example", "Prefix": "/pypi", "For": "192.0.2.7", "Port": "66"}
        headers = {f"X-Forwarded-{name}": value for name, value in forwarded.items()}
        headers["Forwarded"] = "for=192.0.2.66;host=evil.example;proto=https"
        connection.request("GET", "/", headers={**headers, "Host": "packages.example"})
        pages.append(connection.getresponse().read().decode())
        connection.request("POST", "/api/v4/a", headers={**headers, "Content-Length": "2000000"})  # the server refuses
        statuses.append(connection.getresponse().status)
        connection.close()
        return True

    monkeypatch.setattr(module, "listen", listen_and_keep)
    stopping_when(ask)
    assert main(["serve", "--port", "0", "--data", str(tmp_path / "data"), *arguments]) == 0
    assert f"twine upload --repository-url {shown}projects/PROJECT/" in pages[0]
    assert statuses == [401]
    lines = [line.split() for line in err.getvalue().splitlines()]
    prefix = "/pypi" if "/pypi/" in shown else ""
    assert [(address, path) for address, _, _, path, *_ in lines] == [
        (logged, f'{prefix}/"'),
        (logged, f'{prefix}/api/v4/a"'),
    ]


def test_counted_sign_ins_become_a_line_when_their_minute_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopping_when: Callable[[Callable[[], bool]], None]
) -> None:
    """Without another request, and before the server stops."""
    monkeypatch.setattr(refusals, "MINUTE", 0.5)
    monkeypatch.setattr(watch, "INTERVAL", 0.01)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    listening, counts = list[socket](), list[int]()
    audit = tmp_path / "data" / "audit.jsonl"

    def listen_and_keep(host: str, port: int) -> socket:
        listening.append(server.listen(host, port))
        return listening[0]

    def fail_once_more() -> None:
        connection = HTTPConnection("127.0.0.1", listening[0].getsockname()[1], timeout=10)
        connection.request("GET", "/api/v4/projects/1/packages/pypi/simple/", headers={"PRIVATE-TOKEN": "unknown"})
        assert connection.getresponse().status == 401
        connection.close()

    def count() -> bool:
        if not counts:
            for _ in range(4):
                fail_once_more()
        counts[:] = [json.loads(line)["count"] for line in audit.read_text(encoding="utf-8").splitlines()]
        return sum(counts) == 4

    monkeypatch.setattr(module, "listen", listen_and_keep)
    stopping_when(count)
    assert main(["serve", "--port", "0", "--data", str(tmp_path / "data")]) == 0
    assert (counts[0], sum(counts)) == (1, 4)


class Captured:
    """Replaces the server and the watch of `serve`, and notes what they are created with."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments, self.options = arguments, options

    def run(self, ready: Callable[[], None]) -> None: ...

    def limit_bodies(self, longest: int) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


@pytest.mark.parametrize("proxies", [0, 1])
def test_the_server_asks_the_accounts_as_they_are_after_a_reload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxies: int
) -> None:
    made: dict[str, Captured] = {}

    def capture(name: str) -> Callable[..., Captured]:
        return lambda *arguments, **options: made.setdefault(name, Captured(*arguments, **options))

    monkeypatch.setattr(module, "Server", capture("server"))
    monkeypatch.setattr(module, "Watch", capture("watch"))
    config = tmp_path / "registry.toml"
    config.write_text("", encoding="utf-8")
    serve(Options("127.0.0.1", 0, Location.of(tmp_path / "data", config), proxies))
    options, reload = made["server"].options, made["watch"].arguments[1]
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v4/projects/1/packages/pypi",
        "HTTP_PRIVATE_TOKEN": SECRET,
    }
    assert options["refuse"](environ).status.startswith("401")
    token = toml_table(Token(sha256=token_digest(SECRET), user="ada", scopes=frozenset({"api"})))
    config.write_text(f'[[users]]\nname = "ada"\n{token}', encoding="utf-8")
    reload()
    assert options["refuse"](environ) is None
    config.write_text("", encoding="utf-8")
    reload()
    assert options["refuse"](environ).status.startswith("401")
    assert options["limits_addresses"] == (proxies == 0)


class Unwritable(io.StringIO):
    """A log that can be read by the test, and that fails after each line."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def flush(self) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), BrokenPipeError(errno.EPIPE, "gone"), ValueError("closed")], ids=repr
)
def test_the_configuration_is_reloaded_again_after_the_log_could_not_be_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopping_when: Callable[[Callable[[], bool]], None],
    error: Exception,
) -> None:
    """A revoked token would stay valid."""
    monkeypatch.setattr(watch, "INTERVAL", 0.01)
    monkeypatch.setattr(watch, "QUIET", 0.05)
    err, config = Unwritable(error), tmp_path / "registry.toml"
    monkeypatch.setattr(sys, "stderr", err)
    config.write_text("forward_to = false", encoding="utf-8")
    edits = iter(["forward_to = 1", "forward_to = true", "forward_to = false", None])
    reports = 0

    def edit_after_each_report() -> bool:
        nonlocal reports
        if reports and len(err.getvalue().splitlines()) < reports:
            return False
        reports += 1
        text = next(edits)
        if text is not None:
            config.write_text(text, encoding="utf-8")
        return text is None

    stopping_when(edit_after_each_report)
    serve(Options("127.0.0.1", 0, Location.of(tmp_path / "data", config)))
    assert [line.rpartition(" ")[2] for line in err.getvalue().splitlines()] == ["effect", "reloaded", "reloaded"]


def test_a_second_serve_on_a_folder_does_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.locked():
        folder.prepare()
        (folder.spool / "body").write_bytes(b"of the first serve")
        assert main(["serve", "--port", "0", "--data", str(folder.folder)]) == 2
        assert capsys.readouterr() == (
            "",
            f"pypi-registry: {folder.folder}: another serve, or a backup, uses this folder\n",
        )
        assert (folder.spool / "body").exists()
