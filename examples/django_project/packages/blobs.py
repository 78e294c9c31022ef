"""A store of bytes in a storage of Django's."""

import errno
import io
import os
import shutil
from typing import BinaryIO, cast

from django.core.files import File
from django.core.files.storage import Storage, default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile

from pypi_registry.errors import StorageFull, StorageUnavailable


class StorageBlobs:
    """Stores each blob as a file of a storage."""

    def __init__(self, storage: Storage = default_storage) -> None:
        self._storage = storage

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        try:
            # FileSystemStorage moves such a file in one step. Any other file it would write where readers find it.
            with TemporaryUploadedFile(key, None, size, None) as copy:
                file.seek(0)
                shutil.copyfileobj(file, copy)
                copy.flush()
                os.fsync(copy.fileno())
                self._storage.save(key, copy)
        except OSError as error:
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise (StorageFull() if is_full else StorageUnavailable("files cannot be written")) from error

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | None:
        try:
            file = self._storage.open(key)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageUnavailable("files cannot be read") from error
        if file.size != size:
            file.close()
            raise StorageUnavailable(f"the blob {key} has {file.size} bytes instead of {size}")
        return cast(BinaryIO, file.file if part is None else Part(file, part))

    def delete(self, key: str) -> None:
        self._storage.delete(key)


class Part(io.RawIOBase):
    """A part of a file, to be read forward."""

    def __init__(self, file: File, part: range) -> None:
        self._file, self._left = file, len(part)
        file.seek(part.start)

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the base class allows any buffer
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()
