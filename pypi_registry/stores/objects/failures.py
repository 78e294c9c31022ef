"""Which error of obstore is which error of the contract.

obstore's texts quote the response of the object store. S3 quotes the request in some of them, with the session token.
So no text of obstore leaves this module, except the status and the error code of a response.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from obstore import exceptions

from pypi_registry.errors import RegistryError, StorageFull, StorageUnavailable

# The nearest base of an error decides. What is in neither table is a defect, and passes unchanged.
_REASONS: Mapping[type[Exception], str] = {
    exceptions.PermissionDeniedError: "the object store refuses the request or its credentials",
    exceptions.UnauthenticatedError: "the object store refuses the credentials",
    FileNotFoundError: "the object store has no such bucket",
    exceptions.AlreadyExistsError: "the object store refuses the request",  # any 409, "OperationAborted" for one
    exceptions.PreconditionError: "the object store refuses the request",
    exceptions.GenericError: "the object store cannot be used now",
}

# obstore has no classes for these.
_REASONS_IN_TEXT: Mapping[str, str] = {
    "//169.254.": "the credentials of the object store cannot be read",  # where instances and containers get them
    "kind: Timeout": "the object store does not answer in time",
    "kind: Connect": "the object store cannot be reached",
}

# Ceph, MinIO and Swift; S3 itself is never full.
_FULL = {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}

_MISSING = {"NoSuchKey", "BlobNotFound"}

_STATUS = re.compile(r"status code: ([0-9]{3})\b")
_CODE = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")


class ObjectStoreError(Exception):
    """What an object store answered, without the text of the response: the cause of an error of the contract."""


def is_missing(error: FileNotFoundError) -> bool:
    """Return whether the object does not exist. The response to HEAD has no error code.

    Any other 404 is of a bucket that does not exist, or of a server that is no object store: whoever checks a registry
    must not learn from it that bytes are lost.
    """
    text = str(error)
    return "Error performing HEAD" in text or _code(text) in _MISSING


def ignores_ranges(error: exceptions.GenericError) -> bool:
    """Return whether the response to a request for a range was a 200 (RFC 9110, 14.2: a server may ignore ranges).

    obstore refuses it, also if it has a Content-Range, as that of gofakes3 and rclone.
    """
    return "Received non-partial response" in str(error)


@contextmanager
def obstore_errors_as_storage_errors() -> Iterator[None]:
    """Raise `StorageUnavailable` or `StorageFull` for errors of obstore; other errors pass through."""
    try:
        yield
    except (exceptions.BaseError, FileNotFoundError) as error:
        failure = translated(error)
        if failure is None:
            raise
    else:
        return
    raise failure  # here, where the error of obstore is not its context


def translated(error: Exception) -> RegistryError | None:
    """Return the error that an error of obstore is for the caller; None if it stays what it is."""
    reason = next((_REASONS[kind] for kind in type(error).__mro__ if kind in _REASONS), None)
    text = str(error)
    if reason is None or (isinstance(error, FileNotFoundError) and error.errno is not None):
        return None
    status, code = _status(text), _code(text)
    if status == "507" or code in _FULL:
        failure: RegistryError = StorageFull()
    else:
        reason = next((found for words, found in _REASONS_IN_TEXT.items() if words in text), reason)
        failure = StorageUnavailable(reason)
    failure.__cause__ = ObjectStoreError(" ".join(filter(None, (type(error).__name__, status, code))))
    return failure


def _status(text: str) -> str:
    match = _STATUS.search(text)
    return match[1] if match else ""


def _code(text: str) -> str:
    match = _CODE.search(text)
    return match[1] if match else ""
