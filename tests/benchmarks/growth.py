"""Measure how cost grows with what a registry holds, and draw it.

Usage: python -m tests.benchmarks.growth [--folder docs/performance] [--quick]

Writes an SVG for each question. It needs gunicorn and matplotlib (``pip install --group bench``).
"""

import argparse
import importlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from statistics import median

from pypi_registry.model import Project, Upload
from tests.benchmarks import filling, forms, inside, loads
from tests.benchmarks.bench import milliseconds
from tests.benchmarks.registry import GROUP_SIMPLE, HTML, JSON, LOGIN, PROJECT, Ask, open_registry, page, project
from tests.benchmarks.servers import Servers, pin_load

Series = Mapping[str, Sequence[float]]
_numbers = count(0, 10_000)


@dataclass(frozen=True)
class Plot:
    """A question, and what the answer depends on."""

    file: str
    title: str
    across: str
    up: str
    at: tuple[int, ...]
    measure: Callable[["Place", int], Mapping[str, float]]


@dataclass(frozen=True)
class Place:
    """Where a measurement has its files."""

    folder: Path
    servers: Servers
    seconds: float
    uploads: int


def packages(place: Place, number: int) -> Mapping[str, float]:
    filling.fill(place.folder, [*_ten(), *filling.names(number)])
    registry = open_registry(place.folder)
    return {
        "page of 10 files, unchanged": inside.microseconds(registry, page(filling.TEN), seconds=place.seconds),
        "404": inside.microseconds(registry, Ask(page("missing").path, LOGIN, 404), seconds=place.seconds),
        "file of 10 KB": inside.microseconds(registry, _stored(place), seconds=place.seconds),
    }


def _ten() -> Iterator[tuple[Project, Upload]]:
    for number in range(10):
        yield PROJECT, filling.described(filling.TEN, f"1.{number}")


def _stored(place: Place) -> Ask:
    file = filling.store(place.folder, "stored", forms.SMALL)
    return Ask(f"/projects/1/packages/pypi/files/{file.digests.sha256}/{file.filename}", LOGIN)


def uploads_among(place: Place, number: int) -> Mapping[str, float]:
    filling.fill(place.folder, filling.names(number))
    with place.servers.gunicorn("ours", folder=str(place.folder)) as server:
        _upload(server.port, 20, 1)
        rates = [_upload(server.port, place.uploads, 1).rate for _ in range(3)]
    return {"uploads of 10 KB per second, one client": median(rates)}


def _upload(port: int, number: int, clients: int) -> loads.Sent:
    return loads.send(port, [*forms.small_uploads(number, next(_numbers))], clients)


def files(place: Place, number: int) -> Mapping[str, float]:
    filling.fill(place.folder, ((PROJECT, filling.described("large", f"1.{each}")) for each in range(number)))
    found = {}
    for form, accept in (("HTML", HTML), ("JSON", JSON)):
        ask = page("large", accept, **{"Accept-Encoding": "identity"})
        environ = inside.environ_of(ask)
        first = [_milliseconds(place, environ) * 1e3 for _ in range(3)]
        found[f"{form}, first time"] = min(first)
        found[f"{form}, unchanged"] = inside.microseconds(open_registry(place.folder), ask, seconds=place.seconds)
    return found


def _milliseconds(place: Place, environ: dict[str, object]) -> float:
    registry = open_registry(place.folder)
    inside.answer(registry, inside.environ_of(page("warm", JSON)))
    return milliseconds(lambda: inside.answer(registry, environ))


def projects(place: Place, number: int) -> Mapping[str, float]:
    sharing = [project(each) for each in range(1, min(number, filling.SHARING) + 1)]
    filling.fill(place.folder, [(each, filling.described(filling.SHARED, f"{each.id}.0")) for each in sharing])
    registry = open_registry(place.folder, projects=number)
    ask = Ask(f"{GROUP_SIMPLE}/{filling.SHARED}/", {**LOGIN, "Accept": JSON})
    forwarding = open_registry(place.folder, projects=number, forward_to="https://mirror.example/simple/")
    return {
        "page of the group, unchanged": inside.microseconds(registry, ask, seconds=place.seconds),
        "a redirect to PyPI": inside.microseconds(
            forwarding, Ask(page("missing").path, LOGIN, 302), seconds=place.seconds
        ),
    }


def tokens(place: Place, number: int) -> Mapping[str, float]:
    filling.fill(place.folder, _ten())
    registry = open_registry(place.folder, tokens=number)
    return {"page of 10 files, unchanged": inside.microseconds(registry, page(filling.TEN), seconds=place.seconds)}


def clients(place: Place, number: int) -> Mapping[str, float]:
    filling.fill(place.folder, _ten())
    with place.servers.gunicorn("ours", folder=str(place.folder)) as server:
        _upload(server.port, 40, number)
        sent = _upload(server.port, place.uploads * 2, number)
    return {
        "uploads per second": sent.rate,
        "milliseconds, median": sent.percentile(0.5) * 1e3,
        "milliseconds, 99th percentile": sent.percentile(0.99) * 1e3,
    }


DECADES = (10, 100, 1_000, 10_000, 100_000)
MICROSECONDS = "µs inside the application"
PLOTS = (
    Plot("packages", "How many packages there are", "packages", MICROSECONDS, DECADES, packages),
    Plot(
        "uploads", "How many packages there are, when one is uploaded", "packages", "per second", DECADES, uploads_among
    ),
    Plot("files", "How many files a page has", "files", MICROSECONDS, DECADES[:4], files),
    Plot("projects", "How many projects a group has", "projects", MICROSECONDS, (1, *DECADES[:3]), projects),
    Plot("tokens", "How many tokens there are", "tokens", MICROSECONDS, (1, *DECADES[:4]), tokens),
    Plot("clients", "How many upload at once", "clients", "per second; milliseconds", (1, 2, 4, 8, 16, 32), clients),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("docs/performance"), help="(default: %(default)s)")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", default=[plot.file for plot in PLOTS])
    wanted = parser.parse_args()
    print(f"{pin_load()}; load average before: {os.getloadavg()[0]:.1f}")
    wanted.folder.mkdir(parents=True, exist_ok=True)
    for plot in PLOTS:
        if plot.file not in wanted.only:
            continue
        series = _series(plot, rounds=1 if wanted.quick else 3, seconds=0.2 if wanted.quick else 1.0)
        print(plot.title)
        print(f"  {plot.across:40}", *(f"{number:>12,}" for number in plot.at))
        for name, values in series.items():
            print(f"  {name:40}", *(f"{value:12,.1f}" for value in values))
        draw(plot, series, wanted.folder / f"{plot.file}.svg")
    return 0


def _series(plot: Plot, rounds: int, seconds: float) -> Series:
    """Measure each point in turn, and all of them again; return the median of each."""
    found: dict[str, list[float]] = {}
    for number in rounds * plot.at:
        with _place(seconds, round(300 * seconds)) as place:
            for name, value in plot.measure(place, number).items():
                found.setdefault(name, []).append(value)
    return {name: [median(values[at :: len(plot.at)]) for at in range(len(plot.at))] for name, values in found.items()}


@contextmanager
def _place(seconds: float, uploads: int) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        filled = Path(folder) / "registry"
        filled.mkdir()
        yield Place(filled, Servers(Path(folder)), seconds, uploads)


def draw(plot: Plot, series: Series, path: Path) -> None:
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": plot.file, "font.size": 10})
    figure, axes = importlib.import_module("matplotlib.pyplot").subplots(figsize=(6.5, 3.6), layout="constrained")
    for name, values in series.items():
        axes.plot(plot.at, values, marker="o", label=name)
    axes.set_xscale("log", base=2 if plot.at[1] == 2 * plot.at[0] else 10)
    if plot.at[1] == 2 * plot.at[0]:
        axes.set_xticks(plot.at, [f"{number}" for number in plot.at])
    everything = [value for values in series.values() for value in values]
    if max(everything) > 50 * min(everything):
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, max(everything) * 1.15)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.set_title(plot.title)
    axes.set_xlabel(plot.across)
    axes.set_ylabel(plot.up)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    raise SystemExit(main())
