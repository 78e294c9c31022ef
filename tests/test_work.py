"""What a request does not do: look up what it knows, make a page twice, take memory by the size of what is stored.

Times are for the benchmarks.
"""

import io
import os
import sqlite3
import subprocess
import sys
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast
from wsgiref.util import FileWrapper

import pytest
from packaging.utils import canonicalize_name

from pypi_registry import Registry
from pypi_registry._pages import simple
from pypi_registry.model import NameStatus, PackageFile, Status
from pypi_registry._pages.cache import ENTRY_BYTES, PageCache
from pypi_registry.storage import Redirect
from pypi_registry.stores.files import FileBlobs
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
    """A registry has its catalogue for as long as it runs; a test does not run on."""
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


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The descriptors that were flushed to the disk, but for SQLite's own."""
    done: list[int] = []
    fsync = os.fsync

    def counted(descriptor: int) -> None:
        done.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    return done


def get(registry: Registry, ask: Ask) -> bytes:
    status, body = answer(registry, environ_of(ask))
    assert status.startswith(str(ask.status))
    return body


def tag(registry: Registry, ask: Ask) -> str:
    """Give the entity tag of a page."""
    said: dict[str, str] = {}

    def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> Callable[[bytes], object]:
        said.update(headers)
        return lambda data: None

    assert list(registry(environ_of(ask), start_response))
    return said["ETag"]


def upload_environ(number: int) -> "WSGIEnvironment":
    [request] = forms.small_uploads(1, number)
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


def publish(registry: Registry, number: int) -> None:
    status, body = answer(registry, upload_environ(number))
    assert status == "201 Created", body


def selects(statements: Iterable[str]) -> list[str]:
    """Give the tables that were read, in order."""
    return [statement.partition("FROM ")[2].split()[0] for statement in statements]


# Pages


ASKS = {
    "page": page(TEN),
    "page in HTML": page(TEN, HTML),
    "page as it is": page(TEN, **{"Accept-Encoding": "identity"}),
    "index": index(),
    "group page": Ask(f"{GROUP_SIMPLE}/{filling.SHARED}/"),
    "group index": Ask(f"{GROUP_SIMPLE}/"),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_page_that_has_not_changed_is_no_look_up_at_all(ask: Ask, registry: Registry, statements: list[str]) -> None:
    first = get(registry, ask)
    statements.clear()
    assert get(registry, ask) == first
    assert statements == []


def test_a_304_is_none_either(registry: Registry, statements: list[str]) -> None:
    known = replace(page(TEN, **{"If-None-Match": tag(registry, page(TEN))}), status=304)
    statements.clear()
    assert get(registry, known) == b""
    assert statements == []


def test_after_a_change_elsewhere_nothing_but_revisions_is_looked_up_for_a_page(
    registry: Registry, folder: Path, statements: list[str]
) -> None:
    first = get(registry, page(TEN))
    with closing(open_catalogue(folder)) as other:
        other.set_status(project(2), canonicalize_name("other"), NameStatus(Status.ARCHIVED))
    statements.clear()
    assert get(registry, page(TEN)) == first
    assert {*selects(statements)} == {"revisions"}


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(replace(page("missing"), status=302), id="a forward"),
        pytest.param(Ask("/projects/99999/packages/pypi/simple/ten/", status=404), id="no such project"),
        pytest.param(Ask(f"{SIMPLE}/{TEN}/", {}, 401), id="401"),
        pytest.param(Ask(f"{SIMPLE}/-/", status=404), id="what is no name"),
    ],
)
def test_what_is_no_page_is_no_look_up(ask: Ask, registry: Registry, statements: list[str]) -> None:
    get(registry, ask)  # connections are opened once
    statements.clear()
    get(registry, ask)
    assert statements == []


def test_a_name_that_is_nowhere_is_no_look_up(folder: Path, statements: list[str]) -> None:
    registry = open_registry(folder)
    get(registry, replace(page("missing"), status=404))
    statements.clear()
    get(registry, replace(page("missing"), status=404))
    assert statements == []


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often something costly was done."""
    counted: Counter[str] = Counter()

    def counting(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            counted[what] += 1
            return function(*args, **options)

        return called

    monkeypatch.setattr(simple, "render_package", counting("rendered", simple.render_package))
    monkeypatch.setattr(zlib, "compress", counting("compressed", zlib.compress))
    return counted


def test_a_page_is_rendered_and_compressed_once_a_revision(
    registry: Registry, folder: Path, made: Counter[str]
) -> None:
    for _ in range(3):
        get(registry, page(TEN))
    assert made == {"rendered": 1, "compressed": 1}
    filling.add(open_catalogue(folder), [(PROJECT, filling.described(TEN, "2.0"))])
    for _ in range(3):
        get(registry, page(TEN))
    assert made == {"rendered": 2, "compressed": 2}


def test_a_page_is_made_once_for_those_who_take_gzip_and_those_who_do_not(
    registry: Registry, made: Counter[str]
) -> None:
    for encoding in ("gzip", "identity", "gzip, deflate", "br"):
        get(registry, page(TEN, **{"Accept-Encoding": encoding}))
    assert made == {"rendered": 1, "compressed": 1}


def test_an_upload_of_another_name_makes_no_page_anew(registry: Registry, folder: Path, made: Counter[str]) -> None:
    get(registry, page(TEN))
    filling.add(open_catalogue(folder), [(PROJECT, filling.described("other", "1.0"))])
    get(registry, page(TEN))
    assert made["rendered"] == 1


def test_an_upload_makes_no_page(registry: Registry, made: Counter[str]) -> None:
    publish(registry, 1)
    assert made == {}


def test_what_is_forgotten_for_want_of_room_is_bounded_in_bytes() -> None:
    pages = PageCache(max_bytes=2 * (500 + ENTRY_BYTES))  # 400 of the body, and 80 of what the key holds
    kept = [pages.get(number, 1, lambda: bytes(400)) for number in range(10)]
    assert [page is pages.get(number, 1, lambda: bytes(400)) for number, page in [*enumerate(kept)][-2:]] == [True] * 2
    assert pages.get(0, 1, lambda: b"made anew") != kept[0]


@contextmanager
def calls_into(package: str) -> Iterator[list[str]]:
    """Collect the functions of a package that are called."""
    called: list[str] = []
    part = f"{os.sep}{package}{os.sep}"

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
    [
        *ASKS.values(),
        replace(page("missing"), status=302),
        Ask(f"{SIMPLE}/{TEN}/", {}, 401),
        Ask("/projects/99999/packages/pypi/simple/ten/", status=404),
    ],
    ids=[*ASKS, "a forward", "401", "404"],
)
def test_werkzeug_has_no_part_in_what_is_asked_again(ask: Ask, registry: Registry) -> None:
    get(registry, ask)
    with calls_into("werkzeug") as called:
        get(registry, ask)
    assert called == []


def test_calls_into_werkzeug_would_be_seen(registry: Registry) -> None:
    with calls_into("werkzeug") as called:
        get(registry, page(TEN, "text/html;q=0.123"))
    assert "parse_accept_header" in called


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """A name with many files, and with four times as many."""
    folders = [tmp_path_factory.mktemp("growing") for _ in range(2)]
    for folder, number in zip(folders, (400, 1600), strict=True):
        filling.fill(folder, [(PROJECT, filling.described("large", f"1.{each}")) for each in range(number)])
    return folders


@pytest.mark.parametrize(
    ("accept", "times"),
    [
        pytest.param(HTML, 8, id="HTML"),  # rows, nouns, text, bytes
        pytest.param(JSON, 12, id="JSON"),  # and a dict for each file, which writing the text at once would save
    ],
)
def test_a_large_page_takes_memory_by_its_size_alone(accept: str, times: int, growing: Sequence[Path]) -> None:
    peaks = []
    for folder in growing:
        registry = open_registry(folder)
        get(registry, index())  # what is imported and opened at first is not the page's
        ask = page("large", accept, **{"Accept-Encoding": "identity"})
        tracemalloc.start()
        size = len(get(registry, ask))
        peaks.append(tracemalloc.get_traced_memory()[1] / size)
        tracemalloc.stop()
    assert max(peaks) < times
    assert peaks[1] < peaks[0] * 1.2


# Downloads


class _Counting(FileBlobs):
    """Counts the bytes that are read."""

    read = 0

    def open(self, key: str) -> BinaryIO | Redirect | None:
        stream: Any = super().open(key)
        read = stream.read

        class Stream(io.RawIOBase):
            def read(inner, size: int = -1, /) -> bytes:  # noqa: N805
                data: bytes = read(size)
                self.read += len(data)
                return data

            def seek(inner, offset: int, whence: int = 0, /) -> int:  # noqa: N805
                return int(stream.seek(offset, whence))

            def close(inner) -> None:  # noqa: N805
                stream.close()

        return cast(BinaryIO, Stream())  # it reads, seeks and closes, which is all that is asked


@pytest.fixture
def stored(folder: Path) -> PackageFile:
    return filling.store(folder, "stored", SIZE)


def download(file: PackageFile, **headers: str) -> "WSGIEnvironment":
    ask = Ask(f"{PYPI}/files/{file.digests.sha256}/{file.filename}", {**LOGIN, **headers})
    return {**environ_of(ask), "wsgi.file_wrapper": FileWrapper}


def counting_registry(folder: Path) -> tuple[Registry, _Counting]:
    entries, blobs = accounts(), _Counting(folder / "files")
    catalogue = open_catalogue(folder)
    return Registry(directory=entries, auth=entries, catalogue=catalogue, blobs=blobs, forward_to=None), blobs


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ("bytes=0-99", 100),
        ("bytes=1000000-1999999", 1_000_000),
        ("bytes=-22", 22),
        (f"bytes={SIZE}-", 0),
    ],
)
def test_no_more_of_a_file_is_read_than_is_sent(wanted: str, read: int, folder: Path, stored: PackageFile) -> None:
    registry, blobs = counting_registry(folder)
    status, _ = answer(registry, download(stored, Range=wanted))
    assert status.startswith("206" if read else "416")
    assert blobs.read == read


def test_nothing_of_a_file_is_read_that_the_client_has(folder: Path, stored: PackageFile) -> None:
    registry, blobs = counting_registry(folder)
    status, _ = answer(registry, download(stored, **{"If-None-Match": f'"{stored.digests.sha256}"'}))
    assert status == "304 Not Modified"
    assert blobs.read == 0


def test_a_file_that_is_downloaded_again_is_no_look_up(
    registry: Registry, stored: PackageFile, statements: list[str]
) -> None:
    answer(registry, download(stored))
    statements.clear()
    _, body = answer(registry, download(stored))
    assert len(body) == SIZE
    assert statements == []


# Uploads


def test_an_upload_is_one_transaction(registry: Registry, statements: list[str]) -> None:
    publish(registry, 1)  # connections are opened once
    statements.clear()
    publish(registry, 2)
    transactions = [statement for statement in statements if statement.startswith(("BEGIN", "COMMIT"))]
    assert transactions == ["BEGIN IMMEDIATE", "COMMIT"]


def test_an_upload_that_is_refused_flushes_nothing(
    registry: Registry, statements: list[str], flushes: list[int]
) -> None:
    environ = upload_environ(1)
    form: IO[bytes] = environ["wsgi.input"]
    environ["wsgi.input"] = io.BytesIO(form.read().replace(b"sha256_digest", b"md5_digest_ish").replace(b"1.1", b"1.?"))
    statements.clear()
    assert answer(registry, environ)[0].startswith("400")
    assert flushes == []
    assert statements == []


def test_the_statements_of_an_upload_do_not_grow_with_what_is_there(registry: Registry, statements: list[str]) -> None:
    numbers = []
    for number in (0, 50, 100, 150):  # versions of one name, of fifty
        statements.clear()
        publish(registry, number)
        numbers.append(len(statements))
    assert numbers[1:] == [numbers[1]] * 3


def test_an_import_loads_what_every_registry_needs_and_nothing_more() -> None:
    program = "import sys, pypi_registry; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)
    own = {name.removeprefix("pypi_registry.") for name in done.stdout.split() if name.startswith("pypi_registry.")}
    assert {"app", "uploads", "distributions.metadata"} <= own
    at_their_use = {"accounts", "testing", "serve", "stores.sqlite", "stores.files"}
    assert not own & {*at_their_use, "distributions.kinds", "distributions.zips", "distributions.tars"}
