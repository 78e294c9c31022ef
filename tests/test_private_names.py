"""No request that carries a private name leaves: wherever the name is, whatever became of it, whoever asks."""

import base64
from collections.abc import Iterator
from itertools import product

import pytest
from webtest import TestApp

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Token, User, token_digest
from pypi_registry.model import Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

ELSEWHERE = "https://mirror.example/simple/"
HOMES = {"here": 1, "hidden": 2, "in another root group": 3, "nowhere": None}
FATES = ["kept", "deleted", "file deleted", "yanked"]
RESERVED = ["not", "at the top", "by the group", "by a group below"]
CALLERS = {"owner": "owner", "stranger": "stranger", "anonymous": ""}
PLACES = ["/projects/1/packages/pypi", "/projects/acme%2Fseen/packages/pypi", "/groups/acme/-/packages/pypi"]


def cases() -> Iterator[tuple[str, str, str]]:
    for home, fate, reserved in product(HOMES, FATES, RESERVED):
        if HOMES[home] or fate == "kept":
            yield home, fate, reserved


@pytest.mark.parametrize(("home", "fate", "reserved"), [*cases()])
def test_a_private_name_goes_nowhere(home: str, fate: str, reserved: str) -> None:
    app = TestApp(registry(reserved), lint=True)
    if number := HOMES[home]:
        publish(app, number, fate)
    free = home in ("nowhere", "in another root group")
    for (caller, secret), place, name in product(CALLERS.items(), PLACES, ("demo", "DEMO")):
        answer = app.get(f"{place}/simple/{name}/", headers=login(secret), expect_errors=True)
        is_below = reserved == "by a group below" and "projects" in place
        may_leave = free and (reserved == "not" or is_below)
        assert (answer.status_int == 302) is may_leave, (caller, place, answer.status)
        if may_leave:
            assert answer.headers["Location"] == f"{ELSEWHERE}demo/"


@pytest.mark.parametrize("caller", ["stranger", "anonymous"])
def test_nobody_is_sent_anywhere_from_a_place_that_they_may_not_read(caller: str) -> None:
    app = TestApp(registry("not"), lint=True)
    answer = app.get("/projects/2/packages/pypi/simple/x/", headers=login(CALLERS[caller]), expect_errors=True)
    assert answer.status_int == (401 if caller == "anonymous" else 404)


def registry(reserved: str) -> Registry:
    patterns = ("d*",)
    accounts = Accounts(
        projects=[
            ProjectConfig(id=1, path="acme/seen", visibility=Visibility.PUBLIC),
            ProjectConfig(id=2, path="acme/below/hidden"),
            ProjectConfig(id=3, path="other/project"),
        ],
        groups=[
            GroupConfig(
                path="acme", visibility=Visibility.PUBLIC, reserved=patterns if reserved == "by the group" else ()
            ),
            GroupConfig(path="acme/below", reserved=patterns if reserved == "by a group below" else ()),
        ],
        users=[User(name="owner", admin=True), User(name="stranger")],
        tokens=[
            Token(sha256=token_digest(user), user=user, scopes=frozenset({"api"})) for user in ("owner", "stranger")
        ],
        forward_to=ELSEWHERE,
        reserved=patterns if reserved == "at the top" else (),
    )
    return Registry(
        directory=accounts,
        auth=accounts,
        catalogue=MemoryCatalogue(),
        blobs=MemoryBlobs(),
        forward_to=accounts.forward_to,
    )


def login(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"any:{secret}".encode()).decode()} if secret else {}


def publish(app: TestApp, project: int, fate: str) -> None:
    """Publish demo in a project, and let it have its fate."""
    owner = login("owner")
    files = [("content", "demo-1.0.tar.gz", distribution("demo-1.0.tar.gz"))]
    form = {"name": "demo", "version": "1.0"}
    app.post(f"/projects/{project}/packages/pypi", form, upload_files=files, headers=owner, status=201)
    [package] = app.get(f"/projects/{project}/packages", headers=owner).json
    address = f"/projects/{project}/packages/{package['id']}"
    if fate == "deleted":
        app.delete(address, headers=owner, status=204)
    if fate == "file deleted":
        [file] = app.get(f"{address}/package_files", headers=owner).json
        app.delete(f"{address}/package_files/{file['id']}", headers=owner, status=204)
    if fate == "yanked":
        app.patch_json(address, {"yanked": True}, headers=owner, status=200)
