"""The tree of errors: facts as attributes, plain sentences, and pickles."""

import contextlib
import copy
import importlib
import pickle
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from typing import get_type_hints

import pytest

import pypi_registry
from pypi_registry import errors
from pypi_registry._cli.import_ import NoSource
from pypi_registry._excerpt import excerpt
from pypi_registry._http.errors import (
    InvalidParameter,
    LengthRequired,
    MethodNotAllowed,
    NoSuchRoute,
    NotAuthenticated,
    PreconditionFailed,
)
from pypi_registry._maintenance.copy import RedirectingSource, TargetChanged
from pypi_registry._maintenance.differences import WrongTarget
from pypi_registry._maintenance.reading import UnreadableCatalogue
from pypi_registry._maintenance.temporary import NoTemporarySpace
from pypi_registry._moving.digests import WrongDigest
from pypi_registry._moving.index import InvalidSource
from pypi_registry._moving.source import SourceError
from pypi_registry._moving.static_index import ForeignFolder
from pypi_registry._publishing.form import RegistrationNotSupported
from pypi_registry.accounts import InvalidConfig
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
from pypi_registry.stores import postgres, sqlite

# A new type of fact needs a sample here.
SAMPLES: dict[object, object] = {
    str: "café's\n☃",
    int: 413,
    int | None: 404,
    bool: True,
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
    """Return a sample for each argument of an error, by name."""
    hints = get_type_hints(kind.__init__)
    hints.pop("return", None)
    return {name: SAMPLES[hint] for name, hint in hints.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_argument_of_an_error_is_an_attribute(kind: type[RegistryError]) -> None:
    facts = facts_of(kind)
    error = kind(**facts)
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
    error = kind(**facts_of(kind))
    again = duplicate(error)
    assert type(again) is kind
    assert again.args == error.args
    assert vars(again) == vars(error)
    assert str(again) == str(error)


def test_the_walk_finds_the_errors_of_every_package() -> None:
    modules = {kind.__module__ for kind in every_error()}
    assert {"pypi_registry.errors", "pypi_registry._http.errors", InvalidConfig.__module__} <= modules
    assert {sqlite.UnknownSchema.__module__, postgres.UnknownSchema.__module__} <= modules


@pytest.mark.parametrize("kind", [kind for kind in every_error() if kind.__module__ == "pypi_registry.errors"])
def test_every_error_is_drawn_in_the_tree_once(kind: type[RegistryError]) -> None:
    assert errors.__doc__
    assert [word for word in errors.__doc__.split() if word == kind.__name__] == [kind.__name__]


# Sentences

SENTENCES = [
    (
        VariantConflict("demo-1.0-py3-none-any-x.whl", ["a differs", "b differs"]),
        "demo-1.0-py3-none-any-x.whl contradicts other wheels: a differs, "
        "demo-1.0-py3-none-any-x.whl contradicts other wheels: b differs",
    ),
    (FileTaken("demo-1.0.tar.gz"), "File name has already been taken (demo-1.0.tar.gz already exists)"),
    (
        FileTaken("Demo-1.tar.gz", "demo-1.0.tar.gz"),
        "File name has already been taken (Demo-1.tar.gz already exists as demo-1.0.tar.gz)",
    ),
    (FileTooLarge(3 * 1024**3), "File is too large (it must be smaller than 3221225472 bytes)"),
    (FileTooLarge(10, declared=True), "File is too large (it must be smaller than 10 bytes)"),
    (Forbidden(), "this is not allowed"),
    (Forbidden("Package protected."), "Package protected."),
    (InsufficientScope("api"), "the token lacks the scope api"),
    (InvalidConfig("users[1].name", "", "is empty", "registry.toml"), "registry.toml: users[1].name = '': is empty"),
    (InvalidName("-demo"), "'-demo' must consist of ASCII letters and digits, with '.', '-' and '_' only between them"),
    (InvalidParameter("sort"), "sort does not have a valid value"),
    (InvalidRequest(["status is missing", "reason is long"]), "status is missing, reason is long"),
    (InvalidToken(), "the token is invalid"),
    (InvalidToken("expired"), "the token is expired"),
    (InvalidUpload(["Name is invalid"]), "Name is invalid"),
    (InvalidUpload(["Name is invalid", "Version is invalid"]), "Name is invalid, Version is invalid"),
    (InvalidVersion("1.0_1", 3), "'1.0_1' is not a valid version: unexpected '_1'"),
    (
        InvalidVersion("latest", 0),
        "'latest' is not a valid version: it must begin with a number, or with 'v' and a number",
    ),
    (InvalidVersion("", 0), "the version is empty"),
    (LengthRequired(), "send a Content-Length"),
    (MethodNotAllowed(["GET", "HEAD"]), "only GET, HEAD is allowed"),
    (MethodNotAllowed(["POST"], "publish elsewhere"), "publish elsewhere"),
    (
        NoTemporarySpace("database or disk is full"),
        "the temporary file cannot be written: database or disk is full; set SQLITE_TMPDIR to a folder with more space",
    ),
    (ForeignFolder("/srv/www"), "/srv/www: this folder is not empty, and no export has written it"),
    (InvalidSource("the source is not a valid URL"), "the source is not a valid URL"),
    (NoSource(), "SOURCE is neither the URL of an index (http://… or https://…) nor a folder"),
    (
        RedirectingSource(),
        "the source redirects to its files: open it so that it returns their bytes (without deliver=redirect)",
    ),
    (SourceError("the source is away", 404), "the source is away"),
    (TargetChanged("the id 7"), "another program writes to the target: the id 7"),
    (
        WrongDigest("sha256", "ab", "cd"),
        "its sha256 digest does not match: the source declares ab, and cd was received",
    ),
    (
        WrongTarget("its package demo 1.0 (id 7) is not the one of the source"),
        "the target is neither empty nor a copy of this source: its package demo 1.0 (id 7) is not the one of the "
        "source; nothing was changed",
    ),
    (NoSuchRoute(), "this does not exist"),
    (NotAuthenticated(), "authentication is required"),
    (NotFound(), "this does not exist"),
    (NotFound("Package"), "Package does not exist"),
    (OutcomeUnknown("it is not known"), "it is not known"),
    (PreconditionFailed(), "the resource has changed"),
    (RegistrationNotSupported(), "a name need not be registered, upload a file instead"),
    (StorageFull(), "the storage is full"),
    (StorageUnavailable("the catalogue is busy"), "the catalogue is busy"),
    (
        UnreadableCatalogue("row 3"),
        "the catalogue has a row that cannot be read, so the rows after it were not processed: row 3",
    ),
    (UploadsRefused("demo", "archived"), "demo is archived and accepts no uploads"),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_an_error_is_a_plain_sentence(error: RegistryError, sentence: str) -> None:
    assert str(error) == sentence
    # The status and GitLab's phrases are added where an error becomes a response.
    assert not re.search(r"\b[45][0-9][0-9]\b|bad request|validation failed|unauthorized|not found", sentence, re.I)


def test_every_error_has_a_sentence_in_the_table() -> None:
    kinds = {kind for kind in every_error() if kind.__module__.split(".")[0] == "pypi_registry"}
    assert {type(error) for error, _ in SENTENCES} == kinds - {
        RegistryError,
        sqlite.UnknownSchema,
        postgres.UnknownSchema,
    }


def test_no_error_has_a_status_of_http() -> None:
    assert [kind for kind in every_error() if hasattr(kind, "status") and kind is not UploadsRefused] == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_error_has_a_fact_for_a_secret(kind: type[RegistryError]) -> None:
    assert facts_of(kind).keys().isdisjoint({"credentials", "password", "secret", "token"})


def test_older_uploaders_recognize_a_file_name_that_is_taken() -> None:
    # twine before 6.2, poetry and pdm skip a file on either phrase; the second one is PyPI's.
    message = str(FileTaken("demo-1.0.tar.gz"))
    assert "already been taken" in message
    assert "already exist" in message


def test_a_file_name_that_is_taken_is_an_invalid_upload_with_one_problem() -> None:
    error: InvalidUpload = FileTaken("demo-1.0.tar.gz")
    assert error.problems == ("File name has already been taken (demo-1.0.tar.gz already exists)",)


def test_problems_do_not_change_with_the_list_that_they_came_from() -> None:
    problems = ["Name is invalid"]
    error = InvalidUpload(problems)
    problems.append("Version is invalid")
    assert error.problems == ("Name is invalid",)


@pytest.mark.parametrize("kind", [InvalidName, InvalidVersion, InvalidConfig])
def test_an_error_about_a_value_is_a_value_error(kind: type[RegistryError]) -> None:
    assert issubclass(kind, ValueError)


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
        pytest.param("a" * 60, f"'{'a' * 60}'", id="as long as the limit"),
        pytest.param("a" * 31 + "b" * 30, f"'{'a' * 30}…{'b' * 30}'", id="one more"),
        pytest.param("it's", '"it\'s"', id="a quote"),
        pytest.param("a\nb\x00", "'a\\nb\\x00'", id="control characters"),
        pytest.param("\ud800", "'\\ud800'", id="a lone surrogate"),
        pytest.param("\u202e\u2028", "'\\u202e\\u2028'", id="bidirectional controls"),
        pytest.param("<b>", "'<b>'", id="markup is not escaped"),
    ],
)
def test_an_excerpt_is_quoted_escaped_and_shortened(text: str, shown: str) -> None:
    assert excerpt(text) == shown


def test_an_excerpt_is_shortened_to_the_limit() -> None:
    assert excerpt("0123456789abcdef", 10) == "'01234…bcdef'"
