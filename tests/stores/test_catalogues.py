"""The contract of a catalogue, sentence by sentence, over every catalogue of the package."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest
from packaging.utils import NormalizedName, canonicalize_name

from pypi_registry.errors import FileTaken
from pypi_registry.model import About, Digests, Package, PackageFile, Project, Upload
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
    )
    added = catalogue.add(ELSEWHERE, sent, KEY, AT)
    assert added == PackageFile(
        id=added.id,
        package=Package(added.package.id, ELSEWHERE.id, "My.Pkg", sent.normalized, "1.0-RC1"),
        filename="My.Pkg-1.0rc1+x.tar.gz",
        size=3 * 1024**3,
        digests=sent.digests,
        requires_python=">=3.8, <4",
        uploaded_at=AT,
        key=KEY,
    )
    assert list(catalogue.files([ELSEWHERE.id], sent.normalized)) == [added]
    assert catalogue.file([ELSEWHERE.id], "a" * 64, sent.filename) == added
    assert catalogue.about(added.package) == sent.about
    (found,) = catalogue.files([ELSEWHERE.id], sent.normalized)
    assert found.uploaded_at.utcoffset() == timedelta(0)


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
    assert one == two == Package(one.id, TOOLS.id, "My.Pkg", canonicalize_name("my-pkg"), first)
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
