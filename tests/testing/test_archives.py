"""Distributions built for tests are valid for the readers of other projects, and for our verification."""

import base64
import csv
import gzip
import io
import json
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from hashlib import sha256
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.metadata import Metadata
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from pypi_registry._filenames import split_label
from pypi_registry.distributions import verify
from pypi_registry.testing import archives, sdist_backend

WHEELS = [
    "demo-1.0-py3-none-any.whl",
    "de_mo-1.0.0rc1+local.1-py2.py3-none-any.whl",
    "De.mo-1!2.0-cp312-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "demo-1.0-2b-py3-none-any.whl",
    "demo-1.0-py3-none-any-fast.whl",
    "demo-1.0-2b-py3-none-any-null.whl",
]
SDISTS = ["demo-1.0.tar.gz", "demo-1.0.zip", "old-na.me_x-1.0.0rc1+local.1.tar.gz", "De.mo-1!2.0.zip"]


def unpacked(data: bytes, filename: str) -> dict[str, bytes]:
    """Return the contents of an archive by path; no path may occur twice."""
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
    """Unpack a wheel, and read it with `importlib.metadata`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(tmp_path)
    [info] = tmp_path.glob("*.dist-info")
    return Distribution.at(info)


@pytest.mark.parametrize("filename", WHEELS)
def test_a_wheel_agrees_with_its_file_name(tmp_path: Path, filename: str) -> None:
    plain, label = split_label(filename)
    name, version, build, tags = parse_wheel_filename(plain)
    data = archives.distribution(filename)
    read = installed(tmp_path, data)
    assert (canonicalize_name(read.name), Version(read.version)) == (name, version)
    [info] = {path.partition("/")[0] for path in unpacked(data, filename) if ".dist-info/" in path}
    assert info == "-".join(filename.split("-")[:2]) + ".dist-info"
    lines = (read.read_text("WHEEL") or "").splitlines()
    assert {Tag(*line.removeprefix("Tag: ").split("-")) for line in lines if line.startswith("Tag: ")} == tags
    assert len([line for line in lines if line.startswith("Tag: ")]) == len(tags)
    assert "Wheel-Version: 1.0" in lines
    assert ("Root-Is-Purelib: true" in lines) == plain.endswith("-none-any.whl")
    assert (read.read_text("variant.json") is not None) == (label is not None)
    assert [line for line in lines if line.startswith("Build")] == (["Build: 2b"] if build else [])


@pytest.mark.parametrize("filename", WHEELS)
def test_record_has_every_file_with_its_digest_and_its_size(filename: str) -> None:
    files = unpacked(archives.distribution(filename, payload=b"more"), filename)
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
def test_an_sdist_agrees_with_its_file_name(filename: str) -> None:
    name, version = parse_sdist_filename(filename)
    files = unpacked(archives.distribution(filename, files={"setup.py": ""}, payload=b"more"), filename)
    folder = filename.removesuffix(".zip").removesuffix(".tar.gz")
    assert {path.partition("/")[0] for path in files} == {folder}
    metadata = Metadata.from_email(files[f"{folder}/PKG-INFO"])
    assert (canonicalize_name(metadata.name), metadata.version) == (name, version)
    assert f"{folder}/setup.py" in files
    assert b"more" in files.values()


@pytest.mark.parametrize(
    ("wheel", "filename"),
    [
        (archives.make_wheel("My.Pkg-demo", "1.0"), "My_Pkg_demo-1.0-py3-none-any.whl"),
        (
            archives.make_wheel("My.Pkg-demo", "1.0", tags="cp312-cp312-win32", build="3"),
            "My_Pkg_demo-1.0-3-cp312-cp312-win32.whl",
        ),
        (archives.make_wheel("My.Pkg-demo", "1.0-RC1+a-b"), "My_Pkg_demo-1.0rc1+a.b-py3-none-any.whl"),
    ],
    ids=str,
)
def test_the_name_of_a_wheel_is_escaped_in_the_file_name_but_not_in_the_metadata(
    wheel: archives.Distribution, filename: str
) -> None:
    assert wheel.filename == filename
    [metadata] = [text for path, text in unpacked(wheel.data, filename).items() if path.endswith("METADATA")]
    assert Metadata.from_email(metadata).name == "My.Pkg-demo"


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_the_name_of_an_sdist_is_escaped_in_the_file_name_but_not_in_the_metadata(ending: Any) -> None:
    sdist = archives.make_sdist("My.Pkg-demo", "1.0", ending=ending)
    assert sdist.filename == f"My_Pkg_demo-1.0{ending}"
    metadata = unpacked(sdist.data, sdist.filename)["My_Pkg_demo-1.0/PKG-INFO"]
    assert Metadata.from_email(metadata).name == "My.Pkg-demo"


@pytest.mark.parametrize("filename", [*WHEELS, *SDISTS])
def test_a_distribution_built_for_a_file_name_is_verified_without_problems(filename: str) -> None:
    assert verify(io.BytesIO(archives.distribution(filename)), filename).problems == ()


@pytest.mark.parametrize(
    "distribution",
    [
        archives.make_wheel("My.Pkg-demo", "1.0", requires=["other>=1"], extras={"more": ["third"]}),
        archives.make_sdist("My.Pkg-demo", "1.0", metadata_version="2.2", extras={"more": ["third"]}),
        archives.make_sdist("My.Pkg-demo", "1.0", ending=".zip"),
        archives.make_sdist("My.Pkg-demo", "1.0", files={"setup.py": ""}),
    ],
    ids=str,
)
def test_a_distribution_is_verified_without_problems(distribution: archives.Distribution) -> None:
    report = verify(io.BytesIO(distribution.data), distribution.filename)
    assert report.problems == ()
    assert report.metadata
    assert report.metadata.name == "My.Pkg-demo"


def test_a_distribution_is_written_into_a_new_directory(tmp_path: Path) -> None:
    wheel = archives.make_wheel("demo", "1.0")
    path = wheel.write_to(tmp_path / "new" / "dist")
    assert path == tmp_path / "new" / "dist" / "demo-1.0-py3-none-any.whl"
    assert path.read_bytes() == wheel.data
    assert "PK" not in repr(wheel)


def test_an_sdist_contains_a_backend_that_builds_it(tmp_path: Path) -> None:
    files = {"demo/__init__.py": "SAYS = 'hello'\n", "demo/data/note.txt": "a note"}
    sdist = archives.make_sdist("Demo.Pkg", "1.0-1", requires=["other"], requires_python=">=3.9", files=files)
    with tarfile.open(fileobj=io.BytesIO(sdist.data)) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / "Demo_Pkg-1.0.post1"
    options = tomllib.loads((folder / "pyproject.toml").read_text())["build-system"]
    assert (options["requires"], options["backend-path"]) == ([], ["."])
    code = f"import sys, {options['build-backend']} as backend; print(backend.build_wheel(sys.argv[1]))"
    built = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {code}", tmp_path],
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    filename = built.stdout.strip()
    assert filename == "Demo_Pkg-1.0.post1-py3-none-any.whl"
    data = (tmp_path / filename).read_bytes()
    assert verify(io.BytesIO(data), filename).problems == ()
    inside = unpacked(data, filename)
    assert {path for path in inside if ".dist-info/" not in path} == {*files}
    assert inside["demo/data/note.txt"] == b"a note"
    assert inside["Demo_Pkg-1.0.post1.dist-info/METADATA"] == (folder / "PKG-INFO").read_bytes()


def test_the_backend_omits_files_that_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("PKG-INFO", "pyproject.toml", "sdist_backend.py", "demo.py", "__pycache__/demo.pyc"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(path)
    monkeypatch.setattr(sdist_backend, "_FOLDER", tmp_path)
    monkeypatch.setattr(sdist_backend, "STEM", "demo-1.0")
    built = tmp_path / "built"
    built.mkdir()
    filename = sdist_backend.build_wheel(str(built))
    inside = unpacked((built / filename).read_bytes(), filename)
    info = "demo-1.0.dist-info"
    assert inside.keys() == {"demo.py", f"{info}/METADATA", f"{info}/WHEEL", f"{info}/RECORD"}


@pytest.mark.parametrize("build", ["pyproject.toml", "setup.py"])
def test_an_sdist_with_its_own_build_gets_no_backend(build: str) -> None:
    sdist = archives.make_sdist("demo", "1.0", files={build: "its own", "demo.py": ""})
    inside = unpacked(sdist.data, sdist.filename)
    assert inside.keys() == {f"demo-1.0/{path}" for path in ("PKG-INFO", build, "demo.py")}
    assert inside[f"demo-1.0/{build}"] == b"its own"


def test_a_single_requirement_is_not_split_into_characters() -> None:
    alone = archives.core_metadata("demo", "1.0", requires="other>=2", extras={"more": "third"})
    assert alone == archives.core_metadata("demo", "1.0", requires=["other>=2"], extras={"more": ["third"]})


@pytest.mark.parametrize("extras", ["more", ["more"], {"more": []}])
def test_extras_may_be_names_without_requirements(extras: str | list[str] | dict[str, list[str]]) -> None:
    metadata = archives.core_metadata("demo", "1.0", requires='third; extra == "more"', extras=extras)
    assert metadata.count(b"\nProvides-Extra: more\n") == metadata.count(b"\nRequires-Dist: ") == 1


def test_the_requirements_of_an_extra_have_its_marker() -> None:
    extras = {"test": ["pytest>=8", 'old[more]; python_version < "3" or os_name == "nt"'], "none": []}
    metadata = Metadata.from_email(archives.core_metadata("demo", "1.0", requires=["other"], extras=extras))
    assert metadata.provides_extra == ["test", "none"]
    plain, pytest_, old = metadata.requires_dist or []
    assert (plain.name, plain.marker) == ("other", None)
    assert (pytest_.name, str(pytest_.specifier), str(pytest_.marker)) == ("pytest", ">=8", 'extra == "test"')
    assert (old.name, old.extras) == ("old", {"more"})
    assert old.marker
    at = [
        {"extra": extra, "python_version": python, "os_name": "posix"}
        for extra in ("test", "")
        for python in ("2.7", "3.11")
    ]
    assert [old.marker.evaluate(environment) for environment in at] == [True, False, False, False]


@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
def test_metadata_has_the_given_fields(filename: str) -> None:
    data = archives.distribution(
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
def test_the_same_arguments_give_the_same_bytes_and_another_payload_gives_others(filename: str) -> None:
    first = archives.distribution(filename, payload=b"one")
    archives._cached_pack.cache_clear()
    assert archives.distribution(filename, payload=b"one") == first
    assert len({first, archives.distribution(filename), archives.distribution(filename, payload=b"two")}) == 3


@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"])
@pytest.mark.parametrize("size", [5_000, 100_000, 1_000_000])
def test_the_size_is_exact_within_one_percent_and_50_bytes(filename: str, size: int) -> None:
    data = archives.distribution(filename, size=size)
    assert abs(len(data) - size) < size / 100 + 50
    assert sum(map(len, unpacked(data, filename).values())) > 0.8 * size


def test_an_sdist_contains_no_time() -> None:
    data = archives.make_sdist("demo", "1.0").data
    assert data[4:8] == bytes(4)  # RFC 1952: MTIME
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        assert {(member.mtime, member.uid, member.uname) for member in archive} == {(0, 0, "")}


@pytest.mark.parametrize(
    "filename", ["demo-1.0.egg", "demo.tar.gz", "demo.whl", "demo-1.0-any.whl", "../demo-1.0.tar.gz", ""]
)
def test_a_file_name_of_no_distribution_is_rejected(filename: str) -> None:
    with pytest.raises(ValueError, match="wheel"):
        archives.distribution(filename)


VARIANTS = [
    archives.Variant("fast"),
    archives.Variant("null"),
    archives.Variant("null", namespaces=["cpu"]),
    archives.Variant("fast", {"cpu": {"level": ["v3", "v2"]}}),
    archives.Variant("fast", {"cpu": {"level": ["v3"]}}, namespaces=["gpu", "cpu"]),
    archives.Variant("fast", {"cpu": {"level": ["v3"]}}, providers={"cpu": {"requires": ["x"]}}),
    archives.Variant("fast", schema="https://packaging.python.org/v1.0.0.json"),
]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_a_wheel_variant_is_valid_and_was_built_for_what_was_wanted(variant: archives.Variant) -> None:
    wheel = archives.make_wheel("demo", "1.0", build="7", variant=variant)
    assert wheel.filename == f"demo-1.0-7-py3-none-any-{variant.label}.whl"
    report = verify(io.BytesIO(wheel.data), wheel.filename)
    assert report.problems == ()
    found = json.loads(report.variant or "")
    if variant.properties is not None:
        assert found["variants"] == {
            variant.label: {
                namespace: {feature: sorted(values) for feature, values in features.items()}
                for namespace, features in variant.properties.items()
            }
        }
    if variant.namespaces:
        assert found["default-priorities"]["namespace"] == variant.namespaces
    assert found.get("providers", {}) == variant.providers
    assert not variant.schema or found["$schema"] == variant.schema


def test_variantlib_reads_a_wheel_variant_with_providers() -> None:
    variantlib = pytest.importorskip("variantlib.variant_dist_info")
    provider = {"static-properties": {"level": ["v3", "v2"]}}
    variant = archives.Variant("fast", {"cpu": {"level": ["v3", "v2"]}}, providers={"cpu": provider})
    wheel = archives.make_wheel("demo", "1.0", variant=variant)
    read = variantlib.VariantDistInfo(unpacked(wheel.data, wheel.filename)["demo-1.0.dist-info/variant.json"], "fast")
    assert [each.to_str() for each in read.variant_desc.properties] == ["cpu :: level :: v2", "cpu :: level :: v3"]


@pytest.mark.parametrize("filename", ["demo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any-slow.whl", "demo-1.0.zip"])
def test_a_file_name_without_the_label_of_the_variant_is_an_error(filename: str) -> None:
    with pytest.raises(ValueError, match="does not have the variant label 'fast'"):
        archives.distribution(filename, variant=archives.Variant("fast"))
