"""What the tests publish is what other people's readers take for a distribution."""

import base64
import csv
import gzip
import io
import tarfile
import zipfile
from hashlib import sha256
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from pypi_registry.testing import making

WHEELS = [
    "demo-1.0-py3-none-any.whl",
    "de_mo-1.0.0rc1+local.1-py2.py3-none-any.whl",
    "De.mo-1!2.0-cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "demo-1.0-2b-py3-none-any.whl",
]
SDISTS = ["demo-1.0.tar.gz", "demo-1.0.zip", "old-na.me_x-1.0.0rc1+local.1.tar.gz", "De.mo-1!2.0.zip"]


def unpacked(data: bytes, filename: str) -> dict[str, bytes]:
    """Give the contents of an archive by path, of which none may be there twice."""
    if filename.endswith(".tar.gz"):
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
            members = tar.getmembers()
            assert all(member.isfile() for member in members)
            found = {member.name: file.read() for member in members if (file := tar.extractfile(member))}
        assert len(found) == len(members)
        return found
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert len({*archive.namelist()}) == len(archive.namelist())
        return {name: archive.read(name) for name in archive.namelist()}


def installed(tmp_path: Path, data: bytes) -> Distribution:
    """Unpack a wheel, and read it as Python reads what is installed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(tmp_path)
    [info] = tmp_path.glob("*.dist-info")
    return Distribution.at(info)


@pytest.mark.parametrize("filename", WHEELS)
def test_a_wheel_is_what_its_file_name_says(tmp_path: Path, filename: str) -> None:
    name, version, build, tags = parse_wheel_filename(filename)
    data = making.distribution(filename)
    read = installed(tmp_path, data)
    assert (canonicalize_name(read.name), Version(read.version)) == (name, version)
    [info] = {path.partition("/")[0] for path in unpacked(data, filename) if ".dist-info/" in path}
    assert info == "-".join(filename.split("-")[:2]) + ".dist-info"
    lines = (read.read_text("WHEEL") or "").splitlines()
    assert {Tag(*line.removeprefix("Tag: ").split("-")) for line in lines if line.startswith("Tag: ")} == tags
    assert len([line for line in lines if line.startswith("Tag: ")]) == len(tags)
    assert "Wheel-Version: 1.0" in lines
    assert ("Root-Is-Purelib: true" in lines) == filename.endswith("-none-any.whl")
    assert [line for line in lines if line.startswith("Build")] == (["Build: 2b"] if build else [])


@pytest.mark.parametrize("filename", WHEELS)
def test_a_wheels_record_has_every_file_with_its_digest_and_its_size(filename: str) -> None:
    files = unpacked(making.distribution(filename, payload=b"more"), filename)
    [record] = [path for path in files if path.endswith(".dist-info/RECORD")]
    rows = list(csv.reader(io.StringIO(files[record].decode())))
    assert [path for path, _, _ in rows] == list(files)
    for path, digest, size in rows:
        algorithm, _, text = digest.partition("=")
        if path == record:
            assert (digest, size) == ("", "")
        else:
            assert (algorithm, size) == ("sha256", str(len(files[path])))
            assert base64.urlsafe_b64decode(text + "=") == sha256(files[path]).digest()
            assert not text.endswith("=")


@pytest.mark.parametrize("filename", SDISTS)
def test_an_sdist_is_what_its_file_name_says(filename: str) -> None:
    name, version = parse_sdist_filename(filename)
    files = unpacked(making.distribution(filename, files={"setup.py": ""}, payload=b"more"), filename)
    folder = filename.removesuffix(".zip").removesuffix(".tar.gz")
    assert {path.partition("/")[0] for path in files} == {folder}
    metadata = Metadata.from_email(files[f"{folder}/PKG-INFO"])
    assert (canonicalize_name(metadata.name), metadata.version) == (name, version)
    assert f"{folder}/setup.py" in files
    assert b"more" in files.values()


@pytest.mark.parametrize(
    ("data", "filename"),
    [
        (making.wheel("My.Pkg-demo", "1.0"), "My_Pkg_demo-1.0-py3-none-any.whl"),
        (making.wheel("demo", "1.0", tags="cp312-cp312-win32", build="3"), "demo-1.0-3-cp312-cp312-win32.whl"),
        (making.sdist("My.Pkg-demo", "1.0"), "My_Pkg_demo-1.0.tar.gz"),
        (making.sdist_zip("My.Pkg-demo", "1.0"), "My_Pkg_demo-1.0.zip"),
    ],
)
def test_what_is_made_by_name_is_that_of_a_file_name_but_for_the_name_in_full(data: bytes, filename: str) -> None:
    name = "demo" if filename.startswith("demo") else "My.Pkg-demo"
    assert data == making.distribution(filename, name=name, version="1.0")
    [metadata] = [text for path, text in unpacked(data, filename).items() if path.endswith(("METADATA", "PKG-INFO"))]
    assert Metadata.from_email(metadata).name == name


@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
def test_metadata_says_what_it_is_told_to_say(filename: str) -> None:
    data = making.distribution(
        filename,
        version="2.0",
        metadata_version="2.2",
        requires_python=">=3.8, <4",
        requires=("other>=1", "third; extra == 'more'"),
        headers=(("Provides-Extra", "more"), ("Dynamic", "License")),
    )
    [text] = [text for path, text in unpacked(data, filename).items() if path.endswith(("METADATA", "PKG-INFO"))]
    metadata = Metadata.from_email(text)
    assert (metadata.metadata_version, metadata.version) == ("2.2", Version("2.0"))
    assert str(metadata.requires_python) == "<4,>=3.8"
    assert [each.name for each in metadata.requires_dist or []] == ["other", "third"]
    assert (metadata.provides_extra, metadata.dynamic) == (["more"], ["license"])


@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
def test_the_same_is_made_every_time_and_a_payload_makes_the_difference(filename: str) -> None:
    first = making.distribution(filename, payload=b"one")
    making._kept.cache_clear()
    assert making.distribution(filename, payload=b"one") == first
    assert len({first, making.distribution(filename), making.distribution(filename, payload=b"two")}) == 3


@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
@pytest.mark.parametrize("size", [5_000, 100_000, 1_000_000])
def test_a_size_is_met_within_a_hundredth_and_fifty_bytes(filename: str, size: int) -> None:
    data = making.distribution(filename, size=size)
    assert abs(len(data) - size) < size / 100 + 50
    assert sum(map(len, unpacked(data, filename).values())) > 0.8 * size


def test_nothing_in_an_sdist_tells_when_it_was_made() -> None:
    data = making.sdist("demo", "1.0")
    assert data[4:8] == bytes(4)  # RFC 1952: MTIME
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        assert [(member.mtime, member.uid, member.uname) for member in archive] == [(0, 0, "")]


@pytest.mark.parametrize(
    "filename", ["demo-1.0.egg", "demo.tar.gz", "demo.whl", "demo-1.0-any.whl", "../demo-1.0.tar.gz", ""]
)
def test_what_is_the_name_of_no_distribution_is_refused(filename: str) -> None:
    with pytest.raises(ValueError, match="wheel"):
        making.distribution(filename)
