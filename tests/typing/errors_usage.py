"""The errors and their facts, as an application uses them: type checkers read this file, nothing runs it."""

from typing import assert_type

from pypi_registry.errors import (
    FileTaken,
    FileTooLarge,
    Forbidden,
    InsufficientScope,
    InvalidName,
    InvalidRequest,
    InvalidToken,
    InvalidUpload,
    InvalidVersion,
    NotFound,
    OutcomeUnknown,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    UploadsRefused,
    VariantConflict,
)


def all_errors() -> list[RegistryError]:
    return [
        FileTaken("demo-1.0.tar.gz"),
        FileTooLarge(1000, declared=True),
        Forbidden("a reason"),
        InsufficientScope("api"),
        InvalidName("?"),
        InvalidRequest(["a problem"]),
        InvalidToken("expired"),
        InvalidUpload(("a problem", "another")),
        InvalidVersion("1.0_1", 3),
        NotFound("Package"),
        OutcomeUnknown("it is not known"),
        StorageFull(),
        StorageUnavailable("busy"),
        UploadsRefused("demo", "archived"),
        VariantConflict("demo-1.0-py3-none-any-x.whl", ["a contradiction"]),
    ]


def facts(error: RegistryError) -> None:
    assert_type(str(error), str)
    match error:
        case FileTaken():
            assert_type(error.filename, str)
        case VariantConflict():
            assert_type((error.filename, error.conflicts), tuple[str, tuple[str, ...]])
        case InvalidRequest():
            assert_type(error.problems, tuple[str, ...])
        case InvalidName():
            caught: ValueError = error
            assert_type(error.name, str)
            assert_type(str(caught), str)
        case InvalidVersion():
            caught = error
            assert_type((error.version, error.position), tuple[str, int])
        case FileTooLarge():
            assert_type((error.limit, error.declared), tuple[int, bool])
        case UploadsRefused():
            assert_type((error.name, error.status), tuple[str, str])
        case InvalidToken() | Forbidden() | StorageUnavailable():
            assert_type(error.reason, str)
        case InsufficientScope():
            assert_type(error.scope, str)
        case NotFound():
            assert_type(error.what, str)
        case _:
            pass
