"""No request for a private name is redirected to another index (dependency confusion).

It does not matter in which project the name was published, what happened to it, who asks, and how the registry was
built.
"""

import base64
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry import AllowAll, Registry
from pypi_registry._cli import serve
from pypi_registry._cli.location import Location
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Token, User, token_digest
from pypi_registry.forwarding import PYPI
from pypi_registry.model import Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution

INDEX = "https://mirror.example/simple/"
PUBLISHED_IN = {"the same project": 1, "a hidden project": 2, "another root group": 3, "no project": None}
LATER = ["nothing", "package deleted", "file deleted", "yanked"]
RESERVED = ["nowhere", "everywhere", "in the group", "in a group below"]
CALLERS = {"owner": "owner", "stranger": "stranger", "anonymous": ""}
BASES = ["/projects/1/packages/pypi", "/projects/acme%2Fseen/packages/pypi", "/groups/acme/-/packages/pypi"]


def cases() -> Iterator[tuple[str, str, str]]:
    for published_in, later, reserved in product(PUBLISHED_IN, LATER, RESERVED):
        if PUBLISHED_IN[published_in] or later == "nothing":
            yield published_in, later, reserved


@pytest.mark.parametrize(("published_in", "later", "reserved"), [*cases()])
def test_a_private_name_is_not_forwarded(published_in: str, later: str, reserved: str) -> None:
    app = TestApp(registry(reserved), lint=True)
    if project := PUBLISHED_IN[published_in]:
        publish(app, project, later)
    not_published_here = published_in in ("no project", "another root group")
    for (caller, secret), base, name in product(CALLERS.items(), BASES, ("demo", "DEMO")):
        response = app.get(f"{base}/simple/{name}/", headers=login(secret), expect_errors=True)
        only_reserved_below = reserved == "in a group below" and "projects" in base
        forwarded = not_published_here and (reserved == "nowhere" or only_reserved_below)
        assert (response.status_int == 302) is forwarded, (caller, base, response.status)
        if forwarded:
            assert response.headers["Location"] == f"{INDEX}demo/"


@pytest.mark.parametrize("caller", ["stranger", "anonymous"])
def test_a_caller_who_may_not_read_a_project_is_not_redirected_from_it(caller: str) -> None:
    app = TestApp(registry("nowhere"), lint=True)
    response = app.get("/projects/2/packages/pypi/simple/x/", headers=login(CALLERS[caller]), expect_errors=True)
    assert response.status_int == (401 if caller == "anonymous" else 404)


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
                path="acme", visibility=Visibility.PUBLIC, reserved=patterns if reserved == "in the group" else ()
            ),
            GroupConfig(path="acme/below", reserved=patterns if reserved == "in a group below" else ()),
        ],
        users=[User(name="owner", admin=True), User(name="stranger")],
        tokens=[
            Token(sha256=token_digest(user), user=user, scopes=frozenset({"api"})) for user in ("owner", "stranger")
        ],
        forwarding=INDEX,
        reserved=patterns if reserved == "everywhere" else (),
    )
    return accounts.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs())


def login(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"any:{secret}".encode()).decode()} if secret else {}


def publish(app: TestApp, project: int, later: str) -> None:
    """Publish demo in a project, then delete or yank it."""
    owner = login("owner")
    files = [("content", "demo-1.0.tar.gz", distribution("demo-1.0.tar.gz"))]
    form = {"name": "demo", "version": "1.0"}
    app.post(f"/projects/{project}/packages/pypi", form, upload_files=files, headers=owner, status=201)
    [package] = app.get(f"/projects/{project}/packages", headers=owner).json
    url = f"/projects/{project}/packages/{package['id']}"
    if later == "package deleted":
        app.delete(url, headers=owner, status=204)
    if later == "file deleted":
        [file] = app.get(f"{url}/package_files", headers=owner).json
        app.delete(f"{url}/package_files/{file['id']}", headers=owner, status=204)
    if later == "yanked":
        app.patch_json(url, {"yanked": True}, headers=owner, status=200)


# Every documented way of building a registry

CONFIG = """\
reserved = ["acme-*"]

[[groups]]
path = "acme"
visibility = "public"

[[projects]]
id = 1
path = "acme/tools"
visibility = "public"
"""


def accounts_registry(config: Path) -> Any:
    return Accounts.from_toml(config).registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs())


def accounts_without_forward_to(config: Path) -> Any:
    accounts = Accounts.from_toml(config)
    return Registry(directory=accounts, auth=accounts, catalogue=MemoryCatalogue(), blobs=MemoryBlobs())


def accounts_with_forward_to_none(config: Path) -> Any:
    accounts = Accounts.from_toml(config)
    return accounts.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), forward_to=None)


def registry_alone(config: Path) -> Any:
    return Registry()


def open_registry(config: Path) -> Any:
    return Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=MemoryBlobs())


class Captured:
    """Replaces the server and the watch of `serve`, so that `serve` returns when its application is ready."""

    application: Any
    reload: Callable[[], bool]

    def server(self, application: Any, *arguments: object, **options: object) -> "Captured":
        self.application = application
        return self

    def watch(self, config: Path, reload: Callable[[], bool], **options: object) -> "Captured":
        self.reload = reload
        return self

    def run(self, ready: Callable[[], None]) -> None: ...

    def limit_bodies(self, longest: int) -> None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def served(config: Path) -> Any:
    captured = Captured()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "Server", captured.server)
        patch.setattr(serve, "Watch", captured.watch)
        serve.serve(serve.Options("127.0.0.1", 0, Location.of(config.parent / "data", config)))
        captured.reload()
    return captured.application


def standalone_example(config: Path) -> Any:
    """The application of examples/standalone, with this configuration."""
    file = Path(__file__).parents[1] / "examples" / "standalone" / "wsgi.py"
    spec = spec_from_file_location("standalone_wsgi", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    (config.parent / "data").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REGISTRY_FOLDER", str(config.parent))
        spec.loader.exec_module(module)
    return module.application


@pytest.fixture(autouse=True)
def catalogues_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    opened: list[SQLiteCatalogue] = []
    create = SQLiteCatalogue.__init__

    def create_and_keep(self: SQLiteCatalogue, path: Path, **options: Any) -> None:
        create(self, path, **options)
        opened.append(self)

    monkeypatch.setattr(SQLiteCatalogue, "__init__", create_and_keep)
    yield
    for catalogue in opened:
        catalogue.close()


# Whether the registry forwards names that are not reserved, and the prefix of its paths.
WAYS: dict[str, tuple[Callable[[Path], Any], bool, str]] = {
    "Accounts.registry": (accounts_registry, True, ""),
    "Accounts.registry with forward_to=None": (accounts_with_forward_to_none, False, ""),
    "Registry with accounts, without forward_to": (accounts_without_forward_to, False, ""),
    "Registry()": (registry_alone, False, ""),
    "Registry(auth=AllowAll(), ...)": (open_registry, False, ""),
    "serve": (served, True, "/api/v4"),
    "examples/standalone": (standalone_example, True, "/api/v4"),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_building_a_registry_forwards_a_reserved_name(way: str, tmp_path: Path) -> None:
    build, forwards, prefix = WAYS[way]
    config = tmp_path / "registry.toml"
    config.write_text(CONFIG, encoding="utf-8")
    app = TestApp(build(config))
    for base in ["/projects/1/packages/pypi", "/projects/acme%2Ftools/packages/pypi", "/groups/acme/-/packages/pypi"]:
        for name in ["acme-secret", "Acme_Secret", "ACME.x"]:
            app.get(f"{prefix}{base}/simple/{name}/", status=404)
        # Other names are forwarded, so that the test fails if nothing is forwarded by mistake.
        response = app.get(f"{prefix}{base}/simple/numpy/", status=302 if forwards else 404)
        assert response.headers.get("Location") == (f"{PYPI}numpy/" if forwards else None)
