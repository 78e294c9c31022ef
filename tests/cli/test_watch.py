import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Semaphore
from types import SimpleNamespace

import pytest

from pypi_registry._cli import watch
from pypi_registry._cli.watch import Watch, fingerprint

PATIENCE = 10.0

# By a clock that moves on by a fixed step from look to look.

STEP = 0.25
A, B, C = (1,), (2,), (3,)


def looks_at_which_it_is_called(monkeypatch: pytest.MonkeyPatch, stamps: list[watch.Fingerprint]) -> list[int]:
    """Let a watch look at a file that has these stamps, from the one at its start on; tell at which it calls."""
    looks, called, over = iter(range(len(stamps))), list[int](), Event()
    number = -1

    def look(path: Path) -> watch.Fingerprint:
        nonlocal number
        number = next(looks, len(stamps) - 1)
        if number == len(stamps) - 1:
            over.set()
        return stamps[number]

    monkeypatch.setattr(watch, "stamp", look)
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: number * STEP))
    monkeypatch.setattr(watch, "INTERVAL", 0)
    watch = Watch(Path("registry.toml"), lambda: called.append(number))
    watch.start()
    assert over.wait(PATIENCE)
    watch.stop()
    return called


@pytest.mark.parametrize(
    ("stamps", "called"),
    [
        pytest.param([A] * 20, [], id="never changed"),
        pytest.param([A, A, B, B, B, B, B], [4], id="changed, then still for half a second"),
        pytest.param([A, B, B, C, C, C, C], [5], id="changed twice"),
        pytest.param([A, B, C, B, C, B, C, B, C], [], id="never still"),
        pytest.param([A, B, B, A, A, A, A, A], [], id="back as it was before it was still"),
        pytest.param([A, B, B, B, C, C, C, C], [3, 6], id="changed, and changed again"),
        pytest.param([A, B, B, B, A, A, A, A], [3, 6], id="changed, and changed back"),
        pytest.param([A, None, None, None, None], [3], id="removed"),
        pytest.param([A, None, B, B, B, B], [4], id="replaced by way of a removal"),
        pytest.param([None, None, B, B, B, B], [4], id="there at last"),
    ],
)
def test_it_calls_once_a_change_has_stood_still(
    monkeypatch: pytest.MonkeyPatch, stamps: list[watch.Fingerprint], called: list[int]
) -> None:
    assert looks_at_which_it_is_called(monkeypatch, stamps) == called


# By the real clock, faster than in earnest.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "registry.toml"
    file.write_text("1", encoding="utf-8")
    return file


class Calls:
    """Notes what the file held at each call."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._come = Semaphore(0)
        self.held: list[str | None] = []

    def __call__(self) -> None:
        self.held.append(self._file.read_text(encoding="utf-8") if self._file.exists() else None)
        self._come.release()

    def wait_for(self, text: str | None) -> None:
        """Wait for the call at which the file held this; a file that is being written may be seen empty before."""
        while text not in self.held:
            assert self._come.acquire(timeout=PATIENCE)


@pytest.fixture
def calls(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Calls by a watch that is running."""
    monkeypatch.setattr(watch, "INTERVAL", 0.002)
    monkeypatch.setattr(watch, "QUIET", 0.02)
    calls = Calls(file)
    watch = Watch(file, calls)
    watch.start()
    yield calls
    watch.stop()


def _write(file: Path) -> None:
    file.write_text("2", encoding="utf-8")


def _replace(file: Path) -> None:
    other = file.with_name("registry.toml~")
    other.write_text("2", encoding="utf-8")
    other.replace(file)


def _copy_with_its_time(file: Path) -> None:
    before = file.stat()
    file.write_text("2", encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [_write, _replace, _copy_with_its_time])
def test_a_changed_file_is_noticed_however_it_was_changed(
    file: Path, calls: Calls, change: Callable[[Path], None]
) -> None:
    change(file)
    calls.wait_for("2")


def test_each_change_is_noticed(file: Path, calls: Calls) -> None:
    for text in ("2", "3", "4"):
        file.write_text(text, encoding="utf-8")
        calls.wait_for(text)


def test_a_removal_and_a_return_are_noticed(file: Path, calls: Calls) -> None:
    file.unlink()
    calls.wait_for(None)
    file.write_text("1", encoding="utf-8")
    calls.wait_for("1")


def test_a_change_between_making_and_starting_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.002)
    monkeypatch.setattr(watch, "QUIET", 0.02)
    calls = Calls(file)
    watch = Watch(file, calls)
    file.write_text("2", encoding="utf-8")
    watch.start()
    calls.wait_for("2")
    watch.stop()


def test_a_stopped_watch_has_no_thread_and_stops_at_once(file: Path) -> None:
    watch = Watch(file, lambda: None)  # with the interval of earnest: stopping does not wait for a look
    watch.start()
    watch.stop()
    assert not watch._thread.is_alive()


def test_a_file_that_cannot_be_looked_at_has_no_stamp(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "none") is None
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert fingerprint(tmp_path / "file" / "below") is None
    assert fingerprint(tmp_path / "file") is not None
