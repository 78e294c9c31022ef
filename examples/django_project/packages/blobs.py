"""The registry's bytes in a storage of Django's."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from django.core.files.storage import Storage, default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile

from pypi_registry.errors import StorageFull


class StorageBlobs:
    """Keeps each blob as a file of a storage."""

    def __init__(self, storage: Storage = default_storage) -> None:
        self._storage = storage

    @contextmanager
    def create(self, key: str) -> Iterator["NewFile"]:
        try:
            with TemporaryUploadedFile(key, None, 0, None) as file:
                yield NewFile(file, self._storage, _place(key))
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise StorageFull from error
            raise

    def open(self, key: str) -> BinaryIO | None:
        try:
            return cast(BinaryIO, self._storage.open(_place(key)).file)
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        self._storage.delete(_place(key))


def _place(key: str) -> str:
    return f"{key[:2]}/{key}"


class NewFile:
    def __init__(self, file: TemporaryUploadedFile, storage: Storage, place: str) -> None:
        self._file = file
        self._storage = storage
        self._place = place

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def read_back(self) -> BinaryIO:
        self._file.flush()
        return open(self._file.temporary_file_path(), "rb")  # noqa: PTH123  # the caller closes it

    def commit(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.size = self._file.tell()
        # FileSystemStorage moves it to its place; another storage reads it from its beginning.
        self._file.seek(0)
        kept = self._storage.save(self._place, self._file)
        if kept != self._place:  # it took another name, as there is a file of this one
            self._storage.delete(kept)
            raise FileExistsError(self._place)
