"""Rows about uploads, each of them durable when it is answered."""

import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

from tests.benchmarks import forms, loads
from tests.benchmarks.bench import Bench, Measured, alternate, in_turns
from tests.benchmarks.servers import PYPIRON_LOGIN, Server

MIB = 1024**2
_TURN = 2  # uploads of one side before the other one takes its turn: what disturbs both often lasts for less than 0.1 s
_started = count(0, 100_000)
_projects = count(2)


def _small(port: int, number: int, clients: int) -> loads.Sent:
    requests = [*forms.small_uploads(number, next(_started))]
    return loads.send(port, requests, clients)


def small(clients: int) -> Callable[[Bench], Measured]:
    return lambda bench: _against_the_sink(bench, bench.ours(bench.small).port, clients)


def duties(clients: int, *names: str) -> Callable[[Bench], Measured]:
    """Compare a sink that also does some of what a registry must with one that does not."""

    def measure(bench: Bench) -> Measured:
        folder = str(bench.servers.new_folder() / "dutiful")
        with bench.servers.gunicorn("dutiful_sink", folder=folder, duties=names) as dutiful:
            return _against_the_sink(bench, dutiful.port, clients)

    return measure


def _against_the_sink(bench: Bench, port: int, clients: int) -> Measured:
    number = bench.plan.small_uploads
    with bench.servers.gunicorn("sink", folder=str(bench.servers.new_folder() / "sink")) as sink:
        _small(port, 20, clients), _small(sink.port, 20, clients)
        return alternate(
            bench.plan.rounds,
            lambda: _small(port, number, clients).rate,
            lambda: _small(sink.port, number, clients).rate,
            "per second",
        )


def audited(bench: Bench) -> Measured:
    """Compare a registry that writes an audit log with one that does not, both new and empty."""
    number, folders = bench.plan.small_uploads, [bench.servers.new_folder() / name for name in ("audited", "plain")]
    with (
        bench.servers.gunicorn("ours", folder=str(folders[0]), audited=True) as with_log,
        bench.servers.gunicorn("ours", folder=str(folders[1])) as without,
    ):
        _small(with_log.port, 20, 1), _small(without.port, 20, 1)
        return in_turns(
            bench.plan.rounds,
            number // _TURN,
            lambda: _small(with_log.port, _TURN, 1).latencies,
            lambda: _small(without.port, _TURN, 1).latencies,
        )


def slowest(bench: Bench) -> Measured:
    """Return the milliseconds below which 99 of 100 uploads of 8 clients stay."""
    port, number = bench.ours(bench.small).port, bench.plan.small_uploads
    sent = [_small(port, number, 8) for _ in range(bench.plan.rounds)]
    return Measured(tuple(one.percentile(0.99) * 1e3 for one in sent), f"median: {sent[0].percentile(0.5) * 1e3:.1f}")


def among_many(bench: Bench) -> Measured:
    large, few, number = bench.ours(bench.large).port, bench.ours(bench.small).port, bench.plan.small_uploads
    _small(large, 20, 1), _small(few, 20, 1)
    return alternate(
        bench.plan.rounds, lambda: _small(large, number, 1).rate, lambda: _small(few, number, 1).rate, "per second"
    )


def _big(bench: Bench, port: int, declared: dict[str, str]) -> float:
    """Return MB/s. Each upload goes to another project, which has no such file yet."""
    said = forms.big_upload(bench.wheel, next(_projects), declared)
    seconds = loads.send_file(port, said.head, bench.wheel, said.tail)
    _forget(bench)
    return bench.wheel.stat().st_size / seconds / 1e6


def _forget(bench: Bench) -> None:
    """Free the disk: what was measured is not needed any more."""
    sizes = {path: path.stat().st_size for path in bench.folder.rglob("*") if path.is_file() and path != bench.wheel}
    for path, size in sizes.items():
        if size >= bench.plan.big_upload and size != bench.plan.large_file:
            path.unlink()


def big(*digests: str) -> Callable[[Bench], Measured]:
    """Compare with the sink, with only these digests declared."""

    def measure(bench: Bench) -> Measured:
        ours = bench.ours(bench.small).port
        declared = {name: value for name, value in forms.digests_of(bench.wheel).items() if name in digests}
        with bench.servers.gunicorn("sink", folder=str(bench.servers.new_folder() / "sink")) as sink:
            _big(bench, ours, declared), _big(bench, sink.port, declared)
            return alternate(
                bench.plan.rounds,
                lambda: _big(bench, ours, declared),
                lambda: _big(bench, sink.port, declared),
                "MB/s",
            )

    return measure


def growth(bench: Bench) -> Measured:
    """Return by how many MiB the worker's resident memory peaks above what it is after small uploads."""
    declared, values = forms.digests_of(bench.wheel), []
    for _ in range(min(3, bench.plan.rounds)):
        with bench.servers.gunicorn("ours", folder=str(bench.small)) as server:
            _small(server.port, 20, 1)
            before = _status(server.worker, "VmRSS")
            Path(f"/proc/{server.worker}/clear_refs").write_text("5", encoding="ascii")  # forget the peak
            _big(bench, server.port, declared)
            values.append((_status(server.worker, "VmHWM") - before) / MIB)
    return Measured(tuple(values), f"from {before / MIB:.1f}")


def _status(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def resident(server: Server) -> float:
    """Return the MiB that a server's worker holds."""
    return _status(server.worker, "VmRSS") / MIB


# pypiron, which syncs nothing


def small_against_pypiron(bench: Bench) -> Measured:
    ours, number = bench.ours(bench.small).port, bench.plan.small_uploads
    login = forms.basic(*PYPIRON_LOGIN)
    with bench.servers.pypiron() as server:

        def theirs() -> float:
            requests = [*forms.small_uploads(number, next(_started), path="/legacy/", login=login)]
            return loads.send(server.port, requests, 1, status=200).rate

        _small(ours, 20, 1), theirs()
        return alternate(bench.plan.rounds, lambda: _small(ours, number, 1).rate, theirs, "per second")


def big_against_pypiron(bench: Bench) -> Measured:
    ours, declared = bench.ours(bench.small).port, forms.digests_of(bench.wheel)
    said = forms.big_upload(bench.wheel, 1, declared, path="/legacy/", login=forms.basic(*PYPIRON_LOGIN))

    def theirs() -> float:
        with bench.servers.pypiron() as server:  # an empty one each time, or the file would be there already
            seconds = loads.send_file(server.port, said.head, bench.wheel, said.tail)
        _forget(bench)
        return bench.wheel.stat().st_size / seconds / 1e6

    _big(bench, ours, declared)
    return alternate(bench.plan.rounds, lambda: _big(bench, ours, declared), theirs, "MB/s")
