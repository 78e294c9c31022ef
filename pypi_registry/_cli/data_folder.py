"""The data folder of ``serve``, and what a first start puts into it."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pypi_registry._disk import create_folder, sync_folder
from pypi_registry.accounts import Token, token_digest
from pypi_registry.accounts.tokens import new_secret, toml_table

if sys.platform != "win32":
    import fcntl
    import pwd

USER = "owner"
PROJECT = 1
_PROJECT_PATH = "main/packages"
EXAMPLE = "mypypipackage"
"""GitLab's name for a package in examples. On PyPI it belongs to a stranger."""

_SETTINGS = """\
# Who may do what in this registry. A running registry reloads this file within seconds after a change. If it has a
# mistake, the previous configuration stays in effect, and the mistake is reported on the standard error stream.

forward_to = true            # packages that are not in this registry: true redirects clients to PyPI, false to no
                             # index; or the URL of another simple index
max_file_size = 3221225472   # bytes; a file must be smaller
reserved = ["{example}"] # names that are never redirected: add yours, such as "acme-*"
forward_always = []          # names that are redirected although they were once published here

# A group is a part of the paths of its projects. It needs a table only for settings of its own.
# [[groups]]
# id = 1
# path = "main"
# visibility = "private"     # public, internal (users with a token), private (the default)
# forward = false            # instead of forward_to, for this group and all groups below it
# reserved = ["main-*"]
"""

_FIRST_TABLES = """
[[projects]]
id = {project}
path = "{path}"
visibility = "private"       # public, internal (users with a token), private (the default)
# job_token_allowlist = ["main/deploy"]   # projects whose job tokens have access
# protect = [{{ name = "core-*", minimum_push = "maintainer", minimum_delete = "owner" }}]

[[users]]
name = "{user}"
admin = false
roles = {{ "main" = "owner" }}            # in a group and all groups below it, or in a project:
                                        # guest (reads), reporter, developer (publishes), maintainer, owner

# Create more of these with: pypi-registry token add
{token}"""


def new_config() -> str:
    """Return a ``registry.toml`` with the settings of a first start, and without projects, users and tokens."""
    return _SETTINGS.format(example=EXAMPLE)


class UnusableData(Exception):
    """The data folder, or a file in it, cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


if sys.platform != "win32":

    def _refusal_of_root(status: os.stat_result) -> str:
        """Return why root may not change a file or folder, and how to run the command as its owner."""
        try:
            name = pwd.getpwuid(status.st_uid).pw_name
        except KeyError:  # in a container, or the user was deleted
            owner = f"the user id {status.st_uid}"
            run = f"setpriv --reuid={status.st_uid} --regid={status.st_gid} --clear-groups"
        else:
            owner = f"the user {name}"
            run = f"runuser -u {name}" if sys.platform == "linux" else f"sudo -u {name}"
        return (
            f"this belongs to {owner}, who could not use the files that root creates here; run the command as this "
            f"user: {run} -- …"
        )


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder in which ``serve`` stores everything."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "registry.toml"

    @property
    def catalogue(self) -> Path:
        return self.folder / "catalogue.sqlite3"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def audit(self) -> Path:
        """What has changed in the registry, one line of JSON per event."""
        return self.folder / "audit.jsonl"

    @property
    def spool(self) -> Path:
        """Where the server stores request bodies until the application reads them."""
        return self.folder / "tmp"

    def require_owner(self, *, new: bool = False) -> None:
        """Refuse to let root change the registry of another user, who could not use the files that root creates.

        It belongs to the owner of its catalogue; without one, to that of its configuration, or else of the folder. A
        command that only reads does not need this: SQLite gives the files beside a database the owner of the database.

        :param new: whether a registry without a catalogue may become that of root: in a container, a program may run
            as root on a folder of the machine.
        :raises UnusableData: if this process runs as root, and the registry belongs to another user.
        """
        if sys.platform == "win32" or os.geteuid() != 0:
            return
        for path in (self.catalogue,) if new else (self.catalogue, self.config, self.folder):
            try:
                status = path.stat()
            except (FileNotFoundError, NotADirectoryError):  # opening it has the better message
                continue
            if status.st_uid != 0:
                raise UnusableData(path, _refusal_of_root(status))
            return

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Create the folder if it is missing, and let no other ``serve`` use it for the length of a ``with`` block.

        The lock is on the folder itself, which needs no space on a full disk. The kernel drops it with the process, so
        that a killed ``serve`` can be started again at once. Windows, and some network file systems, have none.

        :raises UnusableData: if another ``serve`` uses the folder.
        :raises OSError: if the folder cannot be created or read.
        """
        create_folder(self.folder, mode=0o700)
        if sys.platform == "win32":
            yield
            return
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UnusableData(self.folder, "another serve, or a backup, uses this folder") from None
        except OSError:  # a network file system without locks
            os.close(descriptor)
            yield
            return
        try:
            yield
        finally:
            os.close(descriptor)

    def prepare(self) -> None:
        """Create the folder if it is missing, and empty the spool.

        :raises UnusableData: if there is a ``tmp`` that may belong to another program.
        :raises OSError: if the folder cannot be written.
        """
        create_folder(self.folder, mode=0o700)
        if self.spool.is_symlink():
            raise UnusableData(self.spool, "this is a symbolic link, and serve would empty its target")
        if not self.spool.exists():
            self.spool.mkdir(mode=0o700)
            return
        left = [*self.spool.iterdir()]
        if left and not self.catalogue.exists():
            raise UnusableData(self.folder, "this has a tmp/ with files, but is not a data folder of this program")
        for path in left:  # the folder itself stays: a full disk may have no space for another
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        self.spool.chmod(0o700)

    def first_config(self) -> str | None:
        """Create a ``registry.toml`` if there is none, and return the secret of its token, which is not stored."""
        if self.config.exists():
            return None
        secret = new_secret()
        token = Token(
            name="created by the first start", user=USER, scopes=frozenset({"api"}), sha256=token_digest(secret)
        )
        tables = _FIRST_TABLES.format(project=PROJECT, path=_PROJECT_PATH, user=USER, token=toml_table(token))
        text = f"{new_config()}{tables}"
        unfinished = self.config.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)  # before the secret is printed: a power cut must not lose its token
        unfinished.replace(self.config)
        sync_folder(self.folder)
        return secret
