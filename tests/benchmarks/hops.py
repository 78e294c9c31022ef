"""Count the files of the package, and the calls of functions in them, that one request runs through.

Usage: python -m tests.benchmarks.hops --against DIR

DIR is a checkout of another version, which is counted, too. A request is counted after an equal one, so its page is
cached. Each time a generator continues is a call.
"""

import argparse
from pathlib import Path

from tests.benchmarks.sides import REQUESTS, new_and_old


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.hops", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--against", type=Path, required=True, metavar="DIR", help="a checkout of the other version")
    options = parser.parse_args()
    rows = [*REQUESTS, "upload"]
    print(f"{'files, calls':24} {'new':>9} {'old':>9}")
    with new_and_old(options.against.absolute(), uploads=2) as sides:
        for row in rows:
            counts = ["{}, {}".format(*side.call("hops", row)) for side in sides]
            print(f"{row:24} {counts[0]:>9} {counts[1]:>9}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
