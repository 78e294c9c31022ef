"""A disk that may lose whatever was not flushed: the states in which a power cut can leave a folder.

POSIX promises little. A write is on the disk after ``fsync`` of its file. A name that was added, changed or removed is
on the disk after ``fsync`` of its folder. The disk may keep any part of the rest, in any order. A write that is cut
short ends at a sector of 512 bytes. A rename keeps its new name or loses it; the old name may stay beside the new one.

Two things are taken for granted, as SQLite does ("Atomic Commit In SQLite", section 2): bytes beside those that are
written stay as they are, and what was flushed is not lost.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.reliability.recording import Mark, SystemCall

SECTOR = 512


@dataclass
class Inode:
    """A file or a folder."""

    is_folder: bool = False


@dataclass
class Effect:
    """What one call changes on the disk."""

    number: int
    inode: Inode
    """The file that is written; or the folder in which a name is added or removed."""
    name: str = ""
    """The name that is added or removed; empty for a write."""
    target: Inode | None = None
    """The file of an added name; None if the name is removed."""
    offset: int = 0
    data: bytes = b""
    length: int | None = None
    """The length to which a file is cut or extended; None for other effects."""
    needs: "Effect | None" = None
    """The new name of a rename, without which its old name is not removed."""
    flushed_at: int | None = None
    """The number of the call after which the disk certainly has it."""


@dataclass(frozen=True)
class Moment:
    """A moment between two calls."""

    number: int
    marks: tuple[str, ...]


class Disk:
    """Follows the calls below one folder, whose parent is empty and already on the disk."""

    def __init__(self, folder: Path) -> None:
        self._parent = Inode(is_folder=True)
        self._prefix = f"{folder.parent}/"
        self._names = {"": self._parent}  # path below the parent -> inode, as a running program sees it
        self._descriptors: dict[int, tuple[Inode, int]] = {}  # -> inode and position
        self.effects: list[Effect] = []
        self.moments: list[Moment] = []

    @classmethod
    def replay(cls, folder: Path, calls: Iterable[SystemCall | Mark]) -> Self:
        """Follow all calls; there is a moment after each one that changes or flushes something."""
        disk = cls(folder)
        marks: tuple[str, ...] = ()
        for number, call in enumerate(calls):
            if isinstance(call, Mark):
                marks = (*marks, call.text)
            elif not disk._follow(number, call):
                continue
            disk.moments.append(Moment(number, marks))
        return disk

    def _follow(self, number: int, call: SystemCall) -> bool:
        before = len(self.effects)
        match call.name:
            case "openat":
                return self._open(number, call)
            case "close":
                self._descriptors.pop(call.number(0), None)
                return False
            case "read" | "lseek":
                self._move(call)
                return False
            case "mkdir":
                self._add_name(number, call.path(0), Inode(is_folder=True))
            case "write":
                self._write(number, call.number(0), call.data(1)[: call.result], None)
            case "pwrite64":
                self._write(number, call.number(0), call.data(1)[: call.result], call.number(3))
            case "ftruncate":
                if inode := self._inode(call.number(0)):
                    self.effects.append(Effect(number, inode, length=call.number(1)))
            case "fsync" | "fdatasync":
                return self._flush(number, call.number(0))
            case "rename":
                self._rename(number, call.path(0), call.path(1))
            case "unlink" | "rmdir":
                self._remove_name(number, call.path(0))
            case _:
                raise NotImplementedError(call.name)
        return len(self.effects) > before

    def _inode(self, descriptor: int) -> Inode | None:
        found = self._descriptors.get(descriptor)
        return found[0] if found else None

    def _below(self, path: str) -> str | None:
        return f"{path}/".removeprefix(self._prefix).rstrip("/") if f"{path}/".startswith(self._prefix) else None

    def _open(self, number: int, call: SystemCall) -> bool:
        self._descriptors.pop(call.result, None)
        path, flags = self._below(call.path(1)), str(call.arguments[2])
        if path is None:
            return False
        created = path not in self._names
        if created:
            assert "O_CREAT" in flags, call
            self._add_name(number, call.path(1), Inode())
        inode = self._names[path]
        if "O_TRUNC" in flags and not created:
            self.effects.append(Effect(number, inode, length=0))
        self._descriptors[call.result] = inode, 0
        return created

    def _move(self, call: SystemCall) -> None:
        if found := self._descriptors.get(call.number(0)):
            inode, position = found
            self._descriptors[call.number(0)] = inode, call.result + (position if call.name == "read" else 0)

    def _write(self, number: int, descriptor: int, data: bytes, offset: int | None) -> None:
        found = self._descriptors.get(descriptor)
        if found is None:
            return
        inode, position = found
        if offset is None:
            offset = position
            self._descriptors[descriptor] = inode, position + len(data)
        self.effects.append(Effect(number, inode, offset=offset, data=data))

    def _flush(self, number: int, descriptor: int) -> bool:
        inode = self._inode(descriptor)
        flushed = [effect for effect in self.effects if effect.inode is inode and effect.flushed_at is None]
        for effect in flushed:
            effect.flushed_at = number
        return bool(flushed)

    def _add_name(self, number: int, path: str, target: Inode) -> Effect | None:
        below = self._below(path)
        if below is None:
            return None
        parent, _, name = below.rpartition("/")
        folder = self._names[parent]
        self._names[below] = target
        effect = Effect(number, folder, name=name, target=target)
        self.effects.append(effect)
        return effect

    def _remove_name(self, number: int, path: str, needs: Effect | None = None) -> None:
        below = self._below(path)
        if below is None:
            return
        parent, _, name = below.rpartition("/")
        del self._names[below]
        folder = self._names[parent]
        self.effects.append(Effect(number, folder, name=name, needs=needs))

    def _rename(self, number: int, old: str, new: str) -> None:
        below = self._below(old)
        if below is not None:
            self._remove_name(number, old, needs=self._add_name(number, new, self._names[below]))

    def kept(self, moment: Moment, choose: random.Random, samples: int) -> Iterator[list[Effect]]:
        """Return sets of effects that the disk may have after a power cut at a moment.

        :param samples: how many sets to draw at random; below 0 also each set that lacks one effect, and each that has
            only one.
        """
        past = [effect for effect in self.effects if effect.number <= moment.number]
        pending = [e for e in past if e.flushed_at is None or e.flushed_at > moment.number]
        yield past
        if not pending:
            return
        open_ones = {id(effect) for effect in pending}
        yield [effect for effect in past if id(effect) not in open_ones]
        if samples < 0:
            for one in pending:
                yield [effect for effect in past if effect is not one]
                yield [effect for effect in past if effect is one or id(effect) not in open_ones]
        for _ in range(abs(samples)):
            share = choose.random()
            yield [
                effect if id(effect) not in open_ones else _cut_short(effect, choose)
                for effect in past
                if id(effect) not in open_ones or choose.random() < share
            ]

    def write(self, effects: Sequence[Effect], folder: Path) -> None:
        """Write to `folder`, which is empty, what a disk with these effects has below the parent."""
        names: dict[int, dict[str, Inode]] = {}
        contents: dict[int, bytearray] = {}
        numbers = {id(effect) for effect in effects}
        for effect in effects:
            if effect.name and effect.target is not None:
                names.setdefault(id(effect.inode), {})[effect.name] = effect.target
            elif effect.name:
                if effect.needs is None or id(effect.needs) in numbers:
                    names.get(id(effect.inode), {}).pop(effect.name, None)
            else:
                _apply(effect, contents.setdefault(id(effect.inode), bytearray()))
        self._write_folder(self._parent, folder, names, contents)

    def _write_folder(
        self, inode: Inode, folder: Path, names: dict[int, dict[str, Inode]], contents: dict[int, bytearray]
    ) -> None:
        for name, target in names.get(id(inode), {}).items():
            path = folder / name
            if target.is_folder:
                path.mkdir()
                self._write_folder(target, path, names, contents)
            else:
                path.write_bytes(contents.get(id(target), b""))


def _apply(effect: Effect, content: bytearray) -> None:
    if effect.length is not None:
        del content[effect.length :]
        content.extend(bytes(effect.length - len(content)))
    else:
        content.extend(bytes(max(0, effect.offset - len(content))))  # a hole
        content[effect.offset : effect.offset + len(effect.data)] = effect.data


def _cut_short(effect: Effect, choose: random.Random) -> Effect:
    if len(effect.data) <= SECTOR or choose.random() < 0.7:
        return effect
    sectors = choose.randrange(1, -(-len(effect.data) // SECTOR))
    return Effect(effect.number, effect.inode, offset=effect.offset, data=effect.data[: sectors * SECTOR])
