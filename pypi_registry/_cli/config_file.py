"""Changes a ``registry.toml`` in place: under a lock, validated before it is written, and in one step."""

import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pypi_registry._cli.data_folder import new_config
from pypi_registry._cli.location import Location
from pypi_registry._cli.output import write_out
from pypi_registry._cli.toml_edit import NotEditable
from pypi_registry._disk import create_folder, sync_folder
from pypi_registry.accounts import Accounts, GroupConfig, InvalidConfig, ProjectConfig, Token, User
from pypi_registry.accounts.toml import parse_settings

if sys.platform != "win32":
    import fcntl

_BOM = b"\xef\xbb\xbf"


class ChangeRefused(Exception):
    """A change cannot be made; the message is for the person who typed it."""


@dataclass(frozen=True, slots=True)
class Config:
    """A valid ``registry.toml``."""

    text: str
    """With line feeds only."""
    projects: Sequence[ProjectConfig]
    groups: Sequence[GroupConfig]
    users: Sequence[User]
    tokens: Sequence[Token]


@dataclass(frozen=True, slots=True)
class Change:
    """What a command makes of a configuration, and what it prints."""

    text: str
    output: str
    """For the standard output. If it cannot be written, nothing is changed."""


def read_config(where: Location) -> Config:
    """Read the configuration.

    :raises InvalidConfig: if it is not valid.
    :raises OSError: if it cannot be read.
    """
    return _parsed(where.config, where.config.read_bytes())


def edit_config(where: Location, change: Callable[[Config], Change]) -> None:
    """Change the configuration. If it is missing in a data folder, it is created.

    Two commands at once wait for each other. A running registry sees either the old file or the new one. The file
    keeps its mode and its owner, and a symbolic link stays one.

    :param change: returns the new text; it may be called again if an editor has changed the file meanwhile.
    :raises InvalidConfig: if the file is not valid, or would not be valid after the change.
    :raises ChangeRefused: if `change` does, or the file cannot be edited by a program.
    :raises UnusableData: if root would create the file in a data folder of another user.
    :raises OSError: if the file or the standard output cannot be used.
    """
    path = Path(os.path.realpath(where.config))
    created = False
    if where.created and not path.exists():
        where.folder.require_owner()
        _changed(where, new_config().encode(), change)  # a mistake leaves nothing behind
        create_folder(where.folder.folder, mode=0o700)
        created = _create(path, new_config().encode())
    try:
        while not _edit(where, path, change):
            pass
    except BaseException:
        if created and path.read_bytes() == new_config().encode():
            path.unlink()
        raise


def _edit(where: Location, path: Path, change: Callable[[Config], Change]) -> bool:
    """Change the file at `path`; False if it was replaced meanwhile."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        if sys.platform != "win32":
            # On the file itself, so that no other file remains. A network file system may have no locks.
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        before = os.fstat(descriptor)
        if not _is_still(path, before):
            return False
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read()
        new, output = _changed(where, data, change)
        if new == data:
            write_out(sys.stdout, output)
            return True
        with _written_beside(path, new, before) as unfinished:
            if not _is_still(path, before):  # an editor knows no lock
                return False
            write_out(sys.stdout, output)  # all that is left is the new name
            unfinished.replace(path)
        sync_folder(path.parent)
        return True
    finally:
        os.close(descriptor)


def _is_still(path: Path, before: os.stat_result) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:
        return False
    return all(getattr(now, name) == getattr(before, name) for name in ("st_dev", "st_ino", "st_mtime_ns", "st_size"))


def _changed(where: Location, data: bytes, change: Callable[[Config], Change]) -> tuple[bytes, str]:
    """Return the bytes after a change, which are valid, and what to print."""
    try:
        changed = change(_parsed(where.config, data))
    except NotEditable as error:
        raise ChangeRefused(f"{where.config}: {error}") from error
    new = changed.text
    if b"\r\n" in data:
        new = new.replace("\n", "\r\n")
    encoded = (_BOM if data.startswith(_BOM) else b"") + new.encode()
    _parsed(where.config, encoded)
    return encoded, changed.output


def _parsed(path: Path, data: bytes) -> Config:
    try:
        settings = parse_settings(data)
        Accounts(**settings)
    except InvalidConfig as error:
        raise InvalidConfig(error.key, error.value, error.problem, str(path)) from None
    text = data.removeprefix(_BOM).decode().replace("\r\n", "\n")
    return Config(text, *(tuple(settings.get(kind, ())) for kind in ("projects", "groups", "users", "tokens")))


@contextmanager
def _written_beside(path: Path, data: bytes, like: os.stat_result | None = None) -> Iterator[Path]:
    """Write another file in the folder of `path`, flushed, and delete it unless it was renamed.

    :param like: the mode and the owner of the file; None: readable by this user only.
    :raises OSError: if the disk is full, or this user may not keep the owner.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    unfinished = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            if like is not None and sys.platform != "win32":
                _keep_owner_and_mode(descriptor, like, path)
            os.fsync(descriptor)
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _keep_owner_and_mode(descriptor: int, like: os.stat_result, path: Path) -> None:
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (like.st_uid, like.st_gid):
        try:
            os.fchown(descriptor, like.st_uid, like.st_gid)
        except PermissionError as error:  # the server could not read it any more
            raise PermissionError(error.errno, "only its owner can change this file", str(path)) from error
    os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _create(path: Path, data: bytes) -> bool:
    """Create a file with these bytes in one step; False if it exists meanwhile."""
    with _written_beside(path, data) as unfinished:
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            unfinished.replace(path)
    sync_folder(path.parent)
    return True
