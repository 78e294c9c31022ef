"""The functions of the package as a whole: what they ask of a stream, what they give, and what they never do."""

import inspect
import io
import re
import zipfile
from pathlib import Path

import pytest

from pypi_registry import distributions
from pypi_registry.distributions import CoreMetadata, Report, Verify, read_unverified, verify
from pypi_registry.distributions.limits import BUDGET
from pypi_registry.distributions.report import truncated
from pypi_registry.testing.archives import core_metadata, distribution
from tests.distributions.hostile import FILES, HOSTILE, listed
from tests.distributions.measuring import Counted
from tests.distributions.zips import Entry, archive

FILENAMES = ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"]
each_kind = pytest.mark.parametrize("filename", FILENAMES)
WHEEL = FILENAMES[0]


def look(data: bytes, filename: str = WHEEL) -> Report:
    return verify(io.BytesIO(data), filename)


def test_the_package_gives_out_few_names() -> None:
    own = {
        name
        for name, it in vars(distributions).items()
        if getattr(it, "__module__", "").startswith(distributions.__name__)
    }
    assert {"verify", "read_unverified", "Report", "CoreMetadata"} <= own
    it: Verify = verify
    assert it(io.BytesIO(distribution(WHEEL)), WHEEL).metadata


def test_an_upload_has_64_mebibytes_unpacked() -> None:
    assert inspect.signature(verify).parameters["budget"].default == BUDGET == 64 * 1024**2


@each_kind
def test_a_good_file_has_no_problem_and_says_what_it_is(filename: str) -> None:
    data = distribution(filename, requires_python=">=3.8", headers=(("Dynamic", "License"),))
    said = core_metadata("demo", "1.0", requires_python=">=3.8", headers=(("Dynamic", "License"),))
    expected = CoreMetadata(said, "2.1", "demo", "1.0", ">=3.8", frozenset({"license"}))
    assert look(data, filename) == Report(expected, ())
    assert read_unverified(io.BytesIO(data), filename).metadata == expected


@each_kind
def test_the_stream_stays_open(filename: str, tmp_path: Path) -> None:
    path = tmp_path / filename
    path.write_bytes(distribution(filename))
    with path.open("rb") as stream:
        verify(stream, filename)
        assert not stream.closed
        stream.seek(0)
        read_unverified(stream, filename)
        assert not stream.closed


def test_a_tar_is_read_once_and_forward_only() -> None:
    data = distribution("demo-1.0.tar.gz", size=500_000)
    stream = Counted(data)
    assert verify(stream, "demo-1.0.tar.gz").problems == ()
    assert (stream.given, stream.moved) == (len(data), False)


@pytest.mark.parametrize("filename", ["demo-1.0.egg", "demo", "", "demo-1.0.tar.bz2", "demo-1.0-py3-none-any.WHL"])
def test_a_file_without_the_suffix_of_a_distribution_is_not_read(filename: str) -> None:
    stream = Counted(distribution(WHEEL))
    report = verify(stream, filename)
    assert (report.metadata, len(report.problems)) == (None, 1)
    assert read_unverified(stream, filename).metadata is None
    assert stream.given == 0


@each_kind
@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        pytest.param("other", "1.0", "does not match the name other and the version '1.0'", id="name"),
        pytest.param("demo", "2.0", "does not match the name demo and the version '2.0'", id="version"),
        pytest.param("-demo", "1.0", "the file's metadata is invalid: '-demo' must consist of", id="no name"),
        pytest.param(
            "demo", "latest", "the file's metadata is invalid: 'latest' is not a valid version", id="no version"
        ),
        pytest.param(
            "demo",
            "1.0 ; x",
            "the file's metadata is invalid: '1.0 ; x' is not a valid version",
            id="more than a version",
        ),
    ],
)
def test_the_metadata_must_be_that_of_the_file_name(filename: str, name: str, version: str, words: str) -> None:
    found = look(distribution(filename, name=name, version=version), filename)
    [problem] = found.problems
    assert words in problem
    assert found.metadata is not None
    assert (found.metadata.name, found.metadata.version) == (name, version)


@each_kind
@pytest.mark.parametrize(("name", "version"), [("Demo", "1.0"), ("demo", "1"), ("DEMO", "v1.0.0"), ("demo", "1.0.0.0")])
def test_it_may_be_spelled_otherwise(filename: str, name: str, version: str) -> None:
    assert look(distribution(filename, name=name, version=version), filename).problems == ()


@each_kind
@pytest.mark.parametrize("digits", [255, 256, 5000])
def test_a_version_of_very_many_digits_is_a_problem_and_no_accident(filename: str, digits: int) -> None:
    assert len(look(distribution(filename, version="1" * digits), filename).problems) == 1


@pytest.mark.parametrize(
    "filename", ["demo-1.0.{}-py3-none-any.whl", "demo-1.0-{}-py3-none-any.whl", "demo-{}.zip", "demo-{}.tar.gz"]
)
def test_a_file_name_of_very_many_digits_is_a_problem_and_no_accident(filename: str) -> None:
    long = filename.format("1" * 5000)
    found = look(distribution(next(name for name in FILENAMES if name[-3:] == filename[-3:])), long)
    assert found.problems
    assert all(len(problem) < 300 for problem in found.problems)


# Making the large ones takes longer than all the rest.
SMALL = [row for row in HOSTILE if re.search("huge|bomb|zeros|many|number|large|long|thousand", row) is None]


def test_read_unverified_never_fails_and_returns_what_verify_does() -> None:
    assert len(SMALL) > 250
    for row in SMALL:
        data, filename = HOSTILE[row].make(), HOSTILE[row].filename
        assert read_unverified(io.BytesIO(data), filename).metadata == verify(io.BytesIO(data), filename).metadata


def test_of_very_many_problems_twenty_are_named() -> None:
    entries = [Entry(name=b"../%03d" % number) for number in range(100)]
    problems = look(archive([*listed(FILES), *entries])).problems
    assert len(problems) == 21
    assert problems[:2] == ("the path '../000' contains '..'", "the path '../001' contains '..'")
    assert problems[-1].startswith("and ")
    assert problems[-1].endswith(" more problems")


@pytest.mark.parametrize(
    ("count", "last"), [(0, None), (1, "0"), (20, "19"), (21, "and 1 more problems"), (1000, "and 980 more problems")]
)
def test_problems_are_named_once_and_counted(count: int, last: str | None) -> None:
    found = truncated(str(number) for number in [*range(count), *range(count)])
    assert found == tuple(map(str, range(count)))[:20] + ((last,) if last and count > 20 else ())
    assert (found[-1] if found else None) == last


def test_of_a_repeated_path_the_last_member_is_read_as_zipfile_reads_it() -> None:
    path = b"demo-1.0.dist-info/METADATA"
    texts = [core_metadata("demo", "1.0", headers=(("Summary", text),)) for text in ("first", "last")]
    data = archive(Entry(name=path, data=text) for text in texts)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        expected = opened.read(path.decode())
    found = read_unverified(io.BytesIO(data), WHEEL).metadata
    assert found is not None
    assert found.data == expected == texts[1]
    assert any("occurs more than once" in problem for problem in look(data).problems)
