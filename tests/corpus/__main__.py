"""Download real distributions, verify each, and print which are refused: ``python -m tests.corpus``.

The exit status is 1 if one is refused that `EXPLAINED` does not have. What was fetched, and what was chosen, is kept
in the cache; the next run asks an index for nothing.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter

from pypi_registry.distributions import verify
from tests.corpus.checking import EXPLAINED, Checked, check
from tests.corpus.fetching import KINDS, Chosen, Index, corpus, era_of, pinned, room_for

HERE = Path(__file__).parent
MEGABYTE = 1000**2


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus", description=__doc__)
    parser.add_argument("--count", type=int, help="stop after so many distributions; all that are chosen by default")
    parser.add_argument("--sample", action="store_true", help="the thirty pinned ones, 47 MB")
    parser.add_argument(
        "--folder", type=Path, action="append", default=[], help="also each distribution that lies here"
    )
    parser.add_argument("--cache", type=Path, default=HERE.parents[1] / ".cache" / "corpus")
    parser.add_argument("--max-size", type=int, default=80, help="MB a distribution may have (80)")
    parser.add_argument("--max-total", type=int, default=2000, help="MB that may be fetched (2000)")
    options = parser.parse_args(arguments)
    index = Index(options.cache)
    if options.sample:
        chosen: Iterable[Chosen] = pinned(HERE / "sample.txt")
    else:
        projects = [line for line in (HERE / "projects.txt").read_text().splitlines() if not line.startswith("#")]
        chosen = corpus(projects, index, options.cache / "chosen.json", options.max_size * MEGABYTE)
    files = _files(chosen, index, options.max_total * MEGABYTE, options.count, options.folder)
    return report([_verify(path, year) for path, year in files])


def _files(
    chosen: Iterable[Chosen], index: Index, max_total: int, count: int | None, folders: Sequence[Path]
) -> Iterator[tuple[Path, int]]:
    for number, it in enumerate(room_for(chosen, index, max_total)):
        if number == count:
            break
        yield it
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.name.endswith(KINDS):
                yield path, 0


def _verify(path: Path, year: int) -> Checked:
    start = perf_counter()
    problems = check(path, verify)
    return Checked(path, year, problems, perf_counter() - start)


def report(checked: Sequence[Checked]) -> int:
    """Print what was found; give the exit status."""
    table = Counter((it.kind, era_of(it.year) if it.year else 0) for it in checked)
    print("kind      published      files")
    for (kind, era), count in sorted(table.items()):
        print(f"{kind:8}  {_named(era):12} {count:7}")
    refused = [it for it in checked if it.problems]
    for it in refused:
        print(f"\n{it.path.name}: {EXPLAINED.get(it.path.name, 'REFUSED WITHOUT AN EXPLANATION')}")
        print(*(f"    {problem}" for problem in it.problems), sep="\n")
    print("\nslowest, in seconds a megabyte:")
    for it in sorted(checked, key=lambda it: it.seconds / it.size, reverse=True)[:5]:
        print(f"    {it.seconds / it.size * MEGABYTE:6.3f}  {it.path.name}")
    unexplained = [it for it in refused if it.path.name not in EXPLAINED]
    size, seconds = sum(it.size for it in checked), sum(it.seconds for it in checked)
    print(f"\n{len(checked)} distributions, {size / MEGABYTE:.0f} MB, verified in {seconds:.0f} s:", end=" ")
    print(f"{len(checked) - len(refused)} accepted, {len(refused)} refused, {len(unexplained)} without an explanation")
    return 1 if unexplained else 0


def _named(era: int) -> str:
    if not era:
        return "unknown"
    return "after 2022" if era == 9999 else f"up to {era}"


if __name__ == "__main__":
    sys.exit(main())
