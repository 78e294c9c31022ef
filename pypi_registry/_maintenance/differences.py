"""What a copy has to change: the records of two catalogues, compared in a temporary database.

A record has a key, an identity and a state. The identity of a record with an id never changes: that of a file contains
its random blob key, so no two registries have it by chance. The state is the part that a registry may change later.
"""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple, TypeAlias, TypeVar, cast

from pypi_registry._excerpt import excerpt
from pypi_registry._maintenance.temporary import TemporaryDatabase
from pypi_registry._records import (
    CopiedRecord,
    FileRecord,
    LastIdsRecord,
    PackageRecord,
    ProjectRecord,
    PublicationRecord,
    Record,
    StatusRecord,
)
from pypi_registry.errors import RegistryError
from pypi_registry.model import PackageFile

R = TypeVar("R", LastIdsRecord, ProjectRecord, PackageRecord, FileRecord, StatusRecord, PublicationRecord)

_TABLES = """
CREATE TABLE target (
    kind TEXT, key TEXT, identity BLOB, state BLOB, name TEXT, project_id INTEGER, title TEXT,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE source (
    kind TEXT, key TEXT, identity BLOB, state BLOB, name TEXT, project_id INTEGER, title TEXT, is_there INTEGER,
    record BLOB,
    PRIMARY KEY (kind, key)
);
CREATE TABLE published (name TEXT, project_id INTEGER, PRIMARY KEY (name, project_id)) WITHOUT ROWID;
"""

_ABSENT = "NOT EXISTS (SELECT 1 FROM source s WHERE s.kind = t.kind AND s.key = t.key)"
_COMMON = "FROM target t JOIN source s ON s.kind = t.kind AND s.key = t.key"


class WrongTarget(RegistryError):
    """The target is neither empty nor a copy of the source. Nothing was changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the target is neither empty nor a copy of this source: {self.reason}; nothing was changed"


class Row(NamedTuple):
    """A record as it is compared."""

    kind: str
    key: str
    identity: bytes
    state: bytes
    name: str
    """Of a package; the path of a project."""
    project_id: int
    title: str
    """For people."""


class Differences:
    """The records of two catalogues, joined. Used by one thread."""

    def __init__(self) -> None:
        self._database = TemporaryDatabase(_TABLES)
        self._last = LastIdsRecord(0, 0)
        self._last_of_target = LastIdsRecord(0, 0)
        self._copied = CopiedRecord(0, 0)

    def close(self) -> None:
        self._database.close()

    # Filling: the target first, so that only those records of the source are stored that must be written

    def add_target(self, record: Record) -> None:
        """Add a record of the target."""
        if isinstance(record, CopiedRecord):
            self._copied = record
            return
        if isinstance(record, LastIdsRecord):
            self._last_of_target = record
        self._database.insert("target", *_row(record))

    def add_source(self, record: Record) -> None:
        """Add a record of the source, after all of the target."""
        if isinstance(record, CopiedRecord):
            return  # about the source of the source, whose ids are not those of the target
        row = _row(record)
        if isinstance(record, LastIdsRecord):
            self._last = record
        elif isinstance(record, PublicationRecord):
            self._database.insert("published", record.name, record.project_id)
        statement = "SELECT count(*) FROM target WHERE kind = ? AND key = ? AND state = ?"
        is_there = self._database.value(statement, (row.kind, row.key, row.state)) > 0
        # A package that the target has may be deleted with its last file, and then be needed for another file.
        needed = not is_there or isinstance(record, PackageRecord)
        self._database.insert("source", *row, is_there, pickle.dumps(record) if needed else None)

    # Comparing

    def check(self) -> None:
        """Check that the target is empty, or a copy of the source as it is now or was once.

        The target may have a package or a file that the source does not have. If an earlier copy can have written it,
        the source has deleted it since; otherwise it was published to the target directly.

        :raises WrongTarget: if the target is neither.
        """
        for title in self._titles(f"SELECT t.title {_COMMON} WHERE t.identity != s.identity"):
            raise WrongTarget(f"its {title} is not the one of the source")
        for title in self._titles(
            f"SELECT t.title FROM target t WHERE t.kind IN ('project', 'publication', 'status') AND {_ABSENT}"
        ):
            raise WrongTarget(f"the source never had its {title}")
        for title in self._titles(
            f"SELECT t.title FROM target t WHERE t.kind IN ('package', 'file') AND {_ABSENT} AND ("
            "CAST(t.key AS INTEGER) > CASE t.kind WHEN 'file' THEN ? ELSE ? END OR "
            "NOT EXISTS (SELECT 1 FROM published p WHERE p.name = t.name AND p.project_id = t.project_id))",
            min(self._copied.file, self._last.file),
            min(self._copied.package, self._last.package),
        ):
            raise WrongTarget(f"its {title} is not at the source, and was not copied from there")
        if self._any(f"SELECT 1 FROM target t WHERE t.kind IN ('package', 'file') AND {_ABSENT}") and not self._any(
            f"SELECT 1 {_COMMON} WHERE t.kind IN ('package', 'file')"
        ):
            raise WrongTarget("the source has none of its packages")

    def _titles(self, statement: str, *values: object) -> Iterator[str]:
        return (title for (title,) in self._database.read(f"{statement} LIMIT 1", values))

    def _any(self, statement: str) -> bool:
        return next(self._database.read(f"{statement} LIMIT 1"), None) is not None

    # What is to be done

    def copied(self) -> CopiedRecord | None:
        """Return up to which ids the target is a copy from now on; None if it has this record already."""
        copied = CopiedRecord(self._last.package, self._last.file)
        return None if copied == self._copied else copied

    def is_later(self, file: PackageFile) -> bool:
        """Return whether a file of the target was added after its records were read."""
        return file.id > self._last_of_target.file

    def paths(self) -> dict[int, str]:
        """Return the path of each project of the source."""
        return dict(self._database.read("SELECT project_id, name FROM source WHERE kind = 'project'"))

    def deleted(self, kind: type[FileRecord] | type[PackageRecord]) -> Iterator[tuple[int, int]]:
        """Yield project and id of each file or package of the target that the source does not have."""
        statement = f"SELECT t.project_id, CAST(t.key AS INTEGER) FROM target t WHERE t.kind = ? AND {_ABSENT}"
        yield from self._database.read(statement, (_KINDS[kind],))

    def to_write(self, kind: type[R]) -> Iterator[R]:
        """Yield the records of one kind that the target lacks, or has in another state, in the order of their ids."""
        statement = "SELECT record FROM source WHERE kind = ? AND NOT is_there ORDER BY rowid"
        for (record,) in self._database.read(statement, (_KINDS[kind],)):
            yield cast(R, _loaded(record))

    def package(self, package_id: int) -> PackageRecord | None:
        """Return the package of the source with an id; None if a file refers to one that is missing."""
        statement = "SELECT record FROM source WHERE kind = 'package' AND key = ?"
        row = next(self._database.read(statement, (str(package_id),)), None)
        return None if row is None else cast(PackageRecord, _loaded(row[0]))

    def changed_packages(self) -> Iterator[PackageRecord]:
        """Yield the packages that the target has in another state."""
        for (record,) in self._database.read(
            "SELECT record FROM source s WHERE kind = 'package' AND NOT is_there "
            "AND EXISTS (SELECT 1 FROM target t WHERE t.kind = s.kind AND t.key = s.key) ORDER BY rowid"
        ):
            yield cast(PackageRecord, _loaded(record))

    def count_of_files(self) -> int:
        """Return how many files are to be copied."""
        return self._database.value("SELECT count(*) FROM source WHERE kind = 'file' AND NOT is_there")


def _loaded(data: bytes) -> object:
    return pickle.loads(data)  # noqa: S301  # only `add_source` writes to the file, which no other program sees


_Compared: TypeAlias = LastIdsRecord | ProjectRecord | PackageRecord | FileRecord | StatusRecord | PublicationRecord

_KINDS: dict[type[_Compared], str] = {
    LastIdsRecord: "last ids",
    ProjectRecord: "project",
    PublicationRecord: "publication",
    StatusRecord: "status",
    PackageRecord: "package",
    FileRecord: "file",
}


def _row(record: _Compared) -> Row:
    kind = _KINDS[type(record)]
    match record:
        case LastIdsRecord():
            return Row(kind, "", b"", _digest(record), "", 0, kind)
        case ProjectRecord(id_, path):
            return Row(kind, str(id_), b"", _digest(path), path, id_, f"project {id_} ({excerpt(path)})")
        case PublicationRecord(name, root, id_):
            title = f"published name {name} in the project {id_}"
            return Row(kind, _key(name, root, id_), b"", b"", name, id_, title)
        case StatusRecord(id_, name, status):
            title = f"status of {name} in the project {id_}"
            return Row(kind, _key(name, id_), b"", _digest(status), name, id_, title)
        case PackageRecord(package, metadata, variants):
            identity, state = _digest(replace(package, yanked=None)), _digest((package.yanked, metadata, variants))
            title = f"package {package.normalized_name} {package.version} (id {package.id})"
            return Row(kind, str(package.id), identity, state, package.normalized_name, package.project_id, title)
        case FileRecord(file):
            package = file.package
            identity = _digest((file.blob_key, file.filename, file.digests.sha256, package.id, package.project_id))
            title = f"file {file.filename} (id {file.id})"
            return Row(kind, str(file.id), identity, b"", package.normalized_name, package.project_id, title)


def _key(*parts: object) -> str:
    return repr(parts)


def _digest(value: object) -> bytes:
    return blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def compare(target: Iterable[Record], source: Iterable[Record]) -> Differences:
    """Return the differences between the records of two catalogues; the caller closes them.

    :raises WrongTarget: if the target is neither empty nor a copy of the source.
    """
    found = Differences()
    try:
        for record in target:
            found.add_target(record)
        for record in source:
            found.add_source(record)
        found.check()
    except BaseException:
        found.close()
        raise
    return found
