"""Stores with a few files in them, and every way in which a check may find them damaged."""

import hashlib
import io
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from packaging.utils import NormalizedName

from pypi_registry._filenames import identity_of
from pypi_registry._maintenance.fsck import Check, Options
from pypi_registry._maintenance.problems import Kind, Problem, Repair
from pypi_registry._records import FileRecord, PackageRecord, ProjectRecord, PublicationRecord
from pypi_registry.model import Digests, Package, PackageFile, PackageMetadata, Project
from pypi_registry.testing.contracts.catalogue.samples import TOOLS, add, upload
from tests.testing.mutants.wrapping import FullBlobs, FullCatalogue

PLAIN = Options()
LATER = timedelta(days=2)
DATA = b"the bytes of a file"
OTHER = b"THE BYTES OF A FILE"
FIRST, SECOND = "demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"


@dataclass(frozen=True)
class Stores:
    catalogue: FullCatalogue
    blobs: FullBlobs

    def put(self, key: str, data: bytes = DATA) -> str:
        self.blobs.put(key, io.BytesIO(data), size=len(data), sha256=_sha256(data), filename=FIRST)
        return key

    def replace(self, key: str, data: bytes) -> None:
        """Damage a blob."""
        self.blobs.delete(key)
        self.put(key, data)

    def publish(self, filename: str = FIRST, project: Project = TOOLS, key: str = "", **fields: Any) -> PackageFile:
        md5, blake2 = hashlib.md5(DATA).hexdigest(), hashlib.blake2b(DATA, digest_size=32).hexdigest()
        sent = upload(filename, **{"size": len(DATA), "digests": Digests(_sha256(DATA), md5, blake2), **fields})
        return add(self.catalogue, project, sent, key=key or self.put(secrets.token_hex(16)))

    def check(self, options: Options = PLAIN, now: datetime | None = None) -> list[Problem]:
        """Return the problems that a check finds which runs in two days, unless `now` is passed."""
        return [*Check(self.catalogue, self.blobs, options, now=now or datetime.now(UTC) + LATER).problems()]

    def has(self, key: str) -> bool:
        return any(stored == key for stored, _, _ in self.blobs.keys())  # noqa: SIM118  # it is not a mapping

    def filenames(self) -> set[str]:
        return {record.file.filename for record in self.catalogue.records() if isinstance(record, FileRecord)}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Damage:
    """What is done to stores with one healthy file, and what a check reports."""

    make: Callable[[Stores], object]
    kind: Kind
    detail: str
    """Part of the sentence."""
    repair: Repair | None = None
    only_with_digests: bool = False


def unlisted(stores: Stores) -> None:
    stores.put("a" * 32)


def missing(stores: Stores) -> None:
    stores.blobs.delete(stores.publish(SECOND).blob_key)


def wrong_row_size(stores: Stores) -> None:
    assert stores.catalogue.correct_size(stores.publish(SECOND).id, 3)


def truncated(stores: Stores) -> None:
    stores.replace(stores.publish(SECOND).blob_key, DATA[:-1])


def changed(stores: Stores) -> None:
    stores.replace(stores.publish(SECOND).blob_key, OTHER)


def wrong_md5(stores: Stores) -> None:
    stores.publish(SECOND, digests=Digests(_sha256(DATA), "0" * 32))


def shared_key(stores: Stores) -> None:
    stores.publish(SECOND, key=stores.publish("demo-1.0-py2-none-any.whl").blob_key)


def respelled(stores: Stores) -> None:
    file = stores.publish("demo-2.0-py2.py3-none-any.whl", version="2.0")
    key = stores.put(secrets.token_hex(16))
    double = replace(file, id=file.id + 100, filename="Demo-2-py3.py2-none-any.whl", blob_key=key)
    stores.catalogue.restore(FileRecord(double, None))


def restore(
    stores: Stores, package: Mapping[str, object], *, publication: bool = True, project: bool = True, **file: object
) -> None:
    """Add a project with a package and a file in which some fields are wrong."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    row = Package(1000, 7, "Other", NormalizedName("other"), "1.0", at)
    row = replace(row, **package)  # type: ignore[arg-type]  # the table below is right
    core_metadata = file.pop("core_metadata", None)
    filename = f"{row.normalized_name}-{row.version}.tar.gz"
    stored = PackageFile(1001, row, filename, len(DATA), Digests(_sha256(DATA)), "", at, secrets.token_hex(16))
    stored = replace(stored, **file)  # type: ignore[arg-type]  # as above
    if len(stored.blob_key) == 32:
        stores.put(stored.blob_key)
    if project:
        stores.catalogue.restore(ProjectRecord(7, "acme/seven"))
    if publication:
        stores.catalogue.restore(PublicationRecord(row.normalized_name, "acme", 7))
    stores.catalogue.restore(PackageRecord(row, PackageMetadata()))
    assert core_metadata is None or isinstance(core_metadata, bytes)
    identity = identity_of(stored.filename, row.normalized_name, row.version)
    stores.catalogue.restore(FileRecord(stored, core_metadata, identity))


def package_without_files(stores: Stores) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    package = Package(1000, TOOLS.id, "demo", NormalizedName("demo"), "2.0", at)
    stores.catalogue.restore(PackageRecord(package, PackageMetadata()))


ROW = Kind.CONTRADICTORY_ROW
RESPELLED = "its name is another spelling of demo-2.0-py2.py3-none-any.whl, and clients install either of the two"
DAMAGES: Mapping[str, Damage] = {
    "an old blob without a row": Damage(unlisted, Kind.UNLISTED_BLOB, "19 bytes", Repair.REPAIR),
    "a missing blob": Damage(missing, Kind.MISSING_BLOB, "missing", Repair.DROP_MISSING),
    "a wrong size in the row": Damage(
        wrong_row_size, Kind.WRONG_SIZE, "19 bytes, and 3 in the catalogue, with the right digest", Repair.REPAIR
    ),
    "a truncated blob": Damage(
        truncated, Kind.WRONG_SIZE, "18 bytes, and 19 in the catalogue, with another digest", Repair.DROP_MISSING
    ),
    "a changed blob": Damage(changed, Kind.WRONG_DIGEST, _sha256(OTHER), Repair.DROP_MISSING, only_with_digests=True),
    "two spellings of one file name": Damage(respelled, Kind.RESPELLED_FILE, RESPELLED),
    "a wrong MD5": Damage(wrong_md5, ROW, "not the MD5", only_with_digests=True),
    "two files with one blob": Damage(shared_key, ROW, "another file has its bytes"),
    "a package without files": Damage(package_without_files, ROW, "no file"),
    "a name of another package": Damage(lambda stores: restore(stores, {"name": "else"}), ROW, "'else' is not"),
    "an invalid name": Damage(lambda stores: restore(stores, {"name": "-"}), ROW, "'-' is not a spelling"),
    "an invalid version": Damage(lambda stores: restore(stores, {"version": "new"}), ROW, "'new' is not a version"),
    "a file name of another package": Damage(
        lambda stores: restore(stores, {}, filename="else-1.0.tar.gz"), ROW, "does not match the name other"
    ),
    "a file name of another version": Damage(
        lambda stores: restore(stores, {}, filename="other-2.0.tar.gz"), ROW, "does not match the name other"
    ),
    "a path as file name": Damage(lambda stores: restore(stores, {}, filename="../other"), ROW, "is invalid"),
    "core metadata without a digest": Damage(
        lambda stores: restore(stores, {}, core_metadata=b"Name: other"), ROW, "not the digest of its core metadata"
    ),
    "a digest without core metadata": Damage(
        lambda stores: restore(stores, {}, core_metadata_sha256=_sha256(b"")), ROW, "but not core metadata"
    ),
    "other core metadata": Damage(
        lambda stores: restore(stores, {}, core_metadata=b"Name: x", core_metadata_sha256=_sha256(b"")),
        ROW,
        "core metadata of the file has another digest",
    ),
    "a name that was not published": Damage(
        lambda stores: restore(stores, {}, publication=False), ROW, "was published in its project", Repair.REPAIR
    ),
    "a package of an unknown project": Damage(
        lambda stores: restore(stores, {}, project=False), ROW, "the path of its project"
    ),
}
