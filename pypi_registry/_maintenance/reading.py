"""Reading all records of a catalogue, and the protocols that commands need from the stores of a registry."""

from collections.abc import Iterator
from typing import Protocol

from pypi_registry._records import Record
from pypi_registry.errors import RegistryError
from pypi_registry.storage import Blobs, Catalogue, Enumerable, EnumerableBlobs


class WholeCatalogue(Catalogue, Enumerable, Protocol):
    """A catalogue that can be read as a whole."""


class WholeBlobs(Blobs, EnumerableBlobs, Protocol):
    """A store of bytes that can be read as a whole."""


class UnreadableCatalogue(RegistryError):
    """The rows cannot be read to their end, so it is not known which blobs are listed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the catalogue has a row that cannot be read, so the rows after it were not processed: {self.reason}"


def read_records(catalogue: Enumerable) -> Iterator[Record]:
    """Yield every record of a catalogue.

    :raises UnreadableCatalogue: if a row cannot be read.
    """
    records = catalogue.records()
    while True:
        try:
            record = next(records, None)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:  # such as an unknown status
            raise UnreadableCatalogue(str(error)) from error
        if record is None:
            return
        yield record
