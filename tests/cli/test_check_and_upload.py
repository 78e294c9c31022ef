"""``pypi-registry check`` and an upload name the same problems of a file."""

from pathlib import Path

import pytest

from pypi_registry._cli.main import main
from pypi_registry.testing.archives import distribution
from tests.distributions.harmless import HARMLESS
from tests.distributions.hostile import HOSTILE
from tests.distributions.test_hostile import in_memory

# What one installer cannot use: each row stands for its kind.
REFUSED = [
    "wheel: METADATA of version 1.0 in Latin-1",
    "wheel: a description in Latin-1",
    "wheel: requires.txt of Latin-1",
    "wheel: requires.txt of a dependency",
    "wheel: uv_build.json of nothing",
    "entry points: Latin-1",
    "METADATA: a Requires-Python without an operator",
    "METADATA: a Requires-Python of one compatible number",
    "METADATA: a Requires-Dist that is text",
    "PKG-INFO: a Requires-Python without an operator",
    "PKG-INFO: a Requires-Dist without a version",
    "tar: a dot before every path",
    "tar: a name that is not UTF-8",
    "tar: a pax owner that is not UTF-8",
    "tar: a time below zero",
    "tar: a time of blanks",
    "tar: a number with blanks before it",
    "tar: headers from before POSIX",
    "tar: a GNU header among POSIX headers",
    "tar: one block at the end",
]
ACCEPTED = [
    "wheel: a Requires-Python that pip and uv repair",
    "wheel: a Requires-Python with a comma at its end",
    "wheel: no tags in WHEEL, of wheel 0.14",
    "wheel: files that no installer decodes, in Latin-1",
    "sdist: metadata of version 1.0, in latin-1",
    "sdist: an owner in base 256, of GNU tar",
    "sdist: a GNU name",
]


@pytest.mark.parametrize("row", REFUSED)
def test_both_name_the_same_problems(row: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = HOSTILE[row]
    data = hostile.make()
    path = tmp_path / hostile.filename
    path.write_bytes(data)
    assert main(["check", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    status, body = in_memory(tmp_path / "blobs").publish(hostile.filename, data)
    assert status.partition(" ")[0] == "400"
    assert lines == [f"{path}: {problem}" for problem in body["errors"]]


@pytest.mark.parametrize("row", ACCEPTED)
def test_both_accept_the_same_files(row: str, tmp_path: Path) -> None:
    harmless = HARMLESS[row]
    data = harmless.make()
    path = tmp_path / harmless.filename
    path.write_bytes(data)
    assert main(["check", str(path)]) == 0
    status, body = in_memory(tmp_path / "blobs").publish(harmless.filename, data, harmless.name, harmless.version)
    assert status.partition(" ")[0] == "201", body


def test_a_second_spelling_of_a_file_name_is_refused_although_each_file_is_good(tmp_path: Path) -> None:
    spellings = ["demo-1.0-py3-none-any.whl", "Demo-1.0-py3-none-any.whl", "DEMO-1-py3-none-any.whl"]
    deployment = in_memory(tmp_path / "blobs")
    answers = []
    for filename in spellings:
        name, version = filename.split("-")[:2]
        data = distribution(filename, files={"demo.py": filename})
        path = tmp_path / filename
        path.write_bytes(data)
        assert main(["check", str(path)]) == 0
        status, body = deployment.publish(filename, data, name, version)
        answers.append((status.partition(" ")[0], "already exists" in body["message"]))
    assert answers == [("201", False), ("400", True), ("400", True)]
