"""The contract of a catalogue, sentence by sentence, over every catalogue of the package."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import count as count_from
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

import pytest
from packaging.utils import NormalizedName, canonicalize_name

from pypi_registry.errors import FileTaken, UploadsRefused
from pypi_registry.model import (
    About,
    Digests,
    NameStatus,
    Package,
    PackageFile,
    PackageQuery,
    Project,
    Status,
    Upload,
)
from pypi_registry.storage import Catalogue
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue

T = TypeVar("T")

TOOLS, LIBS, ELSEWHERE = Project(1, "acme/tools"), Project(2, "acme/libs"), Project(10**18 - 1, "other/place")
DEMO = canonicalize_name("demo")
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
KEY = "0123456789abcdef" * 2


@pytest.fixture(params=["memory", "sqlite"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalogue]:
    if request.param == "memory":
        yield MemoryCatalogue()
        return
    stored = SQLiteCatalogue(tmp_path / "catalogue.db")
    yield stored
    stored.close()


def upload(
    filename: str = "demo-1.0.tar.gz", name: str = "demo", version: str = "1.0", sha256: str = "a" * 64
) -> Upload:
    return Upload(name, canonicalize_name(name), version, filename, 4, Digests(sha256), "")


def add(catalogue: Catalogue, project: Project, added: Upload | str) -> PackageFile:
    if isinstance(added, str):
        added = upload(added)
    return catalogue.add(project, added, KEY, AT)


def filenames(files: Sequence[PackageFile]) -> list[str]:
    return [file.filename for file in files]


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Do a thing in many threads that start together; give what each returned."""
    start = Barrier(count)

    def run(number: int) -> T:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


# add


def test_what_was_added_is_given_back_as_it_was(catalogue: Catalogue) -> None:
    sent = Upload(
        name="My.Pkg",
        normalized=canonicalize_name("My.Pkg"),
        version="1.0-RC1",
        filename="My.Pkg-1.0rc1+x.tar.gz",
        size=3 * 1024**3,
        digests=Digests("a" * 64, "b" * 32, "c" * 64),
        requires_python=">=3.8, <4",
        about=About(summary="é ☃ \0 ' \" %s"),
        core_metadata=b"Name: My.Pkg\n\0\xff",
    )
    added = catalogue.add(ELSEWHERE, sent, KEY, AT)
    assert added == PackageFile(
        id=added.id,
        package=Package(added.package.id, ELSEWHERE.id, "My.Pkg", sent.normalized, "1.0-RC1", AT),
        filename="My.Pkg-1.0rc1+x.tar.gz",
        size=3 * 1024**3,
        digests=sent.digests,
        requires_python=">=3.8, <4",
        uploaded_at=AT,
        key=KEY,
        metadata_sha256=sha256(b"Name: My.Pkg\n\0\xff").hexdigest(),
    )
    assert list(catalogue.files([ELSEWHERE.id], sent.normalized)) == [added]
    assert catalogue.file([ELSEWHERE.id], "a" * 64, sent.filename) == added
    assert catalogue.about(added.package) == sent.about
    assert catalogue.core_metadata(added) == sent.core_metadata
    (found,) = catalogue.files([ELSEWHERE.id], sent.normalized)
    assert found.uploaded_at.utcoffset() == timedelta(0)


def test_core_metadata_is_there_for_the_file_it_came_with_and_goes_with_it(catalogue: Catalogue) -> None:
    with_metadata = catalogue.add(TOOLS, replace(upload("demo-1.0.zip"), core_metadata=b"Name: demo\n"), KEY, AT)
    without = add(catalogue, TOOLS, "demo-1.0.tar.gz")
    empty = catalogue.add(TOOLS, replace(upload("demo-1.1.zip", version="1.1"), core_metadata=b""), KEY, AT)
    assert [catalogue.core_metadata(file) for file in (with_metadata, without, empty)] == [b"Name: demo\n", None, b""]
    assert without.metadata_sha256 is None
    assert empty.metadata_sha256 == sha256(b"").hexdigest()
    catalogue.delete_file(with_metadata)
    catalogue.delete_package(empty.package)
    assert [catalogue.core_metadata(file) for file in (with_metadata, without, empty)] == [None, None, None]


def test_digests_that_nobody_asked_for_stay_none(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.tar.gz")
    (found,) = catalogue.files([TOOLS.id], DEMO)
    assert found.digests == Digests("a" * 64, None, None)


def test_a_time_is_kept_to_the_microsecond_in_any_year(catalogue: Catalogue) -> None:
    times = [datetime(year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC) for year in (1969, 1999, 2999)]
    for count, at in enumerate(times):
        catalogue.add(TOOLS, upload(f"demo-1.0-{count}.zip"), KEY, at)
    assert [file.uploaded_at for file in catalogue.files([TOOLS.id], DEMO)] == times


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1.0", "1.0.0"),
        ("1.0.0", "1"),
        ("1.0", "v1.0"),
        ("1.0RC1", "1.0.0-rc.1"),
        ("1.0-1", "1.0.post1"),
        ("1.0+Local.1", "1.0+local-1"),
        ("0!1.0", "1.0"),
        ("1.0", "1.0"),
    ],
)
def test_equal_versions_are_one_package_named_as_it_first_was(catalogue: Catalogue, first: str, second: str) -> None:
    one = add(catalogue, TOOLS, upload("one.zip", "My.Pkg", first)).package
    two = add(catalogue, TOOLS, upload("two.zip", "my_pkg", second)).package
    assert one == two == Package(one.id, TOOLS.id, "My.Pkg", canonicalize_name("my-pkg"), first, AT)
    assert {file.package for file in catalogue.files([TOOLS.id], canonicalize_name("my-pkg"))} == {one}


@pytest.mark.parametrize(
    ("project", "name", "version"),
    [
        pytest.param(TOOLS, "demo", "1.0.1", id="another version"),
        pytest.param(TOOLS, "demo", "1.0+local", id="a local version"),
        pytest.param(TOOLS, "demo", "1!1.0", id="another epoch"),
        pytest.param(TOOLS, "demo2", "1.0", id="another name"),
        pytest.param(LIBS, "demo", "1.0", id="another project"),
    ],
)
def test_what_differs_is_another_package(catalogue: Catalogue, project: Project, name: str, version: str) -> None:
    one = add(catalogue, TOOLS, upload("one.zip"))
    two = add(catalogue, project, upload("two.zip", name, version))
    assert one.package.id != two.package.id
    assert (two.package.project_id, two.package.version) == (project.id, version)


def test_a_file_name_is_there_once_in_a_project(catalogue: Catalogue) -> None:
    first = add(catalogue, TOOLS, "demo-1.0.tar.gz")
    with pytest.raises(FileTaken) as caught:
        add(catalogue, TOOLS, upload("demo-1.0.tar.gz", "other", "2.0", "b" * 64))
    assert caught.value.filename == "demo-1.0.tar.gz"
    assert list(catalogue.files([TOOLS.id], DEMO)) == [first]
    assert list(catalogue.names([TOOLS.id])) == ["demo"]


def test_a_file_name_has_case_and_is_free_in_another_project(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.tar.gz")
    add(catalogue, TOOLS, "Demo-1.0.tar.gz")
    add(catalogue, LIBS, "demo-1.0.tar.gz")
    assert filenames(catalogue.files([TOOLS.id, LIBS.id], DEMO)) == [
        "demo-1.0.tar.gz",
        "Demo-1.0.tar.gz",
        "demo-1.0.tar.gz",
    ]


def test_an_upload_that_is_refused_changes_nothing(catalogue: Catalogue) -> None:
    said = About(summary="first")
    added = catalogue.add(TOOLS, replace(upload(), about=said), KEY, AT)
    index, page = catalogue.revision([TOOLS.id], None), catalogue.revision([TOOLS.id], DEMO)

    moved = Project(TOOLS.id, "moved/tools")
    with pytest.raises(FileTaken):
        catalogue.add(moved, replace(upload(), about=About(summary="second")), KEY, AT)
    other = canonicalize_name("other")
    with pytest.raises(FileTaken):
        catalogue.add(moved, replace(upload(), name="other", normalized=other), KEY, AT)

    assert catalogue.about(added.package) == said
    assert (catalogue.revision([TOOLS.id], None), catalogue.revision([TOOLS.id], DEMO)) == (index, page)
    assert catalogue.revision([TOOLS.id], other) == 0
    assert list(catalogue.publishers()) == [(TOOLS.id, "acme/tools")]
    assert not catalogue.was_published("moved", DEMO)
    assert not catalogue.was_published("acme", other)
    assert list(catalogue.names([TOOLS.id])) == ["demo"]


def test_of_uploads_at_once_exactly_one_gets_a_file_name(catalogue: Catalogue) -> None:
    for number in range(5):
        project = replace(TOOLS, id=number)
        winners = [file for file in at_once(8, partial(_attempt, catalogue, project)) if file]
        assert len(winners) == 1
        assert list(catalogue.files([number], DEMO)) == winners


def _attempt(catalogue: Catalogue, project: Project, number: int) -> PackageFile | None:
    try:
        return add(catalogue, project, upload(sha256=f"{number:064}"))
    except FileTaken:
        return None


def test_files_added_at_once_make_one_package_and_are_all_there(catalogue: Catalogue) -> None:
    added = at_once(8, lambda n: [add(catalogue, TOOLS, f"demo-1.0-{n}-{count}.zip") for count in range(5)])
    files = [file for some in added for file in some]
    assert len({file.id for file in files}) == 40
    assert len({file.package.id for file in files}) == 1
    assert set(catalogue.files([TOOLS.id], DEMO)) == set(files)
    assert catalogue.revision([TOOLS.id], DEMO) > 0


def test_readers_at_once_with_writers_see_whole_files(catalogue: Catalogue) -> None:
    def act(number: int) -> None:
        for count in range(10):
            if number % 2:
                add(catalogue, TOOLS, f"demo-1.0-{number}-{count}.zip")
            else:
                for file in catalogue.files([TOOLS.id], DEMO):
                    assert catalogue.file([TOOLS.id], "a" * 64, file.filename) == file

    at_once(8, act)
    assert len(catalogue.files([TOOLS.id], DEMO)) == 40


def test_ids_are_never_used_twice(catalogue: Catalogue) -> None:
    added = [
        add(catalogue, project, upload(f"demo-{count}.zip", version=str(count)))
        for count in range(5)
        for project in (TOOLS, LIBS)
    ]
    assert len({file.id for file in added}) == 10
    assert len({file.package.id for file in added}) == 10


def test_a_file_cannot_be_changed_by_whoever_was_given_it(catalogue: Catalogue) -> None:
    added = add(catalogue, TOOLS, "demo-1.0.tar.gz")
    with pytest.raises(FrozenInstanceError):
        added.filename = "other"  # type: ignore[misc]
    given = catalogue.files([TOOLS.id], DEMO)
    if isinstance(given, list):
        given.clear()
    assert filenames(catalogue.files([TOOLS.id], DEMO)) == ["demo-1.0.tar.gz"]


# names, files, file


def test_names_are_each_there_once_and_sorted(catalogue: Catalogue) -> None:
    for project, name in ((TOOLS, "zeta"), (LIBS, "Zeta"), (TOOLS, "A.b"), (LIBS, "a-c"), (ELSEWHERE, "hidden")):
        add(catalogue, project, upload(f"{name}.zip", name))
    add(catalogue, TOOLS, upload("zeta-2.zip", "ZETA", "2.0"))
    assert list(catalogue.names([TOOLS.id, LIBS.id])) == ["a-b", "a-c", "zeta"]
    assert list(catalogue.names([LIBS.id, TOOLS.id, LIBS.id])) == ["a-b", "a-c", "zeta"]
    assert list(catalogue.names([LIBS.id])) == ["a-c", "zeta"]


def test_files_are_those_of_the_name_and_of_the_projects_oldest_first(catalogue: Catalogue) -> None:
    for count, project in enumerate((TOOLS, LIBS, TOOLS, ELSEWHERE, LIBS)):
        add(catalogue, project, upload(f"demo-{count}.zip", version=str(9 - count % 2)))
    add(catalogue, TOOLS, upload("other.zip", "other"))
    assert filenames(catalogue.files([TOOLS.id], DEMO)) == ["demo-0.zip", "demo-2.zip"]
    for projects in ([TOOLS.id, LIBS.id], [LIBS.id, TOOLS.id], (LIBS.id, TOOLS.id, LIBS.id)):
        assert filenames(catalogue.files(projects, DEMO)) == ["demo-0.zip", "demo-1.zip", "demo-2.zip", "demo-4.zip"]


def test_of_several_files_the_newest_of_that_name_and_digest_is_found(catalogue: Catalogue) -> None:
    old, new = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
    other = add(catalogue, ELSEWHERE, upload("demo-1.0.zip", sha256="b" * 64))
    everywhere = [LIBS.id, TOOLS.id, ELSEWHERE.id]
    assert catalogue.file(everywhere, "a" * 64, "demo-1.0.zip") == new
    assert catalogue.file(everywhere[::-1], "a" * 64, "demo-1.0.zip") == new
    assert catalogue.file([TOOLS.id, ELSEWHERE.id], "a" * 64, "demo-1.0.zip") == old
    assert catalogue.file(everywhere, "b" * 64, "demo-1.0.zip") == other


@pytest.mark.parametrize(
    ("projects", "sha256", "filename"),
    [
        ([LIBS.id], "a" * 64, "demo-1.0.zip"),
        ([TOOLS.id], "b" * 64, "demo-1.0.zip"),
        ([TOOLS.id], "a" * 63, "demo-1.0.zip"),
        ([TOOLS.id], "a" * 64, "Demo-1.0.zip"),
        ([TOOLS.id], "a" * 64, "demo-1.0%"),
        ([TOOLS.id], "", ""),
        ([TOOLS.id], "a\0", "\0"),
    ],
)
def test_a_file_needs_its_project_its_digest_and_its_name(
    catalogue: Catalogue, projects: list[int], sha256: str, filename: str
) -> None:
    add(catalogue, TOOLS, "demo-1.0.zip")
    assert catalogue.file(projects, sha256, filename) is None


def test_no_projects_hold_nothing(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.zip")
    none: Sequence[int]
    for none in ([], ()):
        assert list(catalogue.names(none)) == []
        assert list(catalogue.files(none, DEMO)) == []
        assert catalogue.file(none, "a" * 64, "demo-1.0.zip") is None
        assert catalogue.revision(none, DEMO) == 0
        assert catalogue.revision(none, None) == 0


def test_a_group_may_have_thousands_of_projects(catalogue: Catalogue) -> None:
    add(catalogue, Project(4999, "acme/last"), "demo-1.0.zip")
    projects = range(5000)
    assert filenames(catalogue.files([*projects], DEMO)) == ["demo-1.0.zip"]
    assert list(catalogue.names([*projects])) == ["demo"]
    assert catalogue.file([*projects], "a" * 64, "demo-1.0.zip") is not None
    assert catalogue.revision([*projects], DEMO) > 0


# revision


def test_what_never_was_has_the_revision_0(catalogue: Catalogue) -> None:
    for projects in ([TOOLS.id], [TOOLS.id, LIBS.id]):
        assert catalogue.revision(projects, DEMO) == 0
        assert catalogue.revision(projects, None) == 0
    add(catalogue, TOOLS, "demo-1.0.zip")
    assert catalogue.revision([LIBS.id], DEMO) == 0
    assert catalogue.revision([LIBS.id], None) == 0
    for projects in ([TOOLS.id], [TOOLS.id, LIBS.id]):
        assert catalogue.revision(projects, canonicalize_name("other")) == 0
        assert catalogue.revision(projects, DEMO) > 0
        assert catalogue.revision(projects, None) > 0


@pytest.mark.parametrize("projects", [[TOOLS.id], [TOOLS.id, LIBS.id], [LIBS.id, ELSEWHERE.id, TOOLS.id]])
def test_every_file_raises_the_revision_of_its_page(catalogue: Catalogue, projects: list[int]) -> None:
    seen = [catalogue.revision(projects, DEMO)]
    for count, project in enumerate([TOOLS, TOOLS, LIBS, ELSEWHERE, TOOLS, LIBS]):
        if project.id in projects:
            add(catalogue, project, f"demo-1.0-{count}.zip")
            seen.append(catalogue.revision(projects, DEMO))
    assert seen == sorted(set(seen))
    assert len(seen) > 3


@pytest.mark.parametrize("projects", [[TOOLS.id], [TOOLS.id, LIBS.id]])
def test_every_new_name_raises_the_revision_of_the_index(catalogue: Catalogue, projects: list[int]) -> None:
    seen = [catalogue.revision(projects, None)]
    for count, project in enumerate([TOOLS, TOOLS, LIBS, TOOLS, LIBS]):
        if project.id in projects:
            add(catalogue, project, upload(f"{count}.zip", f"name-{count}"))
            seen.append(catalogue.revision(projects, None))
    assert seen == sorted(set(seen))
    assert len(seen) > 3


def test_a_revision_stays_where_nothing_changed(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.zip")
    index, page = catalogue.revision([TOOLS.id], None), catalogue.revision([TOOLS.id], DEMO)
    add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0"))
    assert catalogue.revision([TOOLS.id], None) == index
    changed = catalogue.revision([TOOLS.id], DEMO)
    assert changed > page
    add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
    add(catalogue, LIBS, "demo-1.0.zip")
    catalogue.names([TOOLS.id])
    catalogue.files([TOOLS.id], DEMO)
    assert catalogue.revision([TOOLS.id], DEMO) == changed


def test_a_name_that_is_new_in_one_project_of_a_group_raises_the_index_of_the_group(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.zip")
    group = [TOOLS.id, LIBS.id]
    before = catalogue.revision(group, None)
    add(catalogue, LIBS, upload("other-1.0.zip", "other"))
    assert catalogue.revision(group, None) > before


# was_published, publishers, about


def test_a_name_stays_published_under_its_root_group(catalogue: Catalogue) -> None:
    nested = Project(3, "acme/deep/er/project")
    add(catalogue, nested, upload("one.zip", "One.Pkg"))
    add(catalogue, Project(4, "alone"), upload("two.zip", "two"))

    def published(root: str, name: str) -> bool:
        return catalogue.was_published(root, canonicalize_name(name))

    assert published("acme", "one-pkg")
    assert published("alone", "two")
    wrong = [("acme", "two"), ("alone", "one-pkg"), ("acme/deep", "one-pkg"), ("", "one-pkg"), ("acme2", "one-pkg")]
    assert [pair for pair in wrong if published(*pair)] == []


def test_a_project_that_moved_has_published_under_both_roots(catalogue: Catalogue) -> None:
    add(catalogue, Project(1, "acme/tools"), "demo-1.0.zip")
    add(catalogue, Project(1, "new/tools"), upload("other-1.0.zip", "other"))
    other = canonicalize_name("other")
    assert [catalogue.was_published(root, DEMO) for root in ("acme", "new")] == [True, False]
    assert [catalogue.was_published(root, other) for root in ("acme", "new")] == [False, True]
    add(catalogue, Project(1, "new/tools"), "demo-1.1.zip")
    assert [catalogue.was_published(root, DEMO) for root in ("acme", "new")] == [True, True]


def test_publishers_are_the_projects_that_ever_published_as_they_last_were(catalogue: Catalogue) -> None:
    assert list(catalogue.publishers()) == []
    for project in (TOOLS, ELSEWHERE, LIBS, TOOLS):
        add(catalogue, project, f"demo-{project.id}-{len(catalogue.files([project.id], DEMO))}.zip")
    assert list(catalogue.publishers()) == [
        (TOOLS.id, "acme/tools"),
        (LIBS.id, "acme/libs"),
        (ELSEWHERE.id, "other/place"),
    ]
    assert list(catalogue.publishers([ELSEWHERE.id, 7, TOOLS.id])) == [(1, "acme/tools"), (ELSEWHERE.id, "other/place")]
    assert list(catalogue.publishers([])) == list(catalogue.publishers([7])) == []
    add(catalogue, Project(TOOLS.id, "moved/tools"), "demo-9.zip")
    assert (TOOLS.id, "moved/tools") in catalogue.publishers()
    assert len(catalogue.publishers()) == 3


def test_what_the_last_upload_of_a_package_said_replaces_what_was_said_before(catalogue: Catalogue) -> None:
    first = About("2.1", "a@host.example", "summary", "one, two", "description", "text/markdown")
    package = catalogue.add(TOOLS, replace(upload("one.zip"), about=first), KEY, AT).package
    other = catalogue.add(TOOLS, replace(upload("two.zip", version="2.0"), about=first), KEY, AT).package
    assert catalogue.about(package) == first

    second = About(metadata_version="2.4", description="é ☃\n\0 {}")
    catalogue.add(TOOLS, replace(upload("three.zip", version="1.0.0"), about=second), KEY, AT)
    assert catalogue.about(package) == second
    assert catalogue.about(other) == first


def test_names_are_the_kind_of_string_that_was_put_in(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.zip")
    (name,) = catalogue.names([TOOLS.id])
    found: NormalizedName = name
    assert type(found) is str


# delete_file


def test_a_deleted_file_gives_back_its_key_and_is_gone_from_everywhere(catalogue: Catalogue) -> None:
    kept = catalogue.add(TOOLS, upload("demo-1.0.zip"), "1" * 32, AT)
    file = catalogue.add(TOOLS, upload("demo-1.0.tar.gz"), "2" * 32, AT)
    assert catalogue.delete_file(file) == "2" * 32
    assert list(catalogue.files([TOOLS.id], DEMO)) == [kept]
    assert list(catalogue.package_files(file.package)) == [kept]
    assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.tar.gz") is None
    assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") == kept


def test_a_file_deleted_twice_is_harmless_and_gives_no_key(catalogue: Catalogue) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.delete_file(file)
    page = catalogue.revision([TOOLS.id], DEMO)
    assert catalogue.delete_file(file) is None
    again = add(catalogue, TOOLS, "demo-1.0.zip")
    assert page < catalogue.revision([TOOLS.id], DEMO)
    assert catalogue.delete_file(file) is None
    assert list(catalogue.files([TOOLS.id], DEMO)) == [again]


def test_a_package_stays_with_no_file_left(catalogue: Catalogue) -> None:
    said = About(summary="summary")
    file = catalogue.add(TOOLS, replace(upload(), about=said), KEY, AT)
    index = catalogue.revision([TOOLS.id], None)
    catalogue.delete_file(file)
    assert catalogue.has_name([TOOLS.id], DEMO)
    assert list(catalogue.names([TOOLS.id])) == ["demo"]
    assert catalogue.package([TOOLS.id], file.package.id) == file.package
    assert catalogue.packages([TOOLS.id], PackageQuery()) == ([file.package], 1)
    assert list(catalogue.package_files(file.package)) == list(catalogue.files([TOOLS.id], DEMO)) == []
    assert catalogue.about(file.package) == said
    assert catalogue.revision([TOOLS.id], None) == index
    assert add(catalogue, TOOLS, upload("another.zip", version="1.0.0")).package == file.package


def test_the_name_and_the_address_of_a_deleted_file_are_free_at_once(catalogue: Catalogue) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.delete_file(file)
    other = catalogue.add(TOOLS, upload("demo-1.0.zip", "other", "2.0"), "f" * 32, AT)
    assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") == other
    with pytest.raises(FileTaken):
        add(catalogue, TOOLS, "demo-1.0.zip")
    assert catalogue.delete_file(other) == "f" * 32
    assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") is None


def test_what_is_deleted_uncovers_the_file_that_was_the_newest_before(catalogue: Catalogue) -> None:
    old, new = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
    catalogue.delete_file(new)
    assert catalogue.file([TOOLS.id, LIBS.id], "a" * 64, "demo-1.0.zip") == old
    with pytest.raises(FileTaken):
        add(catalogue, TOOLS, "demo-1.0.zip")


# delete_package


def test_a_deleted_package_gives_back_the_keys_of_its_files_and_is_gone_from_everywhere(catalogue: Catalogue) -> None:
    files = [
        catalogue.add(TOOLS, upload(f"demo-1.0-{number}.zip", version=version), f"{number:032}", AT)
        for number, version in enumerate(["1.0", "1.0.0", "1"])
    ]
    other = catalogue.add(TOOLS, upload("demo-2.0.zip", version="2.0"), "9" * 32, AT)
    (package,) = {file.package for file in files}
    assert sorted(catalogue.delete_package(package)) == [file.key for file in files]
    assert catalogue.package([TOOLS.id], package.id) is None
    assert catalogue.packages([TOOLS.id], PackageQuery()) == ([other.package], 1)
    assert list(catalogue.package_files(package)) == []
    assert list(catalogue.files([TOOLS.id], DEMO)) == [other]
    assert [catalogue.file([TOOLS.id], "a" * 64, file.filename) for file in files] == [None, None, None]
    assert catalogue.has_name([TOOLS.id], DEMO)


def test_a_package_without_files_gives_back_no_keys(catalogue: Catalogue) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.delete_file(file)
    assert list(catalogue.delete_package(file.package)) == []
    assert not catalogue.has_name([TOOLS.id], DEMO)


def test_a_package_deleted_twice_is_harmless(catalogue: Catalogue) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.delete_package(file.package)
    assert list(catalogue.delete_package(file.package)) == []
    assert catalogue.delete_file(file) is None
    assert catalogue.yank(file.package, "late") is None
    again = add(catalogue, TOOLS, "demo-1.0.zip")
    assert list(catalogue.delete_package(file.package)) == []
    assert list(catalogue.files([TOOLS.id], DEMO)) == [again]
    assert again.package.yanked is None


def test_what_was_deleted_may_be_published_again_as_something_new(catalogue: Catalogue) -> None:
    old = add(catalogue, TOOLS, upload("demo-1.0.zip", "Demo", "1.0"))
    catalogue.yank(old.package, "broken")
    catalogue.delete_package(old.package)
    later = AT + timedelta(days=1)
    new = catalogue.add(TOOLS, upload("demo-1.0.zip", "DEMO", "1.0.0"), KEY, later)
    assert new.package == Package(new.package.id, TOOLS.id, "DEMO", DEMO, "1.0.0", later)
    assert catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.zip") == new


def test_ids_are_never_used_again_after_a_deletion(catalogue: Catalogue) -> None:
    files: list[PackageFile] = []
    for count in range(6):
        files.append(add(catalogue, TOOLS, "demo-1.0.zip"))
        if count % 2:
            catalogue.delete_package(files[-1].package)
        else:
            catalogue.delete_file(files[-1])
    assert [file.id for file in files] == sorted({file.id for file in files})
    packages = [file.package.id for file in files[::2]]
    assert packages == sorted(set(packages))


def test_a_name_stays_published_and_its_project_a_publisher_whatever_is_deleted(catalogue: Catalogue) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.delete_file(file)
    assert catalogue.was_published("acme", DEMO)
    catalogue.delete_package(file.package)
    assert catalogue.was_published("acme", DEMO)
    assert list(catalogue.publishers()) == [(TOOLS.id, "acme/tools")]


@pytest.mark.parametrize("projects", [[TOOLS.id], [TOOLS.id, LIBS.id]], ids=["project", "group"])
def test_whatever_changes_a_page_raises_its_revision(catalogue: Catalogue, projects: list[int]) -> None:
    first, second = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
    acts: list[Callable[[], object]] = [
        lambda: catalogue.yank(first.package, "broken"),
        lambda: catalogue.yank(first.package, "more broken"),
        lambda: catalogue.yank(first.package, None),
        lambda: catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED)),
        lambda: catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, "old")),
        lambda: catalogue.set_status(TOOLS, DEMO, NameStatus()),
        lambda: catalogue.delete_file(first),
        lambda: catalogue.delete_package(first.package),
        lambda: catalogue.delete_package(second.package),
        lambda: add(catalogue, TOOLS, "demo-1.0.zip"),
    ]
    seen = [catalogue.revision(projects, DEMO)]
    for act in acts:
        act()
        seen.append(catalogue.revision(projects, DEMO))
    assert seen == sorted(set(seen))
    assert len(seen) == len(acts) + 1


@pytest.mark.parametrize("projects", [[TOOLS.id], [TOOLS.id, LIBS.id]], ids=["project", "group"])
def test_the_index_changes_when_a_name_loses_its_last_package_and_gets_one_again(
    catalogue: Catalogue, projects: list[int]
) -> None:
    def index() -> int:
        return catalogue.revision(projects, None)

    one, two = add(catalogue, TOOLS, "demo-1.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
    full = index()
    catalogue.delete_file(one)
    catalogue.delete_package(one.package)
    catalogue.yank(two.package, "")
    catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED))
    assert index() == full
    catalogue.delete_package(two.package)
    empty = index()
    assert empty > full
    assert list(catalogue.names([TOOLS.id])) == []
    catalogue.delete_package(two.package)
    assert index() == empty
    add(catalogue, TOOLS, "demo-1.zip")
    assert index() > empty


def test_deleting_in_one_project_touches_no_other(catalogue: Catalogue) -> None:
    file, twin = add(catalogue, TOOLS, "demo-1.0.zip"), add(catalogue, LIBS, "demo-1.0.zip")
    before = [catalogue.revision([LIBS.id], name) for name in (DEMO, None)]
    catalogue.delete_package(file.package)
    assert list(catalogue.files([TOOLS.id, LIBS.id], DEMO)) == [twin]
    assert list(catalogue.names([TOOLS.id, LIBS.id])) == ["demo"]
    assert [catalogue.revision([LIBS.id], name) for name in (DEMO, None)] == before


def test_of_those_who_delete_at_once_exactly_one_gets_each_key(catalogue: Catalogue) -> None:
    for number in range(5):
        file = catalogue.add(replace(TOOLS, id=number), upload(), f"{number:032}", AT)
        given = at_once(8, partial(_delete_file, catalogue, file))
        assert [key for key in given if key] == [file.key]
        again = catalogue.add(replace(TOOLS, id=number), upload(), f"{number:032}", AT)
        lists = at_once(8, partial(_delete_package, catalogue, again.package))
        assert [key for keys in lists for key in keys] == [again.key]


def _delete_file(catalogue: Catalogue, file: PackageFile, number: int) -> str | None:
    return catalogue.delete_file(file)


def _delete_package(catalogue: Catalogue, package: Package, number: int) -> Sequence[str]:
    return catalogue.delete_package(package)


def test_deleting_at_once_with_adding_loses_no_key_and_leaves_no_orphan(catalogue: Catalogue) -> None:
    def act(number: int) -> tuple[list[str], list[str | None]]:
        added: list[str] = []
        deleted: list[str | None] = []
        for count in range(10):
            if number % 2:
                key = f"{number:016}{count:016}"
                added.append(catalogue.add(TOOLS, upload(f"demo-{number}-{count}.zip"), key, AT).key)
            elif count % 2:
                for package in catalogue.packages([TOOLS.id], PackageQuery())[0]:
                    deleted.extend(catalogue.delete_package(package))
            else:
                deleted.extend(catalogue.delete_file(file) for file in catalogue.files([TOOLS.id], DEMO)[:1])
        return added, deleted

    outcomes = at_once(6, act)
    added = [key for keys, _ in outcomes for key in keys]
    deleted = [key for _, keys in outcomes for key in keys if key]
    left = catalogue.files([TOOLS.id], DEMO)
    assert sorted([*deleted, *(file.key for file in left)]) == sorted(added)
    packages, total = catalogue.packages([TOOLS.id], PackageQuery())
    assert {file.package for file in left} <= set(packages)
    assert total == len(packages) == len({package.version for package in packages})
    assert [file for package in packages for file in catalogue.package_files(package)] == list(left)


# yank


@pytest.mark.parametrize("reason", ["", "broken on 3.11; é ☃", "x" * 10_000], ids=["empty", "a text", "long"])
def test_a_yanked_package_is_so_in_every_way_that_it_is_read(catalogue: Catalogue, reason: str) -> None:
    package = add(catalogue, TOOLS, "demo-1.0.zip").package
    add(catalogue, TOOLS, upload("demo-1.0.tar.gz", version="1.0.0"))
    other = add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0")).package
    for yanked in (reason, None, reason):
        changed = replace(package, yanked=yanked)
        assert catalogue.yank(package, yanked) == changed
        assert catalogue.package([TOOLS.id], package.id) == changed
        assert list(catalogue.packages([TOOLS.id], PackageQuery())[0]) == [changed, other]
        assert [file.package for file in catalogue.package_files(package)] == [changed, changed]
        assert [file.package for file in catalogue.files([TOOLS.id], DEMO)] == [changed, changed, other]
        found = catalogue.file([TOOLS.id], "a" * 64, "demo-1.0.tar.gz")
        assert found is not None
        assert found.package == changed


def test_a_file_that_comes_to_a_yanked_package_is_yanked(catalogue: Catalogue) -> None:
    first = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.yank(first.package, "broken")
    second = add(catalogue, TOOLS, "demo-1.0.tar.gz")
    assert second.package == replace(first.package, yanked="broken")
    catalogue.delete_file(first)
    catalogue.delete_file(second)
    assert add(catalogue, TOOLS, "demo-1.0.zip").package.yanked == "broken"


def test_yanking_what_is_gone_changes_nothing(catalogue: Catalogue) -> None:
    package = add(catalogue, TOOLS, "demo-1.0.zip").package
    catalogue.delete_package(package)
    page = catalogue.revision([TOOLS.id], DEMO)
    assert catalogue.yank(package, "late") is None
    assert catalogue.yank(package, None) is None
    assert catalogue.revision([TOOLS.id], DEMO) == page
    assert not catalogue.has_name([TOOLS.id], DEMO)


def test_yanking_moves_no_file_to_another_place_in_the_order(catalogue: Catalogue) -> None:
    files = [add(catalogue, TOOLS, upload(f"demo-{number}.zip", version=str(number))) for number in range(3)]
    catalogue.yank(files[0].package, "")
    assert filenames(catalogue.files([TOOLS.id], DEMO)) == filenames(files)


# set_status, status


def test_a_name_is_active_until_something_else_is_said(catalogue: Catalogue) -> None:
    assert catalogue.status([TOOLS.id], DEMO) == NameStatus()
    add(catalogue, TOOLS, "demo-1.0.zip")
    assert catalogue.status([TOOLS.id], DEMO) == NameStatus(Status.ACTIVE, "")


def test_a_status_is_given_back_with_its_reason_until_the_next(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.zip")
    for status in Status:
        for reason in ("", "é ☃ ' \""):
            catalogue.set_status(TOOLS, DEMO, NameStatus(status, reason))
            found = catalogue.status([TOOLS.id], DEMO)
            assert found == NameStatus(status, reason)
            assert type(found.status) is Status
            assert catalogue.status([TOOLS.id], canonicalize_name("other")) == NameStatus()
    catalogue.set_status(TOOLS, DEMO, NameStatus())
    assert catalogue.status([TOOLS.id], DEMO) == NameStatus()


@pytest.mark.parametrize("status", [Status.ARCHIVED, Status.QUARANTINED])
def test_what_is_archived_or_quarantined_takes_no_uploads_and_changes_nothing(
    catalogue: Catalogue, status: Status
) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.set_status(TOOLS, DEMO, NameStatus(status, "done"))
    page, index = catalogue.revision([TOOLS.id], DEMO), catalogue.revision([TOOLS.id], None)
    for refused in (upload("demo-2.zip", version="2"), upload("demo-1.0.zip"), upload("d.zip", "DEMO")):
        with pytest.raises(UploadsRefused) as caught:
            catalogue.add(Project(TOOLS.id, "moved/tools"), refused, KEY, AT)
        assert (caught.value.name, caught.value.reason) == ("demo", status.value)
    assert list(catalogue.files([TOOLS.id], DEMO)) == [file]
    assert catalogue.packages([TOOLS.id], PackageQuery()) == ([file.package], 1)
    assert (catalogue.revision([TOOLS.id], DEMO), catalogue.revision([TOOLS.id], None)) == (page, index)
    assert list(catalogue.publishers()) == [(TOOLS.id, "acme/tools")]
    assert not catalogue.was_published("moved", DEMO)
    add(catalogue, LIBS, "demo-1.0.zip")
    add(catalogue, TOOLS, upload("other-1.0.zip", "other"))
    catalogue.set_status(TOOLS, DEMO, NameStatus())
    add(catalogue, TOOLS, upload("demo-2.zip", version="2"))


def test_what_is_deprecated_takes_uploads(catalogue: Catalogue) -> None:
    add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.set_status(TOOLS, DEMO, NameStatus(Status.DEPRECATED, "use other"))
    add(catalogue, TOOLS, "demo-1.1.zip")
    assert catalogue.status([TOOLS.id], DEMO) == NameStatus(Status.DEPRECATED, "use other")


def test_a_name_that_takes_no_uploads_can_be_deleted_and_yanked(catalogue: Catalogue) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.set_status(TOOLS, DEMO, NameStatus(Status.QUARANTINED))
    assert catalogue.yank(file.package, "bad") == replace(file.package, yanked="bad")
    assert catalogue.delete_file(file) == KEY
    assert list(catalogue.delete_package(file.package)) == []


def test_a_status_holds_from_now_on_even_when_nothing_of_the_name_is_left(catalogue: Catalogue) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.set_status(TOOLS, DEMO, NameStatus(Status.ARCHIVED, "done"))
    catalogue.delete_package(file.package)
    assert catalogue.status([TOOLS.id], DEMO) == NameStatus()
    with pytest.raises(UploadsRefused):
        add(catalogue, TOOLS, "demo-1.0.zip")


def test_after_a_name_was_closed_no_upload_at_once_with_it_gets_in(catalogue: Catalogue) -> None:
    def act(number: int) -> int | None:
        if number == 0:
            while len(catalogue.files([TOOLS.id], DEMO)) < 5:
                pass
            catalogue.set_status(TOOLS, DEMO, NameStatus(Status.QUARANTINED))
            return len(catalogue.files([TOOLS.id], DEMO))
        with pytest.raises(UploadsRefused):
            _add_for_ever(catalogue, number)
        return None

    closed, *_ = at_once(4, act)
    assert closed == len(catalogue.files([TOOLS.id], DEMO))


def _add_for_ever(catalogue: Catalogue, number: int) -> None:
    for count in count_from(0):
        add(catalogue, TOOLS, f"demo-{number}-{count}.zip")


ARCHIVED, DEPRECATED = NameStatus(Status.ARCHIVED, "done"), NameStatus(Status.DEPRECATED, "done")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param([ARCHIVED, ARCHIVED], ARCHIVED, id="both say so"),
        pytest.param([ARCHIVED, DEPRECATED], NameStatus(), id="another status"),
        pytest.param([ARCHIVED, replace(ARCHIVED, reason="")], NameStatus(), id="another reason"),
        pytest.param([ARCHIVED, None], NameStatus(), id="one is silent"),
        pytest.param([ARCHIVED, NameStatus()], NameStatus(), id="one is active"),
        pytest.param([NameStatus(), None], NameStatus(), id="active and silent"),
        pytest.param([NameStatus(Status.ACTIVE, "kept up"), None], NameStatus(), id="active for a reason, and silent"),
    ],
)
def test_the_status_of_several_projects_is_what_they_agree_on(
    catalogue: Catalogue, said: list[NameStatus | None], expected: NameStatus
) -> None:
    for project, status in zip((TOOLS, LIBS), said, strict=True):
        add(catalogue, project, "demo-1.0.zip")
        if status is not None:
            catalogue.set_status(project, DEMO, status)
    assert catalogue.status([TOOLS.id, LIBS.id], DEMO) == catalogue.status([LIBS.id, TOOLS.id], DEMO) == expected


def test_projects_without_the_name_have_no_say_in_its_status(catalogue: Catalogue) -> None:
    everywhere = [ELSEWHERE.id, TOOLS.id, LIBS.id]
    add(catalogue, LIBS, upload("other-1.0.zip", "other"))
    catalogue.set_status(ELSEWHERE, DEMO, DEPRECATED)
    assert catalogue.status(everywhere, DEMO) == NameStatus()
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    catalogue.set_status(TOOLS, DEMO, ARCHIVED)
    assert catalogue.status(everywhere, DEMO) == ARCHIVED
    gone = add(catalogue, LIBS, "demo-1.0.zip")
    assert catalogue.status(everywhere, DEMO) == NameStatus()
    catalogue.delete_file(gone)
    assert catalogue.status(everywhere, DEMO) == NameStatus()  # it still has the package
    catalogue.delete_package(gone.package)
    assert catalogue.status(everywhere, DEMO) == ARCHIVED
    assert catalogue.status([], DEMO) == NameStatus()
    catalogue.delete_package(file.package)
    assert catalogue.status(everywhere, DEMO) == NameStatus()


# packages, package, package_files, has_name


def test_a_list_has_the_packages_of_its_projects(catalogue: Catalogue) -> None:
    assert catalogue.packages([TOOLS.id], PackageQuery()) == ([], 0)
    files = [add(catalogue, project, f"demo-{project.id}.zip") for project in (TOOLS, LIBS, ELSEWHERE)]
    add(catalogue, TOOLS, "demo-again.zip")
    assert catalogue.packages([TOOLS.id], PackageQuery()) == ([files[0].package], 1)
    for group in ([LIBS.id, TOOLS.id], (TOOLS.id, LIBS.id, TOOLS.id)):
        assert catalogue.packages(group, PackageQuery()) == ([files[0].package, files[1].package], 2)
    assert catalogue.packages([], PackageQuery()) == ([], 0)
    assert catalogue.packages([7], PackageQuery(offset=3, limit=5)) == ([], 0)


def test_a_package_came_when_its_first_file_did(catalogue: Catalogue) -> None:
    first = add(catalogue, TOOLS, "demo-1.0.zip")
    second = catalogue.add(TOOLS, upload("demo-1.0.tar.gz"), KEY, AT + timedelta(hours=1))
    assert first.package == second.package
    assert second.uploaded_at > second.package.created_at == AT
    catalogue.delete_file(first)
    (package,), _ = catalogue.packages([TOOLS.id], PackageQuery())
    assert package.created_at == AT
    assert package.created_at.utcoffset() == timedelta(0)


NAMES = ["Foo", "foo.bar", "a_b", "a-b2", "Kiwi"]


PARTS: dict[str, list[str]] = {
    "": NAMES,
    "foo": ["Foo", "foo.bar"],
    "FOO": ["Foo", "foo.bar"],
    "oO": ["Foo", "foo.bar"],
    "o.b": ["foo.bar"],
    "o-b": [],
    "a_b": ["a_b"],
    "a-b": ["a-b2"],
    "_": ["a_b"],
    "%": [],
    "f%r": [],
    "*": [],
    "?": [],
    "[a-z]": [],
    "\\": [],
    "'": [],
    "foo ": [],
    "2": ["a-b2"],
    "kIWI": ["Kiwi"],
    "é": [],
    "ﬀoo": [],
    "☃" * 1000: [],
    "\0": [],
    "foo\0": [],
}


def test_a_name_is_found_by_any_part_in_any_case_with_every_character_literal(catalogue: Catalogue) -> None:
    assert _named(catalogue, PARTS) == PARTS


def test_a_letter_that_python_takes_for_k_in_lower_case_is_another(catalogue: Catalogue) -> None:
    assert _named(catalogue, ["\N{KELVIN SIGN}iwi"]) == {"\N{KELVIN SIGN}iwi": []}


def _named(catalogue: Catalogue, parts: Iterable[str]) -> dict[str, list[str]]:
    for name in NAMES:
        add(catalogue, TOOLS, upload(f"{name}.zip", name))
    found = {part: catalogue.packages([TOOLS.id], PackageQuery(name=part)) for part in parts}
    assert all(total == len(packages) for packages, total in found.values())
    return {part: [package.name for package in packages] for part, (packages, _) in found.items()}


def test_a_list_is_filtered_by_whole_name_and_by_version_as_they_were_uploaded(catalogue: Catalogue) -> None:
    for name, version in (("My.Pkg", "1.0"), ("my_pkg", "2.0"), ("my-pkg2", "1.0"), ("other", "1.0.0")):
        add(catalogue, TOOLS, upload(f"{name}-{version}.zip", name, version))

    def found(**query: Any) -> list[str]:
        packages, total = catalogue.packages([TOOLS.id], PackageQuery(**query))
        assert total == len(packages)
        return [f"{package.name} {package.version}" for package in packages]

    assert found(normalized="my-pkg") == ["My.Pkg 1.0", "my_pkg 2.0"]
    assert found(normalized="my") == found(normalized="") == found(normalized="My.Pkg") == []
    assert found(version="1.0") == ["My.Pkg 1.0", "my-pkg2 1.0"]
    assert found(version="1.0.0") == ["other 1.0.0"]
    assert found(version="1") == found(version="%") == found(version="1.0\0") == []
    assert found(normalized="my-pkg", version="2.0") == ["my_pkg 2.0"]
    assert found(name="pkg", version="1.0") == ["My.Pkg 1.0", "my-pkg2 1.0"]
    assert found(name="my_", normalized="my-pkg", version="2.0") == ["my_pkg 2.0"]
    assert found(name="my_", normalized="my-pkg", version="1.0") == []


# By id "0" to "5": project, name, version, days since the first.
ROWS: list[tuple[Project, str, str, int]] = [
    (LIBS, "beta", "1.10", 1),
    (TOOLS, "Alpha", "1.9", 3),
    (ELSEWHERE, "alpha", "2.0", 0),
    (LIBS, "Alpha", "1.9", 1),
    (TOOLS, "beta", "10.0", 2),
    (ELSEWHERE, "beta", "1.10", 1),
]
ORDERED = {
    "created_at": [2, 0, 3, 5, 4, 1],
    "name": [1, 3, 2, 0, 4, 5],  # upper case first, letter by letter
    "version": [0, 5, 1, 3, 4, 2],  # as text
    "project_path": [0, 3, 1, 4, 2, 5],
}


@pytest.fixture
def ordered(catalogue: Catalogue) -> list[Package]:
    return [
        catalogue.add(project, upload(f"{number}.zip", name, version), KEY, AT + timedelta(days=days)).package
        for number, (project, name, version, days) in enumerate(ROWS)
    ]


EVERYWHERE = [TOOLS.id, LIBS.id, ELSEWHERE.id]


@pytest.mark.parametrize("descending", [False, True], ids=["ascending", "descending"])
@pytest.mark.parametrize("order", ORDERED)
def test_a_list_has_every_order_with_ties_by_id_and_every_page_of_it(
    catalogue: Catalogue, ordered: list[Package], order: Any, descending: bool
) -> None:
    expected = [ordered[number] for number in ORDERED[order]][:: -1 if descending else 1]
    query = PackageQuery(order_by=order, descending=descending)
    assert catalogue.packages(EVERYWHERE, query) == (expected, 6)
    for offset in range(8):
        for limit in (None, 0, 1, 2, 6, 10**12):
            end = None if limit is None else offset + limit
            page = catalogue.packages(EVERYWHERE, replace(query, offset=offset, limit=limit))
            assert page == (expected[offset:end], 6)


def test_a_page_counts_what_the_filter_lets_through(catalogue: Catalogue, ordered: list[Package]) -> None:
    query = PackageQuery(name="ALPHA", order_by="version", descending=True, offset=1, limit=1)
    assert catalogue.packages(EVERYWHERE, query) == ([ordered[3]], 3)
    assert catalogue.packages([TOOLS.id, LIBS.id], query) == ([ordered[1]], 2)
    assert catalogue.packages(EVERYWHERE, replace(query, offset=10**9)) == ([], 3)
    assert catalogue.packages([], query) == ([], 0)


def test_the_order_by_project_follows_a_project_that_moved(catalogue: Catalogue, ordered: list[Package]) -> None:
    add(catalogue, Project(LIBS.id, "zeta/libs"), upload("again.zip", "beta", "1.10"))
    found, _ = catalogue.packages(EVERYWHERE, PackageQuery(order_by="project_path"))
    assert list(found) == [ordered[number] for number in (1, 4, 2, 5, 0, 3)]


def test_a_package_is_found_by_its_id_only_within_the_projects(catalogue: Catalogue) -> None:
    package = add(catalogue, LIBS, "demo-1.0.zip").package
    assert catalogue.package([LIBS.id], package.id) == package
    assert catalogue.package((TOOLS.id, LIBS.id), package.id) == package
    assert catalogue.package([TOOLS.id, ELSEWHERE.id], package.id) is None
    assert catalogue.package([], package.id) is None
    for number in (0, -1, package.id + 1000, 10**18 - 1):
        assert catalogue.package([LIBS.id], number) is None


def test_the_files_of_a_package_are_its_own_oldest_first(catalogue: Catalogue) -> None:
    mine = [add(catalogue, TOOLS, f"demo-1.0-{number}.zip") for number in (2, 1)]
    add(catalogue, TOOLS, upload("demo-2.0.zip", version="2.0"))
    add(catalogue, LIBS, "demo-1.0-2.zip")
    mine.append(catalogue.add(TOOLS, upload("demo-1.0-0.zip", version="1"), KEY, AT - timedelta(days=1)))
    assert list(catalogue.package_files(mine[0].package)) == mine


def test_a_name_is_there_while_it_has_a_package_with_files_or_without(catalogue: Catalogue) -> None:
    assert not catalogue.has_name([TOOLS.id], DEMO)
    first, second = add(catalogue, TOOLS, "demo-1.zip"), add(catalogue, TOOLS, upload("demo-2.zip", version="2"))
    assert catalogue.has_name([TOOLS.id], DEMO)
    assert catalogue.has_name((LIBS.id, TOOLS.id), DEMO)
    assert not catalogue.has_name([LIBS.id, ELSEWHERE.id], DEMO)
    assert not catalogue.has_name([], DEMO)
    assert not catalogue.has_name([TOOLS.id], canonicalize_name("dem"))
    catalogue.delete_file(first)
    catalogue.delete_package(second.package)
    assert catalogue.has_name([TOOLS.id], DEMO)
    catalogue.delete_package(first.package)
    assert not catalogue.has_name([TOOLS.id], DEMO)


def test_what_was_given_of_packages_is_the_callers_own(catalogue: Catalogue) -> None:
    file = add(catalogue, TOOLS, "demo-1.0.zip")
    for given in (catalogue.packages([TOOLS.id], PackageQuery())[0], catalogue.package_files(file.package)):
        if isinstance(given, list):
            given.clear()
    assert catalogue.packages([TOOLS.id], PackageQuery()) == ([file.package], 1)
    assert list(catalogue.package_files(file.package)) == [file]
