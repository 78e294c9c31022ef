import hashlib
import io
import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import obstore
import pytest
from obstore.store import S3Store
from waitress import wasyncore
from waitress.server import create_server
from webtest import TestApp
from werkzeug.wrappers import Request, Response

from pypi_registry import AllowAll, Registry
from pypi_registry.errors import StorageFull, StorageUnavailable
from pypi_registry.health import Health
from pypi_registry.storage import Redirect
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.stores.objects.bucket import SMALL_PUT
from pypi_registry.testing.archives import distribution
from tests.stores.azurite import use_azurite
from tests.stores.buckets import (
    ACCESS_KEY,
    SECRET_KEY,
    Moto,
    error_response,
    raw_server,
    received_head,
    unfinished_uploads,
    use_endpoint,
)
from tests.stores.gcs import use_gcs

KEY = "0123456789abcdef" * 2
MEGABYTE = 1024**2


@pytest.fixture
def bucket(s3: Moto) -> str:
    return f"s3://{s3.new_bucket()}/prefix"


@pytest.fixture
def blobs(bucket: str) -> ObjectBlobs:
    return ObjectBlobs(bucket)


def put(blobs: ObjectBlobs, data: bytes, *, key: str = KEY, filename: str = "demo-1.0.tar.gz") -> None:
    with blobs.new_file() as file:
        file.write(data)
        blobs.put(key, file, size=len(data), sha256=hashlib.sha256(data).hexdigest(), filename=filename)


def opened(blobs: ObjectBlobs, size: int, part: range | None = None) -> BinaryIO:
    stream = blobs.open(KEY, size=size, part=part)
    assert stream is not None and not isinstance(stream, Redirect)
    return stream


# What is sent


def test_a_small_file_is_one_request_whose_signature_covers_its_digest(s3: Moto, blobs: ObjectBlobs) -> None:
    data = secrets.token_bytes(SMALL_PUT)
    put(blobs, data)
    (sent,) = s3.sent
    assert sent.method == "PUT" and sent.path.endswith(f"/prefix/{KEY}")
    assert sent.headers["x-amz-content-sha256"] == hashlib.sha256(data).hexdigest()
    assert "x-amz-content-sha256" in sent.headers["authorization"]
    assert sent.headers["content-length"] == str(len(data))


@pytest.mark.parametrize(
    ("filename", "disposition"),
    [
        ("demo-1.0.tar.gz", 'attachment; filename="demo-1.0.tar.gz"'),
        ("demo-1!1.0+local.1-py3-none-any.whl", 'attachment; filename="demo-1!1.0+local.1-py3-none-any.whl"'),
        ('é "quoted"\r\nX: y', "attachment; filename*=UTF-8''%C3%A9%20%22quoted%22%0D%0AX%3A%20y"),
    ],
)
@pytest.mark.parametrize("size", [1, 9 * MEGABYTE], ids=["small", "in parts"])
def test_an_object_has_the_headers_of_a_download(
    bucket: str, blobs: ObjectBlobs, filename: str, disposition: str, size: int
) -> None:
    put(blobs, bytes(size), filename=filename)
    assert obstore.get(S3Store(urlsplit(bucket).netloc), f"prefix/{KEY}").attributes == {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": disposition,
        "Cache-Control": "private, max-age=31536000, immutable",
    }


def test_a_large_file_is_sent_in_parts_and_its_length_is_compared(s3: Moto, blobs: ObjectBlobs) -> None:
    data = secrets.token_bytes(17 * MEGABYTE)
    put(blobs, data)
    assert sorted(s3.lines[1:4]) == ["PUT partNumber"] * 3
    assert [s3.lines[0], *s3.lines[4:]] == ["POST uploads", "POST uploadId", "HEAD"]
    parts = {
        hashlib.sha256(data[start : start + 8 * MEGABYTE]).hexdigest() for start in range(0, len(data), 8 * MEGABYTE)
    }
    assert {each.headers["x-amz-content-sha256"] for each in s3.sent if each.method == "PUT"} == parts
    with opened(blobs, len(data)) as stream:
        assert hashlib.file_digest(stream, "sha256").digest() == hashlib.sha256(data).digest()  # type: ignore[arg-type]  # a BinaryIO is one


@pytest.mark.parametrize("size", [100_000, 17 * MEGABYTE], ids=["small", "in parts"])
@pytest.mark.parametrize("change", ["a byte", "shorter", "longer"])
def test_a_file_that_was_changed_after_it_was_verified_does_not_reach_the_bucket(
    s3: Moto, blobs: ObjectBlobs, size: int, change: str
) -> None:
    good = secrets.token_bytes(size)
    bad = {"a byte": good[:-1] + bytes([good[-1] ^ 1]), "shorter": good[:-1], "longer": good + b"x"}[change]
    digest = hashlib.sha256(good).hexdigest()
    with pytest.raises(StorageUnavailable, match="was changed"):
        blobs.put(KEY, io.BytesIO(bad), size=size, sha256=digest, filename="demo-1.0.tar.gz")
    assert [*blobs.keys()] == []
    assert s3.lines[:1] == (["GET list-type"] if size < MEGABYTE else ["POST uploads"])
    assert "POST uploadId" not in s3.lines and ("DELETE uploadId" in s3.lines) is (size > MEGABYTE)


def test_a_part_that_fails_aborts_the_upload(s3: Moto, bucket: str, blobs: ObjectBlobs) -> None:
    def fail(request: Request) -> Response | None:
        return error_response(403, "AccessDenied") if request.args.get("partNumber") == "2" else None

    s3.fault = fail
    with pytest.raises(StorageUnavailable, match="refuses the request"):
        put(blobs, bytes(17 * MEGABYTE))
    assert s3.lines[-1] == "DELETE uploadId"
    s3.fault = None
    assert unfinished_uploads(s3.endpoint, urlsplit(bucket).netloc) == []
    assert blobs.open(KEY, size=17 * MEGABYTE) is None


def test_an_object_of_another_length_than_was_sent_is_deleted(s3: Moto, blobs: ObjectBlobs) -> None:
    def shorten(request: Request) -> Response | None:
        return Response(headers={"Content-Length": "7"}) if request.method == "HEAD" else None

    s3.fault = shorten
    with pytest.raises(StorageUnavailable, match="has not stored the whole file"):
        put(blobs, bytes(9 * MEGABYTE))
    s3.fault = None
    assert [*blobs.keys()] == []


def test_a_request_that_meets_an_error_of_the_server_is_repeated(s3: Moto, blobs: ObjectBlobs) -> None:
    failed: list[str] = []

    def fail_once(request: Request) -> Response | None:
        if request.method in failed:
            return None
        failed.append(request.method)
        return error_response(503, "SlowDown")

    s3.fault = fail_once
    put(blobs, b"bytes")
    with opened(blobs, 5) as stream:
        assert stream.read() == b"bytes"
    assert s3.lines == ["PUT", "PUT", "GET", "GET"]


# What is read


def test_a_file_and_a_part_of_it_are_one_request_each(s3: Moto, blobs: ObjectBlobs) -> None:
    put(blobs, bytes(range(200)) * 5000)
    s3.sent.clear()
    with opened(blobs, 1_000_000) as stream:
        assert len(stream.read()) == 1_000_000
    with opened(blobs, 1_000_000, range(100, 300)) as stream:
        assert stream.read() == bytes(range(100, 200)) + bytes(range(100))
    assert s3.lines == ["GET", "GET"]
    assert s3.sent[1].headers["range"] == "bytes=100-299"


def test_a_stream_is_read_in_any_way(blobs: ObjectBlobs) -> None:
    data = secrets.token_bytes(400_000)
    put(blobs, data)
    with opened(blobs, len(data)) as stream:
        assert stream.readable() and not stream.seekable() and not stream.writable()
        buffer = bytearray(100_000)
        count = stream.readinto(buffer)  # type: ignore[attr-defined]  # a BinaryIO has it at run time
        assert 0 < count <= len(buffer)
        rest = stream.read()
        assert bytes(buffer[:count]) + rest == data
    with opened(blobs, len(data)) as stream:
        assert stream.read(3) == data[:3]
    with pytest.raises(ValueError, match="closed"):
        stream.read(1)


def test_a_server_that_ignores_ranges_is_read_from_its_beginning(s3: Moto, blobs: ObjectBlobs) -> None:
    """RFC 9110, 14.2, allows it; rclone sends the part as 200."""
    data = secrets.token_bytes(500_000)
    put(blobs, data)

    def whole(request: Request) -> Response | None:
        last_modified = {"Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT", "ETag": '"x"'}
        return Response(data, headers=last_modified) if request.method == "GET" else None

    s3.fault = whole
    for part in (range(1), range(300_000, 300_007), range(499_999, 500_000), range(500_000)):
        with opened(blobs, len(data), part) as stream:
            assert stream.read() == data[part.start : part.stop], part


@pytest.mark.parametrize("deliver", ["stream", "redirect"])
def test_a_bucket_that_does_not_exist_is_unavailable(s3: Moto, deliver: Any) -> None:
    blobs = ObjectBlobs("s3://no-such-bucket", deliver=deliver)
    acts: list[Callable[[], object]] = [lambda: put(blobs, b"x"), lambda: [*blobs.keys()], lambda: blobs.delete(KEY)]
    if deliver == "stream":
        acts.append(lambda: blobs.open(KEY, size=1))
    for act in acts:
        with pytest.raises(StorageUnavailable, match="no such bucket"):
            act()


@pytest.mark.parametrize("deliver", ["stream", "redirect"])
def test_a_health_check_asks_the_bucket(s3: Moto, bucket: str, deliver: Any) -> None:
    blobs = ObjectBlobs(bucket, deliver=deliver)
    assert Health(MemoryCatalogue(), blobs, timeout=30).unavailable() == []
    assert [sent.method for sent in s3.sent] == ["GET"]
    absent = ObjectBlobs("s3://absent", deliver=deliver)
    assert Health(MemoryCatalogue(), absent, timeout=30).unavailable() == ["blobs"]


def test_a_full_store_is_full(s3: Moto, blobs: ObjectBlobs) -> None:
    s3.fault = lambda request: error_response(507, "XMinioStorageFull")
    with pytest.raises(StorageFull):
        put(blobs, b"x")


def test_every_page_of_a_list_is_read_and_other_objects_are_not_keys(s3: Moto, bucket: str, blobs: ObjectBlobs) -> None:
    keys = {f"{number:032x}" for number in range(7)}
    for key in keys:
        put(blobs, b"x", key=key)
    store = S3Store(urlsplit(bucket).netloc)
    for name in ("readme", f"prefix/{KEY}/x", f"prefix/x{KEY}", "prefix/readme", f"prefixed/{KEY}", KEY):
        obstore.put(store, name, b"x")

    def short_pages(request: Request) -> None:
        if "list-type" in request.args:
            request.environ["QUERY_STRING"] += "&max-keys=2"

    s3.fault = short_pages
    s3.sent.clear()
    assert sorted(found[0] for found in [*blobs.keys()]) == sorted(keys)
    assert len(s3.sent) == 5  # two objects of ten in each
    assert [found[0] for found in [*ObjectBlobs(bucket.removesuffix("/prefix")).keys()]] == [KEY]


def test_listing_reads_the_next_page_when_it_is_needed(s3: Moto, blobs: ObjectBlobs) -> None:
    put(blobs, b"x")
    s3.sent.clear()
    keys = blobs.keys()
    assert s3.sent == []
    (key, size, at) = next(keys)
    assert (key, size) == (KEY, 1) and abs((datetime.now(UTC) - at).total_seconds()) < 60


@pytest.mark.parametrize("key", ["", "a" * 31, "A" * 32, "../" + "a" * 29, "a" * 32 + "\n", "a" * 15 + "/" + "a" * 16])
def test_an_invalid_key_is_not_sent(s3: Moto, blobs: ObjectBlobs, key: str) -> None:
    acts: list[Callable[[], object]] = [
        lambda: put(blobs, b"x", key=key),
        lambda: blobs.open(key, size=1),
        lambda: blobs.delete(key),
    ]
    for act in acts:
        with pytest.raises(ValueError, match="is not a key"):
            act()
    assert s3.sent == []


# A bucket that is away, and streams that break


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nLast-Modified: Mon, 30 Nov 2026 12:00:00 GMT\r\n\r\n"


@pytest.mark.parametrize(
    ("bucket", "use"),
    [("s3://bucket", use_endpoint), ("gs://bucket", use_gcs), ("az://container", use_azurite)],
    ids=["S3", "GCS", "Azure"],
)
def test_a_refused_connection_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, bucket: str, use: Callable[[pytest.MonkeyPatch, str], None]
) -> None:
    refusing = socket.socket()  # bound and not listening: no other program gets the port meanwhile
    refusing.bind(("127.0.0.1", 0))
    use(monkeypatch, f"http://127.0.0.1:{refusing.getsockname()[1]}")
    blobs = ObjectBlobs(bucket)
    acts: list[Callable[[], object]] = [
        lambda: put(blobs, b"x"),
        lambda: blobs.open(KEY, size=1),
        lambda: blobs.delete(KEY),
        lambda: [*blobs.keys()],
    ]
    with refusing:
        for act in acts:
            with pytest.raises(StorageUnavailable, match="cannot be reached"):
                act()


def _ends_early(connection: socket.socket) -> None:
    if received_head(connection):
        connection.sendall(HEAD + bytes(400_000))


def test_a_response_that_ends_early_is_an_error_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(_ends_early) as url:
        use_endpoint(monkeypatch, url)
        with opened(ObjectBlobs("s3://bucket"), 1_000_000) as stream:
            assert 0 < len(stream.read(65536)) <= 65536
            with pytest.raises(StorageUnavailable):
                stream.read()


def _sends_only_a_head(connection: socket.socket) -> None:
    if received_head(connection):
        connection.sendall(HEAD)


def test_a_response_without_its_first_byte_is_refused_while_the_client_can_get_a_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with raw_server(_sends_only_a_head) as url:
        use_endpoint(monkeypatch, url)
        with pytest.raises(StorageUnavailable):
            ObjectBlobs("s3://bucket").open(KEY, size=1_000_000)


def test_a_response_with_another_length_is_refused_before_its_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(_ends_early) as url:
        use_endpoint(monkeypatch, url)
        with pytest.raises(StorageUnavailable, match="has 1000000 bytes instead of 999999"):
            ObjectBlobs("s3://bucket").open(KEY, size=999_999)


@pytest.fixture
def serve() -> Iterator[Callable[[Registry], str]]:
    """Return a function that serves a registry with waitress."""
    stop, threads = threading.Event(), []

    def run(server: Any, sockets: dict[int, Any]) -> None:
        while not stop.is_set():
            wasyncore.loop(timeout=0.05, map=sockets, count=1)
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)

    def start(registry: Registry) -> str:
        sockets: dict[int, Any] = {}
        server: Any = create_server(registry, map=sockets, host="127.0.0.1", port=0)
        threads.append(threading.Thread(target=run, args=(server, sockets), daemon=True))
        threads[-1].start()
        return f"http://127.0.0.1:{server.effective_port}"

    yield start
    stop.set()
    for thread in threads:
        thread.join(10)


FILENAME = "demo-1.0-py3-none-any.whl"
DATA = distribution(FILENAME, size=3 * MEGABYTE)
ADDRESS = f"/projects/7/packages/pypi/files/{hashlib.sha256(DATA).hexdigest()}/{FILENAME}"


def registry_with_a_file(blobs: ObjectBlobs) -> Registry:
    registry = Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=blobs)
    form, content = {"name": "demo", "version": "1.0"}, [("content", FILENAME, DATA)]
    TestApp(registry).post("/projects/7/packages/pypi", form, upload_files=content, status=201)
    return registry


def test_a_download_over_http_is_the_file_or_a_part_of_it(
    s3: Moto, blobs: ObjectBlobs, serve: Callable[[Registry], str]
) -> None:
    url = serve(registry_with_a_file(blobs)) + ADDRESS
    with urllib.request.urlopen(url) as response:
        assert response.headers["Content-Length"] == str(len(DATA))
        assert hashlib.file_digest(response, "sha256").digest() == hashlib.sha256(DATA).digest()
    part = urllib.request.Request(url, headers={"Range": "bytes=-1000"})
    with urllib.request.urlopen(part) as response:
        assert response.status == 206 and response.read() == DATA[-1000:]
    s3.sent.clear()
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD")) as response:
        assert response.headers["Content-Length"] == str(len(DATA))
    assert s3.lines == ["HEAD"]


def test_a_download_that_the_bucket_breaks_ends_before_its_content_length(
    s3: Moto, blobs: ObjectBlobs, serve: Callable[[Registry], str]
) -> None:
    url = serve(registry_with_a_file(blobs)) + ADDRESS
    served: list[str] = []

    def breaks(request: Request) -> Response | None:
        if request.method != "GET":
            return None
        served.append(request.path)
        headers = {"Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT", "Content-Length": str(len(DATA))}
        return Response([DATA[:MEGABYTE]], headers=headers)

    s3.fault = breaks
    host = urlsplit(url)
    with socket.create_connection((host.hostname, host.port), 30) as connection:
        connection.sendall(f"GET {ADDRESS} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with connection.makefile("rb") as stream:
            received = stream.read()  # up to the end of the connection
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK") and f"Content-Length: {len(DATA)}".encode() in head
    assert 0 < len(body) < len(DATA) and DATA.startswith(body)
    assert len(served) == 1


@pytest.mark.parametrize(
    ("fault", "phrase"),
    [
        (lambda request: error_response(403, "InvalidAccessKeyId"), "refuses the request or its credentials"),
        (lambda request: error_response(404, "NoSuchBucket"), "no such bucket"),
        (lambda request: error_response(400, "InvalidRequest"), "cannot be used now"),
    ],
)
def test_a_bucket_that_refuses_is_503_and_a_line_in_the_log_without_secrets(
    s3: Moto, blobs: ObjectBlobs, caplog: pytest.LogCaptureFixture, fault: Any, phrase: str
) -> None:
    app = TestApp(registry_with_a_file(blobs))
    s3.fault = fault
    with caplog.at_level(logging.DEBUG):
        answer = app.get(ADDRESS, status=503)
    assert phrase in answer.json["message"] and answer.headers["Retry-After"] == "5"
    (record,) = [record for record in caplog.records if record.name == "pypi_registry"]
    code = fault(None).get_data(as_text=True).partition("<Code>")[2].partition("<")[0]
    assert phrase in record.getMessage() and code in record.getMessage()
    for secret in (ACCESS_KEY, SECRET_KEY, "http://"):
        assert secret not in caplog.text and secret not in answer.text


# Redirects


def test_a_redirect_is_a_signed_url_without_a_request_to_the_bucket(s3: Moto, bucket: str) -> None:
    put(ObjectBlobs(bucket), b"bytes")
    s3.sent.clear()
    blobs = ObjectBlobs(bucket, deliver="redirect")
    found = blobs.open(KEY, size=5)
    assert isinstance(found, Redirect) and not found.internal
    assert s3.sent == []
    assert found.url.startswith(
        f"{s3.endpoint}/{urlsplit(bucket).netloc}/prefix/{KEY}?X-Amz-Algorithm=AWS4-HMAC-SHA256&"
    )
    assert SECRET_KEY not in found.url
    with urllib.request.urlopen(found.url) as response:
        assert response.read() == b"bytes"
        assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"


def test_temporary_credentials_are_in_the_url(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a/token=")
    found = ObjectBlobs(bucket, deliver="redirect").open(KEY, size=5)
    assert isinstance(found, Redirect) and "&X-Amz-Security-Token=a%2Ftoken%3D&" in found.url


def test_a_registry_redirects_get_and_answers_head_itself(s3: Moto, bucket: str) -> None:
    app = TestApp(registry_with_a_file(ObjectBlobs(bucket, deliver="redirect")))
    s3.sent.clear()
    answer = app.get(ADDRESS, status=302)
    assert answer.headers["Location"].startswith(s3.endpoint)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    head = app.head(ADDRESS, status=200)
    assert head.headers["Content-Length"] == str(len(DATA)) and head.headers["Accept-Ranges"] == "bytes"
    assert s3.sent == []


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_a_redirect_needs_keys_in_the_environment(s3: Moto, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ValueError, match=missing):
        ObjectBlobs("s3://bucket", deliver="redirect")


# Arguments


@pytest.mark.parametrize("url", ["gs://bucket", "az://container"])
def test_only_s3_redirects(s3: Moto, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    with pytest.raises(ValueError, match="needs a bucket of S3"):
        ObjectBlobs(url, deliver="redirect")


def test_how_files_are_delivered_may_be_in_the_url(bucket: str) -> None:
    assert isinstance(ObjectBlobs.from_url(f"{bucket}?deliver=redirect").open(KEY, size=1), Redirect)
    for url in (bucket, f"{bucket}?deliver=stream"):
        assert ObjectBlobs.from_url(url).open(KEY, size=1) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("s3://bucket?deliver=never", "deliver= must be 'stream' or 'redirect'"),
        ("s3://bucket?deliver=", "deliver= must be"),
        ("s3://bucket?region=eu", "unknown parameter: 'region'"),
        ("s3://bucket?deliver=redirect&spool=/x&secret=hunter2", "unknown parameter: 'spool', 'secret'"),
        ("ftp://bucket", "must be s3://"),
    ],
)
def test_anything_else_in_the_url_is_an_error(s3: Moto, url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        ObjectBlobs.from_url(url)
    assert "hunter2" not in str(raised.value)


def test_the_constructor_has_an_argument_and_no_parameters(s3: Moto) -> None:
    with pytest.raises(ValueError, match="no parameters here, but 'deliver'"):
        ObjectBlobs("s3://bucket?deliver=redirect")
    with pytest.raises(ValueError, match="not 'never'"):
        ObjectBlobs("s3://bucket", deliver="never")  # type: ignore[arg-type]  # wrong on purpose


def test_the_repr_names_the_bucket_and_no_secret(s3: Moto) -> None:
    assert repr(ObjectBlobs("s3://bucket/prefix/", deliver="redirect")) == (
        "ObjectBlobs('s3://bucket/prefix', deliver='redirect')"
    )


def test_a_new_file_is_in_the_spool_and_has_no_name(s3: Moto, tmp_path: Path) -> None:
    spool = tmp_path / "a" / "spool"
    blobs = ObjectBlobs("s3://bucket", spool=spool)
    with blobs.new_file() as file:
        file.write(b"bytes")
        file.flush()
        assert [*spool.iterdir()] == []
        assert os.fstat(file.fileno()).st_dev == spool.stat().st_dev
        assert os.fstat(file.fileno()).st_mode & 0o077 == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_spool_without_room_is_full(s3: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: io.FileIO("/dev/full", "rb+"))
    with ObjectBlobs("s3://bucket").new_file() as file, pytest.raises(StorageFull):
        file.write(bytes(MEGABYTE))
    assert file.closed


# Processes

_FORKS = """
import hashlib, io, os, signal, sys
from pypi_registry.stores.objects import ObjectBlobs

def put(key):
    data = key.encode()
    blobs.put(key, io.BytesIO(data), size=32, sha256=hashlib.sha256(data).hexdigest(), filename="demo-1.0.tar.gz")

def forked(act, *arguments):
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # which ends a child that waits for ever
        try:
            act(*arguments)
        except RuntimeError as error:
            print(error, flush=True)
            os._exit(3)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

blobs = ObjectBlobs(sys.argv[1])
print([forked(put, digit * 32) for digit in "ab"], flush=True)
put("c" * 32)
print(sorted(key[0] for key, _, _ in [*blobs.keys()]), flush=True)
print([forked(act) for act in (lambda: put("d" * 32), lambda: blobs.open("a" * 32, size=32), lambda: [*blobs.keys()])])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
def test_a_store_that_was_not_used_before_a_fork_is_used_after_it(bucket: str) -> None:
    """As gunicorn does with --preload. After its use the threads of obstore are missing in a child process."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORKS, bucket]  # of fork() with threads
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    first, listed, *refused, last = ended.stdout.splitlines()
    assert (first, listed, last) == ("[0, 0]", "['a', 'b', 'c']", "[3, 3, 3]")
    assert {"was forked" in line for line in refused} == {True}
