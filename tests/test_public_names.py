"""The public names: more of them, or fewer, is a change that somebody has to want; and each is documented and typed."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PUBLIC = {
    "pypi_registry": "InvalidVersion Open PYPI Registry check_version is_valid_version",
    "pypi_registry.accounts": "Accounts GroupEntry InvalidSetting ProjectEntry Protection Role Token TokenKind User "
    "token_digest",
    "pypi_registry.auth": "Ability Auth Credentials Manner Open Presented Principal Subject refusal require",
    "pypi_registry.directory": "Directory MAX_DIGITS OpenDirectory Ref is_path number_of parse_ref",
    "pypi_registry.distributions": "CoreMetadata Findings Verify disagreements filename_faults is_served trust verify",
    "pypi_registry.errors": "FileTaken FileTooLarge Forbidden InsufficientScope InvalidName InvalidParameter "
    "InvalidRequest InvalidToken InvalidUpload InvalidVersion LengthRequired MethodNotAllowed NoSuchRoute "
    "NotAuthenticated NotFound NothingToRegister PreconditionFailed RegistryError StorageFull StorageUnavailable "
    "UploadsRefused excerpt",
    "pypi_registry.forwarding": "ForwardTo PYPI Released forward_url is_index",
    "pypi_registry.model": "About Digests Group NameStatus Package PackageFile PackageName PackageQuery Project Status "
    "Upload Visibility is_below last_segment paths_above root_of",
    "pypi_registry.storage": "Blobs Catalogue NewBlob Redirect",
    "pypi_registry.stores.files": "FileBlobs",
    "pypi_registry.stores.memory": "MemoryBlobs MemoryCatalogue",
    "pypi_registry.stores.sqlite": "SQLiteCatalogue UnknownSchema",
    "pypi_registry.testing": "AuthContract BlobsContract BrokenOff CatalogueContract Contents DirectoryContract "
    "Distribution FakeProject FakeRegistry PublishedFile RecordedRequest Rule Where faults make_sdist make_wheel "
    "with_login",
    "pypi_registry.testing.contracts": "AuthContract BlobsContract Caller CatalogueContract DirectoryContract "
    "KnownAuth KnownDirectory UNKNOWN_TOKENS",
    "pypi_registry.testing.faults": "Answer Ask Cut Disconnect Drip Exchange ExpiredToken Fault Hang HtmlOnly "
    "MissingMetadata NoUploadTime PageFault RedirectLoop SlowStart StalePage Status WrongContentType WrongHash "
    "WrongMetadata",
    "pypi_registry.testing.fixtures": "fake_registry fake_registry_configuration fake_registry_session",
    "pypi_registry.testing.httpx_transport": "HttpxTransport",
    "pypi_registry.testing.transports": "pool_manager requests_adapter",
    "pypi_registry.versions": "check_version is_valid_version",
}
NAMES = {module: {*names.split()} for module, names in PUBLIC.items()}


def public_names(module: str) -> set[str]:
    """Give what a module shows, as type checkers see it: what it defines, and imports as what it already is called."""
    path = importlib.import_module(module).__file__
    assert path is not None
    return {name for name in _defined(ast.parse(Path(path).read_text(encoding="utf-8"))) if not name.startswith("_")}


def _defined(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name
            case ast.ImportFrom(names=names):
                yield from (each.name for each in names if each.asname == each.name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name


@pytest.mark.parametrize("module", NAMES)
def test_the_public_names_of_a_module_are_these(module: str) -> None:
    assert public_names(module) == NAMES[module]


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_is_there(module: str) -> None:
    assert NAMES[module] <= {*dir(importlib.import_module(module))}


# Documented

PAGES = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").rglob("*.md")))
WHOLE_MODULES = {
    module
    for module, options in re.findall(r"^\.\. automodule:: ([\w.]+)\n((?: +:.*\n)*)", PAGES, re.MULTILINE)
    if ":no-members:" not in options
}
DOCUMENTED = {*re.findall(r"\.\. auto(?:class|data|exception|function):: ([\w.]+)", PAGES)}


def is_documented(module: str, name: str) -> bool:
    """Tell whether a name is on a page, or another name of the same thing is."""
    thing = getattr(importlib.import_module(module), name)
    return any(
        (each in WHOLE_MODULES or f"{each}.{name}" in DOCUMENTED or f"`{each}.{name}`" in PAGES)
        and getattr(importlib.import_module(each), name) is thing
        for each in NAMES
        if name in NAMES[each]
    )


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_is_documented(module: str) -> None:
    assert [name for name in sorted(NAMES[module]) if not is_documented(module, name)] == []


def test_nothing_else_is_documented_as_public() -> None:
    public = {f"{module}.{name}" for module, names in NAMES.items() for name in names}
    assert DOCUMENTED - public == set()
    assert WHOLE_MODULES - NAMES.keys() == set()


# Typed


def used(path: Path) -> Iterator[tuple[str, str]]:
    """Give each name that a file takes, with the module that it takes it from."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((module, each.name) for each in names)
                modules |= {each.name: f"{module}.{each.name}" for each in names}
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in modules:
                yield modules[name], attribute


def test_every_public_name_has_a_typed_use() -> None:
    found = {name for path in (ROOT / "tests" / "typing").glob("*.py") for name in used(path)}
    assert {(module, name) for module, names in NAMES.items() for name in names} - found == set()
