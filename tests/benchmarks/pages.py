"""Rows about pages, and what is answered in their place: asked again and again, and asked first after an upload."""

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path

from packaging.utils import canonicalize_name

from pypi_registry._pages import simple
from pypi_registry.model import Project, Projects
from tests.benchmarks import filling, inside
from tests.benchmarks.bench import Bench, Measured, alternate, milliseconds
from tests.benchmarks.limits import small_werkzeug
from tests.benchmarks.loads import fetch
from tests.benchmarks.registry import (
    GROUP_SIMPLE,
    JSON,
    LOGIN,
    PROJECT,
    SECRET,
    SIMPLE,
    Ask,
    index,
    open_catalogue,
    open_registry,
    page,
)

ELSEWHERE = "https://mirror.example/simple/"
_numbers = count()


def unchanged(name: str, accept: str) -> Callable[[Bench], Measured]:
    def measure(bench: Bench) -> Measured:
        ask, port = page(name, accept), bench.ours(bench.small).port
        return bench.against(ask, port, bench.limit(ask, port))

    return measure


def microseconds(name: str, accept: str) -> Callable[[Bench], Measured]:
    """Measure in this process, with a whole small Werkzeug application beside it."""

    def measure(bench: Bench) -> Measured:
        ask, ours = page(name, accept), open_registry(bench.small)
        usual = small_werkzeug(inside.answer(ours, inside.environ_of(ask))[1], SECRET)
        seconds = bench.plan.seconds / 2
        values, others = [], []
        for _ in range(bench.plan.rounds):
            values.append(inside.microseconds(ours, ask, seconds=seconds))
            others.append(inside.microseconds(usual, ask, seconds=seconds))
        return Measured(tuple(values), f"a small Werkzeug application: {min(others):.1f}")

    return measure


def among_many(bench: Bench) -> Measured:
    ask, large, small = page(filling.TEN), bench.ours(bench.large), bench.ours(bench.small)

    return bench.against(ask, large.port, nullcontext(small))


def not_modified(bench: Bench) -> Measured:
    port = bench.ours(bench.small).port
    _, headers, _ = fetch(page(filling.TEN), port)
    tag = {name.lower(): value for name, value in headers}["etag"]
    ask = replace(page(filling.TEN, **{"If-None-Match": tag}), status=304)
    return bench.against(ask, port, bench.limit(ask, port))


def missing(bench: Bench) -> Measured:
    ask, port = replace(page("missing"), status=404), bench.ours(bench.small).port
    return bench.against(ask, port, bench.limit(ask, port))


def unauthorized(bench: Bench) -> Measured:
    ask, port = Ask(f"{SIMPLE}/{filling.TEN}/", {"Accept": JSON}, 401), bench.ours(bench.small).port
    return bench.against(ask, port, bench.limit(ask, port))


def forwarded(bench: Bench) -> Measured:
    ask, port = replace(page("missing"), status=302), bench.ours(bench.small, ELSEWHERE).port
    return bench.against(ask, port, bench.limit(ask, port))


def whole_index(accept: str) -> Callable[[Bench], Measured]:
    def measure(bench: Bench) -> Measured:
        ask, port = index(accept), bench.ours(bench.large).port
        return bench.against(ask, port, bench.limit(ask, port))

    return measure


def group(bench: Bench) -> Measured:
    ask, port = Ask(f"{GROUP_SIMPLE}/{filling.SHARED}/", {**LOGIN, "Accept": JSON}), bench.ours(bench.small).port
    return bench.against(ask, port, bench.limit(ask, port))


def first_after_an_upload(accept: str, encoding: str) -> Callable[[Bench], Measured]:
    """Compare the first page of 10,000 files after one more came with rendering it from rows that are at hand."""

    def measure(bench: Bench) -> Measured:
        ours, catalogue = open_registry(bench.small), open_catalogue(bench.small)
        name, ask = canonicalize_name(filling.MYRIAD), page(filling.MYRIAD, accept, **{"Accept-Encoding": encoding})
        listing = catalogue.listing(Projects([PROJECT]), name)
        assert listing is not None
        files = listing.files
        form = simple.MediaType.JSON if accept == JSON else simple.MediaType.HTML

        def first() -> float:
            _upload(bench.small, PROJECT, filling.MYRIAD)
            return milliseconds(lambda: inside.answer(ours, inside.environ_of(ask)))

        def rendering() -> float:
            return milliseconds(lambda: simple.render_package(name, files, form, trailing_slash=True))

        first(), rendering()
        return alternate(bench.plan.rounds, first, rendering, "ms")

    return measure


def index_after_an_upload(accept: str, encoding: str) -> Callable[[Bench], Measured]:
    def measure(bench: Bench) -> Measured:
        ours, ask = open_registry(bench.large), index(accept, **{"Accept-Encoding": encoding})
        values = []
        for _ in range(bench.plan.rounds):
            _upload(bench.large, PROJECT, f"new-{next(_numbers)}")
            values.append(milliseconds(lambda: inside.answer(ours, inside.environ_of(ask))))
        return Measured(tuple(values), f"{bench.plan.names:,} names")

    return measure


def _upload(folder: Path, place: Project, name: str) -> None:
    number = next(_numbers)
    catalogue = open_catalogue(folder)
    key = hashlib.sha256(f"{name} {number}".encode()).hexdigest()[:32]
    catalogue.add(place, filling.described(name, f"900.{number}"), key, filling.AT, "ada")
    catalogue.close()
