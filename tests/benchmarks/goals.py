"""The goals, one row for each: what is compared with what, and the bound."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks import files, filling, pages, peers, starting, uploading
from tests.benchmarks.bench import Bench, Measured
from tests.benchmarks.registry import HTML, JSON


@dataclass(frozen=True)
class Unit:
    """How a number is shown."""

    shown: str

    def __call__(self, value: float) -> str:
        return self.shown.format(value)


SHARE, TIMES, MICRO, MILLI, MIB = (
    Unit("{:.0%}"),
    Unit("{:.2f}x"),
    Unit("{:.1f} µs"),
    Unit("{:.1f} ms"),
    Unit("{:.1f} MiB"),
)


@dataclass(frozen=True)
class Goal:
    what: str
    of: str
    """What it is compared with; empty for an absolute number."""
    measure: Callable[[Bench], Measured]
    unit: Unit = SHARE
    least: float | None = None
    most: float | None = None
    """With neither bound, the row is for comparison only."""

    @property
    def bound(self) -> str:
        if self.least is not None:
            return f"≥ {self.unit(self.least)}"
        return f"≤ {self.unit(self.most)}" if self.most is not None else ""

    def is_met(self, value: float) -> bool | None:
        if self.least is not None:
            return value >= self.least
        return value <= self.most if self.most is not None else None


LIMIT, SINK, BARE = "the limit", "the sink", "a bare WSGI file"
FORMS = {"JSON": JSON, "HTML": HTML}
SMALL_PAGES = [(name, form) for name in (filling.TEN, filling.HUNDRED) for form in FORMS]
GZIP, PLAIN = "gzip, deflate", "identity"

GOALS = (
    *(
        Goal(f"page of {filling.FILES[name]} files, {form}", LIMIT, pages.unchanged(name, FORMS[form]), least=0.85)
        for name, form in SMALL_PAGES
    ),
    *(
        Goal(f"… inside the application, {filling.FILES[name]} files, {form}", "", measure, MICRO, most=20)
        for name, form in SMALL_PAGES
        for measure in [pages.microseconds(name, FORMS[form])]
    ),
    Goal("page of 10 files among 100,000 other projects", "the same page among 10", pages.among_many, least=0.95),
    Goal("304 for a page of 10 files", LIMIT, pages.not_modified, least=0.85),
    Goal("404 for a missing name", LIMIT, pages.missing, least=0.85),
    Goal("401", LIMIT, pages.unauthorized, least=0.85),
    Goal("a redirect to PyPI", LIMIT, pages.forwarded, least=0.85),
    *(
        Goal(f"page of 10,000 files, {form}", LIMIT, pages.unchanged(filling.MYRIAD, accept), least=0.90)
        for form, accept in FORMS.items()
    ),
    *(
        Goal(
            f"… first after an upload, {form}, {encoding}",
            "one rendering",
            pages.first_after_an_upload(accept, encoding),
            TIMES,
            most=3,
        )
        for form, accept in FORMS.items()
        for encoding in (PLAIN, GZIP)
    ),
    *(
        Goal(f"index of 100,000 projects, {form}", LIMIT, pages.whole_index(accept), least=0.90)
        for form, accept in FORMS.items()
    ),
    *(
        Goal(
            f"… after an upload, {form}, {encoding}", "", pages.index_after_an_upload(accept, encoding), MILLI, most=150
        )
        for form, accept in FORMS.items()
        for encoding in (PLAIN, GZIP)
    ),
    Goal("page of a group with 1,000 projects", LIMIT, pages.group, least=0.60),
    *(Goal(f"file of 10 KB, clients: {clients}", BARE, files.small(clients), least=0.85) for clients in (1, 8)),
    *(
        Goal(f"file of 200 MB, clients: {clients}", BARE, files.large(clients, nginx=False), least=0.95)
        for clients in (1, 8)
    ),
    *(
        Goal(f"file of 200 MB, clients: {clients}", "nginx", files.large(clients, nginx=True), least=0.85)
        for clients in (1, 8)
    ),
    Goal("upload of 10 KB, one client", SINK, uploading.small(1), least=0.60),
    Goal("upload of 10 KB, 8 clients", SINK, uploading.small(8), least=0.50),
    *(
        Goal(f"… a sink, clients: {clients}, with {label}", SINK, uploading.duties(clients, *names))
        for label, names in (
            ("rows", ["rows"]),
            ("rows and form", ["rows", "form"]),
            ("rows, form and verification", ["rows", "form", "verify"]),
        )
        for clients in (1, 8)
    ),
    Goal("upload of 10 KB with an audit log, one client", "the same upload without one", uploading.audited, least=0.95),
    Goal("upload of 10 KB, 8 clients: 99th percentile", "", uploading.slowest, MILLI, most=60),
    Goal(
        "upload of 10 KB among 100,000 other projects, one client",
        "the same upload among 10",
        uploading.among_many,
        least=0.90,
    ),
    Goal("upload of 500 MB, sha256 declared", SINK, uploading.big("sha256_digest"), least=0.95),
    Goal("… and blake2b", SINK, uploading.big("sha256_digest", "blake2_256_digest"), least=0.75),
    Goal("… growth of memory", "", uploading.growth, MIB, most=8),
    Goal("small uploads, one client", "pypiron", uploading.small_against_pypiron, least=1.0),
    Goal("big uploads", "pypiron", uploading.big_against_pypiron, least=1.0),
    Goal("page of 10 files under bjoern", "pypiron", peers.pages_against_pypiron("bjoern"), least=0.5),
    Goal("page of 10 files under granian", "pypiron", peers.pages_against_pypiron("granian"), least=0.5),
    *(
        Goal(f"… a constant response under {server}", "pypiron", peers.pages_against_pypiron(server, constant=True))
        for server in ("bjoern", "granian")
    ),
    Goal("page of 10 files", "pypiserver", peers.pages_against_pypiserver, TIMES),
    Goal("import pypi_registry", "Werkzeug, packaging, sqlite3", starting.imported, TIMES),
    Goal("memory after start", "", starting.resident, MIB, most=32),
    Goal("FakeRegistry ready, one page served", "", starting.fake, MILLI, most=20),
)
