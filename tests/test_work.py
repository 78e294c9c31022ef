"""What a request does not do: read what has not changed, render a page twice, take memory in proportion to its body.

These are laws, not figures: times are for the benchmarks.
"""

import io
import os
import re
import sqlite3
import subprocess
import sys
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast
from wsgiref.util import FileWrapper

import pytest
from packaging.utils import canonicalize_name

from pypi_registry import Project, Registry
from pypi_registry._api import pypi
from pypi_registry._pages import simple
from pypi_registry.model import NameStatus, PackageFile, Status
from pypi_registry.storage import Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.testing import make_sdist, make_wheel
from tests.benchmarks import filling, forms
from tests.benchmarks.inside import answer, environ_of
from tests.benchmarks.registry import (
    GROUP_SIMPLE,
    HTML,
    JSON,
    LOGIN,
    PROJECT,
    PYPI,
    SIMPLE,
    Ask,
    accounts,
    index,
    open_catalogue,
    open_registry,
    page,
    project,
)
from tests.distributions.measuring import peak

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

TEN = filling.TEN
FORWARDING = "https://mirror.example/simple/"
SIZE = 3_000_000


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    uploads = [(PROJECT, filling.described(TEN, f"1.{number}")) for number in range(10)]
    uploads += [(project(number), filling.described(filling.SHARED, f"{number}.0")) for number in (1, 2)]
    filling.fill(folder, uploads)
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    (tmp_path / "catalogue.sqlite").write_bytes((template / "catalogue.sqlite").read_bytes())
    return tmp_path


@pytest.fixture(autouse=True)
def connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every connection after the test: a registry keeps its catalogue open as long as it runs."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def kept(*args: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", kept)
    yield
    for connection in opened:
        connection.close()


@pytest.fixture
def registry(statements: list[str], folder: Path) -> Registry:
    return open_registry(folder, forward_to=FORWARDING)


def get(registry: Registry, ask: Ask) -> bytes:
    status, body = answer(registry, environ_of(ask))
    assert status.startswith(str(ask.status))
    return body


def etag_of(registry: Registry, ask: Ask) -> str:
    sent: dict[str, str] = {}

    def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> Callable[[bytes], object]:
        sent.update(headers)
        return lambda data: None

    assert list(registry(environ_of(ask), start_response))
    return sent["ETag"]


def environ_of_upload(request: bytes) -> "WSGIEnvironment":
    head, _, body = request.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    headers = {name: value for name, _, value in lines}
    return {
        **environ_of(Ask(PYPI, LOGIN)),
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": headers["Content-Type"],
        "CONTENT_LENGTH": headers["Content-Length"],
        "wsgi.input": io.BytesIO(body),
    }


def small_upload(number: int) -> "WSGIEnvironment":
    [request] = forms.small_uploads(1, number)
    return environ_of_upload(request)


def publish(registry: Registry, number: int) -> None:
    status, body = answer(registry, small_upload(number))
    assert status == "201 Created", body


def package_path(registry: Registry) -> str:
    body = get(registry, Ask(f"/projects/1/packages?package_name={TEN}", {**LOGIN, "Accept": "application/json"}))
    found = re.search(rb'"id": ?([0-9]+)', body)
    assert found is not None
    return f"/projects/1/packages/{found[1].decode()}"


PAGES = {
    "page": page(TEN),
    "page in HTML": page(TEN, HTML),
    "page without compression": page(TEN, **{"Accept-Encoding": "identity"}),
    "index": index(),
    "group page": Ask(f"{GROUP_SIMPLE}/{filling.SHARED}/"),
    "group index": Ask(f"{GROUP_SIMPLE}/"),
}
pages = pytest.mark.parametrize("ask", PAGES.values(), ids=PAGES)
FORWARD = replace(page("missing"), status=302)
GROUP_FORWARD = Ask(f"{GROUP_SIMPLE}/missing/", status=302)


# Calls of the collaborators


class Recorded:
    """A collaborator whose calls are recorded by name."""

    def __init__(self, collaborator: object, calls: list[str]) -> None:
        self._collaborator = collaborator
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._collaborator, name)

        def call(*args: object, **options: object) -> object:
            self._calls.append(name)
            return method(*args, **options)

        return call


@dataclass
class Calls:
    """A registry, and the names of the methods of its collaborators that it has called."""

    registry: Registry
    directory: list[str]
    auth: list[str]
    catalogue: list[str]
    blobs: list[str]

    def clear(self) -> None:
        for calls in (self.directory, self.auth, self.catalogue, self.blobs):
            calls.clear()


def record(folder: Path) -> Calls:
    directory, auth, catalogue, blobs = [list[str]() for _ in range(4)]
    entries = accounts()
    collaborators: dict[str, Any] = {
        "directory": Recorded(entries, directory),
        "auth": Recorded(entries, auth),
        "catalogue": Recorded(open_catalogue(folder), catalogue),
        "blobs": Recorded(FileBlobs(folder / "files"), blobs),
    }
    return Calls(Registry(**collaborators, forward_to=FORWARDING), directory, auth, catalogue, blobs)


@pytest.fixture
def calls(folder: Path) -> Calls:
    return record(folder)


REQUESTS: dict[str, Callable[[str], "WSGIEnvironment"]] = {
    **{name: lambda path, ask=ask: environ_of(ask) for name, ask in PAGES.items()},  # type: ignore[misc]
    "forward": lambda path: environ_of(FORWARD),
    "forward of a group": lambda path: environ_of(GROUP_FORWARD),
    "list": lambda path: environ_of(Ask("/projects/1/packages")),
    "list of a group": lambda path: environ_of(Ask("/groups/acme/packages")),
    "package": lambda path: environ_of(Ask(path)),
    "files of a package": lambda path: environ_of(Ask(f"{path}/package_files")),
    "web page": lambda path: environ_of(Ask(path, {**LOGIN, "Accept": "text/html"})),
    "upload": lambda path: small_upload(1),
    "yank": lambda path: {
        **environ_of(Ask(path)),
        "REQUEST_METHOD": "PATCH",
        "CONTENT_LENGTH": "15",
        "wsgi.input": io.BytesIO(b'{"yanked":true}'),
    },
}


@pytest.mark.parametrize("environ", REQUESTS.values(), ids=REQUESTS)
def test_a_request_is_authenticated_once_and_its_namespace_looked_up_once(
    environ: Callable[[str], "WSGIEnvironment"], calls: Calls, request: pytest.FixtureRequest
) -> None:
    path = package_path(calls.registry)
    calls.clear()
    status, _ = answer(calls.registry, environ(path))
    assert status[0] in "23", status
    assert calls.auth == ["authenticate"]
    root = ["group", "projects_in"] if status.startswith("302") and "/projects/" in path else []
    if request.node.callspec.id == "web page":
        root = ["group"]  # the one above, to which the header of the page has a link
    assert calls.directory in (["project", *root], ["group", "projects_in"])


@pages
def test_an_unchanged_page_is_one_look_up_of_its_revision(ask: Ask, calls: Calls) -> None:
    first = get(calls.registry, ask)
    calls.clear()
    assert get(calls.registry, ask) == first
    assert calls.catalogue == ["revision"]


def test_a_304_is_one_look_up_too(calls: Calls) -> None:
    unchanged = replace(page(TEN, **{"If-None-Match": etag_of(calls.registry, page(TEN))}), status=304)
    calls.clear()
    assert get(calls.registry, unchanged) == b""
    assert calls.catalogue == ["revision"]


@pytest.mark.parametrize("ask", [FORWARD, GROUP_FORWARD], ids=["project", "group"])
def test_a_redirect_looks_up_only_the_root_group_wherever_the_name_was_published(
    ask: Ask, calls: Calls, folder: Path
) -> None:
    elsewhere = [Project(number, f"elsewhere/project-{number}") for number in (5001, 5002, 5003)]
    filling.add(open_catalogue(folder), [(each, filling.described("missing", "1.0")) for each in elsewhere])
    calls.clear()
    get(calls.registry, ask)
    assert calls.catalogue == ["revision", "publications"]
    assert calls.directory == [*(["project"] if ask is FORWARD else []), "group", "projects_in"]


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(Ask("/projects/99999/packages/pypi/simple/ten/", status=404), id="no such project"),
        pytest.param(Ask(f"{SIMPLE}/{TEN}/", {}, 401), id="401"),
        pytest.param(Ask(f"{SIMPLE}/-/", status=404), id="an invalid name"),
    ],
)
def test_a_refusal_reads_nothing(ask: Ask, calls: Calls) -> None:
    get(calls.registry, ask)
    assert (calls.catalogue, calls.blobs) == ([], [])


def test_a_download_is_one_look_up_and_one_open_file(calls: Calls, stored: PackageFile) -> None:
    _, body = answer(calls.registry, download(stored))
    assert len(body) == SIZE
    assert (calls.catalogue, calls.blobs) == (["file"], ["open"])


def test_an_upload_is_one_put_and_one_add(calls: Calls) -> None:
    publish(calls.registry, 1)
    assert calls.catalogue == ["add"]
    assert [call for call in calls.blobs if call != "new_file"] == ["put"]


def test_a_refused_upload_changes_and_reads_nothing(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    environ = small_upload(1)
    body: IO[bytes] = environ["wsgi.input"]
    environ["wsgi.input"] = io.BytesIO(body.read().replace(b"sha256_digest", b"md5_digest_ish").replace(b"1.1", b"1.?"))
    assert answer(calls.registry, environ)[0].startswith("400")
    assert calls.catalogue == []
    assert "put" not in calls.blobs
    assert flushed == []


# Web pages

BROWSER = {**LOGIN, "Accept": "text/html"}


def web_list(calls: Calls, page_number: int) -> Counter[str]:
    """Request a page of the packages of a project; return how often each method of the catalogue was called."""
    calls.clear()
    get(calls.registry, Ask(f"/projects/1/packages?page={page_number}", BROWSER))
    return Counter(calls.catalogue)


def test_a_page_of_a_list_looks_up_the_names_that_it_shows(folder: Path) -> None:
    rounds = [filling.described(f"often-{name}", f"2.{each}") for each in range(15) for name in range(40)]
    filling.fill(folder, [(PROJECT, upload) for upload in rounds])
    calls = record(folder)
    assert web_list(calls, 1) == {"packages": 1 + 20, "package": 20}
    assert web_list(calls, 2) == {"packages": 1 + 20, "package": 20}
    assert web_list(calls, 3) == {"packages": 2}  # the versions before it show that none of its names is new
    assert web_list(calls, 25) == {"packages": 2 + 2, "package": 2}  # the two older names, on pages after it


def test_a_page_of_a_list_looks_up_a_bounded_number_of_names(folder: Path) -> None:
    rounds = [filling.described(f"many-{name}", f"2.{each}") for each in range(2) for name in range(520)]
    filling.fill(folder, [(PROJECT, upload) for upload in rounds])
    calls = record(folder)
    for page_number in (1, 27, 40):  # pages from 27 on have names of pages before, but so many that they are looked up
        assert 20 < web_list(calls, page_number)["packages"] <= 2 + 2 * 20


# Transactions and statements


def tables(statements: Iterable[str]) -> set[str]:
    """Return the tables that were read."""
    return {table for statement in statements for table in re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", statement)}


def transactions(statements: Iterable[str]) -> list[str]:
    return [statement for statement in statements if statement.startswith(("BEGIN", "COMMIT", "ROLLBACK"))]


@pages
def test_an_unchanged_page_reads_revisions_alone(ask: Ask, registry: Registry, statements: list[str]) -> None:
    get(registry, ask)
    statements.clear()
    get(registry, ask)
    assert tables(statements) <= {"project_revisions", "root_revisions"}
    assert len([each for each in transactions(statements) if each.startswith("BEGIN")]) <= 1


def test_after_a_change_of_another_name_a_page_reads_revisions_alone(
    registry: Registry, folder: Path, statements: list[str]
) -> None:
    first = get(registry, page(TEN))
    with closing(open_catalogue(folder)) as other:
        other.set_status(project(2), canonicalize_name("other"), NameStatus(Status.ARCHIVED), "ada")
    statements.clear()
    assert get(registry, page(TEN)) == first
    assert tables(statements) <= {"project_revisions", "root_revisions"}


def test_an_upload_is_one_transaction(registry: Registry, statements: list[str]) -> None:
    publish(registry, 1)  # connections are opened once
    statements.clear()
    publish(registry, 2)
    assert transactions(statements) == ["BEGIN IMMEDIATE", "COMMIT"]


def test_the_statements_of_an_upload_do_not_grow_with_what_is_stored(registry: Registry, statements: list[str]) -> None:
    numbers = []
    for number in (0, 50, 100, 150):  # versions of one of fifty names
        statements.clear()
        publish(registry, number)
        numbers.append(len(statements))
    assert numbers[1:] == [numbers[1]] * 3


# Rendering


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a page was rendered and compressed."""
    counted: Counter[str] = Counter()

    def counting(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            counted[what] += 1
            return function(*args, **options)

        return called

    monkeypatch.setattr(pypi, "render_package", counting("rendered", simple.render_package))
    monkeypatch.setattr(zlib, "compress", counting("compressed", zlib.compress))
    return counted


def test_a_page_is_rendered_and_compressed_once_per_revision(
    registry: Registry, folder: Path, made: Counter[str]
) -> None:
    for _ in range(3):
        get(registry, page(TEN))
    assert made == {"rendered": 1, "compressed": 1}
    filling.add(open_catalogue(folder), [(PROJECT, filling.described(TEN, "2.0"))])
    for _ in range(3):
        get(registry, page(TEN))
    assert made == {"rendered": 2, "compressed": 2}


def test_a_page_is_rendered_once_for_clients_with_and_without_gzip(registry: Registry, made: Counter[str]) -> None:
    for encoding in ("gzip", "identity", "gzip, deflate", "br"):
        get(registry, page(TEN, **{"Accept-Encoding": encoding}))
    assert made == {"rendered": 1, "compressed": 1}


def test_an_upload_of_another_name_renders_no_page_again(registry: Registry, folder: Path, made: Counter[str]) -> None:
    get(registry, page(TEN))
    filling.add(open_catalogue(folder), [(PROJECT, filling.described("other", "1.0"))])
    get(registry, page(TEN))
    assert made["rendered"] == 1


def test_an_upload_renders_no_page(registry: Registry, made: Counter[str]) -> None:
    publish(registry, 1)
    assert made == {}


# Growth


@contextmanager
def python_calls() -> Iterator[list[str]]:
    """Collect the functions of this package that are called."""
    called: list[str] = []
    part = f"{os.sep}pypi_registry{os.sep}"

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and part in frame.f_code.co_filename:
            called.append(frame.f_code.co_name)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield called
    finally:
        sys.setprofile(before)


@pytest.mark.parametrize(
    "ask",
    [PAGES["group page"], PAGES["group index"], GROUP_FORWARD, Ask("/groups/acme/packages")],
    ids=["group page", "group index", "forward", "list"],
)
def test_a_request_for_a_group_does_not_grow_with_its_projects(ask: Ask, folder: Path) -> None:
    numbers = []
    for projects in (10, 1000):
        registry = open_registry(folder, forward_to=FORWARDING, projects=projects)
        for _ in range(2):  # the first request after a change may cost more
            get(registry, ask)
        with python_calls() as called:
            get(registry, ask)
        numbers.append(len(called))
    assert numbers[1] <= numbers[0] * 1.1


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """Two catalogues: of a name with many files, and with four times as many."""
    folders = [tmp_path_factory.mktemp("growing") for _ in range(2)]
    for folder, number in zip(folders, (400, 1600), strict=True):
        filling.fill(folder, [(PROJECT, filling.described("large", f"1.{each}")) for each in range(number)])
    return folders


@pytest.mark.parametrize(
    ("accept", "times"),
    [
        pytest.param(HTML, 8, id="HTML"),  # rows, data types, text, bytes
        pytest.param(JSON, 12, id="JSON"),  # and a dict per file
    ],
)
def test_a_large_page_takes_memory_in_proportion_to_its_size(accept: str, times: int, growing: Sequence[Path]) -> None:
    peaks = []
    for folder in growing:
        registry = open_registry(folder)
        get(registry, index())  # what is imported and opened at first does not count
        ask = page("large", accept, **{"Accept-Encoding": "identity"})
        tracemalloc.start()
        size = len(get(registry, ask))
        peaks.append(tracemalloc.get_traced_memory()[1] / size)
        tracemalloc.stop()
    assert max(peaks) < times
    assert peaks[1] < peaks[0] * 1.2


def large_upload(distribution: str, size: int, folder: Path) -> tuple["WSGIEnvironment", IO[bytes]]:
    """Write the request of an upload to a file, so that its bytes are not in memory."""
    make = make_wheel if distribution == "wheel" else make_sdist
    made = make("large", f"{size}", size=size)
    form = forms.form(made.filename, "large", f"{size}", len(made.data), forms.digests(made.data), PYPI, LOGIN)
    environ = environ_of_upload(form.head)
    path = folder / made.filename
    path.write_bytes(form.head.partition(b"\r\n\r\n")[2] + made.data + form.tail)
    stream = path.open("rb")
    return {**environ, "wsgi.input": stream}, stream


@pytest.mark.parametrize("distribution", ["wheel", "sdist"])
def test_an_upload_takes_constant_memory(distribution: str, registry: Registry, tmp_path: Path) -> None:
    publish(registry, 1)
    environ, stream = large_upload(distribution, 16_000_000, tmp_path)
    with stream, peak() as most:
        status, body = answer(registry, environ)
    assert status == "201 Created", body
    assert most.bytes < 6_000_000


# Downloads


class CountingBlobs(FileBlobs):
    """Counts the bytes that are read."""

    read = 0

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
        stream: Any = super().open(key, size=size, part=part)

        class Stream(io.RawIOBase):
            def read(inner, size: int = -1, /) -> bytes:  # noqa: N805
                data: bytes = stream.read(size)
                self.read += len(data)
                return data

            def close(inner) -> None:  # noqa: N805
                stream.close()

        return cast(BinaryIO, Stream())  # it is read forward and closed, by the contract


@pytest.fixture
def stored(folder: Path) -> PackageFile:
    return filling.store(folder, "stored", SIZE)


def download(file: PackageFile, **headers: str) -> "WSGIEnvironment":
    ask = Ask(f"{PYPI}/files/{file.digests.sha256}/{file.filename}", {**LOGIN, **headers})
    return {**environ_of(ask), "wsgi.file_wrapper": FileWrapper}


@pytest.fixture
def counting(folder: Path) -> tuple[Registry, CountingBlobs]:
    blobs = CountingBlobs(folder / "files")
    return accounts().registry(catalogue=open_catalogue(folder), blobs=blobs, forward_to=None), blobs


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ("bytes=0-99", 100),
        ("bytes=1000000-1999999", 1_000_000),
        ("bytes=-22", 22),
        (f"bytes={SIZE}-", 0),
    ],
)
def test_no_more_of_a_file_is_read_than_is_sent(
    wanted: str, read: int, stored: PackageFile, counting: tuple[Registry, CountingBlobs]
) -> None:
    registry, blobs = counting
    status, _ = answer(registry, download(stored, Range=wanted))
    assert status.startswith("206" if read else "416")
    assert blobs.read == read


def test_nothing_is_read_of_a_file_that_the_client_has(
    stored: PackageFile, counting: tuple[Registry, CountingBlobs]
) -> None:
    registry, blobs = counting
    status, _ = answer(registry, download(stored, **{"If-None-Match": f'"{stored.digests.sha256}"'}))
    assert status == "304 Not Modified"
    assert blobs.read == 0


@pytest.mark.parametrize("with_wrapper", [False, True])
def test_a_download_takes_constant_memory(registry: Registry, stored: PackageFile, with_wrapper: bool) -> None:
    environ = download(stored)
    if not with_wrapper:
        del environ["wsgi.file_wrapper"]
    get(registry, index())  # what is imported and opened at first does not count
    size = 0
    with peak() as most:
        chunks: Any = registry(environ, lambda status, headers, error=None: lambda data: None)
        with closing(chunks):
            for chunk in chunks:
                size += len(chunk)
    assert size == SIZE
    assert most.bytes < 1_000_000


# Imports


def test_an_import_loads_no_extra() -> None:
    program = "import sys, pypi_registry; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    loaded = {*done.stdout.split()}
    assert {"pypi_registry._app", "pypi_registry.distributions", "pypi_registry.stores.memory"} <= loaded
    extras = ("_cli", "_pages.markdown", "accounts", "testing", "stores.files", "stores.sqlite")
    unwanted = {*(f"pypi_registry.{name}" for name in extras), "sqlite3", "markdown_it", "nh3", "waitress"}
    assert loaded & unwanted == set()
