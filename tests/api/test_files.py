import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, BinaryIO

import pytest
from packaging.utils import NormalizedName
from webtest import TestApp
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry._http import ranges
from pypi_registry._http.ranges import requested_range
from pypi_registry.model import Digests, Project, Upload
from pypi_registry.storage import Blobs, Redirect
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

ClientOf = Callable[[Registry], Any]

WHOLE = None
UNSATISFIABLE = range(0)


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        pytest.param("", 10, WHOLE, id="no header"),
        pytest.param("bytes=0-0", 10, range(1), id="the first byte"),
        pytest.param("bytes=2-5", 10, range(2, 6), id="a part"),
        pytest.param("bytes=9-9", 10, range(9, 10), id="the last byte"),
        pytest.param("bytes=0-9", 10, range(10), id="all of it"),
        pytest.param("bytes=0-", 10, range(10), id="from the beginning"),
        pytest.param("bytes=4-", 10, range(4, 10), id="from somewhere on, as pip resumes"),
        pytest.param("bytes=4-99", 10, range(4, 10), id="beyond the end"),
        pytest.param("bytes=0-" + "9" * 100, 10, range(10), id="far beyond the end"),
        pytest.param("bytes=-3", 10, range(7, 10), id="a suffix"),
        pytest.param("bytes=-10", 10, range(10), id="a suffix of all"),
        pytest.param("bytes=-10000", 871, range(871), id="a suffix longer than the file, as poetry asks"),
        pytest.param("bytes=-" + "9" * 100, 10, range(10), id="a huge suffix"),
        pytest.param("bytes=007-0008", 10, range(7, 9), id="leading zeros"),
        pytest.param("BYTES=2-5", 10, range(2, 6), id="the unit has no case"),
        pytest.param("bytes= 2-5 ", 10, range(2, 6), id="blanks around"),
        pytest.param("bytes=\t2-5\t", 10, range(2, 6), id="tabs around"),
        pytest.param("bytes=10-", 10, UNSATISFIABLE, id="from the end"),
        pytest.param("bytes=10-10", 10, UNSATISFIABLE, id="the byte after the last"),
        pytest.param("bytes=" + "9" * 100 + "-", 10, UNSATISFIABLE, id="from far behind the end"),
        pytest.param("bytes=-0", 10, UNSATISFIABLE, id="a suffix of nothing"),
        pytest.param("bytes=0-", 0, UNSATISFIABLE, id="from the beginning of nothing"),
        pytest.param("bytes=0-0", 0, UNSATISFIABLE, id="the first byte of nothing"),
        # RFC 9110, 14.1.2: a suffix that is not 0 can always be satisfied, and 206 has no form for no bytes.
        pytest.param("bytes=-5", 0, WHOLE, id="a suffix of an empty file"),
        pytest.param("bytes=5-2", 10, WHOLE, id="last before first"),
        pytest.param("bytes=99-98", 10, WHOLE, id="last before first, behind the end"),
        pytest.param("bytes=-", 10, WHOLE, id="neither first nor last"),
        pytest.param("bytes=", 10, WHOLE, id="no range"),
        pytest.param("bytes", 10, WHOLE, id="a unit alone"),
        pytest.param("bytes=0-0,2-2", 10, WHOLE, id="several ranges"),
        pytest.param("bytes=0-0, -1", 10, WHOLE, id="several ranges with a suffix"),
        pytest.param("items=0-1", 10, WHOLE, id="another unit"),
        pytest.param("xbytes=0-1", 10, WHOLE, id="a longer unit"),
        pytest.param("0-1", 10, WHOLE, id="no unit"),
        pytest.param("bytes 0-1", 10, WHOLE, id="no equals sign"),
        pytest.param("bytes=a-b", 10, WHOLE, id="letters"),
        pytest.param("bytes=0x1-2", 10, WHOLE, id="hexadecimal"),
        pytest.param("bytes=1.5-2", 10, WHOLE, id="fractions"),
        pytest.param("bytes=--1", 10, WHOLE, id="two dashes"),
        pytest.param("bytes=+1-2", 10, WHOLE, id="a sign"),
        pytest.param("bytes=1_0-20", 100, WHOLE, id="an underscore"),
        pytest.param("bytes=1 - 2", 10, WHOLE, id="blanks inside"),
        pytest.param("bytes=0-1\n", 10, WHOLE, id="a line end"),
        pytest.param("bytes=\u0661-\u0662", 10, WHOLE, id="digits that are not ASCII"),
        pytest.param("bytes=0-" + "9" * 101, 10, WHOLE, id="101 digits"),
        pytest.param("bytes=" + "9" * 100_000 + "-", 10, WHOLE, id="100,000 digits"),
    ],
)
def test_a_range_is_one_part_or_none_or_ignored(header: str, size: int, expected: range | None) -> None:
    found = requested_range(header, size)
    assert found == expected
    assert (found is None) == (expected is None)


# Over HTTP

BLOCK = 1000  # small, so that a file of several blocks is
FILENAME = "demo-1.0+local.1.tar.gz"
DATA = distribution(FILENAME, size=2 * BLOCK + 345)  # no part of it equals another
REST = len(DATA) - 2 * BLOCK
SHA256 = hashlib.sha256(DATA).hexdigest()
ETAG = f'"{SHA256}"'
ADDRESS = f"/projects/7/packages/pypi/files/{SHA256}/{FILENAME}"


class RecordingBlobs:
    """A store that records the streams that it returned."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self.opened: list[BinaryIO] = []

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        self._blobs.put(key, file, size=size, sha256=sha256, filename=filename)

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
        stream = self._blobs.open(key, size=size, part=part)
        assert stream is not None
        assert not isinstance(stream, Redirect)
        self.opened.append(stream)
        return stream

    def delete(self, key: str) -> None:
        self._blobs.delete(key)


@pytest.fixture(scope="module", params=["memory", "files"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, RecordingBlobs]:
    """A registry with two files, and its store of bytes; no test changes them."""
    blobs = RecordingBlobs(MemoryBlobs() if request.param == "memory" else FileBlobs(tmp_path_factory.mktemp("blobs")))
    catalogue = MemoryCatalogue()
    registry = Registry(auth=AllowAll(), catalogue=catalogue, blobs=blobs)
    form, content = {"name": "demo", "version": "1.0+local.1"}, [("content", FILENAME, DATA)]
    TestApp(registry).post("/projects/7/packages/pypi", form, upload_files=content, status=201)
    _add_an_empty_file(catalogue, blobs)
    return registry, blobs


def _add_an_empty_file(catalogue: MemoryCatalogue, blobs: Blobs) -> None:
    # An upload of one is refused; one from another store may be there.
    key = 32 * "0"
    sha256 = hashlib.sha256().hexdigest()
    blobs.put(key, BytesIO(), size=0, sha256=sha256, filename="empty-1.0+local.1.zip")
    name, digests = NormalizedName("empty"), Digests(sha256)
    upload = Upload("empty", name, "1.0+local.1", "empty-1.0+local.1.zip", 0, digests, "")
    catalogue.add(Project(7, "7"), upload, key, datetime.now(UTC), "")


@pytest.fixture
def blobs(served: tuple[Registry, RecordingBlobs]) -> Iterator[RecordingBlobs]:
    """The store, whose streams must all be closed in the end."""
    served[1].opened.clear()
    yield served[1]
    assert all(stream.closed for stream in served[1].opened)


@pytest.fixture
def registry(
    served: tuple[Registry, RecordingBlobs], blobs: RecordingBlobs, monkeypatch: pytest.MonkeyPatch
) -> Registry:
    monkeypatch.setattr(ranges, "BLOCK", BLOCK)
    return served[0]


@pytest.fixture
def client(client_of: ClientOf, registry: Registry) -> Any:
    return client_of(registry)


def test_a_file_comes_whole_and_unchanged(client: Any) -> None:
    answer = client.get(ADDRESS, status=200)
    assert answer.body == DATA
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{FILENAME}"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["ETag"] == ETAG
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize("accepted", ["gzip, deflate, zstd", "gzip;q=1.0, identity;q=0"])
def test_a_file_is_never_encoded(client: Any, accepted: str) -> None:
    answer = client.get(ADDRESS, headers={"Accept-Encoding": accepted}, status=200)
    assert "Content-Encoding" not in answer.headers
    assert answer.body == DATA


def test_a_file_may_be_kept_for_ever_by_whoever_may_read_it(client: Any) -> None:
    answer = client.get(ADDRESS)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, s-maxage=3600, immutable"
    assert {"Accept", "Authorization"} <= set(answer.headers["Vary"].split(", "))


@pytest.mark.parametrize(
    "address",
    [
        ADDRESS + "/",
        ADDRESS.replace("+", "%2B"),
        ADDRESS.replace(SHA256, SHA256.upper()),
    ],
    ids=["a slash", "a quoted plus", "upper-case digest"],
)
def test_a_file_is_found_however_a_client_writes_its_address(client: Any, address: str) -> None:
    assert client.get(address, status=200).body == DATA


@pytest.mark.parametrize(
    "address",
    [
        ADDRESS.replace(SHA256, "0" * 64),
        ADDRESS.replace(SHA256, SHA256[:-1]),
        ADDRESS.replace("demo-", "Demo-"),
        ADDRESS.replace("/7/", "/8/"),
        ADDRESS.replace(FILENAME, ".."),
    ],
    ids=["another digest", "a shorter digest", "another name", "another project", "a folder"],
)
def test_a_file_has_the_name_and_the_digest_of_its_address(client: Any, address: str) -> None:
    assert client.get(address, status=404).json == {"message": "404 Package Not Found"}


def test_a_store_may_send_the_client_elsewhere(
    client: Any, blobs: RecordingBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        blobs, "open", lambda key, *, size, part=None: Redirect("https://objects.example/signed?x=1&y=2")
    )
    answer = client.get(ADDRESS, status=302)
    assert answer.headers["Location"] == "https://objects.example/signed?x=1&y=2"
    assert "immutable" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-1"}])
def test_head_is_answered_by_the_registry_where_a_store_sends_the_client_elsewhere(
    client: Any, blobs: RecordingBlobs, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    """uv sends HEAD, which a URL that is signed for GET refuses."""
    expected = client.head(ADDRESS, headers=headers, status=200).headers
    assert expected["Content-Length"] == str(len(DATA)) and expected["Accept-Ranges"] == "bytes"
    monkeypatch.setattr(blobs, "open", lambda key, *, size, part=None: Redirect("https://objects.example/signed"))
    answer = client.head(ADDRESS, headers=headers, status=200)
    assert {**answer.headers} == {**expected} and answer.body == b""
    client.get(ADDRESS, headers={"If-None-Match": ETAG}, status=304)
    client.get(ADDRESS, headers={"Range": f"bytes={len(DATA)}-"}, status=416)


def test_head_opens_no_more_than_an_empty_part(
    client: Any, blobs: RecordingBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that reads over a network would begin to read the whole file."""
    parts: list[range | None] = []

    def open_part(key: str, *, size: int, part: range | None = None) -> BytesIO:
        parts.append(part)
        return BytesIO()

    monkeypatch.setattr(blobs, "open", open_part)
    client.head(ADDRESS, status=200)
    assert parts == [range(0)]


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-1"}, {"If-None-Match": '"a tag of nginx"'}])
def test_a_store_may_have_the_server_in_front_send_the_file(
    client: Any, blobs: RecordingBlobs, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(blobs, "open", lambda key, *, size, part=None: Redirect("/blobs/ab/abc", internal=True))
    answer = client.get(ADDRESS, headers=headers, status=200)
    assert answer.body == b""
    assert answer.headers["X-Accel-Redirect"] == "/blobs/ab/abc"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "immutable" in answer.headers["Cache-Control"]
    assert "ETag" not in answer.headers  # the server that sends the bytes sends its own tag


@pytest.mark.parametrize(
    ("header", "part", "extent"),
    [
        pytest.param("bytes=0-0", DATA[:1], "0-0", id="the first byte"),
        pytest.param("bytes=100-", DATA[100:], f"100-{len(DATA) - 1}", id="the rest"),
        pytest.param(
            f"bytes={BLOCK - 1}-{BLOCK}", DATA[BLOCK - 1 : BLOCK + 1], f"{BLOCK - 1}-{BLOCK}", id="between two blocks"
        ),
        pytest.param(f"bytes=5-{BLOCK + 4}", DATA[5 : BLOCK + 5], f"5-{BLOCK + 4}", id="a block"),
        pytest.param("bytes=-100", DATA[-100:], f"{len(DATA) - 100}-{len(DATA) - 1}", id="a suffix"),
        pytest.param("bytes=-99999999", DATA, f"0-{len(DATA) - 1}", id="a suffix longer than the file"),
    ],
)
def test_a_part_of_a_file_is_206(client: Any, header: str, part: bytes, extent: str) -> None:
    answer = client.get(ADDRESS, headers={"Range": header}, status=206)
    assert answer.body == part
    assert answer.headers["Content-Length"] == str(len(part))
    assert answer.headers["Content-Range"] == f"bytes {extent}/{len(DATA)}"
    assert answer.headers["ETag"] == ETAG
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("header", ["bytes=0-0,5-5", "bytes=5-2", "items=0-0", "garbage"])
def test_a_range_that_cannot_be_read_is_ignored(client: Any, header: str) -> None:
    answer = client.get(ADDRESS, headers={"Range": header}, status=200)
    assert answer.body == DATA
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize("header", [f"bytes={len(DATA)}-", "bytes=-0", "bytes=99999999-999999999"])
def test_a_range_beyond_the_end_is_416_and_tells_the_size(client: Any, header: str) -> None:
    answer = client.get(ADDRESS, headers={"Range": header}, status=416)
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"
    assert answer.headers["Content-Length"] == "0"
    assert answer.body == b""


def test_a_416_is_not_kept_in_place_of_the_file(client: Any) -> None:
    # A cache's key has no range in it (RFC 9111, 2).
    answer = client.get(ADDRESS, headers={"Range": f"bytes={len(DATA)}-"}, status=416)
    assert "max-age" not in answer.headers.get("Cache-Control", "")


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        pytest.param(ETAG, 206, id="our tag"),
        pytest.param(f"W/{ETAG}", 200, id="our tag, but weak"),
        pytest.param('"another"', 200, id="another tag"),
        pytest.param(SHA256, 200, id="our tag without its quotes"),
        pytest.param("Wed, 21 Oct 2015 07:28:00 GMT", 200, id="a date"),
    ],
)
def test_if_range_gives_the_part_only_of_the_file_that_is_known(client: Any, condition: str, status: int) -> None:
    answer = client.get(ADDRESS, headers={"Range": "bytes=500-", "If-Range": condition}, status=status)
    assert answer.body == (DATA[500:] if status == 206 else DATA)


def test_a_broken_download_is_resumed_as_pip_does(client: Any) -> None:
    first = client.get(ADDRESS, headers={"Range": "bytes=0-1499"}, status=206)
    resume = {"Range": "bytes=1500-", "If-Range": first.headers["ETag"]}
    assert first.body + client.get(ADDRESS, headers=resume, status=206).body == DATA


@pytest.mark.parametrize("known", [ETAG, f"W/{ETAG}", f'"x", {ETAG}', "*"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_known_file_is_304(client: Any, known: str, method: str) -> None:
    answer = getattr(client, method)(ADDRESS, headers={"If-None-Match": known}, status=304)
    assert answer.body == b""
    assert answer.headers["ETag"] == ETAG
    assert "Vary" in answer.headers
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers.get("Content-Length", str(len(DATA))) == str(len(DATA))  # RFC 9110, 8.6


def test_304_comes_before_a_range(client: Any) -> None:
    client.get(ADDRESS, headers={"If-None-Match": ETAG, "Range": "bytes=0-0"}, status=304)


def test_an_unknown_tag_gives_the_file(client: Any) -> None:
    assert client.get(ADDRESS, headers={"If-None-Match": '"another"'}, status=200).body == DATA


@pytest.mark.parametrize("asked", [{}, {"Range": "bytes=0-0"}, {"Range": "bytes=99999999-"}])
def test_head_tells_the_whole_size_and_ranges_are_for_get_only(client: Any, asked: dict[str, str]) -> None:
    answer = client.head(ADDRESS, headers=asked, status=200)
    assert answer.body == b""
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert "Content-Range" not in answer.headers


# Streams


class Wrapper:
    """A server's own way to send a file, which it knows again by its type."""

    def __init__(self, filelike: BinaryIO, blksize: int) -> None:
        self.filelike, self.blksize = filelike, blksize

    def __iter__(self) -> Iterator[bytes]:
        yield from iter(lambda: self.filelike.read(self.blksize), b"")

    def close(self) -> None:
        self.filelike.close()


def call(registry: Registry, method: str = "GET", /, **environ: object) -> tuple[str, Iterable[bytes]]:
    started: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        started.append(status)

    body = registry(create_environ(method=method) | {"PATH_INFO": ADDRESS} | environ, start_response)
    return started[0], body


def test_the_server_gets_its_own_wrapper_around_the_very_stream(registry: Registry, blobs: RecordingBlobs) -> None:
    status, body = call(registry, **{"wsgi.file_wrapper": Wrapper})
    assert status == "200 OK"
    assert type(body) is Wrapper
    assert body.filelike is blobs.opened[0]
    assert body.filelike.tell() == 0
    assert body.blksize == BLOCK
    body.close()


def test_a_part_is_handed_to_the_wrapper_too_so_that_no_thread_waits_for_the_client(registry: Registry) -> None:
    status, body = call(registry, HTTP_RANGE="bytes=10-19", **{"wsgi.file_wrapper": Wrapper})
    assert status == "206 Partial Content"
    assert isinstance(body, Wrapper)
    with pytest.raises((AttributeError, OSError)):  # with a descriptor, a server could send more than the part
        body.filelike.fileno()
    # As waitress measures it, and reads it piece by piece.
    assert (body.filelike.seekable(), body.filelike.tell()) == (True, 0)
    assert body.filelike.seek(0, 2) == 10
    assert body.filelike.seek(3) == 3
    assert body.filelike.seek(-2, 1) == 1
    assert body.filelike.read(4) == DATA[11:15]
    assert body.filelike.read() == DATA[15:20]
    assert body.filelike.read() == b""
    body.filelike.seek(0)
    assert b"".join(body) == DATA[10:20]
    _close(body)


def _close(body: Iterable[bytes]) -> None:
    """Do what PEP 3333 demands of a server, however the request ended."""
    close = getattr(body, "close", None)
    if close is not None:
        close()


@pytest.mark.parametrize("wrapped", [{}, {"wsgi.file_wrapper": Wrapper}], ids=["no wrapper", "wrapper"])
@pytest.mark.parametrize("blocks_taken", [0, 1, 99])
@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("GET", {}, "200 OK"),
        ("GET", {"HTTP_RANGE": "bytes=10-2200"}, "206 Partial Content"),
        ("GET", {"HTTP_RANGE": "bytes=99999999-"}, "416 Range Not Satisfiable"),
        ("GET", {"HTTP_IF_NONE_MATCH": ETAG}, "304 Not Modified"),
        ("HEAD", {}, "200 OK"),
        ("HEAD", {"HTTP_RANGE": "bytes=0-0"}, "200 OK"),
        ("HEAD", {"HTTP_IF_NONE_MATCH": ETAG}, "304 Not Modified"),
    ],
)
def test_the_stream_is_closed_however_much_the_client_took(
    registry: Registry,
    blobs: RecordingBlobs,
    method: str,
    headers: dict[str, str],
    expected: str,
    blocks_taken: int,
    wrapped: dict[str, object],
) -> None:
    status, body = call(registry, method, **headers, **wrapped)
    assert status == expected
    for _, _block in zip(range(blocks_taken), body, strict=False):
        pass
    _close(body)
    assert len(blobs.opened) == (expected in ("200 OK", "206 Partial Content"))
    assert all(stream.closed for stream in blobs.opened)


def test_a_file_comes_in_blocks_so_that_memory_does_not_grow_with_it(registry: Registry) -> None:
    for headers, parts in (({}, [BLOCK, BLOCK, REST]), ({"HTTP_RANGE": "bytes=1-"}, [BLOCK, BLOCK, REST - 1])):
        _, body = call(registry, **headers)
        assert [len(block) for block in body] == parts
        _close(body)


def test_an_empty_file_is_a_file(registry: Registry) -> None:
    address = f"/projects/7/packages/pypi/files/{hashlib.sha256().hexdigest()}/empty-1.0+local.1.zip"
    body, status, headers = run_wsgi_app(registry, create_environ(address))
    assert (status, headers["Content-Length"], b"".join(body)) == ("200 OK", "0", b"")
    _close(body)
