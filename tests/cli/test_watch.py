import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Semaphore
from types import SimpleNamespace

import pytest

from pypi_registry._cli import watch
from pypi_registry._cli.watch import Watch, fingerprint

PATIENCE = 10.0

# With a simulated clock that advances by a fixed step per check.

STEP = 0.25
A, B, C = (1,), (2,), (3,)


def checks_after_which_it_calls(
    monkeypatch: pytest.MonkeyPatch, fingerprints: list[watch.Fingerprint], act: Callable[[], object] = lambda: None
) -> list[int]:
    """Let a watch see a file with these fingerprints, the first at its creation; return after which it calls."""
    checks, called, over = iter(range(len(fingerprints))), list[int](), Event()
    number = -1

    def check(path: Path) -> watch.Fingerprint:
        nonlocal number
        number = next(checks, len(fingerprints) - 1)
        if number == len(fingerprints) - 1:
            over.set()
        return fingerprints[number]

    monkeypatch.setattr(watch, "fingerprint", check)
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: number * STEP))
    monkeypatch.setattr(watch, "INTERVAL", 0)

    def changed() -> object:
        called.append(number)
        return act()

    watching = Watch(Path("registry.toml"), changed)
    watching.start()
    assert over.wait(PATIENCE)
    watching.stop()
    return called


@pytest.mark.parametrize(
    ("fingerprints", "called"),
    [
        pytest.param([A] * 20, [], id="never changed"),
        pytest.param([A, A, B, B, B, B, B], [4], id="changed, then unchanged for half a second"),
        pytest.param([A, B, B, C, C, C, C], [5], id="changed twice"),
        pytest.param([A, B, C, B, C, B, C, B, C], [], id="never unchanged for half a second"),
        pytest.param([A, B, B, A, A, A, A, A], [], id="changed back within half a second"),
        pytest.param([A, B, B, B, C, C, C, C], [3, 6], id="changed, and changed again"),
        pytest.param([A, B, B, B, A, A, A, A], [3, 6], id="changed, and changed back"),
        pytest.param([A, None, None, None, None], [3], id="removed"),
        pytest.param([A, None, B, B, B, B], [4], id="removed and created again"),
        pytest.param([None, None, B, B, B, B], [4], id="created"),
    ],
)
def test_it_calls_half_a_second_after_the_last_change(
    monkeypatch: pytest.MonkeyPatch, fingerprints: list[watch.Fingerprint], called: list[int]
) -> None:
    assert checks_after_which_it_calls(monkeypatch, fingerprints) == called


@pytest.mark.parametrize("error", [OSError("the log is full"), ValueError("a defect")], ids=repr)
def test_a_reload_that_fails_is_logged_and_done_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """And the thread goes on, however often it fails."""
    monkeypatch.setattr(watch, "RETRY", 3 * STEP)

    def fail() -> None:
        raise error

    assert checks_after_which_it_calls(monkeypatch, [A, *[B] * 11], fail) == [3, 6, 9]
    assert [record.getMessage() for record in caplog.records] == ["registry.toml was not reloaded"] * 3


def test_a_file_that_cannot_be_read_is_reloaded_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "RETRY", 3 * STEP)
    answers = iter([False, True])
    assert checks_after_which_it_calls(monkeypatch, [A, *[B] * 20], lambda: next(answers)) == [3, 6]


def test_other_work_is_done_at_each_check_also_after_it_has_failed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, file: Path
) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.002)
    done = Semaphore(0)

    def work() -> None:
        done.release()
        raise ValueError("a defect")

    calls = Calls(file)
    watching = Watch(file, calls, regularly=work)
    watching.start()
    assert all(done.acquire(timeout=PATIENCE) for _ in range(3))
    monkeypatch.setattr(watch, "QUIET", 0.02)
    _write(file)
    calls.wait_for("2")
    watching.stop()
    assert {record.getMessage() for record in caplog.records} == {"the regular work of this process has failed"}


# With the real clock and shorter intervals.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "registry.toml"
    file.write_text("1", encoding="utf-8")
    return file


class Calls:
    """Records the content of the file at each call."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._called = Semaphore(0)
        self.contents: list[str | None] = []

    def __call__(self) -> None:
        self.contents.append(self._file.read_text(encoding="utf-8") if self._file.exists() else None)
        self._called.release()

    def wait_for(self, text: str | None) -> None:
        """Wait for a call with this content of the file; a file that is being written may be seen empty before."""
        while text not in self.contents:
            assert self._called.acquire(timeout=PATIENCE)


@pytest.fixture
def calls(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """The calls of a running watch."""
    monkeypatch.setattr(watch, "INTERVAL", 0.002)
    monkeypatch.setattr(watch, "QUIET", 0.02)
    calls = Calls(file)
    watching = Watch(file, calls)
    watching.start()
    yield calls
    watching.stop()


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
def test_every_way_of_changing_a_file_is_noticed(file: Path, calls: Calls, change: Callable[[Path], None]) -> None:
    change(file)
    calls.wait_for("2")


def test_each_change_is_noticed(file: Path, calls: Calls) -> None:
    for text in ("2", "3", "4"):
        file.write_text(text, encoding="utf-8")
        calls.wait_for(text)


def test_deleting_and_creating_a_file_are_noticed(file: Path, calls: Calls) -> None:
    file.unlink()
    calls.wait_for(None)
    file.write_text("1", encoding="utf-8")
    calls.wait_for("1")


def test_a_change_between_creation_and_start_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.002)
    monkeypatch.setattr(watch, "QUIET", 0.02)
    calls = Calls(file)
    watching = Watch(file, calls)
    file.write_text("2", encoding="utf-8")
    watching.start()
    calls.wait_for("2")
    watching.stop()


def test_a_stopped_watch_has_no_thread_and_stops_at_once(file: Path) -> None:
    watching = Watch(file, lambda: None)  # with the real interval: stopping does not wait for a check
    watching.start()
    watching.stop()
    assert not watching._thread.is_alive()


def test_a_file_that_cannot_be_examined_has_no_fingerprint(tmp_path: Path) -> None:
    assert fingerprint(tmp_path / "none") is None
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert fingerprint(tmp_path / "file" / "below") is None
    assert fingerprint(tmp_path / "file") is not None
