"""What the stores in memory add to the contracts: copies, records, and how revisions follow projects that move."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO

import pytest
from packaging.utils import canonicalize_name

from pypi_registry._records import (
    CopiedRecord,
    FileRecord,
    LastIdsRecord,
    PackageRecord,
    ProjectRecord,
    PublicationRecord,
    Record,
    StatusRecord,
)
from pypi_registry.errors import StorageUnavailable
from pypi_registry.model import (
    Digests,
    NameStatus,
    PackageFile,
    PackageMetadata,
    PackageQuery,
    Project,
    Projects,
    Status,
    Upload,
)
from pypi_registry.storage import (
    MAX_PUBLICATIONS,
    MAX_TOTAL,
    Blobs,
    Catalogue,
    Enumerable,
    EnumerableBlobs,
    ProjectPaths,
)
from pypi_registry.stores._search import name_matches
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

TOOLS, LIBS, ELSEWHERE = Project(1, "acme/tools"), Project(2, "Acme/libs"), Project(3, "other/libs")
DEMO, OTHER = canonicalize_name("demo"), canonicalize_name("other")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
KEY = "0123456789abcdef" * 2


def add(
    catalogue: MemoryCatalogue,
    filename: str,
    name: str = "demo",
    *,
    version: str = "1.0",
    project: Project = TOOLS,
    core_metadata: bytes | None = None,
) -> PackageFile:
    upload = Upload(
        name,
        canonicalize_name(name),
        version,
        filename,
        4,
        Digests("a" * 64),
        ">=3.8",
        PackageMetadata(summary="A demo"),
        core_metadata,
    )
    return catalogue.add(project, upload, KEY, AT, "ada")


def both(*projects: Project) -> Projects:
    return Projects(projects)


def test_the_stores_implement_the_optional_protocols() -> None:
    catalogue: Catalogue = MemoryCatalogue()
    blobs: Blobs = MemoryBlobs()
    assert isinstance(catalogue, ProjectPaths)
    assert isinstance(catalogue, Enumerable)
    assert isinstance(blobs, EnumerableBlobs)


# Revisions of projects that move


def test_a_revision_of_a_group_changes_with_its_own_projects_only() -> None:
    catalogue = MemoryCatalogue()
    for project in (TOOLS, ELSEWHERE):
        add(catalogue, "demo-1.0.zip", project=project)
    group = both(TOOLS, Project(9, "acme/empty"))
    before = catalogue.revision(group, DEMO)
    add(catalogue, "demo-1.1.zip", version="1.1", project=ELSEWHERE)
    assert catalogue.revision(group, DEMO) == before
    add(catalogue, "demo-1.1.zip", version="1.1", project=TOOLS)
    assert catalogue.revision(group, DEMO) != before


def test_a_project_that_changed_while_it_was_away_changes_the_revision_of_the_group_it_returns_to() -> None:
    catalogue = MemoryCatalogue()
    add(catalogue, "demo-1.0.zip")
    moved = Project(TOOLS.id, "moved/tools")
    group = both(moved, Project(9, "moved/empty"))
    before = [catalogue.revision(group, name) for name in (DEMO, None)]  # cached in its new group, without a change
    catalogue.yank(TOOLS, 1, "changed in its old group", "")
    add(catalogue, "other-1.0.zip", name="other")
    after = [catalogue.revision(group, name) for name in (DEMO, None)]
    assert all(was != now for was, now in zip(before, after, strict=True))


def test_a_group_has_a_revision_for_the_packages_of_a_project_that_moved_there_and_did_not_change_since() -> None:
    catalogue = MemoryCatalogue()
    file = add(catalogue, "demo-1.0.zip")
    moved = Project(TOOLS.id, "new/tools")
    group = both(moved, Project(9, "new/empty"))
    for name in (DEMO, None):
        assert catalogue.revision(group, name) is not None
        assert catalogue.revision(both(Project(9, "new/empty")), name) is None
    before = catalogue.revision(group, DEMO)
    catalogue.yank(moved, file.package.id, "broken", "ada")
    assert catalogue.revision(group, DEMO) != before


def test_a_change_renews_the_revisions_of_all_root_groups_in_which_the_project_ever_was() -> None:
    catalogue = MemoryCatalogue()
    file = add(catalogue, "demo-1.0.zip")
    in_acme = both(TOOLS, Project(9, "acme/empty"))
    in_between, at_last = Project(TOOLS.id, "between/tools"), Project(TOOLS.id, "last/tools")
    in_the_middle = both(in_between, Project(9, "between/empty"))
    catalogue.yank(in_between, file.package.id, "broken", "ada")
    before = [catalogue.revision(group, DEMO) for group in (in_acme, in_the_middle)]
    catalogue.set_status(at_last, DEMO, NameStatus(Status.ARCHIVED), "ada")
    after = [catalogue.revision(group, DEMO) for group in (in_acme, in_the_middle)]
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert catalogue.project_paths() == [(TOOLS.id, "last/tools")]


def test_there_is_no_revision_without_anything_to_show() -> None:
    catalogue = MemoryCatalogue()
    catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED), "ada")
    for projects in (both(TOOLS), both(TOOLS, LIBS), Projects()):
        assert catalogue.revision(projects, DEMO) is catalogue.revision(projects, None) is None
    file = add(catalogue, "demo-1.0.zip")
    revision = catalogue.revision(both(TOOLS), DEMO)
    assert revision is not None
    catalogue.delete_file(TOOLS, file.id, "ada")
    assert catalogue.revision(both(TOOLS), DEMO) is catalogue.revision(both(TOOLS), None) is None
    add(catalogue, "demo-1.0.zip")
    assert catalogue.revision(both(TOOLS), DEMO) not in (None, revision)


def test_a_project_that_never_published_has_no_path() -> None:
    catalogue = MemoryCatalogue()
    catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED), "ada")
    assert catalogue.delete_file(TOOLS, 1, "ada") is None
    assert catalogue.project_paths() == []
    add(catalogue, "demo-1.0.zip", project=LIBS)
    assert catalogue.project_paths() == catalogue.project_paths([LIBS.id, 99]) == [(LIBS.id, LIBS.path)]
    assert catalogue.project_paths([TOOLS.id]) == []


# Searches and limits


@pytest.mark.parametrize(
    ("search", "matches"),
    [
        ("", True),
        (" \t", True),
        ("flask", True),
        ("FLASK", True),
        ("k-l", True),
        ("login flask", True),
        ("flask logout", False),
        ("fl", False),
        ("flask-login", True),
        ("flask_login", False),
        ("flas\N{KELVIN SIGN}", False),
        ("%", False),
        ("\0", False),
    ],
)
def test_all_words_of_a_search_must_match(search: str, matches: bool) -> None:
    assert name_matches("Flask-Login", search) is matches


def test_a_short_word_matches_only_a_whole_name() -> None:
    assert [name for name in ("qt", "Qt", "pyqt") if name_matches(name, "QT")] == ["qt", "Qt"]


def test_a_list_counts_up_to_its_limit() -> None:
    catalogue = MemoryCatalogue()
    file = add(catalogue, "demo-1.0.zip")
    for number in range(2, MAX_TOTAL + 2):
        package = replace(file.package, id=number * 2, version=str(number), name=f"demo{number}")
        catalogue.restore(PackageRecord(replace(package, normalized_name=canonicalize_name(package.name)), METADATA))
    query = PackageQuery(limit=1)
    assert catalogue.packages(both(TOOLS), query) == ([file.package], None)
    catalogue.delete_file(TOOLS, file.id, "ada")
    packages, total = catalogue.packages(both(TOOLS), query)
    assert (len(packages), total) == (1, MAX_TOTAL)


def test_publications_are_limited() -> None:
    catalogue = MemoryCatalogue()
    for number in range(MAX_PUBLICATIONS + 1):
        catalogue.restore(PublicationRecord(DEMO, "acme", number))
    assert len(set(catalogue.publications(DEMO))) == MAX_PUBLICATIONS
    assert catalogue.publications(OTHER) == []


# Copies and records

METADATA = PackageMetadata(summary="A demo")


def filled() -> MemoryCatalogue:
    catalogue = MemoryCatalogue()
    add(catalogue, "demo-1.0.zip", core_metadata=b"Name: demo")
    package = add(catalogue, "demo-1.1.zip", version="1.1").package
    add(catalogue, "other-1.0.zip", "other", project=ELSEWHERE)
    catalogue.yank(Project(TOOLS.id, "moved/tools"), package.id, "broken", "ada")
    catalogue.set_status(ELSEWHERE, OTHER, NameStatus(Status.ARCHIVED, "old"), "ada")
    return catalogue


def restored(records: Iterable[Record]) -> MemoryCatalogue:
    catalogue = MemoryCatalogue()
    for record in records:
        catalogue.restore(record)
    return catalogue


def test_a_copy_goes_its_own_way() -> None:
    catalogue = MemoryCatalogue()
    file = add(catalogue, "demo-1.0.zip")
    copy = catalogue.copy()
    assert copy.revision(both(TOOLS), DEMO) == catalogue.revision(both(TOOLS), DEMO)
    catalogue.yank(TOOLS, file.package.id, "broken", "ada")
    catalogue.delete_file(TOOLS, file.id, "ada")
    listing = copy.listing(both(TOOLS), DEMO)
    assert listing is not None
    assert listing.files == [file]
    copy.delete_package(TOOLS, file.package.id, "ada")
    add(catalogue, "demo-1.0.zip")
    assert catalogue.names(both(TOOLS)) == ["demo"]
    assert copy.names(both(TOOLS)) == []


def test_restored_records_make_an_equal_catalogue() -> None:
    catalogue = filled()
    catalogue.restore(CopiedRecord(1, 2))
    records = [*catalogue.records()]
    copy = restored(records)
    assert [*copy.records()] == records
    kinds = [type(record) for record in records]
    order = [LastIdsRecord, CopiedRecord, ProjectRecord, PackageRecord, FileRecord, StatusRecord, PublicationRecord]
    assert kinds == sorted(kinds, key=order.index)
    projects = both(TOOLS, ELSEWHERE)
    assert copy.names(projects) == [DEMO, OTHER]
    for name in (DEMO, OTHER):
        assert copy.listing(projects, name) == catalogue.listing(projects, name)
        assert copy.publications(name) == catalogue.publications(name)
        assert copy.revision(projects, name) not in (None, catalogue.revision(projects, name))
    assert copy.project_paths() == catalogue.project_paths() == [(1, "moved/tools"), (3, "other/libs")]


def test_records_are_of_the_moment_of_the_call() -> None:
    catalogue = filled()
    records = catalogue.records()
    catalogue.set_status(TOOLS, DEMO, NameStatus(Status.ARCHIVED), "ada")
    assert len([record for record in records if isinstance(record, StatusRecord)]) == 1


def test_ids_of_restored_records_are_not_used_again() -> None:
    copy = restored(filled().records())
    ids = {record.file.id for record in copy.records() if isinstance(record, FileRecord)}
    assert add(copy, "demo-2.0.zip", version="2.0").id > max(ids)


def test_restoring_a_record_again_changes_nothing() -> None:
    catalogue = filled()
    before = [*catalogue.records()]
    pages = [(both(TOOLS), DEMO), (both(ELSEWHERE), OTHER), (both(TOOLS), None)]
    revisions = [catalogue.revision(*page) for page in pages]
    for record in before:
        catalogue.restore(record)
    assert [*catalogue.records()] == before
    assert [catalogue.revision(*page) for page in pages] == revisions


def test_a_record_in_the_way_of_another_is_not_restored() -> None:
    catalogue = filled()
    before = [*catalogue.records()]
    package = next(record for record in before if isinstance(record, PackageRecord))
    file = next(record for record in before if isinstance(record, FileRecord))
    for record in (
        replace(package, package=replace(package.package, version="9")),
        replace(package, package=replace(package.package, id=99, version="1.0.0")),
        replace(file, file=replace(file.file, size=99)),
        replace(file, file=replace(file.file, id=99)),
        replace(file, file=replace(file.file, id=99, filename="x", package=replace(file.file.package, id=98))),
    ):
        with pytest.raises(ValueError, match=r"another|missing"):
            catalogue.restore(record)
    assert [*catalogue.records()] == before


def test_a_restored_file_is_found_by_its_digest_whatever_the_order() -> None:
    catalogue = MemoryCatalogue()
    files = [add(catalogue, "demo-1.0.zip", project=project) for project in (TOOLS, LIBS)]
    projects, packages, records = (
        [record for record in catalogue.records() if isinstance(record, kind)]
        for kind in (ProjectRecord, PackageRecord, FileRecord)
    )
    copy = restored([*projects, *packages, *reversed(records)])
    newest = copy.file(both(TOOLS, LIBS), "a" * 64, "demo-1.0.zip")
    assert newest is not None
    assert newest.file == files[1]


# Bytes


def test_keys_have_sizes_and_times() -> None:
    blobs = MemoryBlobs()
    blobs.put(KEY, BytesIO(b"bytes"), size=5, sha256=sha256(b"bytes").hexdigest(), filename="demo-1.0.zip")
    [(key, size, at)] = blobs.keys()
    assert (key, size) == (KEY, 5)
    assert datetime.now(UTC) - at < timedelta(minutes=1)
    blobs.delete(KEY)
    assert [*blobs.keys()] == []


def test_bytes_of_another_length_are_not_opened() -> None:
    blobs = MemoryBlobs()
    blobs.put(KEY, BytesIO(b"bytes"), size=6, sha256="", filename="demo-1.0.zip")
    with pytest.raises(StorageUnavailable, match="5 bytes instead of 6"):
        blobs.open(KEY, size=6)
