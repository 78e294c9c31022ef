"""Measure the goals of speed, and print them as a table: what, against what, how it did, and whether that is enough.

Usage: python -m tests.benchmarks [--quick] [--only TEXT …] [--folder FOLDER] [--markdown]

Each row alternates between the two things that it compares, and shows the median of the rounds and the least and the
most of them. The load is kept on one core and the servers on another. It needs gunicorn (``pip install --group
bench``); wrk, nginx, pypiron, pypiserver, bjoern and granian are used if they are there. It runs on Linux.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import loads
from tests.benchmarks.bench import QUICK, Bench, Plan
from tests.benchmarks.goals import GOALS, Goal
from tests.benchmarks.servers import NotInstalled, pin_load

WIDTHS = (47, 28, 12, 10, 20, 8)


def main() -> int:
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks", description=summary, epilog=rest, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under three minutes")
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="only rows that hold one of these")
    parser.add_argument("--folder", type=Path, help="where to work; choose a disk like that of a registry")
    parser.add_argument("--markdown", action="store_true", help="print the table as the documentation has it")
    wanted = parser.parse_args()
    plan = QUICK if wanted.quick else Plan()
    print(f"{plan.rounds} rounds of {plan.seconds} s a side; {pin_load()}; ", end="")
    print(f"load by {'wrk' if loads.WRK else 'Python'}; load average before: {os.getloadavg()[0]:.1f}", flush=True)
    if plan.big_upload != Plan.big_upload:
        sizes = plan.large_file, Plan.large_file, plan.big_upload, Plan.big_upload
        print("files have {} MB instead of {}, big uploads {} instead of {}".format(*(size // 10**6 for size in sizes)))
    print()
    started, missed = time.monotonic(), 0
    show = _markdown if wanted.markdown else _plain
    show("what", "compared with", "goal", "measured", "spread", "result", "numbers")
    if wanted.markdown:
        show(*["---"] * 7)
    with tempfile.TemporaryDirectory(dir=wanted.folder) as folder, ExitStack() as stack:
        bench = Bench(plan, Path(folder), stack)
        for goal in GOALS:
            if any(text in f"{goal.what} {goal.of}" for text in wanted.only):
                missed += _row(goal, bench, show) is False
    print(f"\n{time.monotonic() - started:.0f} s; goals not met: {missed}")
    return 1 if missed else 0


def _row(goal: Goal, bench: Bench, show: Callable[..., None]) -> bool | None:
    try:
        measured = goal.measure(bench)
    except NotInstalled as missing:
        show(goal.what, goal.of, goal.bound, "-", "-", "", f"{missing} is not installed")
        return None
    met = goal.is_met(measured.middle)
    spread = f"{goal.unit(min(measured.values))} … {goal.unit(max(measured.values))}"
    verdict = {True: "met", False: "NOT MET", None: ""}[met]
    show(goal.what, goal.of, goal.bound, goal.unit(measured.middle), spread, verdict, measured.note)
    return met


def _plain(*cells: str) -> None:
    padded = (cell.ljust(width) for cell, width in zip(cells, [*WIDTHS, 0], strict=True))
    print(" ".join(padded).rstrip(), flush=True)


def _markdown(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
