"""What is measured: a registry on SQLite and files, a private project, a client that shows a personal token."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, ProjectConfig, Role, Token, User, token_digest
from pypi_registry.events import AuditLog
from pypi_registry.model import Project
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue

SECRET = "registry-of-a-benchmark"
GROUP = "acme"
PROJECTS = 1000
PROJECT = Project(1, f"{GROUP}/project-1")


def project(number: int) -> Project:
    return Project(number, f"{GROUP}/project-{number}")


def accounts(*, projects: int = PROJECTS, tokens: int = 1) -> Accounts:
    """Create a private group of private projects, and tokens of a developer of it."""
    return Accounts(
        projects=[ProjectConfig(id=number, path=project(number).path) for number in range(1, projects + 1)],
        users=[User(name="ada", roles={GROUP: Role.DEVELOPER})],
        tokens=[
            Token(user="ada", scopes=frozenset({"api"}), sha256=token_digest(secret))
            for secret in [SECRET, *(f"{SECRET}-{number}" for number in range(1, tokens))]
        ],
    )


def open_catalogue(folder: Path) -> SQLiteCatalogue:
    return SQLiteCatalogue(folder / "catalogue.sqlite")


def open_registry(
    folder: Path,
    *,
    forward_to: str | None = None,
    accel: str | None = None,
    projects: int = PROJECTS,
    tokens: int = 1,
    audited: bool = False,
) -> Registry:
    entries = accounts(projects=projects, tokens=tokens)
    blobs = FileBlobs(folder / "files", accel=accel)
    audit = AuditLog(folder / "audit.jsonl") if audited else None
    return entries.registry(catalogue=open_catalogue(folder), blobs=blobs, forward_to=forward_to, on_event=audit)


PYPI = "/projects/1/packages/pypi"
SIMPLE = f"{PYPI}/simple"
GROUP_SIMPLE = f"/groups/{GROUP}/-/packages/pypi/simple"

JSON = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
HTML = "application/vnd.pypi.simple.v1+html, text/html; q=0.01"

LOGIN = {"Authorization": "Basic " + base64.b64encode(f"__token__:{SECRET}".encode()).decode()}

# As pip sends them.
_USUAL = {
    "User-Agent": 'pip/26.0 {"ci":null,"cpu":"x64","distro":{"id":"bookworm","libc":{"lib":"glibc","version":"2.36"},'
    '"name":"Debian GNU/Linux","version":"12"},"implementation":{"name":"CPython","version":"3.11.7"},"installer":'
    '{"name":"pip","version":"26.0"},"openssl_version":"OpenSSL 3.0.15 3 Sep 2024","python":"3.11.7","system":{"name":'
    '"Linux","release":"6.1.0"}}',
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept": JSON,
    "Connection": "keep-alive",
    "Cache-Control": "max-age=0",
}


@dataclass(frozen=True)
class Ask:
    """A GET request, with the headers that pip sends unless others are named, and the status that must come."""

    path: str
    more: Mapping[str, str] = field(default_factory=lambda: LOGIN)
    status: int = 200

    @property
    def headers(self) -> Mapping[str, str]:
        return {**_USUAL, **self.more}

    def to(self, port: int) -> bytes:
        """Return the bytes of the request."""
        lines = [f"GET {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items() if value]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def page(name: str, accept: str = JSON, **headers: str) -> Ask:
    return Ask(f"{SIMPLE}/{name}/", {**LOGIN, "Accept": accept, **headers})


def index(accept: str = JSON, **headers: str) -> Ask:
    return Ask(f"{SIMPLE}/", {**LOGIN, "Accept": accept, **headers})
