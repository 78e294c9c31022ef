"""`pypi_registry.errors`, raised and caught as a host does: read by type checkers, run by nobody."""

from typing import assert_type

from pypi_registry.errors import (
    FileTaken,
    FileTooLarge,
    Forbidden,
    InsufficientScope,
    InvalidName,
    InvalidParameter,
    InvalidRequest,
    InvalidToken,
    InvalidUpload,
    InvalidVersion,
    LengthRequired,
    MethodNotAllowed,
    NoSuchRoute,
    NotAuthenticated,
    NotFound,
    PreconditionFailed,
    RegistrationNotSupported,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    UploadsRefused,
    excerpt,
)


def all_of_them() -> list[RegistryError]:
    return [
        FileTaken("demo-1.0.tar.gz"),
        FileTooLarge(1000, status=413),
        Forbidden("a reason"),
        InsufficientScope("api"),
        InvalidName("?"),
        InvalidParameter("per_page"),
        InvalidRequest(["a fault"]),
        InvalidToken("expired"),
        InvalidUpload(("a fault", "another")),
        InvalidVersion("1.0_1", 3),
        LengthRequired(),
        MethodNotAllowed(["GET"], advice="elsewhere"),
        NoSuchRoute(),
        NotAuthenticated(),
        NotFound("Package"),
        RegistrationNotSupported(),
        PreconditionFailed(),
        StorageFull(),
        StorageUnavailable("busy"),
        UploadsRefused("demo", "archived"),
    ]


def what_they_tell(error: RegistryError) -> None:
    assert_type((error.status, str(error)), tuple[int, str])
    match error:
        case FileTaken():
            assert_type(error.filename, str)
        case InvalidRequest():
            assert_type(error.faults, tuple[str, ...])
        case InvalidName() | InvalidVersion():
            caught: ValueError = error
            assert_type(excerpt(str(caught), limit=10), str)
        case InvalidParameter():
            assert_type((error.name, error.fault), tuple[str, str])
        case FileTooLarge():
            assert_type(error.limit, int)
        case InvalidToken() | Forbidden() | StorageUnavailable() | UploadsRefused():
            assert_type(error.reason, str)
        case InsufficientScope():
            assert_type(error.scope, str)
        case NotFound():
            assert_type(error.what, str)
        case MethodNotAllowed():
            assert_type((error.allowed, error.advice), tuple[tuple[str, ...], str])
        case _:
            pass
