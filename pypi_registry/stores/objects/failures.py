"""Translates errors of obstore to errors of the contract.

obstore's texts quote the response of the object store. S3 quotes the request in some of them, with the session token.
So no text of obstore leaves this module, except the status and the error code of a response.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from obstore import exceptions

from pypi_registry.errors import RegistryError, StorageFull, StorageUnavailable

_REFUSED = "the object store refuses the request or its credentials"
_NO_BUCKET = "the object store has no such bucket"

# By the error code or the status of the response. obstore has no class for most of them, and one class for all errors
# of a list.
_BY_RESPONSE: Mapping[str, str] = {
    "NoSuchBucket": _NO_BUCKET,
    "ContainerNotFound": _NO_BUCKET,  # of Azure
    "401": _REFUSED,
    "403": _REFUSED,
}

_NO_CREDENTIALS = "the credentials of the object store cannot be read"

# The request for a token, which GCS and Azure get from another server. It responds 400 to wrong credentials (RFC 6749,
# 5.2).
_TOKEN = "Error performing token request"
_TOKEN_REFUSED = {"400", "401", "403"}

# By words in the text of an error without a response. Its URL may have any digits.
_WITHOUT_RESPONSE: Mapping[str, str] = {
    "//169.254.": _NO_CREDENTIALS,  # where instances and containers get them
    "kind: Timeout": "the object store does not answer in time",
    "kind: Connect": "the object store cannot be reached",
}
_UNUSABLE = "the object store cannot be used now"

# All other errors are defects, and pass through.
_TRANSLATED = (
    exceptions.AlreadyExistsError,  # any 409, "OperationAborted" for one
    exceptions.GenericError,
    exceptions.PermissionDeniedError,
    exceptions.PreconditionError,
    exceptions.UnauthenticatedError,
    FileNotFoundError,  # any 404
)

# Ceph, MinIO and Swift; S3 itself is never full.
_FULL = {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}

_MISSING = {"NoSuchKey", "BlobNotFound"}

_STATUS = re.compile(r"(?:status code: |\(code: )([0-9]{3})\b")
_CODE = re.compile(r"<Code>([A-Za-z]{1,64})</Code>")

# obstore deletes in Azure by a batch request. Of the response it quotes the status and the reason of each deletion,
# "… (code: 404)", and not the error code.
_CODES_OF_REASONS: Mapping[str, str] = {
    ": The specified blob does not exist. (code: ": "BlobNotFound",
    ": The specified container does not exist. (code: ": "ContainerNotFound",
}


class ObjectStoreError(Exception):
    """The facts about an error response, without its text: the cause of an error of the contract."""


def is_missing(error: FileNotFoundError) -> bool:
    """Return whether the object does not exist. The response to HEAD has no error code.

    Any other 404 comes from a bucket that does not exist, or from a server that is not an object store. It must not be
    reported as lost bytes.
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
        text = str(error)
        facts = filter(None, (type(error).__name__, _status(text), _code(text)))
        raise failure from ObjectStoreError(" ".join(facts))  # so no traceback shows the error of obstore


def translated(error: Exception) -> RegistryError | None:
    """Return the error of the contract for an error of obstore; None if it must pass through."""
    text = str(error)
    if not isinstance(error, _TRANSLATED) or getattr(error, "errno", None) is not None:  # FileNotFoundError of a disk
        return None
    status, code = _status(text), _code(text)
    if status == "507" or code in _FULL:
        return StorageFull()
    if _TOKEN in text:
        return StorageUnavailable(_REFUSED if status in _TOKEN_REFUSED else _NO_CREDENTIALS)
    by_response = _BY_RESPONSE.get(code) or _BY_RESPONSE.get(status)
    without = (reason for words, reason in _WITHOUT_RESPONSE.items() if not status and words in text)
    return StorageUnavailable(by_response or next(without, _UNUSABLE))


def _status(text: str) -> str:
    match = _STATUS.search(text)
    return match[1] if match else ""


def _code(text: str) -> str:
    match = _CODE.search(text)
    if match:
        return match[1]
    return next((code for reason, code in _CODES_OF_REASONS.items() if reason in text), "")
