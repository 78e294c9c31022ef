"""The clients and other indexes: each in a virtual environment of its own, made once and kept in pytest's cache folder.

Their versions, and those of all that they stand on, are in ``versions.toml``, ``releases.toml`` and ``peers.toml``. To
change one, write its requirement there and run ``python -m tests.clients.toolbox``, which finds the rest anew.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from packaging.requirements import Requirement

from tests.clients.programs import SCRIPTS, Programs

VERSIONS = Path(__file__).with_name("versions.toml")
RELEASES = Path(__file__).with_name("releases.toml")
PEERS = Path(__file__).with_name("peers.toml")
SETTLED = "3 weeks"
"""How old a release must be before a client stands on it: the newest ones come and go on some indexes."""

_HEAD = """\
# The {what} that the tests run: their requirements are written by hand, what is locked by
# `python -m tests.clients.toolbox`.

"""


@dataclass(frozen=True)
class Client:
    """A client in one version."""

    name: str
    requirement: str
    locked: tuple[str, ...]
    """Requirements of exact versions: the client itself, and all that it stands on."""

    @property
    def version(self) -> str:
        return str(Requirement(self.requirement).specifier).removeprefix("==")

    @property
    def title(self) -> str:
        return f"{Requirement(self.requirement).name} {self.version}"

    @property
    def key(self) -> str:
        """Tells environments apart that must differ."""
        text = "\n".join([sys.version, sys.base_prefix, *self.locked])
        return f"{self.name}-{sha256(text.encode()).hexdigest()[:16]}"


def read_clients(text: str) -> dict[str, Client]:
    found = tomllib.loads(text)
    locked = found.get("locked", {})
    return {
        name: Client(name, requirement, tuple(locked.get(name, ()))) for name, requirement in found["clients"].items()
    }


CLIENTS = read_clients(VERSIONS.read_text(encoding="utf-8"))
RELEASED = read_clients(RELEASES.read_text(encoding="utf-8"))
INDEXES = read_clients(PEERS.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Tool(Programs):
    """A client as a user runs it: a home folder of its own, and its own settings."""

    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.settings}


@dataclass(frozen=True)
class Toolbox:
    """The clients, ready to run."""

    folder: Path
    clients: Mapping[str, Client] = field(default_factory=lambda: CLIENTS)

    @classmethod
    def fill(cls, folder: Path, clients: Mapping[str, Client] = CLIENTS) -> "Toolbox":
        """Create the environments that are missing in a folder, and remove those that nothing needs any more."""
        with _kept(folder, clients), ThreadPoolExecutor(4) as pool:
            [*pool.map(lambda client: _make(folder / client.key, client), clients.values())]
        return cls(folder, clients)

    def scripts(self, client: str) -> Path:
        return self.folder / self.clients[client].key / "bin"


@dataclass(frozen=True)
class LazyToolbox(Toolbox):
    """Many clients, of which a run needs few: the environment of each is created when it is first asked for."""

    @classmethod
    def open(cls, folder: Path, clients: Mapping[str, Client]) -> "LazyToolbox":
        """Remove the environments that nothing needs any more; create none."""
        with _kept(folder, clients):
            return cls(folder, clients)

    def scripts(self, client: str) -> Path:
        found = self.clients[client]
        with alone_in(self.folder):
            _make(self.folder / found.key, found)
        return super().scripts(client)


@contextmanager
def _kept(folder: Path, clients: Mapping[str, Client]) -> Iterator[None]:
    """Remove from a folder the environments of other clients than these, and let no other process use it meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        kept = {client.key for client in clients.values()}
        for other in folder.iterdir():
            if (other / "pyvenv.cfg").exists() and other.name not in kept:
                shutil.rmtree(other)
        yield


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one process after the other fill a folder: pytest may run in several."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(environment: Path, client: Client) -> None:
    finished = environment / "finished"
    if finished.exists():
        return
    make_environment(environment)
    install = ["pip", "install", "--quiet", "--python", str(environment), *client.locked]
    try:
        run_uv(*install)
    except subprocess.CalledProcessError:
        run_uv(*install, "--refresh")  # a page that was kept may be older than the versions here
    finished.touch()


def make_environment(folder: Path) -> None:
    """Create a virtual environment with nothing in it, for the interpreter that runs the tests."""
    run_uv("venv", "--quiet", "--no-project", "--clear", "--python", sys.executable, str(folder))


def run_uv(*arguments: str, stdin: str = "") -> str:
    """Run the uv of the tests' own environment, which finds packages where pip does; return what it prints."""
    done = subprocess.run(
        [SCRIPTS / "uv", "--no-config", *arguments],
        env={**as_pip_is_configured(), **os.environ},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        done.check_returncode()
    return done.stdout


def as_pip_is_configured() -> dict[str, str]:
    """Return the settings of uv for the index and the certificate for which pip is configured."""
    settings = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    found = (line.partition("=") for line in listed.splitlines())
    values = {key.rpartition(".")[2]: value.strip("'\"") for key, _, value in found}
    return {settings[key]: value for key, value in values.items() if key in settings}


def lock(client: Client) -> list[str]:
    """Find the versions of all that a client stands on, for every interpreter that the tests run on."""
    options = ("--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--quiet")
    newest = () if Requirement(client.requirement).name in ("pip", "uv") else ("--exclude-newer", SETTLED)
    return run_uv("pip", "compile", *options, *newest, "-", stdin=client.requirement).splitlines()


def write_versions(
    locking: Callable[[Client], list[str]] = lock,
    path: Path = VERSIONS,
    clients: Mapping[str, Client] = CLIENTS,
    what: str = "clients",
) -> None:
    requirements = [f'{_key(client.name)} = "{client.requirement}"' for client in clients.values()]
    parts = ["[clients]", *requirements, "", "[locked]"]
    for client in clients.values():
        parts += [f"{_key(client.name)} = [", *(f'  "{line}",' for line in locking(client)), "]"]
    path.write_text(_HEAD.format(what=what) + "\n".join(parts) + "\n", encoding="utf-8")


def _key(name: str) -> str:
    """Return a name as a key in TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


if __name__ == "__main__":
    write_versions()
    write_versions(path=RELEASES, clients=RELEASED, what="releases of clients")
    write_versions(path=PEERS, clients=INDEXES, what="other indexes")
