"""A form becomes a published file, or nothing at all."""

import hashlib
import os
import re
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, NoReturn

import pytest
from packaging.utils import NormalizedName

from pypi_registry._publishing.publish import FORM_ROOM, MAX_FIELD, Part, digest_faults, publish
from pypi_registry.distributions import CoreMetadata, Findings, Verify, verify
from pypi_registry.errors import (
    FileTaken,
    FileTooLarge,
    Forbidden,
    InvalidUpload,
    RegistrationNotSupported,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    UploadsRefused,
)
from pypi_registry.model import PackageFile, PackageMetadata, Project, Upload
from pypi_registry.storage import NewBlob
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import core_metadata, distribution
from tests.distributions.measuring import Counted

PROJECT = Project(1, "acme/tools")
DEMO = NormalizedName("demo")
DATA = distribution("demo-1.0.tar.gz")
MEGABYTE = b"x" * 1000**2

Field = tuple[str, str | bytes]


def text(name: str, value: str | bytes) -> Part:
    return Part(name, None, iter([value.encode() if isinstance(value, str) else value]))


def file(filename: str, *chunks: bytes, name: str = "content") -> Part:
    return Part(name, filename, iter(chunks))


def texts(fields: Iterable[Field]) -> list[Part]:
    return [text(name, value) for name, value in fields]


def form(*more: Field, filename: str = "demo-1.0.tar.gz", name: str = "demo", version: str = "1.0") -> list[Part]:
    """Give a form that is right but for what is asked; the fields come before the file."""
    return [text("name", name), text("version", version), *texts(more), file(filename, data_of(filename))]


def data_of(filename: str) -> bytes:
    """Give what lies under a name in a form: what the name says, and demo 1.0 if that is nothing."""
    try:
        return distribution(filename)
    except ValueError:
        return DATA


class ObservedBlobs:
    """Keeps blobs in memory, and knows every key that it was ever given."""

    def __init__(self) -> None:
        self._blobs = MemoryBlobs()
        self.keys: list[str] = []

    def create(self, key: str) -> AbstractContextManager[NewBlob]:
        self.keys.append(key)
        return self._blobs.create(key)

    def open(self, key: str) -> BinaryIO | None:
        return self._blobs.open(key)

    def delete(self, key: str) -> None:
        self._blobs.delete(key)

    @property
    def held(self) -> list[bytes]:
        """What is there now."""
        streams = [self.open(key) for key in self.keys]
        return [stream.read() for stream in streams if stream is not None]


class Place:
    """A project with its stores, into which forms are published."""

    def __init__(self, catalogue: MemoryCatalogue | None = None) -> None:
        self.catalogue = MemoryCatalogue() if catalogue is None else catalogue
        self.blobs = ObservedBlobs()

    def publish(
        self,
        parts: Iterable[Part],
        *,
        max_file_size: int = 1000**2,
        verify: Verify | None = verify,
        permit: Callable[[NormalizedName], None] = lambda _: None,
    ) -> PackageFile:
        return publish(
            parts,
            PROJECT,
            catalogue=self.catalogue,
            blobs=self.blobs,
            max_file_size=max_file_size,
            verify=verify,
            permit=permit,
        )

    def refuse(self, parts: Iterable[Part]) -> list[str]:
        """Give the faults of a form, of which nothing may be left."""
        with pytest.raises(InvalidUpload) as caught:
            self.publish(parts)
        self.assert_empty()
        return list(caught.value.faults)

    def assert_empty(self) -> None:
        assert self.blobs.held == []
        assert self.catalogue.names([PROJECT.id]) == []
        assert self.catalogue.files([PROJECT.id], DEMO) == []
        assert self.catalogue.revision([PROJECT.id], None) == 0
        assert self.catalogue.publishers() == []


@pytest.fixture
def place() -> Place:
    return Place()


# What is right


def test_a_form_is_published_as_it_was_sent(place: Place) -> None:
    before = datetime.now(UTC)
    data = distribution("de_mo_x-1.0rc1.tar.gz")
    published = place.publish(form(name="De.mo_x", version="v1.0-RC1", filename="de_mo_x-1.0rc1.tar.gz"))
    assert published.package.project_id == PROJECT.id
    assert published.package.name == "De.mo_x"
    assert published.package.normalized_name == "de-mo-x"
    assert published.package.version == "v1.0-RC1"
    assert published.filename == "de_mo_x-1.0rc1.tar.gz"
    assert published.size == len(data)
    assert published.digests.sha256 == hashlib.sha256(data).hexdigest()
    assert published.requires_python == ""
    assert before <= published.uploaded_at <= datetime.now(UTC)
    assert published.uploaded_at.utcoffset() == timedelta(0)
    assert place.catalogue.files([PROJECT.id], NormalizedName("de-mo-x")) == [published]


def test_the_bytes_lie_under_the_key_of_the_row(place: Place) -> None:
    published = place.publish(form())
    stream = place.blobs.open(published.key)
    assert stream is not None
    assert stream.read() == DATA
    assert place.blobs.keys == [published.key]


def test_every_upload_has_a_fresh_key_of_32_hexadecimal_digits(place: Place) -> None:
    keys = [place.publish(form(filename=filename)).key for filename in ("demo-1.0.tar.gz", "demo-1.0.zip")]
    assert len(set(keys)) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys)


def test_a_file_may_come_in_many_chunks(place: Place) -> None:
    data = distribution("demo-1.0.tar.gz", size=4000)
    chunks = [data[number * (number - 1) // 2 : number * (number + 1) // 2] for number in range(100)]
    published = place.publish([*form()[:2], file("demo-1.0.tar.gz", *chunks)])
    assert published.size == len(data)
    assert published.digests.sha256 == hashlib.sha256(data).hexdigest()
    assert place.blobs.held == [data]


def test_a_field_may_come_in_many_chunks(place: Place) -> None:
    chunks = [b"de", b"", b"m", b"o"]
    published = place.publish([Part("name", None, iter(chunks)), *form()[1:]])
    assert published.package.name == "demo"


def test_a_letter_may_be_split_between_chunks(place: Place) -> None:
    part = Part("summary", None, iter([b"caf\xc3", b"\xa9"]))
    assert place.catalogue.about(place.publish([part, *form()]).package).summary == "café"


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_file_may_stand_anywhere_in_the_form(place: Place, position: int) -> None:
    parts = form()
    parts.insert(position, parts.pop())
    assert place.publish(parts).size == len(DATA)


def test_the_form_is_read_to_its_end(place: Place) -> None:
    taken = []

    def parts() -> Iterator[Part]:
        for part in [*form(), text("attestations", "[]"), text("last", "1")]:
            taken.append(part.name)
            yield part

    place.publish(parts())
    assert taken == ["name", "version", "content", "attestations", "last"]


# What is wrong

NO_FILENAME = "File name '' is invalid: at most 255 letters, digits and '._+!-', no path"


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        pytest.param(lambda: [*form()[:2]], "content is missing", id="no file"),
        pytest.param(lambda: form()[1:], "name is missing", id="no name"),
        pytest.param(lambda: form(name=""), "name is missing", id="an empty name"),
        pytest.param(lambda: [form()[0], form()[2]], "version is missing", id="no version"),
        pytest.param(lambda: form(version=""), "version is missing", id="an empty version"),
        pytest.param(lambda: form(("name", "demo")), "name is there more than once", id="a name twice"),
        pytest.param(lambda: form(("name", "other")), "name is there more than once", id="two names"),
        pytest.param(lambda: form(("name", "")), "name is there more than once", id="a name, then an empty one"),
        pytest.param(
            lambda: [text("name", ""), *form()], "name is there more than once", id="an empty name, then a name"
        ),
        pytest.param(
            lambda: [*form(), text("name", "demo")], "name is there more than once", id="a name after the file"
        ),
        pytest.param(lambda: form(("version", "1.0")), "version is there more than once", id="a version twice"),
        pytest.param(lambda: form(("version", "2.0")), "version is there more than once", id="two versions"),
        pytest.param(
            lambda: [*form(), file("demo-1.0.tar.gz", DATA)], "content is there more than once", id="a file twice"
        ),
        pytest.param(
            lambda: [*form(), file("demo-1.0.zip", b"other")], "content is there more than once", id="two files"
        ),
        pytest.param(
            lambda: [*form(), file("../../x", b"other")], "content is there more than once", id="a second file, hostile"
        ),
        pytest.param(lambda: [*form()[:2], text("content", DATA)], "content is not a file", id="a file as text"),
        pytest.param(lambda: [*form(), text("content", DATA)], "content is not a file", id="a file, and one as text"),
        pytest.param(lambda: form(filename=""), NO_FILENAME, id="a file without a name"),
        pytest.param(lambda: form(name="-demo"), "Name is invalid: '-demo' is not made of", id="a bad name"),
        pytest.param(
            lambda: form(name="demo\n"), "Name is invalid: 'demo\\n' is not made of", id="a name and a newline"
        ),
        pytest.param(
            lambda: form(name="@a/demo"), "Name is invalid: '@a/demo' is not made of", id="a name with a scope"
        ),
        pytest.param(lambda: form(name="te\u017ft"), "Name is invalid: 'te\u017ft' is not", id="a name with a long s"),
        pytest.param(
            lambda: [text("name", b"caf\xe9"), *form()[1:]], "Name is invalid: 'caf\ufffd' is not", id="a latin-1 name"
        ),
        pytest.param(
            lambda: form(name="d" * 256), "Name is invalid: longer than 255 characters", id="a name of 256 characters"
        ),
        pytest.param(
            lambda: form(name="d" * 100_000),
            "Name is invalid: longer than 255 characters",
            id="a name of 100,000 characters",
        ),
        pytest.param(
            lambda: form(version="1.0_1"),
            "Version is invalid: '1.0_1' is not a version from '_1' on",
            id="a bad version",
        ),
        pytest.param(
            lambda: form(version="1.0\n"),
            "Version is invalid: '1.0\\n' is not a version from '\\n' on",
            id="a version and a newline",
        ),
        pytest.param(
            lambda: form(version="latest"), "Version is invalid: 'latest' does not begin like", id="a word as a version"
        ),
        pytest.param(
            lambda: form(version="1" * 256),
            "Version is invalid: longer than 255 characters",
            id="a version of 256 characters",
        ),
        pytest.param(
            lambda: form(version="1" * 5000),
            "Version is invalid: longer than 255 characters",
            id="a version of 5000 digits",
        ),
        pytest.param(
            lambda: form(filename="../../demo-1.0.tar.gz"),
            "File name '../../demo-1.0.tar.gz' is invalid",
            id="a hostile file name",
        ),
        pytest.param(
            lambda: form(filename="demo-1.0.egg"),
            "File name 'demo-1.0.egg' is neither",
            id="a file name with an ending",
        ),
        pytest.param(
            lambda: form(filename="demo-2.0.tar.gz"),
            "File name 'demo-2.0.tar.gz' does not agree with the name demo and the version '1.0'",
            id="a file of another version",
        ),
        pytest.param(
            lambda: form(filename="other-1.0-py3-none-any.whl"),
            "File name 'other-1.0-py3-none-any.whl' does not agree with the name demo and the version '1.0'",
            id="a file of another name",
        ),
        pytest.param(
            lambda: form(("requires_python", ">=3.8\x00")),
            "Requires python is invalid: it holds a control character",
            id="NUL in requires_python",
        ),
    ],
)
def test_a_fault_is_named_and_nothing_is_stored(place: Place, parts: Callable[[], list[Part]], fault: str) -> None:
    [found] = place.refuse(parts())
    assert found.startswith(fault)


def test_of_thousands_of_faults_the_first_are_named(place: Place) -> None:
    faults = place.refuse(form(*(("md5_digest", f"{number:x}") for number in range(2, 3000))))
    assert len(faults) == 21
    assert faults[0] == "md5_digest is invalid: '2' is not 32 hexadecimal digits"
    assert re.fullmatch(r"and 29\d\d faults more", faults[-1])


def test_an_empty_form_misses_three_things(place: Place) -> None:
    assert place.refuse([]) == ["content is missing", "name is missing", "version is missing"]


def test_every_fault_is_named_at_once(place: Place) -> None:
    faults = place.refuse(
        [
            text("name", "-demo"),
            text("name", "demo"),
            text("version", "1.0_1"),
            text("version", "1.0"),
            text("sha256_digest", "0" * 64),
            text("md5_digest", "abc"),
            text("blake2_256_digest", "x" * 64),
            text("requires_python", "\x1b[2J"),
            text("content", "text"),
            file("demo-1.0.tar.gz", DATA),
            file("demo-1.0.zip", DATA),
        ]
    )
    assert sorted(" ".join(fault.split()[:4]) for fault in faults) == [
        "Name is invalid: '-demo'",
        "Requires python is invalid:",
        "Version is invalid: '1.0_1'",
        "blake2_256_digest is invalid: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'",
        "content is not a",
        "content is there more",
        "md5_digest is invalid: 'abc'",
        "name is there more",
        "sha256_digest does not match",
        "version is there more",
    ]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([("name", "demo"), ("version", "1.0_1")], id="a bad version"),
        pytest.param([("name", "-demo"), ("version", "1.0")], id="a bad name"),
        pytest.param([("name", "demo")], id="no version"),
        pytest.param([("version", "1.0")], id="no name"),
    ],
)
def test_a_file_name_that_is_wrong_by_itself_is_named_beside_other_faults(place: Place, fields: list[Field]) -> None:
    faults = place.refuse([*texts(fields), file("demo-1.0.egg", DATA)])
    assert len(faults) == 2
    assert any(fault.startswith("File name 'demo-1.0.egg'") for fault in faults)


def test_the_error_speaks_gitlabs_sentence(place: Place) -> None:
    with pytest.raises(InvalidUpload) as caught:
        place.publish([file("demo-1.0.tar.gz", DATA)])
    assert str(caught.value) == "Bad request - Validation failed: name is missing, version is missing"


def test_names_and_versions_of_255_characters_are_taken(place: Place) -> None:
    assert place.refuse(form(name="d" * 255)) == [
        f"File name 'demo-1.0.tar.gz' does not agree with the name {'d' * 255} and the version '1.0'"
    ]
    version = "1." + "0" * 253
    published = place.publish(form(version=version))  # equal to 1.0, as the file name says
    assert published.package.version == version


def test_a_form_that_is_refused_can_be_mended_and_sent_again(place: Place) -> None:
    place.refuse(form(("sha256_digest", "0" * 64)))
    published = place.publish(form(("sha256_digest", hashlib.sha256(DATA).hexdigest())))
    assert place.catalogue.files([PROJECT.id], DEMO) == [published]
    assert place.blobs.held == [DATA]


def test_a_form_that_breaks_off_leaves_nothing(place: Place) -> None:
    def breaking() -> Iterator[bytes]:
        yield DATA
        raise InvalidUpload(["the request broke off before its end"])

    parts = [*form()[:2], Part("content", "demo-1.0.tar.gz", breaking())]
    assert place.refuse(parts) == ["the request broke off before its end"]
    assert place.publish(form()).size == len(DATA)


def test_a_form_that_breaks_off_after_its_file_leaves_nothing(place: Place) -> None:
    def parts() -> Iterator[Part]:
        yield from form()
        raise InvalidUpload(["the request broke off before its end"])

    assert place.refuse(parts()) == ["the request broke off before its end"]


# Digests


def digests_of(data: bytes) -> dict[str, str]:
    return {
        "sha256_digest": hashlib.sha256(data).hexdigest(),
        "md5_digest": hashlib.md5(data).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(data, digest_size=32).hexdigest(),
    }


DIGESTS = digests_of(DATA)
each_digest = pytest.mark.parametrize("field", DIGESTS)
before_and_after = pytest.mark.parametrize("after", [False, True], ids=["before the file", "after the file"])


def with_digest(field: str, value: str, *, after: bool) -> list[Part]:
    return [*form(), text(field, value)] if after else form((field, value))


@before_and_after
@each_digest
@pytest.mark.parametrize("spell", [str.lower, str.upper, str.title])
def test_a_digest_that_matches_is_taken_in_either_case(
    place: Place, field: str, after: bool, spell: Callable[[str], str]
) -> None:
    published = place.publish(with_digest(field, spell(DIGESTS[field]), after=after))
    kept = {
        "sha256_digest": published.digests.sha256,
        "md5_digest": published.digests.md5,
        "blake2_256_digest": published.digests.blake2_256,
    }
    expected = {"sha256_digest": DIGESTS["sha256_digest"], field: DIGESTS[field]}
    assert {name: digest for name, digest in kept.items() if digest is not None} == expected


def test_all_digests_may_come_at_once(place: Place) -> None:
    digests = place.publish(form(*DIGESTS.items())).digests
    assert (digests.sha256, digests.md5, digests.blake2_256) == tuple(DIGESTS.values())


def test_no_digest_is_required_and_sha256_is_computed_all_the_same(place: Place) -> None:
    digests = place.publish(form()).digests
    assert (digests.sha256, digests.md5, digests.blake2_256) == (DIGESTS["sha256_digest"], None, None)


@before_and_after
@each_digest
def test_an_empty_digest_is_none(place: Place, field: str, after: bool) -> None:
    digests = place.publish(with_digest(field, "", after=after)).digests
    assert (digests.sha256, digests.md5, digests.blake2_256) == (DIGESTS["sha256_digest"], None, None)


@before_and_after
@each_digest
def test_a_digest_that_does_not_match_is_refused_with_both(place: Place, field: str, after: bool) -> None:
    real = DIGESTS[field]
    wrong = ("1" if real[0] == "0" else "0") + real[1:]
    assert place.refuse(with_digest(field, wrong.upper(), after=after)) == [
        f"{field} does not match the file: {wrong} was declared, {real} was received"
    ]


@before_and_after
@each_digest
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda real: real[:-1], id="one digit less"),
        pytest.param(lambda real: real + "0", id="one digit more"),
        pytest.param(lambda real: real[:-1] + "g", id="not hexadecimal"),
        pytest.param(lambda real: " " + real, id="a blank before"),
        pytest.param(lambda real: real + "\n", id="a newline after"),
        pytest.param(lambda real: real[:-1] + "\n", id="a newline for the last digit"),
        pytest.param(lambda real: "0x" + real[2:], id="0x"),
        pytest.param(lambda real: "\u0661" * len(real), id="Arabic digits"),
        pytest.param(lambda real: "sha256=" + real, id="the name of the digest"),
        pytest.param(lambda real: "0" * 100_000, id="very long"),
    ],
)
def test_what_is_no_digest_is_refused(place: Place, field: str, after: bool, damage: Callable[[str], str]) -> None:
    [fault] = place.refuse(with_digest(field, damage(DIGESTS[field]), after=after))
    assert fault.startswith(f"{field} is invalid: '")
    assert fault.endswith(f" is not {len(DIGESTS[field])} hexadecimal digits")
    assert fault.isprintable()
    assert len(fault) < 200


@each_digest
def test_of_two_digests_each_is_checked(place: Place, field: str) -> None:
    real, wrong = DIGESTS[field], "0" * len(DIGESTS[field])
    expected = [f"{field} does not match the file: {wrong} was declared, {real} was received"]
    assert place.refuse(form((field, real), (field, wrong))) == expected
    assert place.refuse(form((field, wrong), (field, real))) == expected
    assert place.refuse([*form((field, real)), text(field, wrong)]) == expected
    assert place.publish(form((field, real), (field, real.upper()))).size == len(DATA)


def test_a_digest_is_of_all_chunks(place: Place) -> None:
    data = distribution("demo-1.0.tar.gz", size=40_000)
    digests = [("sha256_digest", hashlib.sha256(data).hexdigest()), ("md5_digest", hashlib.md5(data).hexdigest())]
    chunks = [data[start : start + 999] for start in range(0, len(data), 999)]
    place.publish([*form(digests[0])[:3], file("demo-1.0.tar.gz", *chunks), text(*digests[1])])
    assert place.blobs.held == [data]


def test_digests_of_a_file_larger_than_one_read_are_read_back(place: Place) -> None:
    data = distribution("demo-1.0.tar.gz", size=3_000_000)
    digest = hashlib.md5(data).hexdigest()
    parts = [*form()[:2], file("demo-1.0.tar.gz", data), text("md5_digest", digest)]
    assert place.publish(parts, max_file_size=10_000_000).digests.md5 == digest


def test_a_digest_that_came_before_the_file_costs_no_second_reading(place: Place) -> None:
    place.blobs = FailingBlobs("read_back")
    assert place.publish(form(*DIGESTS.items())).digests.md5 == DIGESTS["md5_digest"]
    with pytest.raises(StorageFull):
        place.publish([*form(filename="demo-1.0.zip"), text("md5_digest", DIGESTS["md5_digest"])])


@pytest.mark.parametrize(
    ("declared", "faults"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["AbCd"], [], id="either case"),
        pytest.param(["abc"], ["x is invalid: 'abc' is not 4 hexadecimal digits"], id="short"),
        pytest.param(["abcg"], ["x is invalid: 'abcg' is not 4 hexadecimal digits"], id="no digit"),
        pytest.param(["ABCE"], ["x does not match the file: abce was declared, abcd was received"], id="other"),
        pytest.param(
            ["abcd", "abce", "\n"],
            [
                "x does not match the file: abce was declared, abcd was received",
                "x is invalid: '\\n' is not 4 hexadecimal digits",
            ],
            id="several",
        ),
    ],
)
def test_the_faults_of_digests(declared: list[str], faults: list[str]) -> None:
    assert list(digest_faults("x", declared, "abcd")) == faults


# Texts

LIMITS = {
    "requires_python": 255,
    "keywords": 1024,
    "metadata_version": 16,
    "author_email": 2048,
    "summary": 255,
    "description": 4000,
    "description_content_type": 128,
}


def told(place: Place, published: PackageFile, field: str) -> str:
    """Give a text as it was kept."""
    if field == "requires_python":
        return published.requires_python
    kept: str = getattr(place.catalogue.about(published.package), field)
    return kept


@pytest.mark.parametrize(("field", "limit"), LIMITS.items())
@pytest.mark.parametrize("letter", ["x", "é", "\U0001f40d"], ids=["ASCII", "two bytes", "four bytes"])
def test_a_text_as_long_as_may_be_is_kept(place: Place, field: str, limit: int, letter: str) -> None:
    published = place.publish(form((field, letter * limit)))
    assert told(place, published, field) == letter * limit


@pytest.mark.parametrize(("field", "limit"), LIMITS.items())
@pytest.mark.parametrize("letter", ["x", "é", "\U0001f40d"], ids=["ASCII", "two bytes", "four bytes"])
@pytest.mark.parametrize("more", [1, 100_000], ids=["one more", "many more"])
def test_a_longer_text_is_cut_with_three_dots_as_its_last(
    place: Place, field: str, limit: int, letter: str, more: int
) -> None:
    published = place.publish(form((field, letter * (limit + more))))
    assert told(place, published, field) == letter * (limit - 3) + "..."


def test_all_that_is_said_about_a_package_is_kept(place: Place) -> None:
    about = PackageMetadata(
        metadata_version="2.4",
        author_email="Ada <ada@example.com>",
        summary="A demo",
        keywords="alpha, beta gamma",
        description="# Demo\n\nÜber alles.\r\n",
        description_content_type="text/markdown; charset=UTF-8; variant=GFM",
    )
    fields = [(name, getattr(about, name)) for name in LIMITS if name != "requires_python"]
    assert place.catalogue.about(place.publish(form(*fields)).package) == about


def test_nothing_said_is_an_empty_text(place: Place) -> None:
    published = place.publish(form())
    assert place.catalogue.about(published.package) == PackageMetadata()
    assert published.requires_python == ""


def test_what_is_not_utf_8_is_replaced(place: Place) -> None:
    published = place.publish(form(("summary", b"caf\xe9")))
    assert told(place, published, "summary") == "caf\ufffd"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        pytest.param(">=3.8", ">=3.8", id="as it is"),
        pytest.param(">=3.8, <4", ">=3.8, <4", id="a blank"),
        pytest.param("", "", id="empty"),
        pytest.param("   ", "", id="blanks only"),
        pytest.param("  >=3.8\n", ">=3.8", id="blanks around"),
        pytest.param(">=3.8,\r\n        <4", ">=3.8, <4", id="a folded header"),
        pytest.param(">=3.8,\t<4", ">=3.8, <4", id="a tab"),
        pytest.param(">=3.8,\n\n<4", ">=3.8, <4", id="empty lines"),
        pytest.param("anything <&> 'goes'", "anything <&> 'goes'", id="no specifier"),
    ],
)
def test_white_space_in_requires_python_becomes_one_blank(place: Place, sent: str, kept: str) -> None:
    assert place.publish(form(("requires_python", sent))).requires_python == kept


@pytest.mark.parametrize(
    "character",
    [*"\x00\x01\x07\x08\x0b\x0c\x0e\x1b\x1c\x1f\x7f", *"\x80\x85\x9b\x9f"],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_a_control_character_in_requires_python_is_refused(place: Place, character: str) -> None:
    faults = place.refuse(form(("requires_python", f">=3.8{character}<4")))
    assert faults == ["Requires python is invalid: it holds a control character"]


# What is ignored, and what is too large

MANY = ["classifiers", "requires_dist", "project_urls", "provides_extra", "license_file", "dynamic"]


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(lambda: [text(":action", "file_upload"), text("protocol_version", "1")], id="the protocol"),
        pytest.param(lambda: [text("filetype", "bdist_wheel"), text("pyversion", "py3")], id="another file type"),
        pytest.param(lambda: [text("attestations", '[{"version": 1}]')], id="attestations"),
        pytest.param(lambda: [text("attestations", "no JSON")], id="attestations that are none"),
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
def test_what_nobody_asked_for_is_ignored(place: Place, extra: Callable[[], list[Part]], after: bool) -> None:
    parts = [*form(), *extra()] if after else [*extra(), *form()]
    published = place.publish(parts)
    assert (published.package.name, published.package.version, published.size) == ("demo", "1.0", len(DATA))
    assert place.blobs.held == [DATA]


def megabytes(name: str, number: int, *last: bytes, filename: str | None = None) -> Part:
    return Part(name, filename, iter([MEGABYTE] * number + [*last]))


FIELDS = ["description", "attestations", "name", "md5_digest", "unknown", ""]


def test_a_field_may_have_20_million_bytes(place: Place) -> None:
    assert len(MEGABYTE) * 20 == MAX_FIELD
    published = place.publish([megabytes("description", 20), *form()])
    assert told(place, published, "description") == "x" * 3997 + "..."


def test_of_a_long_field_only_the_beginning_is_kept_in_memory(place: Place) -> None:
    place.publish(form())  # whatever is made once is made now
    parts = [megabytes("description", 20), *form(filename="demo-1.0.zip")]
    tracemalloc.start()
    try:
        place.publish(parts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1000**2


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_of_one_byte_more_is_refused(place: Place, field: str) -> None:
    faults = place.refuse([*form(), megabytes(field, 20, b"x")])
    assert faults == [f"{field!r} is too large (at most 20000000 bytes a field)"]


@pytest.mark.parametrize("filename", [None, "demo-1.0.tar.gz.asc"], ids=["a text", "a file"])
def test_a_field_without_an_end_is_refused_soon(place: Place, filename: str | None) -> None:
    def endless() -> Iterator[bytes]:
        yield from [MEGABYTE] * 30
        raise AssertionError("ten megabytes too many were read")

    [fault] = place.refuse([Part("gpg_signature", filename, endless()), *form()])
    assert fault.startswith("'gpg_signature' is too large")


def test_the_fields_together_may_have_64_mebibytes(place: Place) -> None:
    assert FORM_ROOM == 64 * 1024**2
    left = FORM_ROOM - 60 * 1000**2 - len("demo") - len("1.0")
    full = [megabytes("a", 20), megabytes("b", 20), megabytes("c", 20), text("d", b"x" * left)]
    assert place.publish([*full, *form()]).size == len(DATA)


def test_the_fields_together_may_not_have_one_byte_more(place: Place) -> None:
    left = FORM_ROOM - 60 * 1000**2 - len("demo") - len("1.0")
    full = [megabytes("a", 20), megabytes("b", 20), megabytes("c", 20), text("d", b"x" * left)]
    [fault] = place.refuse([*full, *form(("e", "x"))])
    assert fault.startswith("the fields are too large")


def test_a_second_file_counts_as_a_part_beside_the_file(place: Place) -> None:
    def endless() -> Iterator[bytes]:
        yield from [MEGABYTE] * (FORM_ROOM // len(MEGABYTE) + 10)
        raise AssertionError("a second file was read on and on")

    def parts() -> Iterator[Part]:
        for part in [*form(), Part("content", "demo-1.0.zip", endless())]:
            yield part
            for _ in part.chunks:  # as the parser does: the next part lies behind this one
                pass

    with pytest.raises((InvalidUpload, FileTooLarge)):
        place.publish(parts())
    place.assert_empty()


@pytest.mark.parametrize("chunk_size", [1, 3, 4, 100])
@pytest.mark.parametrize("size", [10, 11, 1000])
def test_a_file_of_the_limit_or_more_is_refused(place: Place, size: int, chunk_size: int) -> None:
    data = b"x" * size
    chunks = [data[start : start + chunk_size] for start in range(0, size, chunk_size)]
    with pytest.raises(FileTooLarge) as caught:
        place.publish([*form()[:2], file("demo-1.0.tar.gz", *chunks)], max_file_size=10)
    assert (caught.value.limit, caught.value.status) == (10, 400)
    place.assert_empty()


@pytest.mark.parametrize("chunk_size", [1, 3, 4, 100])
def test_a_file_of_one_byte_less_than_the_limit_is_taken(place: Place, chunk_size: int) -> None:
    chunks = [DATA[start : start + chunk_size] for start in range(0, len(DATA), chunk_size)]
    published = place.publish([*form()[:2], file("demo-1.0.tar.gz", *chunks)], max_file_size=len(DATA) + 1)
    assert published.size == len(DATA)
    assert place.blobs.held == [DATA]


def test_a_file_that_is_too_large_is_not_read_on(place: Place) -> None:
    def endless() -> Iterator[bytes]:
        yield from [b"12345"] * 2
        raise AssertionError("a file that is too large was read on")

    with pytest.raises(FileTooLarge):
        place.publish([*form()[:2], Part("content", "demo-1.0.tar.gz", endless())], max_file_size=10)


# Who may publish


def test_leave_is_asked_once_for_the_normalized_name_before_anything_is_visible(place: Place) -> None:
    asked = []

    def permit(name: NormalizedName) -> None:
        place.assert_empty()
        asked.append(name)

    place.publish(form(name="De_Mo.x", filename="de_mo_x-1.0.tar.gz"), permit=permit)
    assert asked == ["de-mo-x"]
    assert len(place.catalogue.files([PROJECT.id], NormalizedName("de-mo-x"))) == 1


def refuse_leave(name: NormalizedName) -> None:
    raise Forbidden("Package protected.")


def test_a_name_without_leave_leaves_nothing(place: Place) -> None:
    with pytest.raises(Forbidden):
        place.publish(form(), permit=refuse_leave)
    place.assert_empty()
    place.publish(form())


def test_a_protected_name_is_refused_before_its_version_is_looked_at(place: Place) -> None:
    # GitLab asks its protection rules before it validates what would be stored.
    with pytest.raises(Forbidden):
        place.publish(form(version="1.0_1"), permit=refuse_leave)
    place.assert_empty()


# Stores that refuse or fail


class RefusingCatalogue(MemoryCatalogue):
    """Holds nothing, and says why."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
        raise self.error


def test_a_file_that_is_there_stays_and_the_second_leaves_nothing(place: Place) -> None:
    first = place.publish(form())
    with pytest.raises(FileTaken) as caught:
        place.publish([*form()[:2], file("demo-1.0.tar.gz", distribution("demo-1.0.tar.gz", payload=b"other"))])
    assert caught.value.filename == "demo-1.0.tar.gz"
    assert place.catalogue.files([PROJECT.id], DEMO) == [first]
    assert len(place.blobs.keys) == 2
    assert place.blobs.held == [DATA]


def test_a_file_name_that_another_version_spells_the_same_is_there(place: Place) -> None:
    place.publish(form(version="1.0"))
    with pytest.raises(FileTaken):
        place.publish(form(version="1.0.0"))
    assert place.blobs.held == [DATA]


@pytest.mark.parametrize(
    "error",
    [FileTaken("demo-1.0.tar.gz"), UploadsRefused("demo", "archived"), StorageUnavailable("busy"), StorageFull()],
    ids=repr,
)
def test_the_bytes_go_when_the_catalogue_says_that_it_holds_nothing(error: RegistryError) -> None:
    place = Place(RefusingCatalogue(error))
    with pytest.raises(type(error)) as caught:
        place.publish(form())
    assert caught.value is error
    assert len(place.blobs.keys) == 1
    place.assert_empty()


@pytest.mark.parametrize("error", [RuntimeError("?"), OSError("connection lost"), KeyboardInterrupt()], ids=repr)
def test_the_bytes_stay_when_nobody_knows_whether_the_row_was_written(error: BaseException) -> None:
    place = Place(RefusingCatalogue(error))
    with pytest.raises(type(error)) as caught:
        place.publish(form())
    assert caught.value is error
    assert place.blobs.held == [DATA]


class FailingBlobs(ObservedBlobs):
    """Has no room at one moment of a blob's life."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self.moment = moment

    @contextmanager
    def create(self, key: str) -> Iterator[NewBlob]:
        if self.moment == "create":
            raise StorageFull
        with super().create(key) as blob:
            yield FailingBlob(blob, self.moment)


class FailingBlob:
    def __init__(self, blob: NewBlob, moment: str) -> None:
        self.blob = blob
        self.moment = moment

    def write(self, data: bytes) -> object:
        return self.fail() if self.moment == "write" else self.blob.write(data)

    def read_back(self) -> BinaryIO:
        return self.fail() if self.moment == "read_back" else self.blob.read_back()

    def commit(self) -> None:
        return self.fail() if self.moment == "commit" else self.blob.commit()

    def fail(self) -> NoReturn:
        raise StorageFull


@pytest.mark.parametrize("moment", ["create", "write", "commit"])
def test_a_store_without_room_leaves_nothing_listed(place: Place, moment: str) -> None:
    place.blobs = FailingBlobs(moment)
    with pytest.raises(StorageFull):
        place.publish(form())
    place.assert_empty()


def test_the_row_is_written_after_the_bytes() -> None:
    class WatchingCatalogue(MemoryCatalogue):
        def add(self, project: Project, upload: Upload, key: str, at: datetime) -> PackageFile:
            stream = watched.blobs.open(key)
            assert stream is not None
            assert stream.read() == DATA
            return super().add(project, upload, key, at)

    watched = Place(WatchingCatalogue())
    assert watched.publish(form()).size == len(DATA)


# What the file says of itself


def wheel_form(*more: Field, data: bytes = b"", filename: str = "demo-1.0-py3-none-any.whl") -> list[Part]:
    return [*form()[:2], *texts(more), file(filename, data or distribution(filename))]


@pytest.mark.parametrize(
    ("said", "declared", "kept"),
    [
        pytest.param(">=3.8", ">=3.9", ">=3.8", id="both, the file counts"),
        pytest.param(">=3.8", "", ">=3.8", id="the file alone"),
        pytest.param("", ">=3.9", ">=3.9", id="the form alone"),
        pytest.param("", "", "", id="neither"),
    ],
)
@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
@pytest.mark.parametrize("trusting", [False, True])
def test_requires_python_is_the_files_and_the_forms_if_the_file_says_nothing(
    place: Place, filename: str, said: str, declared: str, kept: str, trusting: bool
) -> None:
    data = distribution(filename, requires_python=said)
    parts = wheel_form(("requires_python", declared), data=data, filename=filename)
    assert place.publish(parts, verify=None if trusting else verify).requires_python == kept


FORMATS = ["1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "3.0", "9.9"]
DEPENDENCIES = ["Requires-Dist", "requires-python", "PROVIDES-EXTRA"]


@pytest.mark.parametrize("metadata_version", FORMATS)
@pytest.mark.parametrize("dynamic", ["", "Classifier", *DEPENDENCIES])
@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
def test_metadata_is_kept_if_it_may_be_offered_in_the_files_place(
    place: Place, filename: str, metadata_version: str, dynamic: str
) -> None:
    headers = (("Dynamic", dynamic),) if dynamic else ()
    data = distribution(filename, metadata_version=metadata_version, headers=headers)
    published = place.publish(wheel_form(data=data, filename=filename))
    final = metadata_version in FORMATS[FORMATS.index("2.2") :] and dynamic not in DEPENDENCIES
    kept = place.catalogue.core_metadata(published)
    if filename.endswith(".whl") or final:
        assert kept == core_metadata("demo", "1.0", metadata_version=metadata_version, headers=headers)
        assert published.metadata_sha256 == hashlib.sha256(kept).hexdigest()
    else:
        assert (kept, published.metadata_sha256) == (None, None)


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        pytest.param({"name": "other"}, ["name other"], id="another name in the form"),
        pytest.param({"version": "2.0"}, ["version '2.0'"], id="another version in the form"),
    ],
)
def test_a_form_for_another_project_is_one_fault(place: Place, fields: dict[str, str], faults: list[str]) -> None:
    found = place.refuse(form(filename="demo-1.0-py3-none-any.whl", **fields))
    assert [words for words, fault in zip(faults, found, strict=True) if words not in fault] == []


def test_faults_of_the_file_the_form_and_the_digests_come_together(place: Place) -> None:
    data = distribution("demo-1.0-py3-none-any.whl", headers=(("Name", "another"),))
    parts = [text("name", "-demo"), text("md5_digest", "x"), file("demo-1.0-py3-none-any.whl", data)]
    assert [fault.split()[0] for fault in place.refuse(parts)] == ["version", "Name", "md5_digest", "METADATA"]


@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
def test_junk_is_refused_and_taken_by_who_trusts(place: Place, filename: str) -> None:
    parts = [*form()[:2], file(filename, b"junk", b"junk")]
    assert len(place.refuse(parts)) == 1
    published = place.publish([*form()[:2], file(filename, b"junk", b"junk")], verify=None)
    assert place.blobs.held == [b"junkjunk"]
    assert (published.metadata_sha256, place.catalogue.core_metadata(published)) == (None, None)


def test_who_trusts_serves_the_metadata_that_can_be_read_and_still_checks_names_and_digests(place: Place) -> None:
    published = place.publish(wheel_form(), verify=None)
    assert place.catalogue.core_metadata(published) == core_metadata("demo", "1.0")
    for parts in (form(filename="demo-2.0.tar.gz"), form(("md5_digest", "0" * 32), filename="demo-1.0.zip")):
        with pytest.raises(InvalidUpload):
            place.publish(parts, verify=None)


# Others who look into files


def nothing(stream: BinaryIO, filename: str) -> Findings:
    return Findings()


def with_zipfile(stream: BinaryIO, filename: str) -> Findings:
    with zipfile.ZipFile(stream) as archive:
        assert archive.testzip() is None
    return Findings()


def closing(stream: BinaryIO, filename: str) -> Findings:
    stream.read(10)
    stream.close()
    return Findings()


def moving(stream: BinaryIO, filename: str) -> Findings:
    size = stream.seek(0, os.SEEK_END)
    ends = [stream.seek(place) or stream.read(4) for place in (0, size // 2, 1, 0)]
    assert (size, ends[-1]) == (len(ZIPPED), ZIPPED[:4])
    return Findings()


ZIPPED = distribution("demo-1.0.zip", files={"a.txt": "a" * 5000})
LOOKERS = pytest.mark.parametrize("look", [nothing, with_zipfile, closing, moving], ids=lambda look: look.__name__)


@LOOKERS
def test_a_file_is_whole_whatever_was_read_of_it(place: Place, look: Verify) -> None:
    chunks = [ZIPPED[start : start + 100] for start in range(0, len(ZIPPED), 100)]
    parts = [*form(("md5_digest", hashlib.md5(ZIPPED).hexdigest()))[:3], file("demo-1.0.zip", *chunks)]
    published = place.publish(parts, verify=look)
    assert published.size == len(ZIPPED)
    assert published.digests.sha256 == hashlib.sha256(ZIPPED).hexdigest()
    assert place.blobs.held == [ZIPPED]
    assert published.metadata_sha256 is None


@LOOKERS
def test_a_file_that_is_too_large_is_refused_whatever_was_read_of_it(place: Place, look: Verify) -> None:
    def swallowing(stream: BinaryIO, filename: str) -> Findings:
        with suppress(Exception):
            look(stream, filename)
        return Findings()

    chunks = [ZIPPED[start : start + 100] for start in range(0, len(ZIPPED), 100)]
    with pytest.raises(FileTooLarge):
        place.publish([*form()[:2], file("demo-1.0.zip", *chunks)], verify=swallowing, max_file_size=len(ZIPPED))
    place.assert_empty()


def test_what_a_looker_finds_is_named_and_what_it_read_is_believed(place: Place) -> None:
    asked = []

    def strict(stream: BinaryIO, filename: str) -> Findings:
        asked.append(filename)
        return Findings(None, ("only wheels are published here", "and none on Sundays"))

    with pytest.raises(InvalidUpload) as caught:
        place.publish(form(), verify=strict)
    assert caught.value.faults == ("only wheels are published here", "and none on Sundays")
    assert asked == ["demo-1.0.tar.gz"]
    place.assert_empty()
    said = CoreMetadata(b"bytes", "2.2", "Demo", "1.0.0", ">=3.8", frozenset())
    published = place.publish(form(), verify=lambda stream, filename: Findings(said))
    assert (published.requires_python, place.catalogue.core_metadata(published)) == (">=3.8", b"bytes")


def test_metadata_that_a_looker_read_must_agree_with_the_form(place: Place) -> None:
    said = CoreMetadata(b"bytes", "2.2", "other", "2.0", "", frozenset())
    with pytest.raises(InvalidUpload) as caught:
        place.publish(form(), verify=lambda stream, filename: Findings(said))
    assert [fault.split()[0] for fault in caught.value.faults] == ["Name", "Version"]
    place.assert_empty()


@pytest.mark.parametrize("filename", ["demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"])
def test_a_name_and_a_version_that_cannot_be_are_told_once_each(place: Place, filename: str) -> None:
    data = distribution(filename, name="-demo", version="latest")
    with pytest.raises(InvalidUpload) as caught:
        place.publish([*form()[:2], file(filename, data)], verify=verify)
    assert [fault[:45] for fault in caught.value.faults] == [
        "the file's metadata is wrong: '-demo' is not ",
        "the file's metadata is wrong: 'latest' does n",
    ]


@pytest.mark.parametrize("error", [RuntimeError("?"), KeyboardInterrupt(), Forbidden("not today")], ids=repr)
def test_a_looker_that_fails_leaves_nothing(place: Place, error: BaseException) -> None:
    def failing(stream: BinaryIO, filename: str) -> Findings:
        stream.read(5)
        raise error

    with pytest.raises(type(error)) as caught:
        place.publish(form(), verify=failing)
    assert caught.value is error
    place.assert_empty()


# What looking costs


class CountingBlobs(ObservedBlobs):
    """Counts how often a blob is read back, and how many bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Counted] = []

    @contextmanager
    def create(self, key: str) -> Iterator[NewBlob]:
        with super().create(key) as blob:
            yield CountingBlob(blob, self.opened)


class CountingBlob:
    def __init__(self, blob: NewBlob, opened: list[Counted]) -> None:
        self.write, self.commit = blob.write, blob.commit
        self._blob = blob
        self._opened = opened

    def read_back(self) -> BinaryIO:
        self._opened.append(Counted(self._blob.read_back().read()))
        return self._opened[-1]


def test_a_gzipped_tar_is_looked_into_while_it_arrives(place: Place) -> None:
    place.blobs = blobs = CountingBlobs()
    data = distribution("demo-1.0.tar.gz", size=2_000_000)
    place.publish([*form()[:2], file("demo-1.0.tar.gz", *pieces(data))], max_file_size=10**7)
    assert blobs.opened == []


def pieces(data: bytes) -> list[bytes]:
    return [data[start : start + 65536] for start in range(0, len(data), 65536)]


def test_a_zip_that_came_at_once_is_looked_into_where_it_is(place: Place) -> None:
    place.blobs = blobs = CountingBlobs()
    place.publish(wheel_form())
    assert blobs.opened == []


def test_of_a_large_zip_little_is_read_back_and_its_stream_is_closed(place: Place) -> None:
    place.blobs = blobs = CountingBlobs()
    data = distribution("demo-1.0-py3-none-any.whl", size=5_000_000)

    def frugal(stream: BinaryIO, filename: str) -> Findings:
        return verify(stream, filename, budget=1_000_000)

    parts = [*form()[:2], file("demo-1.0-py3-none-any.whl", *pieces(data))]
    place.publish(parts, verify=frugal, max_file_size=10**7)
    [opened] = blobs.opened
    assert opened.given < 300_000
    assert opened.closed


# Registering, as tools did before they uploaded


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(lambda: [text(":action", "submit"), text("name", "demo")], id="as it was sent"),
        pytest.param(lambda: [text("name", "demo"), text(":action", "submit")], id="last"),
        pytest.param(lambda: [text(":action", "submit")], id="alone"),
        pytest.param(lambda: [text(":action", "submit"), *form()], id="with a file"),
        pytest.param(lambda: [text(":action", "submit"), *form(name="-", version="?", filename="x")], id="with faults"),
    ],
)
def test_a_name_is_not_registered(place: Place, parts: Callable[[], list[Part]]) -> None:
    with pytest.raises(RegistrationNotSupported) as caught:
        place.publish(parts(), permit=refuse_leave)
    assert caught.value.status == 410
    place.assert_empty()


@pytest.mark.parametrize("action", ["", "file_upload", "Submit", "submit "])
def test_any_other_action_is_an_upload(place: Place, action: str) -> None:
    assert place.publish(form((":action", action))).filename == "demo-1.0.tar.gz"


# The uploaders: their fields, in their order, for one distribution. Repeated fields are repeated.

WHEEL = "my_pkg_demo-1.0.0rc1+local.1-py3-none-any.whl"
SDIST = "my_pkg_demo-1.0.0rc1+local.1.tar.gz"
VERSION = "1.0.0rc1+local.1"
EMAIL = "Ada Lovelace <ada@example.com>, Bob <bob@example.com>"
README = "# My.Pkg_demo\n\nA *demo* – with Ünïcode.\n"
ITS_OWN = "the digest of the file that is sent"

REPEATED: list[Field] = [
    ("classifiers", "Development Status :: 4 - Beta"),
    ("classifiers", "Programming Language :: Python :: 3"),
    ("project_urls", "Homepage, https://example.com/"),
    ("project_urls", "Source, https://example.com/source"),
    ("requires_dist", "requests>=2"),
    ("requires_dist", 'tomli; python_version < "3.11"'),
    ("dynamic", "version"),
    ("platform", "any"),
    ("supported_platform", "linux-x86_64"),
    ("requires_external", "libfoo"),
]

TWINE: list[Field] = [
    ("summary", "A demo"),
    ("metadata_version", "2.4"),
    ("license_expression", "MIT"),
    ("name", "My.Pkg-demo"),
    *REPEATED,
    ("provides_extra", "socks"),
    ("keywords", "alpha, beta gamma"),
    ("description_content_type", "text/markdown"),
    ("license_file", "LICENSE"),
    ("author_email", EMAIL),
    ("version", VERSION),
    ("requires_python", ">=3.8"),
    ("description", README),
    ("comment", "a comment"),
    ("sha256_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    ("attestations", '[{"version": 1, "verification_material": {}, "envelope": {}}]'),
    (":action", "file_upload"),
    ("protocol_version", "1"),
]

UV: list[Field] = [
    (":action", "file_upload"),
    ("sha256_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    ("protocol_version", "1"),
    ("metadata_version", "2.5"),
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("summary", "A demo"),
    ("description", README),
    ("description_content_type", "text/markdown"),
    ("author_email", EMAIL),
    ("keywords", "alpha,beta gamma"),
    ("license_expression", "MIT"),
    ("license_file", "LICENSE"),
    *REPEATED,
    ("provides_extra", "socks"),
    ("import_names", "my_pkg_demo"),
    ("import_namespaces", "my"),
    ("requires_python", ""),
]

POETRY: list[Field] = [
    ("requires_python", ">=3.8"),
    ("metadata_version", "2.4"),
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("md5_digest", ITS_OWN),
    ("sha256_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    ("summary", "A demo"),
    ("author_email", EMAIL),
    ("keywords", "alpha, beta gamma"),
    ("description", README),
    ("description_content_type", "text/markdown"),
    ("license_expression", "MIT"),
    ("license_file", "LICENSE"),
    *REPEATED,
    ("provides_extra", "socks"),
    ("import-name", "my_pkg_demo"),
    ("import-namespace", "my"),
    (":action", "file_upload"),
    ("protocol_version", "1"),
]

FLIT: list[Field] = [
    (":action", "file_upload"),
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("metadata_version", "2.3"),
    ("protocol_version", "1"),
    ("summary", "A demo"),
    ("home_page", "https://example.com/"),
    ("author", "Ada Lovelace"),
    ("author_email", EMAIL),
    ("maintainer", "Bob"),
    ("maintainer_email", "bob@example.com"),
    ("license", "MIT"),
    ("description", README),
    ("description_content_type", "text/markdown"),
    ("keywords", "alpha,beta gamma"),
    *REPEATED,
    ("provides_extra", "socks"),
    ("requires_python", ">=3.8"),
    ("provides", "my_pkg_demo"),
    ("md5_digest", ITS_OWN),
    ("sha256_digest", ITS_OWN),
]

HATCH: list[Field] = [
    ("metadata_version", "2.4"),
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("summary", "A demo"),
    ("author_email", EMAIL),
    ("license_expression", "MIT"),
    ("license_file", "LICENSE"),
    ("keywords", "alpha,beta gamma"),
    *REPEATED,
    ("requires_python", ">=3.8"),
    ("provides_extra", "socks"),
    ("import_name", "my_pkg_demo"),
    ("description_content_type", "text/markdown"),
    ("description", README),
    ("md5_digest", ITS_OWN),
    ("sha256_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    (":action", "file_upload"),
    ("protocol_version", "1"),
]

PDM: list[Field] = [
    ("name", "My.Pkg_demo"),
    ("version", VERSION),
    ("metadata_version", "2.4"),
    ("summary", "A demo"),
    ("home_page", ""),
    ("author", ""),
    ("author_email", EMAIL),
    ("maintainer", ""),
    ("maintainer_email", ""),
    ("license", ""),
    ("description", README),
    ("keywords", "alpha,beta gamma"),
    ("download_url", ""),
    ("comment", ""),
    ("sha256_digest", ITS_OWN),
    ("md5_digest", ITS_OWN),
    ("blake2_256_digest", ITS_OWN),
    ("requires_python", ">=3.8"),
    ("description_content_type", "text/markdown"),
    *REPEATED,
    ("provides_extras", "socks"),
    ("gpg_signature", f"{SDIST}.asc"),
    ("gpg_signature", "-----BEGIN PGP SIGNATURE-----"),
    ("protocol_version", "1"),
    (":action", "file_upload"),
]


@pytest.mark.parametrize("filename", [WHEEL, SDIST], ids=["wheel", "sdist"])
@pytest.mark.parametrize(
    ("fields", "pyversion", "after"),
    [
        pytest.param(TWINE, "source", [], id="twine"),
        pytest.param(
            TWINE, "source", [lambda: file(f"{SDIST}.asc", b"---", name="gpg_signature")], id="twine, with a signature"
        ),
        pytest.param(UV, "source", [], id="uv"),
        pytest.param(UV, "source", [lambda: text("attestations", "[]")], id="uv, with attestations after the file"),
        pytest.param(POETRY, "source", [], id="poetry"),
        pytest.param(FLIT, None, [], id="flit"),
        pytest.param(HATCH, "source", [], id="hatch"),
        pytest.param(PDM, "source", [], id="pdm"),
    ],
)
def test_what_an_uploader_sends_is_taken(
    place: Place, fields: list[Field], pyversion: str | None, after: list[Callable[[], Part]], filename: str
) -> None:
    if filename == WHEEL:
        kind: list[Field] = [("filetype", "bdist_wheel"), ("pyversion", "py3")]
    else:
        kind = [("filetype", "sdist"), *([("pyversion", pyversion)] if pyversion else [])]
    data = distribution(filename, name="My.Pkg_demo", requires_python=str(dict(fields)["requires_python"]))
    own = digests_of(data)
    fields = [(field, own[field] if value == ITS_OWN else value) for field, value in fields]
    parts = [*texts(fields), *texts(kind), file(filename, data), *(part() for part in after)]
    published = place.publish(parts)
    sent = dict(fields)
    assert place.catalogue.files([PROJECT.id], NormalizedName("my-pkg-demo")) == [published]
    assert place.blobs.held == [data]
    assert published.filename == filename
    assert published.package.name == sent["name"]
    assert published.package.version == VERSION
    assert published.requires_python == sent["requires_python"]
    assert published.digests.md5 == sent.get("md5_digest")
    assert published.digests.blake2_256 == sent.get("blake2_256_digest")
    assert place.catalogue.about(published.package) == PackageMetadata(
        metadata_version=str(sent["metadata_version"]),
        author_email=EMAIL,
        summary="A demo",
        keywords=str(sent["keywords"]),
        description=README,
        description_content_type="text/markdown",
    )
