"""``pypi-registry check``: its output, its exit status and its progress bar."""

import os
import pty
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from pypi_registry._cli import check as command
from pypi_registry._cli import progress
from pypi_registry._cli.main import main
from pypi_registry.distributions import Report, verify
from pypi_registry.testing.archives import distribution
from tests.distributions.measuring import peak

GOOD = ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "demo-1.0.zip"]


def written(folder: Path, filename: str, data: bytes | None = None) -> str:
    path = folder / filename
    path.write_bytes(distribution(filename) if data is None else data)
    return str(path)


@pytest.mark.parametrize("filename", GOOD)
def test_nothing_is_printed_for_a_valid_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], filename: str) -> None:
    assert main(["check", written(tmp_path, filename)]) == 0
    assert capsys.readouterr() == ("", "")


def test_each_problem_is_one_line_with_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    twice = distribution("demo-1.0.tar.gz", headers=(("Name", "another"),))
    expected = [
        (written(tmp_path, "demo-1.0.tar.gz", twice), "more than one Name"),
        (written(tmp_path, "demo-1.0.egg", b"junk"), "neither the suffix of a wheel"),
        (written(tmp_path, "demo-2.0-py3-none-any.whl", b"junk"), "not a zip archive"),
        (written(tmp_path, "demo-3.0-py3-none-any.whl", distribution("demo-2.0.zip")), ".dist-info"),
    ]
    assert main(["check", written(tmp_path, GOOD[0]), *(path for path, _ in expected)]) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [path for path, _ in expected]
    assert [words for (_, words), line in zip(expected, lines, strict=True) if words not in line] == []
    assert err == ""


def test_a_file_with_several_problems_has_several_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "demo-2.0-py2-none-any.whl", distribution(GOOD[0].replace("1.0", "2.0"), name="other"))
    assert main(["check", path]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{path}: ") for line in lines)


def test_all_contents_are_compared_with_their_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = []

    def watched(stream: BinaryIO, filename: str, *, budget: int | None) -> Report:
        budgets.append(budget)
        return verify(stream, filename, budget=budget)

    monkeypatch.setattr(command, "verify", watched)
    assert main(["check", written(tmp_path, GOOD[0])]) == 0
    assert budgets == [None]


@pytest.mark.parametrize(
    ("names", "status"),
    [
        ([GOOD[0]], 0),
        (["bad.whl"], 1),
        (["nowhere.whl"], 2),
        (["."], 2),
        ([GOOD[0], "bad.whl"], 1),
        (["bad.whl", GOOD[0]], 1),
        (["nowhere.whl", "bad.whl", GOOD[0]], 2),
        (["bad.whl", "nowhere.whl"], 2),
    ],
    ids=str,
)
def test_all_files_are_checked_and_the_worst_decides_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], names: list[str], status: int
) -> None:
    written(tmp_path, GOOD[0])
    written(tmp_path, "bad.whl", b"junk")
    assert main(["check", *(str(tmp_path / name) for name in names)]) == status
    out, err = capsys.readouterr()
    assert bool(out) is ("bad.whl" in names)
    assert "bad.whl" not in err
    missing = [name for name in names if not (tmp_path / name).is_file()]
    assert [line for line in err.splitlines() if not line.startswith("pypi-registry: ")] == []
    assert len(err.splitlines()) == len(missing)


def test_a_file_that_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nowhere.whl")]) == 2
    assert capsys.readouterr() == ("", f"pypi-registry: {tmp_path}/nowhere.whl: No such file or directory\n")


def test_without_a_file_the_usage_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check"])
    assert caught.value.code == 2
    assert "FILE" in capsys.readouterr().err


def test_the_program_exits_with_the_status(tmp_path: Path) -> None:
    run = [sys.executable, "-m", "pypi_registry", "check", written(tmp_path, "bad.whl", b"junk")]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith(f"{tmp_path}/bad.whl: ")
    assert done.stderr == ""


def test_a_large_file_is_not_read_into_memory(tmp_path: Path) -> None:
    paths = [written(tmp_path, name, distribution(name, size=8_000_000)) for name in GOOD]
    with peak() as held:
        assert main(["check", *paths]) == 0
    assert held.bytes < 2_000_000


# The bar


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *paths: str, interval: float = -1) -> tuple[int, list[str]]:
    """Run the command with standard error on a terminal; return its status, and what was drawn, in order."""
    ours, theirs = pty.openpty()
    with ThreadPoolExecutor(1) as pool, monkeypatch.context() as patched:
        drawn = pool.submit(read_all, ours)
        with os.fdopen(theirs, "w") as stream:
            patched.setattr(sys, "stderr", stream)
            patched.setattr(progress, "_INTERVAL", interval)
            status = main(["check", *paths])
    return status, drawn.result().decode().split("\r")


def read_all(terminal: int) -> bytes:
    drawn = b""
    with suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as stream:  # Linux reports the end as an error
        while piece := stream.read(1000):
            drawn += piece
    return drawn


@pytest.mark.parametrize("filename", GOOD)
def test_on_a_terminal_a_bar_shows_the_progress_and_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], filename: str
) -> None:
    path = written(tmp_path, filename, distribution(filename, size=600_000))
    status, (nothing, *bars, last) = on_a_terminal(monkeypatch, path)
    assert (status, nothing, last) == (0, "", "\x1b[K")
    assert len(bars) > 1
    parts = []
    for bar in bars:
        match = re.fullmatch(rf"\[(#*)(\.*)\] +([0-9]+)% {re.escape(filename)}\x1b\[K", bar)
        assert match is not None
        assert len(match[1]) + len(match[2]) == 30
        assert abs(len(match[1]) - int(match[3]) * 0.3) <= 1
        parts.append(int(match[3]))
    assert parts == sorted(parts)
    assert parts[-1] == 100
    assert capsys.readouterr().out == ""


def test_a_problem_is_on_a_line_of_its_own_after_the_bar_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "demo-1.0.tar.gz", b"junk")
    status, drawn = on_a_terminal(monkeypatch, path, str(tmp_path / "nowhere.whl"))
    assert status == 2
    assert drawn[-2:] == ["\x1b[Kpypi-registry: " + f"{tmp_path}/nowhere.whl: No such file or directory", "\n"]
    assert capsys.readouterr().out == f"{path}: the file is not a gzip file, or is damaged\n"


def test_a_bar_of_an_empty_file_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, drawn = on_a_terminal(monkeypatch, written(tmp_path, "demo-1.0.tar.gz", b""))
    assert (status, drawn[-1]) == (1, "\x1b[K")
    assert all("]   0% demo" in bar for bar in drawn[1:-1])


def test_a_bar_is_drawn_at_most_once_per_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, GOOD[1], distribution(GOOD[1], size=600_000))
    assert on_a_terminal(monkeypatch, path, interval=3600) == (0, ["", "\x1b[K"])


def test_on_a_pipe_there_is_no_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_INTERVAL", -1)
    assert main(["check", *(written(tmp_path, name) for name in GOOD)]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_path_with_control_characters_is_escaped_and_stays_on_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "\udcff\n\x1b[2J-1.0.whl"
    path.write_bytes(b"junk")
    assert command.check([path]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 1
    assert all(line.isprintable() and r"\udcff\n\x1b[2J-1.0.whl: " in line for line in lines)
