"""The tree of errors: facts as attributes, GitLab's sentences, and pickles."""

import contextlib
import copy
import importlib
import pickle
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from typing import get_type_hints

import pytest

import pypi_registry
from pypi_registry import errors
from pypi_registry.errors import (
    FileTaken,
    FileTooLarge,
    Forbidden,
    InsufficientScope,
    InvalidName,
    InvalidToken,
    InvalidUpload,
    InvalidVersion,
    LengthRequired,
    MethodNotAllowed,
    NoSuchRoute,
    NotAuthenticated,
    NotFound,
    RegistryError,
    StorageFull,
    StorageUnavailable,
    excerpt,
)

# Whoever gives an error a fact of another kind adds a sample here.
SAMPLES: dict[object, object] = {
    str: "café's\n☃",
    int: 413,
    object: {"a": 1},
    Sequence[str]: ["first", "second"],
}


def every_error(base: type[RegistryError] = RegistryError) -> Iterator[type[RegistryError]]:
    yield base
    for subclass in base.__subclasses__():
        yield from every_error(subclass)


for module in pkgutil.walk_packages(pypi_registry.__path__, "pypi_registry."):
    if not module.name.endswith("__main__"):
        with contextlib.suppress(ImportError):  # a module behind an extra that is not installed
            importlib.import_module(module.name)

KINDS = [
    pytest.param(kind, id=kind.__name__) for kind in every_error() if kind.__module__.split(".")[0] == "pypi_registry"
]


def facts_of(kind: type[RegistryError]) -> dict[str, object]:
    """Give a sample for each argument of an error, by name."""
    hints = get_type_hints(kind.__init__)
    hints.pop("return", None)
    return {name: SAMPLES[hint] for name, hint in hints.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_argument_of_an_error_is_an_attribute(kind: type[RegistryError]) -> None:
    facts = facts_of(kind)
    error = kind(*facts.values())
    assert {name: getattr(error, name) for name in facts} == {
        name: tuple(given) if isinstance(given, list) else given for name, given in facts.items()
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(lambda error: pickle.loads(pickle.dumps(error)), id="pickled"),
        pytest.param(copy.copy, id="copied"),
    ],
)
def test_an_error_is_pickled_and_copied_with_its_facts(
    kind: type[RegistryError], duplicate: Callable[[RegistryError], RegistryError]
) -> None:
    error = kind(*facts_of(kind).values())
    again = duplicate(error)
    assert type(again) is kind
    assert again.args == error.args
    assert vars(again) == vars(error)
    assert str(again) == str(error)
    assert again.status == error.status


def test_the_walk_finds_errors_of_the_stores_too() -> None:
    modules = {kind.__module__ for kind in every_error()}
    assert {"pypi_registry.errors", "pypi_registry.stores.sqlite.schema"} <= modules


@pytest.mark.parametrize("kind", [kind for kind in every_error() if kind.__module__ == "pypi_registry.errors"])
def test_every_error_is_drawn_in_the_tree_with_its_status(kind: type[RegistryError]) -> None:
    assert errors.__doc__
    drawn = [line for line in errors.__doc__.splitlines() if kind.__name__ in line.split()]
    assert len(drawn) == 1
    if kind is not RegistryError and not issubclass(kind, ValueError):
        assert str(kind(*facts_of(kind).values()).status) in drawn[0]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(
            InvalidUpload(["Version is invalid"]),
            "400 Bad request - Validation failed: Version is invalid",
            id="one fault",
        ),
        pytest.param(
            InvalidUpload(["Name is invalid", "Version is invalid"]),
            "400 Bad request - Validation failed: Name is invalid, Version is invalid",
            id="two faults",
        ),
        pytest.param(
            FileTaken("demo-1.0.tar.gz"),
            "400 Bad request - Validation failed: File name has already been taken (demo-1.0.tar.gz already exists)",
            id="a file that is there",
        ),
        pytest.param(
            FileTooLarge(3 * 1024**3),
            "400 Bad request - File is too large (it must be smaller than 3221225472 bytes)",
            id="a file too large, read",
        ),
        pytest.param(
            FileTooLarge(10, 413),
            "413 Request Entity Too Large - File is too large (it must be smaller than 10 bytes)",
            id="a file too large, announced",
        ),
        pytest.param(NotAuthenticated(), "401 Unauthorized", id="nobody"),
        pytest.param(InvalidToken(), "401 Unauthorized", id="a bad token"),
        pytest.param(InvalidToken("expired"), "401 Unauthorized - Token expired", id="an expired token"),
        pytest.param(InvalidToken("revoked"), "401 Unauthorized - Token revoked", id="a revoked token"),
        pytest.param(Forbidden(), "403 Forbidden", id="a role too low"),
        pytest.param(Forbidden("Package protected."), "403 Forbidden - Package protected.", id="a protected name"),
        pytest.param(InsufficientScope("api"), "403 Forbidden - the token lacks the scope api", id="a scope"),
        pytest.param(NotFound(), "404 Not Found", id="not found"),
        pytest.param(NotFound("Package"), "404 Package Not Found", id="no package"),
        pytest.param(NotFound("Project"), "404 Project Not Found", id="no project"),
        pytest.param(NotFound("Group"), "404 Group Not Found", id="no group"),
        pytest.param(NoSuchRoute(), "404 Not Found", id="no route"),
        pytest.param(MethodNotAllowed(["GET"]), "405 Not Allowed", id="a method"),
        pytest.param(MethodNotAllowed(["GET"], "go on"), "405 Not Allowed - go on", id="a method, with advice"),
        pytest.param(LengthRequired(), "411 Length Required - send a Content-Length", id="no length"),
        pytest.param(StorageUnavailable("busy"), "503 Service Unavailable - busy", id="a store that is busy"),
        pytest.param(StorageFull(), "507 Insufficient Storage", id="a store that is full"),
    ],
)
def test_an_error_speaks_gitlabs_sentence_after_its_status(error: RegistryError, message: str) -> None:
    assert f"{error.status} {error}" == message


def test_an_error_that_nobody_gave_a_status_is_the_servers_fault() -> None:
    assert RegistryError().status == 500


def test_older_uploaders_recognize_a_file_that_is_there() -> None:
    # twine before 6.2, poetry and pdm skip a file on either phrase; the second one is PyPI's.
    message = str(FileTaken("demo-1.0.tar.gz"))
    assert "already been taken" in message
    assert "already exist" in message


def test_a_file_that_is_there_is_an_invalid_upload_with_one_fault() -> None:
    error: InvalidUpload = FileTaken("demo-1.0.tar.gz")
    assert error.faults == ("File name has already been taken (demo-1.0.tar.gz already exists)",)


def test_the_faults_do_not_change_with_the_list_they_came_from() -> None:
    faults = ["Name is invalid"]
    error = InvalidUpload(faults)
    faults.append("Version is invalid")
    assert error.faults == ("Name is invalid",)


@pytest.mark.parametrize("error", [InvalidName("-"), InvalidVersion("x", 0)], ids=["a name", "a version"])
def test_what_is_no_name_or_version_is_a_value_error_and_a_bad_request(error: RegistryError) -> None:
    assert isinstance(error, ValueError)
    assert error.status == 400


def test_a_name_is_refused_with_the_rule() -> None:
    message = "'-demo' is not made of ASCII letters and digits, with '.', '-' and '_' between them"
    assert str(InvalidName("-demo")) == message


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(InvalidName("a\r\nSet-Cookie: b=c\x00\x1b[2J"), id="a name"),
        pytest.param(InvalidVersion("1\r\nSet-Cookie: b=c\x00\x1b[2J", 1), id="a version"),
        pytest.param(InvalidVersion("\r\n\x00", 0), id="a version, from its beginning on"),
    ],
)
def test_a_sentence_shows_control_characters_escaped(error: RegistryError) -> None:
    assert str(error).isprintable()
    assert "\\r\\n" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(InvalidName("-" * 100_000), id="a name"),
        pytest.param(InvalidVersion("1" * 100_000 + "x" * 100_000, 100_000), id="a version"),
        pytest.param(InvalidVersion("x" * 100_000, 0), id="a version, from its beginning on"),
    ],
)
def test_a_sentence_stays_short_whatever_was_sent(error: RegistryError) -> None:
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("", "''", id="nothing"),
        pytest.param("1.0", "'1.0'", id="short"),
        pytest.param("a" * 60, f"'{'a' * 60}'", id="as long as may be"),
        pytest.param("a" * 31 + "b" * 30, f"'{'a' * 30}…{'b' * 30}'", id="one more"),
        pytest.param("it's", '"it\'s"', id="a quote"),
        pytest.param("a\nb\x00", "'a\\nb\\x00'", id="control characters"),
        pytest.param("\ud800", "'\\ud800'", id="half a character"),
        pytest.param("\u202e\u2028", "'\\u202e\\u2028'", id="what turns the text around"),
        pytest.param("<b>", "'<b>'", id="markup is left to whoever makes HTML"),
    ],
)
def test_an_excerpt_is_quoted_escaped_and_cut(text: str, shown: str) -> None:
    assert excerpt(text) == shown


def test_an_excerpt_is_cut_to_the_limit_asked() -> None:
    assert excerpt("0123456789abcdef", 10) == "'01234…bcdef'"
