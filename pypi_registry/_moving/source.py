"""What an import reads from: names, and for each name its files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from packaging.utils import NormalizedName

from pypi_registry.errors import RegistryError


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file at the source, as the source describes it. The values are not checked."""

    filename: str
    url: str
    """Its absolute URL, without credentials; of a folder the path."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Algorithm -> digest, lower-case hexadecimal."""
    size: int | None = None
    """Bytes; None if it is not known."""
    uploaded_at: datetime | None = None
    """Aware, UTC; None if it is not known."""
    yanked: str | None = None
    """Why it was yanked, may be empty; None if it was not."""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """The files of one name."""

    files: Sequence[SourceFile]
    problems: Sequence[tuple[str, str]] = ()
    """File name and problem of each entry that cannot be read."""


class SourceError(RegistryError):
    """The source cannot be read; the message holds no credentials."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason, status)
        self.reason = reason
        self.status = status
        """The HTTP status; None if there was no response, or the source is a folder."""

    def __str__(self) -> str:
        return self.reason


class Stopped(Exception):
    """The import was stopped while a file was read."""


class Source(Protocol):
    """An index or a folder. Several threads call it at once."""

    lacks_digests: bool
    """Whether a file without a digest is reported: a folder declares no digests."""
    one_name_per_page: bool
    """Whether each file must belong to the name on whose page it is."""

    def names(self) -> Sequence[NormalizedName]:
        """Return every name.

        :raises SourceError: if the source cannot be read.
        """

    def page(self, name: NormalizedName) -> SourcePage:
        """Return the files of a name.

        :raises SourceError: if the source cannot be read.
        """

    def fetch(self, file: SourceFile, into: BinaryIO, *, max_size: int) -> None:
        """Write the bytes of a file, and compare them with every digest that the source declares.

        :param max_size: bytes; the file must be smaller.
        :raises FileTooLarge: if it is not.
        :raises WrongDigest: if the bytes have a different digest.
        :raises SourceError: if the source cannot be read.
        :raises Stopped: if the import was stopped.
        """

    def stop(self) -> None:
        """Make every running call end soon, and every later call at once."""
