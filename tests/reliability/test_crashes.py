"""A kill at any step of any change: what was acknowledged stays, what was not is wholly there or not at all."""

import json
import subprocess
import sys

import pytest

from tests.reliability.mutants import MUTANTS

pytestmark = pytest.mark.slow


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, check=False)


def test_every_promise_holds_after_a_kill_before_and_after_each_step_of_each_change() -> None:
    run_ = run("tests.reliability.crashes")
    assert run_.returncode == 0, run_.stderr
    counts = json.loads(run_.stdout)
    print(counts)
    assert counts["kills"] > 200


_FIRST, *_OTHERS = MUTANTS


@pytest.mark.parametrize("mutant", [_FIRST, *(pytest.param(each, marks=pytest.mark.long) for each in _OTHERS)])
def test_the_sweep_finds_a_wrong_order_of_writes(mutant: str) -> None:
    run_ = run("tests.reliability.mutants", mutant)
    assert run_.returncode != 0
    assert "killed" in run_.stderr or "acknowledged" in run_.stderr, run_.stderr
