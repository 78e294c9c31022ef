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
            with NewFile(self._storage, _place(key)) as file:
                yield file
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


class NewFile(TemporaryUploadedFile):
    def __init__(self, storage: Storage, place: str) -> None:
        super().__init__(place, None, 0, None)
        self._storage = storage
        self._place = place

    def read_back(self) -> BinaryIO:
        self.flush()
        return open(self.temporary_file_path(), "rb")  # noqa: PTH123  # the caller closes it

    def commit(self) -> None:
        self.flush()
        os.fsync(self.fileno())
        self.size = self.tell()
        # FileSystemStorage moves it to its place; another storage reads it from its beginning.
        self.seek(0)
        kept = self._storage.save(self._place, self)
        if kept != self._place:  # it took another name, as there is a file of this one
            self._storage.delete(kept)
            raise FileExistsError(self._place)
