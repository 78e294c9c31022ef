"""Letters outside ASCII that `str.lower` or `str.upper` turns into ASCII ones are other letters in every path."""

import pytest
from webtest import TestApp

from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig
from pypi_registry.model import Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

ACCOUNTS = Accounts(
    projects=[ProjectConfig(id=1, path="kits/tasks", visibility=Visibility.PUBLIC)],
    groups=[GroupConfig(path="kits", visibility=Visibility.PUBLIC)],
    forwarding=False,
)
KELVIN, LONG_S = "%E2%84%AA", "%C5%BF"


@pytest.mark.parametrize("path", ["/projects/kits%2Ftasks/packages/pypi/simple", "/groups/kits/-/packages/pypi/simple"])
@pytest.mark.parametrize(("letter", "other"), [("k", KELVIN), ("s", LONG_S), ("i", "%C4%B0"), ("k", "%EF%BD%8B")])
def test_another_letter_is_another_path(path: str, letter: str, other: str) -> None:
    app = TestApp(ACCOUNTS.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs()))
    kind, _, rest = path[1:].partition("/")
    namespace, _, tail = rest.partition("/")
    app.get(path, status=200)
    app.get(f"/{kind}/{namespace.upper().replace('%2F', '%2F')}/{tail}", status=200)
    app.get(f"/{kind}/{namespace.replace(letter, other, 1)}/{tail}", status=404)


@pytest.mark.parametrize(("letter", "other"), [("k", KELVIN), ("s", LONG_S)])
def test_another_letter_is_another_name(letter: str, other: str) -> None:
    app = TestApp(ACCOUNTS.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs()))
    app.get(f"/projects/1/packages/pypi/simple/{'desk'.replace(letter, other)}/", status=404)
