"""Fuzz the parsers with atheris: ``python -m tests.fuzz --seconds 600``, in an environment with the group ``fuzz``.

Each target gets an equal part of the time, in a process of its own, which begins with the inputs in
``tests/fuzz/corpus``. The program prints how many inputs each target executed. An input that crashes a target is
written to ``tests/fuzz/found``, and the exit status is 1. When the bug is fixed, move the input to the corpus: the fast
tests execute all of the corpus.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
MAX_LENGTH = 16_384


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], help="all by default")
    parser.add_argument("--seconds", type=int, default=600, help="of all targets together (600)")
    options = parser.parse_args(arguments)
    targets = options.targets or [*TARGETS]
    found = HERE / "found"
    found.mkdir(exist_ok=True)
    failed = total = 0
    for target in targets:
        with tempfile.TemporaryDirectory() as new:  # what the fuzzer discovers; the corpus stays small
            command = [sys.executable, "-m", "tests.fuzz.run", target, new, str(HERE / "corpus" / target)]
            limits = [f"-max_total_time={max(1, options.seconds // len(targets))}", f"-max_len={MAX_LENGTH}"]
            command += [*limits, "-timeout=10", "-rss_limit_mb=2048", f"-artifact_prefix={found}/{target}-"]
            process = subprocess.run(command, capture_output=True, text=True, errors="replace")
        executed = re.findall(r"^Done (\d+) runs|stat::number_of_executed_units: +(\d+)", process.stderr, re.MULTILINE)
        count = max((int(number) for pair in executed for number in pair if number), default=0)
        total += count
        print(f"{target}: {count:,} inputs, {'no crash' if process.returncode == 0 else 'CRASH'}", flush=True)
        if process.returncode:
            failed += 1
            print(process.stderr[-3000:], process.stdout[-2000:])
    print(f"{total:,} inputs, {failed} of {len(targets)} targets crashed")
    return int(failed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
