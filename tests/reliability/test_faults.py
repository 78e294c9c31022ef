"""A fault at any step of any change: a clear refusal, nothing half-done, and no restart."""

import json
import subprocess
import sys

import pytest


def sweep(*arguments: str) -> dict[str, int]:
    run = subprocess.run(
        [sys.executable, "-m", "tests.reliability.faults", *arguments], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-10_000:]
    counts: dict[str, int] = json.loads(run.stdout)
    print(counts)
    return counts


@pytest.mark.slow
def test_some_steps_of_each_change_fail() -> None:
    counts = sweep("--every", "23")
    assert counts["faults"] > 150 and counts["steps"] > 25  # 168 faults in 32 steps


@pytest.mark.long
def test_each_step_of_each_change_fails() -> None:
    counts = sweep()
    assert counts["faults"] > 3500 and counts["steps"] > 30  # 3,844 faults in 36 steps
