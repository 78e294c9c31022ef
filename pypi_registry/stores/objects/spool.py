"""The file into which an upload is received before it is sent, and the check of what is sent."""

import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from pypi_registry._disk import disk_errors_as_storage_errors
from pypi_registry.errors import StorageFull, StorageUnavailable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def new_file(folder: str | None) -> BinaryIO:
    """Create a file without a name in a folder; None is the folder of the system."""
    with disk_errors_as_storage_errors(), tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        return _NewFile(_RawFile(os.dup(file.fileno()), "rb+"))


class _NewFile(io.BufferedRandom):
    def close(self) -> None:
        # Closing writes the buffer, which fails on a full disk. Its bytes do not matter: the stored bytes were read
        # before.
        with suppress(OSError, StorageFull, StorageUnavailable):
            super().close()


class _RawFile(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        with disk_errors_as_storage_errors():
            return super().write(data)


def verified_chunks(file: BinaryIO, length: int, *, size: int, sha256: str) -> Iterator[bytes]:
    """Yield the bytes of a file in chunks of `length` bytes or less, and check them at the end.

    :raises StorageUnavailable: at the end, if the file does not contain `size` bytes with this digest.
    """
    with disk_errors_as_storage_errors():
        file.seek(0)
    digest, count = hashlib.sha256(), 0
    while True:
        with disk_errors_as_storage_errors():
            chunk = file.read(length)
        if not chunk:
            break
        count += len(chunk)
        digest.update(chunk)
        yield chunk
    if count != size or digest.hexdigest() != sha256:
        raise StorageUnavailable("the received file was changed before it was stored")
