import pickle
import traceback

import pytest
from obstore import exceptions

from pypi_registry.errors import RegistryError, StorageFull, StorageUnavailable
from pypi_registry.stores.objects.failures import is_missing, obstore_errors_as_storage_errors, translated


def answered(status: str, code: str, method: str = "GET") -> str:
    """Return obstore's text for the response of an object store."""
    body = f"<Error><Code>{code}</Code><CanonicalRequest>x-amz-security-token:hunter2</CanonicalRequest></Error>"
    what = f"Generic S3 error: Error performing {method} http://host/b/k in 1ms"
    return f"{what} - Server returned non-2xx status code: {status}: {body}"


def answered_in_batch(status: int, reason: str) -> str:
    """Return obstore's text for the deletion of one blob of Azure."""
    return f"Generic MicrosoftAzure error: Bulk delete request failed for key prefix/k: {reason} (code: {status})"


NOT_SENT = "Error performing GET http://host/ in 1ms - HTTP error: error sending request\n\nDebug source: kind: "


@pytest.mark.parametrize(
    ("error", "expected", "cause"),
    [
        (
            exceptions.PermissionDeniedError(answered("403 Forbidden", "InvalidAccessKeyId")),
            StorageUnavailable("the object store refuses the request or its credentials"),
            "PermissionDeniedError 403 InvalidAccessKeyId",
        ),
        (
            exceptions.PermissionDeniedError(answered("403 Forbidden", "SignatureDoesNotMatch")),
            StorageUnavailable("the object store refuses the request or its credentials"),
            "PermissionDeniedError 403 SignatureDoesNotMatch",
        ),
        (
            exceptions.UnauthenticatedError(answered("401 Unauthorized", "Unauthorized")),
            StorageUnavailable("the object store refuses the request or its credentials"),
            "UnauthenticatedError 401 Unauthorized",
        ),
        (
            FileNotFoundError(answered("404 Not Found", "NoSuchBucket")),
            StorageUnavailable("the object store has no such bucket"),
            "FileNotFoundError 404 NoSuchBucket",
        ),
        (
            exceptions.AlreadyExistsError(answered("409 Conflict", "OperationAborted")),
            StorageUnavailable("the object store cannot be used now"),
            "AlreadyExistsError 409 OperationAborted",
        ),
        (
            exceptions.GenericError(answered("503 Service Unavailable", "SlowDown")),
            StorageUnavailable("the object store cannot be used now"),
            "GenericError 503 SlowDown",
        ),
        (
            exceptions.GenericError(answered("404 Not Found", "NoSuchBucket")),  # of a list
            StorageUnavailable("the object store has no such bucket"),
            "GenericError 404 NoSuchBucket",
        ),
        (
            FileNotFoundError(answered("404 Not Found", "")),
            StorageUnavailable("the object store cannot be used now"),
            "FileNotFoundError 404",
        ),
        (
            exceptions.GenericError(NOT_SENT + "Timeout"),
            StorageUnavailable("the object store does not answer in time"),
            "GenericError",
        ),
        (
            exceptions.GenericError(NOT_SENT + "Connect"),
            StorageUnavailable("the object store cannot be reached"),
            "GenericError",
        ),
        *(
            (
                exceptions.GenericError(f"Error performing PUT http://127.0.0.1:{port}/401/403 in 1s - kind: Connect"),
                StorageUnavailable("the object store cannot be reached"),
                "GenericError",
            )
            for port in (40123, 40301)  # no status, although its digits are in the URL
        ),
        (
            exceptions.GenericError("Error performing PUT http://169.254.169.254/token in 1s - kind: Connect"),
            StorageUnavailable("the credentials of the object store cannot be read"),
            "GenericError",
        ),
        (
            exceptions.GenericError(answered_in_batch(403, "AuthorizationFailure")),
            StorageUnavailable("the object store refuses the request or its credentials"),
            "GenericError 403",
        ),
        (
            FileNotFoundError(answered_in_batch(404, "The specified container does not exist.")),
            StorageUnavailable("the object store has no such bucket"),
            "FileNotFoundError 404 ContainerNotFound",
        ),
        *(
            (
                exceptions.GenericError(f"Error performing token request: {answered(status, '', 'POST')}"),
                StorageUnavailable("the object store refuses the request or its credentials"),
                f"GenericError {status[:3]}",
            )
            for status in ("400 Bad Request", "401 Unauthorized", "403 Forbidden")
        ),
        *(
            (
                exceptions.GenericError(f"Error performing token request: {text}"),
                StorageUnavailable("the credentials of the object store cannot be read"),
                cause,
            )
            for text, cause in (
                (answered("503 Service Unavailable", "", "POST"), "GenericError 503"),
                (NOT_SENT + "Timeout", "GenericError"),
            )
        ),
        (exceptions.GenericError(answered("507 Insufficient Storage", "X")), StorageFull(), "GenericError 507 X"),
        (
            exceptions.GenericError(answered("507 Insufficient Storage", "XMinioStorageFull")),
            StorageFull(),
            "GenericError 507 XMinioStorageFull",
        ),
        (
            exceptions.PermissionDeniedError(answered("403 Forbidden", "QuotaExceeded")),
            StorageFull(),
            "PermissionDeniedError 403 QuotaExceeded",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_error_of_obstore_is_one_of_the_contract_without_its_text(
    error: Exception, expected: RegistryError, cause: str
) -> None:
    with pytest.raises(type(expected)) as raised, obstore_errors_as_storage_errors():
        raise error
    assert str(raised.value) == str(expected)
    assert str(raised.value.__cause__) == cause
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(expected)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.InvalidPathError("x"),
        exceptions.NotSupportedError("x"),
        exceptions.JoinError("a task has panicked"),
        FileNotFoundError(2, "No such file or directory"),
    ],
    ids=repr,
)
def test_a_defect_stays_what_it_is(error: Exception) -> None:
    assert translated(error) is None
    with pytest.raises(type(error)) as raised, obstore_errors_as_storage_errors():
        raise error
    assert raised.value is error


@pytest.mark.parametrize(
    ("status", "code", "method", "missing"),
    [
        ("404 Not Found", "NoSuchKey", "GET", True),
        ("404 Not Found", "BlobNotFound", "GET", True),
        ("404 Not Found", "NoSuchBucket", "GET", False),
        ("404 Not Found", "ContainerNotFound", "GET", False),
        ("404 Not Found", "", "GET", False),
        ("404 Not Found", "", "HEAD", True),
    ],
)
def test_only_a_missing_object_is_missing(status: str, code: str, method: str, missing: bool) -> None:
    """A bucket that does not exist, or a proxy, must not look like lost bytes: fsck would report them."""
    assert is_missing(FileNotFoundError(answered(status, code, method))) is missing


@pytest.mark.parametrize(("what", "missing"), [("blob", True), ("container", False), ("account", False)])
def test_only_a_missing_blob_is_missing_in_the_response_to_a_batch(what: str, missing: bool) -> None:
    """Azurite's reasons, which are the messages of Azure's error codes."""
    error = FileNotFoundError(answered_in_batch(404, f"The specified {what} does not exist."))
    assert is_missing(error) is missing
