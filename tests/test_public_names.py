"""The public modules and names: a change of these tables is a decision. Each name is documented and has a typed use."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pypi_registry

ROOT = Path(__file__).parents[1]

PUBLIC = {
    "pypi_registry": "AllowAll Group InvalidVersion Project Registry Visibility check_version is_valid_version",
    "pypi_registry.accounts": "Accounts GroupConfig InvalidConfig ProjectConfig ProtectionRule Role Token TokenKind "
    "User token_digest",
    "pypi_registry.auth": "Ability Auth AuthScheme Credentials Principal ReadsMany Subject",
    "pypi_registry.directory": "Directory Ref",
    "pypi_registry.distributions": "CoreMetadata Report Verify read_unverified verify",
    "pypi_registry.errors": "FileTaken FileTooLarge Forbidden InsufficientScope InvalidName InvalidRequest "
    "InvalidToken InvalidUpload InvalidVersion NotFound OutcomeUnknown RegistryError StorageFull "
    "StorageUnavailable UploadsRefused VariantConflict",
    "pypi_registry.events": "Actor AuditLog Event FileDeleted PackageDeleted Published StatusChanged Unyanked Yanked",
    "pypi_registry.forwarding": "Forward ForwardTo PYPI",
    "pypi_registry.health": "Health",
    "pypi_registry.metrics": "Metrics",
    "pypi_registry.model": "Deletion Digests FileWithStatus Group Listing NameStatus Namespace Package PackageDetails "
    "PackageFile PackageMetadata PackageName PackageQuery Project Projects Status Upload VariantsHistory "
    "Visibility",
    "pypi_registry.storage": "Blobs Catalogue ChecksHealth ChecksItself CreatesFiles Enumerable EnumerableBlobs "
    "KeepsVariants MAX_PUBLICATIONS MAX_TOTAL ProjectPaths Redirect check_variant variants_after",
    "pypi_registry.stores.files": "FileBlobs",
    "pypi_registry.stores.memory": "MemoryBlobs MemoryCatalogue",
    "pypi_registry.stores.objects": "ObjectBlobs",
    "pypi_registry.stores.postgres": "PostgresCatalogue UnknownSchema migrate",
    "pypi_registry.stores.sqlite": "SQLiteCatalogue UnknownSchema",
    "pypi_registry.testing": "AuthContract BlobsContract CatalogueContract ConnectionDropped Contents "
    "DirectoryContract Distribution FakeProject FakeRegistry FaultRule Matcher PublishedFile RecordedRequest Variant "
    "faults make_sdist make_wheel with_credentials",
    "pypi_registry.testing.contracts": "AuthContract BlobsContract Caller CatalogueContract DirectoryContract "
    "KnownAuth KnownDirectory UNKNOWN_TOKENS",
    "pypi_registry.testing.faults": "Delay Disconnect Exchange ExpiredToken Fault Hang HtmlOnly "
    "MissingMetadata NoUploadTime PageFault RedirectLoop Response SlowBody StalePage Status Truncate WrongContentType "
    "WrongHash WrongMetadata",
    "pypi_registry.testing.fixtures": "fake_registry fake_registry_configuration fake_registry_session",
    "pypi_registry.testing.httpx_transport": "HttpxTransport",
    "pypi_registry.testing.requests_transport": "requests_adapter",
    "pypi_registry.testing.urllib3_transport": "pool_manager",
    "pypi_registry.versions": "check_version is_valid_version",
}
NAMES = {module: {*names.split()} for module, names in PUBLIC.items()}

# The public names of these packages are in the `__init__`; their modules are internal, except those in the table.
WITH_INTERNAL_MODULES = {
    "pypi_registry.accounts",
    "pypi_registry.distributions",
    "pypi_registry.stores.objects",
    "pypi_registry.stores.postgres",
    "pypi_registry.stores.sqlite",
    "pypi_registry.testing",
    "pypi_registry.testing.contracts",
    "pypi_registry.testing.contracts.catalogue",
}


def test_every_other_module_is_private_or_internal_to_a_package() -> None:
    found = {each.name for each in pkgutil.walk_packages(pypi_registry.__path__, "pypi_registry.")}
    private = {name for name in found if any(part.startswith("_") for part in name.split("."))}
    internal = {name for name in found if name.rpartition(".")[0] in WITH_INTERNAL_MODULES}
    assert NAMES.keys() - {"pypi_registry"} <= found
    assert found - private - internal - NAMES.keys() == {"pypi_registry.stores"}  # a package without names


def public_names(module: str) -> set[str]:
    """Return what a module exports by the rule of type checkers: what it defines, and imports ``as`` the same name."""
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
def test_every_public_name_exists(module: str) -> None:
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
    """Return whether a name is on a page, or the same object under another name of it."""
    thing = getattr(importlib.import_module(module), name)
    return any(
        (_is_documented_with(each, thing) or f"{each}.{name}" in DOCUMENTED or f"`{each}.{name}`" in PAGES)
        and getattr(importlib.import_module(each), name) is thing
        for each in NAMES
        if name in NAMES[each]
    )


def _is_documented_with(module: str, thing: object) -> bool:
    """Return whether the page of a whole module has this object; Sphinx leaves out what the module imports."""
    is_defined_here = not (inspect.isclass(thing) or inspect.isfunction(thing)) or thing.__module__ == module
    return module in WHOLE_MODULES and is_defined_here


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_is_documented(module: str) -> None:
    assert [name for name in sorted(NAMES[module]) if not is_documented(module, name)] == []


def test_only_public_names_are_documented() -> None:
    public = {f"{module}.{name}" for module, names in NAMES.items() for name in names}
    assert DOCUMENTED - public == set()
    assert WHOLE_MODULES - NAMES.keys() == set()


# Typed


def used(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each name that a file imports, with its module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names):
                yield from ((module, each.name) for each in names)
                modules |= {each.name: f"{module}.{each.name}" for each in names}
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in modules:
                yield modules[name], attribute


TYPED_USES = sorted((ROOT / "tests" / "typing").glob("*.py"))


def test_every_public_name_has_a_typed_use() -> None:
    found = {name for path in TYPED_USES for name in used(path)}
    assert {(module, name) for module, names in NAMES.items() for name in names} - found == set()


@pytest.mark.parametrize("path", [*TYPED_USES, *sorted((ROOT / "examples").rglob("*.py"))], ids=lambda path: path.stem)
def test_typed_uses_and_examples_import_public_names_only(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    imported = {
        (node.module or "", each.name)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    ours = {(module, name) for module, name in imported if module.split(".")[0] == "pypi_registry"}
    public = {(module, name) for module, names in NAMES.items() for name in names}
    submodules = {(module.rpartition(".")[0], module.rpartition(".")[2]) for module in NAMES}
    assert ours - public - submodules == set()
