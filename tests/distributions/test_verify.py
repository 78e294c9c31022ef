"""The functions of the package as a whole: what they ask of a stream, what they give, and what they never do."""

import inspect
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from pypi_registry import distributions
from pypi_registry.distributions import CoreMetadata, Findings, Verify, trust, verify
from pypi_registry.distributions.faults import bounded
from pypi_registry.distributions.limits import BUDGET
from pypi_registry.testing.archives import core_metadata, distribution
from tests.distributions.hostile import FILES, HOSTILE, listed
from tests.distributions.measuring import Counted
from tests.distributions.zips import Entry, archive

FILENAMES = ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"]
each_kind = pytest.mark.parametrize("filename", FILENAMES)
WHEEL = FILENAMES[0]


def look(data: bytes, filename: str = WHEEL) -> Findings:
    return verify(io.BytesIO(data), filename)


def test_the_package_gives_out_few_names() -> None:
    own = {
        name
        for name, it in vars(distributions).items()
        if getattr(it, "__module__", "").startswith(distributions.__name__)
    }
    assert {"verify", "trust", "Findings", "CoreMetadata", "filename_faults", "is_served", "disagreements"} <= own
    looks: list[Verify] = [verify, trust]
    assert all(look(io.BytesIO(distribution(WHEEL)), WHEEL).metadata for look in looks)


def test_an_upload_has_64_mebibytes_unpacked() -> None:
    assert inspect.signature(verify).parameters["budget"].default == BUDGET == 64 * 1024**2


@each_kind
def test_a_good_file_has_no_fault_and_says_what_it_is(filename: str) -> None:
    data = distribution(filename, requires_python=">=3.8", headers=(("Dynamic", "License"),))
    said = core_metadata("demo", "1.0", requires_python=">=3.8", headers=(("Dynamic", "License"),))
    expected = CoreMetadata(said, "2.1", "demo", "1.0", ">=3.8", frozenset({"license"}))
    assert look(data, filename) == Findings(expected, ())
    assert trust(io.BytesIO(data), filename) == Findings(expected, ())


@each_kind
def test_the_stream_stays_open(filename: str, tmp_path: Path) -> None:
    path = tmp_path / filename
    path.write_bytes(distribution(filename))
    with path.open("rb") as stream:
        verify(stream, filename)
        assert not stream.closed
        stream.seek(0)
        trust(stream, filename)
        assert not stream.closed


def test_a_tar_is_read_once_and_forward_only() -> None:
    data = distribution("demo-1.0.tar.gz", size=500_000)
    stream = Counted(data)
    assert verify(stream, "demo-1.0.tar.gz").faults == ()
    assert (stream.given, stream.moved) == (len(data), False)


@pytest.mark.parametrize("filename", ["demo-1.0.egg", "demo", "", "demo-1.0.tar.bz2", "demo-1.0-py3-none-any.WHL"])
@pytest.mark.parametrize("look", [verify, trust], ids=["verify", "trust"])
def test_what_is_no_distribution_by_name_is_not_read(filename: str, look: Callable[[BinaryIO, str], Findings]) -> None:
    stream = Counted(distribution(WHEEL))
    found = look(stream, filename)
    assert (stream.given, found.metadata, len(found.faults)) == (0, None, int(look is verify))


@each_kind
@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        pytest.param("other", "1.0", "does not agree with the name other and the version '1.0'", id="name"),
        pytest.param("demo", "2.0", "does not agree with the name demo and the version '2.0'", id="version"),
        pytest.param("-demo", "1.0", "the file's metadata is wrong: '-demo' is not made of", id="no name"),
        pytest.param("demo", "latest", "the file's metadata is wrong: 'latest' does not begin", id="no version"),
        pytest.param(
            "demo", "1.0 ; x", "the file's metadata is wrong: '1.0 ; x' is not a version", id="more than a version"
        ),
    ],
)
def test_the_metadata_must_be_that_of_the_file_name(filename: str, name: str, version: str, words: str) -> None:
    found = look(distribution(filename, name=name, version=version), filename)
    [fault] = found.faults
    assert words in fault
    assert found.metadata is not None
    assert (found.metadata.name, found.metadata.version) == (name, version)


@each_kind
@pytest.mark.parametrize(("name", "version"), [("Demo", "1.0"), ("demo", "1"), ("DEMO", "v1.0.0"), ("demo", "1.0.0.0")])
def test_it_may_be_spelled_otherwise(filename: str, name: str, version: str) -> None:
    assert look(distribution(filename, name=name, version=version), filename).faults == ()


@each_kind
@pytest.mark.parametrize("digits", [255, 256, 5000])
def test_a_version_of_very_many_digits_is_a_fault_and_no_accident(filename: str, digits: int) -> None:
    assert len(look(distribution(filename, version="1" * digits), filename).faults) == 1


@pytest.mark.parametrize(
    "filename", ["demo-1.0.{}-py3-none-any.whl", "demo-1.0-{}-py3-none-any.whl", "demo-{}.zip", "demo-{}.tar.gz"]
)
def test_a_file_name_of_very_many_digits_is_a_fault_and_no_accident(filename: str) -> None:
    long = filename.format("1" * 5000)
    found = look(distribution(next(name for name in FILENAMES if name[-3:] == filename[-3:])), long)
    assert found.faults
    assert all(len(fault) < 300 for fault in found.faults)


# Making the large ones takes longer than all the rest.
SMALL = [row for row in HOSTILE if re.search("huge|bomb|zeros|many|number|large|long|thousand", row) is None]


def test_trusting_finds_no_fault_and_never_fails() -> None:
    assert len(SMALL) > 250
    for row in SMALL:
        assert trust(io.BytesIO(HOSTILE[row].make()), HOSTILE[row].filename).faults == ()


def test_of_very_many_faults_twenty_are_named() -> None:
    entries = [Entry(name=b"../%03d" % number) for number in range(100)]
    faults = look(archive([*listed(FILES), *entries])).faults
    assert len(faults) == 21
    assert faults[:2] == ("the path '../000' escapes by '..'", "the path '../001' escapes by '..'")
    assert faults[-1].startswith("and ")
    assert faults[-1].endswith(" faults more")


@pytest.mark.parametrize(
    ("count", "last"), [(0, None), (1, "0"), (20, "19"), (21, "and 1 faults more"), (1000, "and 980 faults more")]
)
def test_faults_are_named_once_and_counted(count: int, last: str | None) -> None:
    found = bounded(str(number) for number in [*range(count), *range(count)])
    assert found == tuple(map(str, range(count)))[:20] + ((last,) if last and count > 20 else ())
    assert (found[-1] if found else None) == last
