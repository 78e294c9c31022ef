"""Compare PostgreSQL and a bucket with SQLite and files, under the same gunicorn, and print the ratios as a table.

Usage: python -m tests.benchmarks.scaled [--rounds N] [--seconds N] [--files N] [--only TEXT …]

It runs a PostgreSQL whose commits wait for the disk, as those of SQLite do, and `rclone serve s3` as the bucket. The
load is kept on one core, and the measured servers on the other; PostgreSQL and rclone use both. Processor times are
those of the servers alone, unless a row states otherwise. It runs on Linux.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Self
from unittest import mock

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, ProjectConfig, Token, User, token_digest
from pypi_registry.model import PackageFile, Project
from pypi_registry.stores.memory import MemoryBlobs
from pypi_registry.stores.objects import ObjectBlobs
from pypi_registry.stores.postgres import PostgresCatalogue, migrate
from tests import explain
from tests.benchmarks import filling, forms, inside, loads, memory
from tests.benchmarks.bench import alternate
from tests.benchmarks.limits import Constant
from tests.benchmarks.registry import LOGIN, PROJECT, PYPI, SECRET, Ask, page
from tests.benchmarks.servers import Server, Servers, pin_load
from tests.postgres import UNSAFE, Cluster, running
from tests.stores.buckets import ACCESS_KEY, SECRET_KEY, Rclone, new_bucket, rclone

MIB, MB = 1024**2, 1_000_000
UPLOADS, GROWTH_ROUNDS = 200, 200
BUCKET_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
    "MALLOC_ARENA_MAX": "2",
}
_started = count(0, 100_000)
_projects = count(2)
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    seconds: int
    files: int


@dataclass
class Sides:
    """The servers that are compared, started when a row needs them."""

    plan: Plan
    folder: Path
    stack: ExitStack
    cluster: Cluster
    rclone: Rclone
    bucket: str

    @cached_property
    def servers(self) -> Servers:
        return Servers(self.folder)

    @cached_property
    def url(self) -> str:
        return self.new_catalogue("small")

    def new_catalogue(self, name: str) -> str:
        """Create a catalogue with the pages that are requested, and return its URL."""
        url = self.cluster.create_database(name)
        migrate(url)
        with closing(PostgresCatalogue(url)) as catalogue:
            for number in range(filling.FILES[filling.TEN]):
                upload = filling.described(filling.TEN, f"0.{number}")
                catalogue.add(PROJECT, upload, f"{number:032x}", filling.AT, "ada")
        return url

    @cached_property
    def sqlite(self) -> Path:
        """The folder of the same catalogue in SQLite."""
        folder = self.folder / "sqlite"
        uploads = (filling.described(filling.TEN, f"0.{number}") for number in range(filling.FILES[filling.TEN]))
        filling.fill(folder, ((PROJECT, upload) for upload in uploads))
        return folder

    def start(self, url: str | None = None, prefix: str = "registry") -> Server:
        """Start a server over PostgreSQL and the bucket."""
        spool, blobs = str(self.servers.new_folder()), f"s3://{self.bucket}/{prefix}"
        started = self.servers.gunicorn("scaled", catalogue=url or self.url, blobs=blobs, spool=spool)
        return self.stack.enter_context(started)

    @cached_property
    def scaled(self) -> Server:
        return self.start()

    @cached_property
    def local(self) -> Server:
        """A server over SQLite and files."""
        return self.stack.enter_context(self.servers.gunicorn("ours", folder=str(self.sqlite)))

    @cached_property
    def stored(self) -> PackageFile:
        """A file of 200 MB in the bucket."""
        path = self.folder / "large"
        with path.open("wb") as out:
            for _ in range(200):
                out.write(os.urandom(MB))
        digest = forms.digests_of(path)["sha256_digest"]
        upload = filling.described("large", "1.0", 200 * MB, digest)
        with path.open("rb") as stream:
            blobs = ObjectBlobs(f"s3://{self.bucket}/registry")
            blobs.put("f" * 32, stream, size=upload.size, sha256=digest, filename=upload.filename)
        with closing(PostgresCatalogue(self.url)) as catalogue:
            return catalogue.add(PROJECT, upload, "f" * 32, filling.AT, "ada")

    def download(self) -> Ask:
        file = self.stored
        return Ask(f"{PYPI}/files/{file.digests.sha256}/{file.filename}", {**LOGIN, "Accept-Encoding": "identity"})


def row(what: str, goal: str, values: Iterable[float], unit: str, note: str = "") -> None:
    """Print a row: the median of the rounds, the least and the most of them."""
    found = sorted(values)
    spread = f"{found[0]:.2f} … {found[-1]:.2f}"
    print(f"| {what} | {goal} | {statistics.median(found):.2f}{unit} | {spread} | {note} |", flush=True)


def processor_seconds(pids: Iterable[int]) -> float:
    """Return the processor time that processes have used, and all that those used which they started and awaited."""
    return sum(sum(map(int, _stat(pid)[11:15])) for pid in pids) / _TICKS


def _stat(pid: int) -> Sequence[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _cost(sides: Sides, server: Server, send: Callable[[], int]) -> tuple[float, float]:
    """Return the microseconds of processor time per request: of the server, and of PostgreSQL."""
    postmaster = int((sides.cluster.folder / "data" / "postmaster.pid").read_text().split()[0])

    def used() -> tuple[float, float]:
        database = [postmaster, *_children(postmaster)]
        return processor_seconds([server.worker]), processor_seconds(database)

    ours, theirs = used()
    number = send()
    after = used()
    return (after[0] - ours) / number * 1e6, (after[1] - theirs) / number * 1e6


def unchanged_page(sides: Sides) -> None:
    ask, seconds = page(filling.TEN), sides.plan.seconds
    for server in (sides.scaled, sides.local):
        loads.send(server.port, [ask.to(server.port)] * 500, 8, status=200)  # to warm up
    measured = alternate(
        sides.plan.rounds,
        lambda: loads.rate(ask, sides.scaled.port, seconds),
        lambda: loads.rate(ask, sides.local.port, seconds),
        "per second",
    )
    row("an unchanged page", "≥ 0.50", measured.values, "x", measured.note)
    _print_costs(sides, "… processor time of the page", lambda port: [ask.to(port)] * 4000, 200)


def _print_costs(sides: Sides, what: str, requests: Callable[[int], list[bytes]], status: int) -> None:
    costs = []
    for server in (sides.scaled, sides.local):
        sent = requests(server.port)

        def send(server: Server = server, sent: list[bytes] = sent) -> int:
            return len(loads.send(server.port, sent, 8, status=status).latencies)

        costs.append(_cost(sides, server, send))
    (scaled, database), (local, _) = costs
    row(what, "", [scaled / local], "x", f"{scaled:.0f} and {local:.0f} µs; PostgreSQL {database:.0f} µs more")


def small_upload(sides: Sides) -> None:
    def rate(port: int, number: int = UPLOADS) -> float:
        return loads.send(port, [*forms.small_uploads(number, next(_started))], 8).rate

    ports = sides.scaled.port, sides.local.port
    for port in ports:
        rate(port, 20)
    measured = alternate(sides.plan.rounds, lambda: rate(ports[0]), lambda: rate(ports[1]), "per second")
    row("a small upload, 8 clients", "≥ 0.50", measured.values, "x", measured.note)
    uploads = [*forms.small_uploads(UPLOADS, next(_started))]
    _print_costs(sides, "… processor time of the upload", lambda port: uploads, 201)


def large_upload(sides: Sides) -> None:
    path = sides.folder / memory.FILENAME
    memory.make_wheel(path, 500 * MB)
    size, digests = path.stat().st_size, forms.digests_of(path)
    program = str(Path(sys.executable).with_name("rclone"))

    def ours() -> float:
        form = forms.big_upload(path, next(_projects), digests)
        return size / loads.send_file(sides.scaled.port, form.head, path, form.tail) / MB

    def put() -> float:
        remote = (
            f":s3,provider=Rclone,access_key_id={ACCESS_KEY},secret_access_key={SECRET_KEY},"
            f"endpoint='{sides.rclone.endpoint}':{sides.bucket}/put-{next(_projects)}"
        )
        started = time.perf_counter()
        command = [program, "copyto", "--config", os.devnull, "--s3-no-check-bucket", str(path), remote]
        subprocess.run(command, check=True, capture_output=True)
        return size / (time.perf_counter() - started) / MB

    measured = alternate(sides.plan.rounds, ours, put, "MB/s")
    row("an upload of 500 MB, compared with a PUT by rclone", "≥ 0.40", measured.values, "x", measured.note)
    path.unlink()


def large_download(sides: Sides) -> None:
    ask, size = sides.download(), 200 * MB
    head = sides.servers.new_folder() / "answer"
    small = Ask(ask.path, {**ask.more, "Range": "bytes=0-9"}, 206)
    _, headers, _ = loads.fetch(small, sides.scaled.port)
    own = [(n, v) for n, v in headers if n.lower() in ("content-type", "content-disposition", "cache-control")]
    written = _constant(own, size, head)
    name = f"registry/{sides.stored.blob_key}"
    with sides.servers.gunicorn("bare_object", answer=str(written), url=f"s3://{sides.bucket}", key=name) as bare:
        for port in (sides.scaled.port, bare.port):
            loads.download(port, ask, size, 1, 1)
        measured = alternate(
            sides.plan.rounds,
            lambda: loads.download(sides.scaled.port, ask, size, 1, 2) / MB,
            lambda: loads.download(bare.port, ask, size, 1, 2) / MB,
            "MB/s",
        )
    row("a download of 200 MB, compared with obstore alone", "≥ 0.90", measured.values, "x", measured.note)
    with sides.servers.gunicorn("scaled", catalogue=sides.url, blobs=f"s3://{sides.bucket}/registry",
                                spool=str(sides.servers.new_folder())) as fresh:  # fmt: skip
        loads.fetch(small, fresh.port)
        watched = memory.Memory(fresh.worker)
        before = watched.resident()
        cost, _ = _cost(sides, fresh, lambda: bool(loads.download(fresh.port, ask, size, 8, 1)) * 8)
        watched.stop()
    grown = (watched.peak() - before) / MIB
    row("… growth of memory during 8 of them at once", "< 16", [grown], " MiB", f"from {before / MIB:.0f} MiB")
    row("… processor time of the server for one of them", "", [cost / 1e3], " ms", "")


def _constant(headers: list[tuple[str, str]], size: int, path: Path) -> Path:
    return Constant("200 OK", [*headers, ("Content-Length", str(size))], b"").write_to(path)


def two_servers(sides: Sides) -> None:
    """Compare the processor time of a request to two servers of one registry with that to two of different registries.

    The requests go to the two servers in turn, one at a time. A processor that changes from one process to another
    after each request has less in its caches, whatever the processes are. The control therefore changes as often, but
    its servers share nothing. The comparison with one server alone includes the price of the change.
    """
    one, other, stranger = sides.start(), sides.start(), sides.start(sides.new_catalogue("another"), "another")
    pages = [page(filling.TEN).to(one.port)] * 4000
    for server in (one, other, stranger):
        loads.send(server.port, pages[:500], 8, status=200)
        loads.send(server.port, [*forms.small_uploads(20, next(_started))], 8)

    def cost(servers: Sequence[Server], requests: Sequence[bytes], status: int) -> float:
        before = processor_seconds(server.worker for server in servers)
        loads.send_in_turn([server.port for server in servers], requests, status)
        return (processor_seconds(server.worker for server in servers) - before) / len(requests) * 1e6

    def uploads() -> list[bytes]:
        return [*forms.small_uploads(2 * UPLOADS, next(_started))]

    def compare(what: str, requests: Callable[[], Sequence[bytes]], status: int) -> None:
        for against, control, goal in (
            ("two servers of separate registries", [one, stranger], "0.90 … 1.10"),
            ("one server", [one], ""),
        ):

            def alone(control: Sequence[Server] = control) -> float:
                return cost(control, requests(), status)

            measured = alternate(sides.plan.rounds, lambda: cost([one, other], requests(), status), alone, "µs")
            row(
                f"processor time of {what}: two servers of one registry, compared with {against}",
                goal,
                measured.values,
                "x",
                measured.note,
            )

    compare("a page", lambda: pages, 200)
    compare("a small upload", uploads, 201)


def growth(sides: Sides) -> None:
    """Compare the time of requests in this process, over catalogues of 1,000 and of many files, in turn."""
    many = sides.plan.files
    with ExitStack() as stack:
        small, large = (_Grown.filled(stack, files) for files in (1_000, many))
        for what, goal in (("page", "≤ 1.50"), ("group page", "≤ 1.50"), ("list", "≤ 3.00"), ("upload", "≤ 1.50")):
            pairs = [(large.seconds(what), small.seconds(what)) for _ in range(GROWTH_ROUNDS)]
            middle = [statistics.median(times) * 1e6 for times in zip(*pairs, strict=True)]
            note = f"{middle[0]:,.0f} and {middle[1]:,.0f} µs"
            row(f"{what}: {many:,} files compared with 1,000", goal, [middle[0] / middle[1]], "x", note)
        row("bytes of the database for each file", "", [large.size / many], "", "with short metadata")


@dataclass(frozen=True)
class _Grown:
    """A catalogue with many files, and a registry over it in this process."""

    registry: Registry
    catalogue: PostgresCatalogue
    project: Project
    asks: Mapping[str, Ask]
    size: int
    """Bytes of the database."""
    _versions: Iterator[int]

    @classmethod
    def filled(cls, stack: ExitStack, files: int) -> Self:
        projects = [
            ProjectConfig(id=number, path=f"root{number % explain.ROOTS}/project{number}")
            for number in range(1, explain.PROJECTS + 1)
        ]
        users = [User(name="ada", admin=True)]
        token = Token(user="ada", scopes=frozenset({"api"}), sha256=token_digest(SECRET))
        accounts = Accounts(projects=projects, users=users, tokens=[token])
        cluster = stack.enter_context(explain.filled(files, {**UNSAFE, "max_wal_size": "4GB"}))
        cluster.execute("CHECKPOINT")
        catalogue = stack.enter_context(closing(PostgresCatalogue(cluster.url("catalogue"))))
        [[name, project_id]] = cluster.execute(
            "SELECT normalized_name, project_id FROM packages ORDER BY id LIMIT 1 OFFSET 100", "catalogue"
        )
        root, simple = f"root{project_id % explain.ROOTS}", "packages/pypi/simple"
        asks = {
            "page": Ask(f"/projects/{project_id}/{simple}/{name}/"),
            "group page": Ask(f"/groups/{root}/-/{simple}/{name}/"),
            "list": Ask(f"/groups/{root}/packages"),
        }
        registry = accounts.registry(catalogue=catalogue, blobs=MemoryBlobs(), forward_to=None)
        project = accounts.project(1)
        assert project is not None
        [[size]] = cluster.execute("SELECT pg_database_size('catalogue')")
        return cls(registry, catalogue, project, asks, size, count(1))

    def seconds(self, what: str) -> float:
        """Measure one request; an upload is its row alone."""
        if what == "upload":
            upload = filling.described("new", f"1.{next(self._versions)}")
            started = time.perf_counter()
            self.catalogue.add(self.project, upload, upload.digests.sha256[:32], filling.AT, "ada")
        else:
            environ = inside.environ_of(self.asks[what])
            started = time.perf_counter()
            status, _ = inside.answer(self.registry, environ)
            assert status.startswith("200"), status
        return time.perf_counter() - started


ROWS: tuple[tuple[str, Callable[[Sides], None]], ...] = (
    ("page", unchanged_page),
    ("small upload", small_upload),
    ("large upload", large_upload),
    ("download", large_download),
    ("two servers", two_servers),
    ("growth", growth),
)


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.scaled", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of load, for each side in each round")
    parser.add_argument("--files", type=int, default=1_000_000, help="in the larger catalogue")
    parser.add_argument("--only", nargs="+", default=[""], metavar="TEXT", help="only rows whose name has one of these")
    wanted = parser.parse_args()
    plan = Plan(wanted.rounds, wanted.seconds, wanted.files)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(running({}))
        served = stack.enter_context(rclone(folder / "bucket"))
        stack.enter_context(mock.patch.dict(os.environ, {**BUCKET_ENVIRONMENT, "AWS_ENDPOINT_URL": served.endpoint}))
        # Programs that are started from here on inherit the core.
        print(f"{plan.rounds} rounds of {plan.seconds} s a side; {pin_load()}; load average {os.getloadavg()[0]:.1f}\n")
        print("| what | goal | measured | spread | numbers |\n|---|---|---|---|---|", flush=True)
        sides = Sides(plan, folder, stack, cluster, served, new_bucket(served.endpoint))
        for name, measure in ROWS:
            if any(text in name for text in wanted.only):
                measure(sides)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
