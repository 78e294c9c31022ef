"""Rows about downloads."""

from collections.abc import Callable

from tests.benchmarks import filling, loads
from tests.benchmarks.bench import Bench, Measured, alternate
from tests.benchmarks.registry import LOGIN, PYPI, Ask

KB = 1000


def _stored(bench: Bench, name: str, size: int) -> tuple[Ask, str]:
    """Return how to ask for a file, and where its bytes lie."""
    if name not in bench.stored:
        bench.stored[name] = filling.store(bench.small, name, size)
    file = bench.stored[name]
    ask = Ask(f"{PYPI}/files/{file.digests.sha256}/{file.filename}", {**LOGIN, "Accept-Encoding": "identity"})
    return ask, f"{file.blob_key[0]}/{file.blob_key}"


def small(clients: int) -> Callable[[Bench], Measured]:
    def measure(bench: Bench) -> Measured:
        ask, place = _stored(bench, "of-10-kb", 10 * KB)
        port = bench.ours(bench.small).port
        answer, file = bench.write_answer(ask, port), bench.small / "files" / place
        bare = bench.servers.gunicorn("bare_file", answer=str(answer), file=str(file))
        return bench.against(ask, port, bare, clients=clients)

    return measure


def large(clients: int, *, nginx: bool) -> Callable[[Bench], Measured]:
    def measure(bench: Bench) -> Measured:
        size = bench.plan.large_file
        ask, place = _stored(bench, "large", size)
        port, files, theirs = bench.ours(bench.small).port, bench.small / "files", ask
        if nginx:
            other, theirs = bench.servers.nginx(files), Ask(f"/{place}")
        else:
            small_ask, _ = _stored(bench, "of-10-kb", 10 * KB)
            answer = bench.write_answer(small_ask, port, {"Content-Length": str(size)})
            other = bench.servers.gunicorn("bare_file", answer=str(answer), file=str(files / place))
        times = max(1, 8 // clients)
        with other as server:
            loads.download(port, ask, size, clients, 1)
            loads.download(server.port, theirs, size, clients, 1)
            return alternate(
                bench.plan.rounds,
                lambda: loads.download(port, ask, size, clients, times) / 1e6,
                lambda: loads.download(server.port, theirs, size, clients, times) / 1e6,
                "MB/s",
            )

    return measure
