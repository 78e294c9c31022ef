"""Errors of the disk."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from pypi_registry.errors import StorageFull


@contextmanager
def disk_full_as_storage_full() -> Iterator[None]:
    """Raise `StorageFull` where the disk or the quota of its user is full; other errors of the disk pass through."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull from error
        raise
