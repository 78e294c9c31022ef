"""What a row of the matrix works with: the clients, and a private project on a server that all rows share."""

import json
import re
import shlex
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

from pypi_registry.testing import archives
from tests.clients import wire
from tests.clients.programs import with_login
from tests.clients.served import Served
from tests.clients.toolbox import Tool, Toolbox, make_environment
from tests.clients.ways import (
    PUBLISHERS,
    READ_INDEX,
    READER,
    SETTINGS,
    WAYS,
    Publisher,
    Way,
    credentials,
    write_installing_project,
    write_publishing_project,
)

DEVELOPER = "glpat-of-a-developer"
REPORTER = "glpat-of-a-reporter"
TEAMS = 300
"""More than there are rows and clients."""

NOWHERE = "http://127.0.0.1:9/simple/"
"""The index to which names are forwarded. Nothing listens there; each redirect to it is a 302 in the access log."""

PATIENCE = 180.0


def configuration(public: Collection[int] = ()) -> str:
    """Write a ``registry.toml``: many teams, each a private group with a private project.

    :param public: the numbers of the teams whose group and project are public instead.
    """
    numbers = range(1, TEAMS + 1)
    lines = [f'forward_to = "{NOWHERE}"']
    for number in numbers:
        lines += ["[[projects]]", f"id = {number}", f'path = "team-{number}/tools"']
        lines += ['protect = [{ name = "core-*", minimum_push = "owner" }]']
        if number in public:
            lines += ['visibility = "public"', "[[groups]]", f'path = "team-{number}"', 'visibility = "public"']
    for secret, name, role in ((DEVELOPER, "ada", "developer"), (REPORTER, "rob", "reporter")):
        roles = ", ".join(f'"team-{number}" = "{role}"' for number in numbers)
        lines += ["[[users]]", f'name = "{name}"', f"roles = {{ {roles} }}"]
        lines += ["[[tokens]]", 'kind = "personal"', f'user = "{name}"', 'scopes = ["api"]']
        lines += [f'sha256 = "{sha256(secret.encode()).hexdigest()}"']
    return "\n".join(lines)


class Request(NamedTuple):
    """A request, as a line of the access log shows it."""

    method: str
    path: str
    """What follows ``…/packages/pypi``, without the digest of a file."""
    status: int


@dataclass(frozen=True)
class Done:
    """The result of a client: its status, its output, and its requests."""

    status: int
    out: str
    requests: tuple[Request, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"status {self.status}", self.out, *map(str, self.requests)])

    def asked(self, ending: str, method: str = "GET") -> list[int]:
        """Return the statuses of the requests whose path ends so."""
        return [each.status for each in self.requests if each.method == method and each.path.endswith(ending)]


@dataclass(frozen=True)
class Team:
    """A private project in a private group."""

    server: Served
    number: int

    @property
    def address(self) -> str:
        """Where to publish."""
        return f"{self.server.api}/projects/team-{self.number}%2Ftools/packages/pypi"

    @property
    def bare_index(self) -> str:
        """The simple index, without credentials."""
        return f"{self.address}/simple"

    @property
    def bare_group_index(self) -> str:
        return f"{self.server.api}/groups/team-{self.number}/-/packages/pypi/simple"

    @property
    def index(self) -> str:
        return with_login(self.bare_index, DEVELOPER)

    @property
    def requests(self) -> list[Request]:
        """Return what was asked at the PyPI addresses of this team."""
        found = []
        for line in self.server.access_lines:
            method, path, status = _ACCESS_LINE.search(line).groups()  # type: ignore[union-attr]  # it fits them all
            owner, _, rest = path.partition("/packages/pypi")
            if owner.endswith((f"/projects/team-{self.number}/tools", f"/groups/team-{self.number}/-")):
                found.append(Request(method, re.sub(r"/files/[0-9a-f]{64}/", "/files/", rest), int(status)))
        return found


_ACCESS_LINE = re.compile(r'"(\S+) (\S+)" (\d{3}) ')


@dataclass(frozen=True)
class Folder:
    """A folder in which a client is run for a team."""

    path: Path
    team: Team
    tool: Tool

    def run(self, line: str) -> Done:
        before = len(self.team.requests)
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            env=self.tool.environment,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        return Done(done.returncode, done.stdout, tuple(self.team.requests[before:]))


@dataclass(frozen=True)
class Publishing(Folder):
    """A project that is published."""

    publisher: Publisher

    @property
    def files(self) -> dict[str, bytes]:
        """What was to be published."""
        return {file.name: file.read_bytes() for file in (self.path / "dist").iterdir() if file.name[0] != "."}

    def publish(self, more: str = "", secret: str = DEVELOPER) -> Done:
        return self.run(self.publisher.line.format(address=self.team.address, secret=secret, more=more))

    def publish_skipping(self) -> Done:
        return self.publish(self.publisher.skipping.format(index=self.team.index))


@dataclass(frozen=True)
class Installing(Folder):
    """A project that installs, into the ``.venv`` in its folder."""

    way: Way
    index: str

    def resolve(self, more: str = "") -> Done:
        return self.run(self.way.resolve.format(index=self.index, more=more))

    def install(self, more: str = "") -> Done:
        return self.run(self.way.install.format(index=self.index, more=more))

    def install_locked(self) -> Done:
        return self.run(self.way.install_locked.format(index=self.index))

    @property
    def locked(self) -> Path:
        return self.path / self.way.locked

    @property
    def installed(self) -> set[str]:
        """Return what is installed: ``{"app-1.0"}``."""
        found = self.path.glob(".venv/lib/python*/site-packages/*.dist-info")
        return {folder.name.removesuffix(".dist-info") for folder in found}


@dataclass(frozen=True)
class Bench:
    """The team of a row, its clients, and the folder for both."""

    team: Team
    toolbox: Toolbox
    folder: Path
    _numbers: "count[int]" = field(default_factory=count)

    def tool(self, client: str, settings: Mapping[str, str] | None = None) -> Tool:
        """Return a client with a home of its own, which stays the same in all folders of a row."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return Tool(home, self.toolbox.scripts(client), {**SETTINGS, **(settings or {})})

    def publishing(self, client: str | Publisher, name: str, version: str, *files: tuple[str, bytes]) -> Publishing:
        """Create a project with files to publish; flit makes its own."""
        path, found = self.new_folder(), PUBLISHERS[client] if isinstance(client, str) else client
        write_publishing_project(path, name, version, self.team.address)
        for filename, data in files if found.client != "flit" else ():
            (path / "dist" / filename).write_bytes(data)
        return Publishing(path, self.team, self.tool(found.client), found)

    def installing(
        self,
        way: str | Way,
        *requirements: str,
        bare_index: str = "",
        login: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> Installing:
        """Create a project that needs something; without a `login` no setting and no address holds credentials."""
        path, found = self.new_folder(), WAYS[way] if isinstance(way, str) else way
        bare = bare_index or self.team.bare_index
        write_installing_project(path, [*requirements], bare, login=login)
        make_environment(path / ".venv")
        tool = self.tool(found.client, {**(credentials(DEVELOPER) if login else {}), **(settings or {})})
        return Installing(path, self.team, tool, found, with_login(bare, DEVELOPER) if login else bare)

    def read(self, bare_index: str, *names: str) -> tuple[Done, Path]:
        """Read an index with pypi-simple; return also the folder into which it has downloaded all files."""
        path = self.new_folder()
        line = shlex.join(["python", str(READ_INDEX), with_login(bare_index, DEVELOPER), "got", *names])
        return Folder(path, self.team, self.tool(READER)).run(line), path / "got"

    def new_folder(self) -> Path:
        """Create an empty folder."""
        path = self.folder / f"project-{next(self._numbers)}"
        path.mkdir()
        return path

    def upload(self, filename: str, data: bytes, **fields: str) -> None:
        """Publish a file with a form that has only the required fields."""
        name, version = archives.name_and_version(filename)
        form = {"name": name, "version": version, **fields}
        answer = wire.upload(self.team.address, DEVELOPER, form, filename, data)
        assert answer.status == 201, answer.body

    def yank(self, name: str, version: str, reason: str) -> None:
        packages = f"{self.team.server.api}/projects/{self.team.number}/packages"
        listed = json.loads(wire.get(f"{packages}?package_name={name}", DEVELOPER).body)
        [number] = [package["id"] for package in listed if package["version"] == version]
        headers = {"Content-Type": "application/json", **wire.login(DEVELOPER)}
        body = json.dumps({"yanked": reason}).encode()
        answer = wire.request("PATCH", f"{packages}/{number}", headers, body)
        assert answer.status == 200, answer.body

    def listed(self, name: str) -> list[Mapping[str, object]]:
        """Return the files of a name, from its page in JSON."""
        accept = {"Accept": "application/vnd.pypi.simple.v1+json", **wire.login(DEVELOPER)}
        answer = wire.request("GET", f"{self.team.bare_index}/{name}/", accept)
        assert answer.status == 200, answer.body
        files: list[Mapping[str, object]] = json.loads(answer.body)["files"]
        return files

    def download(self, name: str, file: Mapping[str, object]) -> bytes:
        """Return the bytes of a listed file."""
        page = f"{self.team.bare_index}/{name}/"
        answer = wire.get(urljoin(page, str(file["url"])), DEVELOPER)
        assert answer.status == 200, answer.body
        return answer.body
