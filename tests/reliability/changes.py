"""One change after another over HTTP, and what callers see of a registry: the model of the tests of this folder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from webtest import TestApp, Upload

from pypi_registry import AllowAll, Registry
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution

PROJECT = "/projects/acme%2Ftools"
SIMPLE = f"{PROJECT}/packages/pypi/simple"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
TAKEN = "already been taken"

State = Mapping[str, tuple[str, Mapping[str, tuple[str, object]]]]
"""By name: the project status, and by file name the SHA-256 and the yank of each listed file."""


@dataclass(frozen=True)
class Stored:
    """A registry whose rows and bytes are in one folder."""

    registry: Registry
    catalogue: SQLiteCatalogue
    blobs: FileBlobs

    @classmethod
    def open(cls, folder: Path) -> "Stored":
        catalogue, blobs = SQLiteCatalogue(folder / "catalogue.sqlite3"), FileBlobs(folder / "files")
        return cls(Registry(auth=AllowAll(), catalogue=catalogue, blobs=blobs), catalogue, blobs)

    def close(self) -> None:
        self.catalogue.close()


class Client:
    """Sends the requests of a test to a registry, without a server."""

    def __init__(self, registry: Registry) -> None:
        self._app = TestApp(registry, lint=False)

    def get(self, path: str, status: int = 200) -> Any:
        return self._app.get(path, headers=JSON, status=status)

    def upload(self, filename: str, data: bytes) -> Any:
        name, version = filename.removesuffix(".tar.gz").split("-")[:2]
        fields = {"name": name, "version": version, "content": Upload(filename, data)}
        return self._app.post(f"{PROJECT}/packages/pypi", fields, expect_errors=True)

    def delete(self, path: str) -> Any:
        return self._app.delete(path, expect_errors=True)

    def patch(self, path: str, data: Mapping[str, object]) -> Any:
        return self._app.patch_json(path, data, expect_errors=True)

    def package(self, name: str, version: str) -> str:
        """Return the path of a package, or one that no package has."""
        found = self.get(f"{PROJECT}/packages?package_name={name}&package_version={version}").json
        return f"{PROJECT}/packages/{found[0]['id'] if found else 0}"

    def file(self, name: str, version: str, filename: str) -> str:
        """Return the path of a file, or one that no file has."""
        package = self.package(name, version)
        if package.endswith("/0"):
            return f"{package}/package_files/0"
        ids = [file["id"] for file in self.get(f"{package}/package_files").json if file["file_name"] == filename]
        return f"{package}/package_files/{ids[0] if ids else 0}"

    def state(self) -> State:
        """Return what callers see, after downloading every listed file and comparing it with its listed digest."""
        return {project["name"]: self._listing(project["name"]) for project in self.get(f"{SIMPLE}/").json["projects"]}

    def _listing(self, name: str) -> tuple[str, Mapping[str, tuple[str, object]]]:
        address = f"{SIMPLE}/{name}/"
        page = self.get(address).json
        files = {}
        for file in page["files"]:
            content = self.get(urljoin(f"http://localhost{address}", file["url"])).body
            assert sha256(content).hexdigest() == file["hashes"]["sha256"], f"{file} has other bytes"
            files[file["filename"]] = (file["hashes"]["sha256"], file.get("yanked", False))
        return page.get("project-status", {}).get("status", "active"), files


@dataclass(frozen=True)
class Change:
    """One request that changes a registry."""

    title: str
    prepare: Callable[[Client], Callable[[], Any]]
    """Looks up ids, and returns a function that sends the request."""
    done: int
    """The status of its response."""
    again: int
    """The status of the response to the same request after it was done."""
    data: bytes = b""
    """The uploaded bytes; empty for other changes."""

    @property
    def is_upload(self) -> bool:
        return bool(self.data)

    def apply(self, client: Client) -> None:
        response = self.prepare(client)()
        assert response.status_int == self.done, f"{self.title}: {response.status} {response.text}"


def upload(filename: str, payload: bytes = b"", size: int = 0) -> Change:
    data = distribution(filename, payload=payload, size=size) if size else distribution(filename, payload=payload)
    return Change(f"upload {filename}", lambda client: lambda: client.upload(filename, data), 201, 400, data)


def delete_file(filename: str) -> Change:
    name, version = filename.removesuffix(".tar.gz").split("-")[:2]

    def prepare(client: Client) -> Callable[[], Any]:
        path = client.file(name, version, filename)
        return lambda: client.delete(path)

    return Change(f"delete {filename}", prepare, 204, 404)


def delete_package(name: str, version: str) -> Change:
    def prepare(client: Client) -> Callable[[], Any]:
        path = client.package(name, version)
        return lambda: client.delete(path)

    return Change(f"delete {name} {version}", prepare, 204, 404)


def yank(name: str, version: str, yanked: object) -> Change:
    def prepare(client: Client) -> Callable[[], Any]:
        path = client.package(name, version)
        return lambda: client.patch(path, {"yanked": yanked})

    return Change(f"yank {name} {version}: {yanked!r}", prepare, 200, 200)


def set_status(name: str, status: str) -> Change:
    return Change(
        f"{name} is {status}",
        lambda client: lambda: client.patch(f"{SIMPLE}/{name}", {"status": status, "reason": "a test"}),
        200,
        200,
    )


CHANGES = (
    upload("demo-1.0.tar.gz"),
    upload("demo-1.0-py3-none-any.whl"),
    upload("demo-2.0-py3-none-any.whl", size=1_500_000),
    yank("demo", "1.0", "broken"),
    upload("other-1.0.tar.gz"),
    set_status("other", "deprecated"),
    yank("demo", "1.0", False),
    delete_file("demo-1.0.tar.gz"),
    upload("demo-1.0.tar.gz", payload=b"other bytes"),
    delete_file("demo-2.0-py3-none-any.whl"),
    delete_package("demo", "1.0"),
    set_status("other", "quarantined"),
)
"""Each kind of change, in an order in which one needs another: a file of several and the last one, a name again."""


@lru_cache(maxsize=1)
def states() -> tuple[State, ...]:
    """Return what callers see before the first change and after each one; the registry in memory decides."""
    client = Client(Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=MemoryBlobs()))
    seen = [client.state()]
    for change in CHANGES:
        change.apply(client)
        seen.append(client.state())
    return tuple(seen)


def assert_promises_hold(folder: Path, number: int, acknowledged: bool) -> None:
    """Open the folder that a crash during a change left, and check the promises; then send the request again.

    :param number: which of `CHANGES` had begun; all before it were acknowledged.
    :param acknowledged: whether this change was acknowledged, too.
    """
    change, before, after = CHANGES[number], states()[number], states()[number + 1]
    stored = Stored.open(folder)
    try:
        client = Client(stored.registry)
        found = client.state()
        if acknowledged:
            assert found == after, "an acknowledged change is lost"
        else:
            assert found in (before, after), "a change without a response is neither done nor undone"
        listed = {digest for _, files in found.values() for digest, _ in files.values()}
        request = change.prepare(client)
        response = request()
        if found == before != after:
            assert response.status_int == change.done, f"{response.status} {response.text}"
        else:
            assert response.status_int in (change.done, change.again), f"{response.status} {response.text}"
        if change.is_upload and response.status_int == 400:
            assert TAKEN in response.text and sha256(change.data).hexdigest() in listed
        assert client.state() == after
    finally:
        stored.close()
