"""What a request does must not depend on what the caller may not see: the time of the response would show it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import NormalizedName
from webtest import TestApp

from pypi_registry import Project, Registry
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig
from pypi_registry.model import Digests, Upload, Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue

INDEX = "https://mirror.example/simple/"
DATE = datetime(2026, 1, 1, tzinfo=UTC)
OTHERS = 150  # more than a store reads one by one
ACCOUNTS = Accounts(
    projects=[
        *(ProjectConfig(id=1 + number, path=f"other/project{number}") for number in range(OTHERS)),
        ProjectConfig(id=1001, path="acme/one", visibility=Visibility.PUBLIC),
        ProjectConfig(id=1002, path="acme/two", visibility=Visibility.PUBLIC),
    ],
    groups=[GroupConfig(path="acme", visibility=Visibility.PUBLIC)],
    forwarding=INDEX,
)


class Counting:
    """Notes the methods that are called."""

    def __init__(self, inner: Any, calls: list[str]) -> None:
        self._inner = inner
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def called(*args: Any, **options: Any) -> Any:
            self._calls.append(name)
            return method(*args, **options)

        return called


def publish(catalogue: Any, project: Project, name: str, number: int) -> None:
    digests = Digests(f"{number:064x}")
    upload = Upload(name, NormalizedName(name), "1.0", f"{name}-1.0.tar.gz", 1, digests, "")
    catalogue.add(project, upload, f"{number:032x}", DATE, "")


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("path", ["/groups/acme/-/packages/pypi", "/projects/acme%2Fone/packages/pypi"])
def test_a_name_under_another_root_group_takes_the_same_calls_as_one_that_is_nowhere(
    tmp_path: Path, store: str, path: str
) -> None:
    catalogue: Any = MemoryCatalogue() if store == "memory" else SQLiteCatalogue(tmp_path / "catalogue.sqlite3")
    calls: list[str] = []
    for number in range(OTHERS):
        project = ACCOUNTS.project(1 + number)
        assert project is not None
        publish(catalogue, project, "everywhere", number)
        if number < 3:
            publish(catalogue, project, "elsewhere", 1000 + number)
    registry = Registry(
        directory=Counting(ACCOUNTS, calls),
        auth=ACCOUNTS,
        catalogue=Counting(catalogue, calls),
        blobs=MemoryBlobs(),
        forward_to=INDEX,
    )
    app = TestApp(registry)
    found = {}
    for name in ("nowhere", "elsewhere", "everywhere"):
        calls.clear()
        app.get(f"{path}/simple/{name}/", status=302)
        found[name] = [*calls]
    if store == "sqlite":
        catalogue.close()
    assert found["elsewhere"] == found["everywhere"] == found["nowhere"]
