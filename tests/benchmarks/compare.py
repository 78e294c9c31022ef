"""Compare the microseconds of requests with those of another version of the package.

Usage: python -m tests.benchmarks.compare --against DIR [--rounds 15] [--seconds 0.3] [--only TEXT …]

DIR is a checkout of the other version. Each version runs in a process of its own, without a server, over SQLite, files
and `Accounts`, with its data in memory. The rounds alternate between the two. Each row shows the fastest round of both,
and the median of the ratios of the rounds.
"""

import argparse
import os
from pathlib import Path
from statistics import median

from tests.benchmarks.side import UPLOADS
from tests.benchmarks.sides import REQUESTS, Side, new_and_old


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--against", type=Path, required=True, metavar="DIR", help="a checkout of the other version")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3, help="per row, version and round (default: %(default)s)")
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="only rows that contain one of these")
    options = parser.parse_args()
    rows = [row for row in [*REQUESTS, "upload"] if any(text in row for text in options.only)]
    uploads = options.rounds * max(2, round(options.seconds * 20)) * UPLOADS
    print(f"{options.rounds} rounds of {options.seconds} s; load average before: {os.getloadavg()[0]:.1f}")
    print(f"{'':24} {'new':>9} {'old':>9}    new/old: median, least … most")
    with new_and_old(options.against.absolute(), uploads) as (new, old):
        values = {row: _alternate(new, old, row, options.rounds, options.seconds) for row in rows}
    for row, pairs in values.items():
        ratios = sorted(first / second for first, second in pairs)
        least = [min(times) for times in zip(*pairs, strict=True)]
        spread = f"{ratios[0]:.2f} … {ratios[-1]:.2f}"
        print(f"{row:24} {least[0]:6.1f} µs {least[1]:6.1f} µs    {median(ratios):.2f}, {spread}", flush=True)
    return 0


def _alternate(new: Side, old: Side, row: str, rounds: int, seconds: float) -> list[tuple[float, float]]:
    pairs = []
    for number in range(rounds):
        if number % 2:
            second, first = old.call("microseconds", row, seconds), new.call("microseconds", row, seconds)
        else:
            first, second = new.call("microseconds", row, seconds), old.call("microseconds", row, seconds)
        pairs.append((first, second))
    return pairs


if __name__ == "__main__":
    raise SystemExit(main())
