"""What a check of the stores finds."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong."""

    UNLISTED_BLOB = "unlisted-blob"
    """A blob older than a day that belongs to no file."""
    MISSING_BLOB = "missing-blob"
    """A file without its bytes."""
    WRONG_SIZE = "wrong-size"
    """A file whose size in the catalogue is not the number of its bytes."""
    WRONG_DIGEST = "wrong-digest"
    """A file whose bytes do not have its SHA-256 digest."""
    UNREADABLE_BLOB = "unreadable-blob"
    """A file whose bytes cannot be read now."""
    RESPELLED_FILE = "respelled-file"
    """A file whose name is another spelling of the name of an older file in its project."""
    CONTRADICTORY_ROW = "contradictory-row"
    """A row that contradicts itself or another row."""
    INCONSISTENT_CATALOGUE = "inconsistent-catalogue"
    """A problem that the catalogue itself has found."""
    INCONSISTENT_BLOBS = "inconsistent-blobs"
    """A problem that the store of bytes itself has found."""


class Repair(StrEnum):
    """The options of the command line that repair a problem."""

    REPAIR = "--repair"
    DROP_MISSING = "--repair --drop-missing"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. A field that does not apply is None."""

    kind: Kind
    detail: str
    """A sentence."""
    project_id: int | None = None
    project: str | None = None
    """Its full path, as of its last change; None if it is not known."""
    package: str | None = None
    """The normalized name."""
    version: str | None = None
    filename: str | None = None
    file_id: int | None = None
    blob_key: str | None = None
    repair: Repair | None = None
    """What would repair it; None if nothing does automatically."""
    repaired: bool = False
