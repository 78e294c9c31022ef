"""Rows about other registries, and about the fastest servers that can run ours."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Literal

from pypi_registry.testing.archives import make_wheel
from tests.benchmarks import filling, forms, loads
from tests.benchmarks.bench import Bench, Measured
from tests.benchmarks.registry import Ask, page
from tests.benchmarks.servers import PYPIRON_LOGIN


def pages_against_pypiron(
    server: Literal["bjoern", "granian"], *, constant: bool = False
) -> Callable[[Bench], Measured]:
    """Compare our page under a server, or the same page as a constant answer, with pypiron's."""

    def measure(bench: Bench) -> Measured:
        start = {"bjoern": bench.servers.bjoern, "granian": bench.servers.granian}[server]
        ask, login = page(filling.TEN), forms.basic(*PYPIRON_LOGIN)
        if constant:
            ours = start("constant", answer=str(bench.write_answer(ask, bench.ours(bench.small).port)))
        else:
            ours = start("ours", folder=str(bench.small))
        with ours as our, bench.servers.pypiron() as pypiron:
            loads.send(pypiron.port, _ten(login), 1, status=200)
            theirs = Ask(f"/simple/{filling.TEN}/", forms.basic("reader", "reads"))
            return bench.against(ask, our.port, nullcontext(pypiron), theirs)

    return measure


def _ten(login: Mapping[str, str]) -> Iterator[bytes]:
    for number in range(10):
        wheel = make_wheel(filling.TEN, f"0.{number}", size=forms.SMALL)
        declared = forms.digests(wheel.data)
        said = forms.form(wheel.filename, filling.TEN, f"0.{number}", len(wheel.data), declared, "/legacy/", login)
        yield said.head + wheel.data + said.tail


def pages_against_pypiserver(bench: Bench) -> Measured:
    folder = bench.servers.new_folder()
    for number in range(10):
        make_wheel(filling.TEN, f"0.{number}", size=forms.SMALL).write_to(folder)
    theirs = Ask(f"/simple/{filling.TEN}/", {"Accept": "text/html"})
    other = bench.servers.gunicorn("pypiserver", folder=str(folder))
    return bench.against(page(filling.TEN), bench.ours(bench.small).port, other, theirs)
