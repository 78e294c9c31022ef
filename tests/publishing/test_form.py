"""A form is read once: its fields and its file, within limits."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import BinaryIO

import pytest

from pypi_registry._http.multipart import Part
from pypi_registry._publishing.form import MAX_FIELD, MAX_FIELDS, RegistrationNotSupported, UploadForm, read_form
from pypi_registry.distributions import Report, Verify, verify
from pypi_registry.errors import FileTooLarge, Forbidden, InvalidUpload
from pypi_registry.testing.archives import distribution
from tests.distributions.measuring import Counted, peak
from tests.publishing.forms import DATA, MEGABYTE, digests_of, file, form, pieces, text, wheel_form


def read(
    parts: Iterable[Part],
    spool: BinaryIO | None = None,
    *,
    max_file_size: int = 10**7,
    verify: Verify | None = verify,
) -> UploadForm:
    return read_form(parts, Counted(b"") if spool is None else spool, max_file_size=max_file_size, verify=verify)


# Fields and the file


def test_fields_are_kept_by_name_and_the_file_is_in_the_spool_file() -> None:
    spool = Counted(b"")
    found = read(form(("summary", "A demo")), spool)
    assert found.fields == {"name": ["demo"], "version": ["1.0"], "summary": ["A demo"]}
    assert (found.filename, found.size, spool.getvalue()) == ("demo-1.0.tar.gz", len(DATA), DATA)
    assert (found.has_more_files, found.has_text_as_content) == (False, False)
    assert found.report.problems == ()
    assert found.report.metadata is not None


def test_a_file_may_arrive_in_many_chunks() -> None:
    data = distribution("demo-1.0.tar.gz", size=4000)
    chunks = [data[number * (number - 1) // 2 : number * (number + 1) // 2] for number in range(100)]
    spool = Counted(b"")
    found = read([*form()[:2], file("demo-1.0.tar.gz", *chunks)], spool)
    assert (found.size, spool.getvalue()) == (len(data), data)
    assert found.digests == {"sha256_digest": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    ("chunks", "value"),
    [
        pytest.param([b"de", b"", b"m", b"o"], "demo", id="many chunks"),
        pytest.param([b"caf\xc3", b"\xa9"], "café", id="a character in two chunks"),
        pytest.param([b"caf\xe9"], "caf\ufffd", id="not UTF-8"),
        pytest.param([], "", id="no chunk"),
    ],
)
def test_a_field_is_decoded_as_a_whole(chunks: list[bytes], value: str) -> None:
    assert read([("name", None, iter(chunks))]).first("name") == value


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_file_may_stand_anywhere_in_the_form(position: int) -> None:
    parts = form()
    parts.insert(position, parts.pop())
    found = read(parts)
    assert (found.first("name"), found.first("version"), found.size) == ("demo", "1.0", len(DATA))


def test_the_form_is_read_to_its_end() -> None:
    read_parts = []

    def parts() -> Iterator[Part]:
        for part in [*form(), text("attestations", "[]"), text("last", "1")]:
            read_parts.append(part[0])
            yield part

    read(parts())
    assert read_parts == ["name", "version", "content", "attestations", "last"]


def test_an_empty_form_has_nothing() -> None:
    assert read([]) == UploadForm(is_verified=True)


def test_of_a_repeated_field_every_value_is_counted_and_the_first_one_is_used() -> None:
    found = read(form(("name", "other"), ("name", "")))
    assert found.first("name") == "demo"
    assert len(found.fields["name"]) == 3


def test_of_a_repeated_digest_every_value_is_kept() -> None:
    found = read(form(("md5_digest", "a"), ("md5_digest", ""), ("md5_digest", "b")))
    assert found.declared_digests()["md5_digest"] == ["a", "b"]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(lambda: file("demo-1.0.tar.gz", DATA), id="the same file"),
        pytest.param(lambda: file("../../x", b"other"), id="another file"),
    ],
)
def test_of_two_files_the_first_one_is_read(second: Callable[[], Part]) -> None:
    spool = Counted(b"")
    found = read([*form(), second()], spool)
    assert found.has_more_files
    assert (found.filename, spool.getvalue()) == ("demo-1.0.tar.gz", DATA)


@pytest.mark.parametrize("with_file", [False, True])
def test_content_as_text_is_not_a_file(with_file: bool) -> None:
    found = read([*form()[: 3 if with_file else 2], text("content", DATA)])
    assert found.has_text_as_content
    assert found.filename == ("demo-1.0.tar.gz" if with_file else None)


def test_a_file_without_a_name_is_a_file() -> None:
    assert read([file("", DATA)]).filename == ""


class BrokenOff(Exception):
    """What a parser raises if the body ends early."""


def test_an_error_of_the_parser_in_a_file_is_raised() -> None:
    def chunks() -> Iterator[bytes]:
        yield DATA
        raise BrokenOff

    with pytest.raises(BrokenOff):
        read([*form()[:2], ("content", "demo-1.0.tar.gz", chunks())])


def test_an_error_of_the_parser_after_the_file_is_raised() -> None:
    def parts() -> Iterator[Part]:
        yield from form()
        raise BrokenOff

    with pytest.raises(BrokenOff):
        read(parts())


MANY = ["classifiers", "requires_dist", "project_urls", "provides_extra", "license_file", "dynamic"]


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(lambda: [text("protocol_version", "1"), text("filetype", "bdist_wheel")], id="the protocol"),
        pytest.param(lambda: [text("attestations", '[{"version": 1}]')], id="attestations"),
        pytest.param(lambda: [file("demo-1.0.tar.gz.asc", b"---", name="gpg_signature")], id="a signature as a file"),
        pytest.param(lambda: [text("gpg_signature", "demo-1.0.tar.gz.asc")], id="a signature as text"),
        pytest.param(lambda: [text(field, "x") for field in MANY * 200], id="1200 fields"),
        pytest.param(lambda: [text("", "x")], id="a field without a name"),
        pytest.param(lambda: [text("<b>\x00", b"\xff\x00")], id="a hostile field"),
        pytest.param(lambda: [file("../../x", b"x", name="extra")], id="another file"),
        pytest.param(lambda: [text("Name", "other"), text("VERSION", "2")], id="names in capitals"),
        pytest.param(lambda: [text("sha1_digest", "0"), text("sha512_digest", "0")], id="other digests"),
    ],
)
@pytest.mark.parametrize("after", [False, True], ids=["before the file", "after the file"])
def test_unknown_parts_are_ignored(extra: Callable[[], list[Part]], after: bool) -> None:
    parts = [*form(), *extra()] if after else [*extra(), *form()]
    assert read(parts) == read(form())


# Registering a name, as tools did before uploads


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(lambda: [text(":action", "submit"), text("name", "demo")], id="as old tools sent it"),
        pytest.param(lambda: [text("name", "demo"), text(":action", "submit")], id="last"),
        pytest.param(lambda: [text(":action", "submit")], id="alone"),
        pytest.param(lambda: [text(":action", "submit"), *form()], id="with a file"),
        pytest.param(lambda: [text(":action", "submit"), *form(name="-", version="?", filename="x")], id="problems"),
    ],
)
def test_a_name_is_not_registered(parts: Callable[[], list[Part]]) -> None:
    with pytest.raises(RegistrationNotSupported):
        read(parts())


@pytest.mark.parametrize("action", ["", "file_upload", "Submit", "submit "])
def test_any_other_action_is_an_upload(action: str) -> None:
    assert read(form((":action", action))).filename == "demo-1.0.tar.gz"


# Limits


def megabytes(name: str, number: int, *last: bytes, filename: str | None = None) -> Part:
    return (name, filename, iter([MEGABYTE] * number + [*last]))


def test_a_field_may_have_20_million_bytes() -> None:
    assert len(MEGABYTE) * 20 == MAX_FIELD
    kept = read([megabytes("description", 20), *form()]).first("description")
    assert len(kept) > 4000
    assert {*kept} == {"x"}


def test_only_the_beginning_of_a_long_field_is_kept_in_memory() -> None:
    read(form())  # imports and caches are filled once
    parts = [megabytes("description", 20), megabytes("name", 20), megabytes("name", 20), *form()]
    with peak() as most:
        read(parts)
    assert most.bytes < 1000**2


@pytest.mark.parametrize("field", ["description", "attestations", "name", "md5_digest", "unknown", ""])
def test_a_field_of_one_byte_more_is_refused(field: str) -> None:
    with pytest.raises(InvalidUpload) as caught:
        read([*form(), megabytes(field, 20, b"x")])
    assert caught.value.problems == (f"{field!r} is too large (at most 20000000 bytes per field)",)


@pytest.mark.parametrize("filename", [None, "demo-1.0.tar.gz.asc"], ids=["a text", "a file"])
def test_a_field_without_an_end_is_refused_soon(filename: str | None) -> None:
    def endless() -> Iterator[bytes]:
        yield from [MEGABYTE] * 30
        raise AssertionError("ten megabytes too many were read")

    with pytest.raises(InvalidUpload, match="'gpg_signature' is too large"):
        read([("gpg_signature", filename, endless()), *form()])


def fields_of(size: int) -> list[Part]:
    left = size - 60 * 1000**2
    return [megabytes("a", 20), megabytes("b", 20), megabytes("c", 20), text("d", b"x" * left)]


def test_the_fields_together_may_have_64_mebibytes() -> None:
    assert MAX_FIELDS == 64 * 1024**2
    assert read([*fields_of(MAX_FIELDS - len("demo1.0")), *form()]).size == len(DATA)


def test_the_fields_together_may_not_have_one_byte_more() -> None:
    with pytest.raises(InvalidUpload, match="the fields are too large"):
        read([*fields_of(MAX_FIELDS - len("demo1.0")), *form(("e", "x"))])


def test_a_second_file_counts_as_a_field() -> None:
    def endless() -> Iterator[bytes]:
        yield from [MEGABYTE] * 30
        raise AssertionError("ten megabytes too many were read")

    with pytest.raises(InvalidUpload, match="'content' is too large"):
        read([*form(), ("content", "demo-1.0.zip", endless())])


@pytest.mark.parametrize("chunk_size", [1, 3, 4, 100])
@pytest.mark.parametrize("size", [10, 11, 1000])
@pytest.mark.parametrize("check", [None, verify], ids=["any file", "verified"])
def test_a_file_of_the_limit_or_more_is_refused(size: int, chunk_size: int, check: Verify | None) -> None:
    parts = [*form()[:2], file("demo-1.0.tar.gz", *pieces(b"x" * size, chunk_size))]
    with pytest.raises(FileTooLarge) as caught:
        read(parts, max_file_size=10, verify=check)
    assert (caught.value.limit, caught.value.declared) == (10, False)


@pytest.mark.parametrize("chunk_size", [1, 3, 4, 100])
def test_a_file_of_one_byte_less_than_the_limit_is_accepted(chunk_size: int) -> None:
    spool = Counted(b"")
    parts = [*form()[:2], file("demo-1.0.tar.gz", *pieces(DATA, chunk_size))]
    assert read(parts, spool, max_file_size=len(DATA) + 1).size == len(DATA)
    assert spool.getvalue() == DATA


def test_a_file_that_is_too_large_is_not_read_on() -> None:
    def endless() -> Iterator[bytes]:
        yield from [b"12345"] * 2
        raise AssertionError("the file was read beyond the limit")

    with pytest.raises(FileTooLarge):
        read([*form()[:2], ("content", "demo-1.0.tar.gz", endless())], max_file_size=10)


# Digests

DIGESTS = digests_of(DATA)
each_digest = pytest.mark.parametrize("field", DIGESTS)


def test_only_sha256_is_computed_if_no_digest_is_declared() -> None:
    assert read(form()).digests == {"sha256_digest": DIGESTS["sha256_digest"]}


@each_digest
@pytest.mark.parametrize("after", [False, True], ids=["before the file", "after the file"])
def test_a_declared_digest_is_computed(field: str, after: bool) -> None:
    parts = [*form(), text(field, "declared")] if after else form((field, "declared"))
    assert read(parts).digests == {"sha256_digest": DIGESTS["sha256_digest"], field: DIGESTS[field]}


@each_digest
@pytest.mark.parametrize("after", [False, True], ids=["before the file", "after the file"])
def test_an_empty_digest_is_not_declared(field: str, after: bool) -> None:
    parts = [*form(), text(field, "")] if after else form((field, ""))
    assert read(parts).digests == {"sha256_digest": DIGESTS["sha256_digest"]}


def test_a_digest_is_one_of_all_chunks() -> None:
    data = distribution("demo-1.0.tar.gz", size=40_000)
    expected = digests_of(data)
    parts = [
        text("sha256_digest", expected["sha256_digest"]),
        text("blake2_256_digest", expected["blake2_256_digest"]),
        file("demo-1.0.tar.gz", *pieces(data, 999)),
        text("md5_digest", expected["md5_digest"]),
    ]
    assert read(parts).digests == expected


def test_a_digest_that_is_declared_after_a_large_file_is_computed_from_the_spool_file() -> None:
    data = distribution("demo-1.0.tar.gz", size=3_000_000)
    found = read([file("demo-1.0.tar.gz", data), text("md5_digest", "?")])
    assert found.digests["md5_digest"] == hashlib.md5(data).hexdigest()


def test_a_digest_that_is_declared_before_the_file_needs_no_second_reading() -> None:
    spool = Counted(b"")
    assert read(form(*DIGESTS.items()), spool).digests == DIGESTS
    assert (spool.given, spool.moved) == (0, False)


def test_a_digest_without_a_file_is_not_computed() -> None:
    assert read([text("md5_digest", "a")]).digests == {}


# Verifiers


def nothing(stream: BinaryIO, filename: str) -> Report:
    return Report()


def with_zipfile(stream: BinaryIO, filename: str) -> Report:
    with zipfile.ZipFile(stream) as archive:
        assert archive.testzip() is None
    return Report()


def closing(stream: BinaryIO, filename: str) -> Report:
    stream.read(10)
    stream.close()
    return Report()


def moving(stream: BinaryIO, filename: str) -> Report:
    size = stream.seek(0, os.SEEK_END)
    ends = [stream.seek(place) or stream.read(4) for place in (0, size // 2, 1, 0)]
    assert (size, ends[-1]) == (len(ZIPPED), ZIPPED[:4])
    return Report()


ZIPPED = distribution("demo-1.0.zip", files={"a.txt": "a" * 5000})
VERIFIERS = pytest.mark.parametrize("check", [nothing, with_zipfile, closing, moving], ids=lambda each: each.__name__)


@VERIFIERS
def test_the_spool_file_is_complete_whatever_a_verifier_reads(check: Verify) -> None:
    spool = Counted(b"")
    parts = [*form(("md5_digest", "?"))[:3], file("demo-1.0.zip", *pieces(ZIPPED, 100))]
    found = read(parts, spool, verify=check)
    assert (found.size, spool.getvalue(), found.report) == (len(ZIPPED), ZIPPED, Report())
    expected = digests_of(ZIPPED)
    assert found.digests == {name: expected[name] for name in ("sha256_digest", "md5_digest")}


@VERIFIERS
def test_a_file_that_is_too_large_is_refused_even_if_a_verifier_catches_the_error(check: Verify) -> None:
    def swallowing(stream: BinaryIO, filename: str) -> Report:
        with suppress(Exception):
            check(stream, filename)
        return Report()

    parts = [*form()[:2], file("demo-1.0.zip", *pieces(ZIPPED, 100))]
    with pytest.raises(FileTooLarge):
        read(parts, verify=swallowing, max_file_size=len(ZIPPED))


def test_a_verifier_is_called_once_with_the_file_name_and_its_report_is_kept() -> None:
    report = Report(None, ("only wheels are published here", "and none on Sundays"))
    called = []

    def strict(stream: BinaryIO, filename: str) -> Report:
        called.append((stream.read(), filename))
        return report

    assert read(form(), verify=strict).report is report
    assert called == [(DATA, "demo-1.0.tar.gz")]


@pytest.mark.parametrize("error", [RuntimeError("?"), KeyboardInterrupt(), Forbidden("not today")], ids=repr)
def test_an_error_of_a_verifier_is_raised(error: BaseException) -> None:
    def failing(stream: BinaryIO, filename: str) -> Report:
        stream.read(5)
        raise error

    with pytest.raises(type(error)) as caught:
        read(form(), verify=failing)
    assert caught.value is error


def test_without_a_verifier_only_the_metadata_is_read() -> None:
    found = read([*form()[:2], file("demo-1.0.zip", b"junk", b"junk")], verify=None)
    assert (found.is_verified, found.report) == (False, Report())
    found = read(wheel_form(), verify=None)
    assert found.report.metadata is not None
    assert found.report.problems == ()


def test_a_gzipped_tar_is_verified_while_it_arrives() -> None:
    spool = Counted(b"")
    data = distribution("demo-1.0.tar.gz", size=2_000_000)
    read([*form()[:2], file("demo-1.0.tar.gz", *pieces(data))], spool)
    assert (spool.given, spool.getvalue()) == (0, data)


def test_a_zip_that_arrives_in_one_chunk_is_verified_in_memory() -> None:
    spool = Counted(b"")
    read(wheel_form(), spool)
    assert (spool.given, spool.moved) == (0, False)


def test_little_of_a_large_zip_is_read_from_the_spool_file() -> None:
    spool = Counted(b"")
    data = distribution("demo-1.0-py3-none-any.whl", size=5_000_000)

    def frugal(stream: BinaryIO, filename: str) -> Report:
        return verify(stream, filename, budget=1_000_000)

    read([*form()[:2], file("demo-1.0-py3-none-any.whl", *pieces(data))], spool, verify=frugal)
    assert 0 < spool.given < 300_000


# The name of the file is reported before the file is read


def test_the_name_of_the_first_file_is_told_before_the_file_is_read() -> None:
    told: list[str] = []

    def chunks() -> Iterator[bytes]:
        assert told == ["demo-1.0.tar.gz"]
        yield DATA

    parts = [("other", "x.txt", iter([b""])), ("content", "demo-1.0.tar.gz", chunks())]
    parts += [("content", "evil-1.0.tar.gz", iter([DATA]))]
    found = read_form(parts, Counted(b""), max_file_size=10**7, verify=None, on_filename=told.append)
    assert told == [found.filename] == ["demo-1.0.tar.gz"]


def test_an_empty_name_of_a_file_is_not_told() -> None:
    told: list[str] = []
    parts = [("content", "", iter([DATA]))]
    read_form(parts, Counted(b""), max_file_size=10**7, verify=None, on_filename=told.append)
    assert told == []
