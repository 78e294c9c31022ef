import hashlib
import random
from datetime import UTC, datetime

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.directory import Directory, OpenDirectory, Ref, id_from_path, is_valid_path, parse_ref
from pypi_registry.model import Digests, Group, Project, Upload, Visibility
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.testing.contracts import DirectoryContract, KnownDirectory


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("0", 0),
        ("42", 42),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("0" * 18 + "1", None),
        ("9" * 5000, None),
        ("-1", None),
        ("-0", None),
        ("-", "-"),
        ("--1", "--1"),
        ("1-", "1-"),
        ("42a", "42a"),
        ("4.2", "4.2"),
        ("1_000", "1_000"),
        ("42\n", "42\n"),
        (" 42", " 42"),
        ("٤٢", "٤٢"),
        ("²", "²"),
        ("42/tools", "42/tools"),
        ("acme", "acme"),
        ("acme/libs/tools", "acme/libs/tools"),
        ("", ""),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_looks_like_a_number_is_one_or_nothing(text: str, ref: Ref | None) -> None:
    found = parse_ref(text)
    assert found == ref
    assert type(found) is type(ref)


@pytest.mark.parametrize(
    "text",
    ["acme", "acme/tools", "a/b/c/d/e/f", "my.libs/tools-2_x", "_acme/.hidden", "1/2", "a..b", "A/B", "42", "..."],
)
def test_a_path_is_made_of_segments(text: str) -> None:
    assert is_valid_path(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/acme",
        "acme/",
        "acme//tools",
        ".",
        "..",
        "acme/..",
        "../acme",
        "acme/./tools",
        "-acme",
        "acme/-/tools",
        "ac me",
        "acme\n",
        "acme\0",
        "acme\\tools",
        "acme%2Ftools",
        "café",
        "ac:me",
        "acme?",
    ],
    ids=repr,
)
def test_what_no_path_could_be_is_none(text: str) -> None:
    assert not is_valid_path(text)


def test_the_number_of_a_path_is_the_same_everywhere_and_for_ever() -> None:
    assert id_from_path("acme/tools") == int(hashlib.sha256(b"acme/tools").hexdigest()[:16], 16) % 10**15
    assert id_from_path("Acme/TOOLS") == id_from_path("acme/tools")


def test_the_numbers_of_paths_differ_and_fit_into_a_double() -> None:
    numbers = {id_from_path(f"acme/{index}") for index in range(2000)}
    assert len(numbers) == 2000
    assert all(0 <= number < 2**53 and float(number) == number for number in numbers)


# The directory in which every id is a project


def catalogue_of(*projects: Project) -> MemoryCatalogue:
    """Give a catalogue in which each of the projects has published."""
    catalogue = MemoryCatalogue()
    for count, project in enumerate(projects):
        name, filename = canonicalize_name("demo"), f"demo-{count}.tar.gz"
        upload = Upload("demo", name, str(count), filename, 1, Digests("0" * 64), "")
        catalogue.add(project, upload, f"{count:032}", datetime.now(UTC))
    return catalogue


def open_over(*paths: str) -> OpenDirectory:
    """Give an open directory of which these projects were asked for in this order, and published."""
    empty = OpenDirectory(MemoryCatalogue())
    projects = [empty.project(path) for path in paths]
    return OpenDirectory(catalogue_of(*filter(None, projects)))


def paths_in(directory: Directory, ref: Ref) -> list[str]:
    group = directory.group(ref)
    assert group is not None
    return sorted(project.path for project in directory.projects_in(group))


class TestOpenDirectory(DirectoryContract):
    def make_directory(self) -> KnownDirectory:
        paths = ["acme/a", "Acme/libs/Tools", "acme/libs/deep/c", "acme/libs2/d", "acme2/e", "other/acme/f", "acme"]
        return KnownDirectory(
            open_over(*paths),
            projects={path: id_from_path(path) for path in paths},
            groups={
                "acme": ["acme/a", "Acme/libs/Tools", "acme/libs/deep/c", "acme/libs2/d"],
                "Acme/libs": ["Acme/libs/Tools", "acme/libs/deep/c"],
                "acme/libs/deep": ["acme/libs/deep/c"],
                "acme2": ["acme2/e"],
                "other": ["other/acme/f"],
                "other/acme": ["other/acme/f"],
            },
            absent=["", "acme//tools", "../acme", "acme/\0", "-acme", "acme/"],
        )


def test_every_path_is_a_public_project_and_a_public_group() -> None:
    directory = OpenDirectory(MemoryCatalogue())
    assert directory.project("acme/tools") == Project(
        id_from_path("acme/tools"), "acme/tools", visibility=Visibility.PUBLIC
    )
    assert directory.group("acme") == Group(id_from_path("acme"), "acme", visibility=Visibility.PUBLIC)


def test_every_number_is_a_project_and_a_group() -> None:
    directory = OpenDirectory(MemoryCatalogue())
    project, group = directory.project(42), directory.group(42)
    assert project is not None
    assert group is not None
    assert (project.id, group.id) == (42, 42)
    assert project.visibility is group.visibility is Visibility.PUBLIC


@pytest.mark.parametrize("known", [(), ("acme/tools",)], ids=["never seen", "published by its path"])
@pytest.mark.parametrize("path", ["acme/tools", "Acme/Tools"])
def test_a_project_has_one_number_by_its_path_and_by_its_number(path: str, known: tuple[str, ...]) -> None:
    directory = open_over(*known)
    by_path, by_number = directory.project(path), directory.project(id_from_path("acme/tools"))
    assert by_path is not None
    assert by_number is not None
    assert by_path.id == by_number.id


def test_a_number_whose_path_was_seen_has_that_path() -> None:
    # Its root group is what was_published() is asked about: another answer by number would forward what is held back.
    project = open_over("acme/tools").project(id_from_path("acme/tools"))
    assert project is not None
    assert (project.path, project.root) == ("acme/tools", "acme")


def test_a_number_of_a_group_whose_projects_were_seen_has_its_path() -> None:
    group = open_over("acme/libs/tools").group(id_from_path("acme/libs"))
    assert group is not None
    assert (group.path, group.root) == ("acme/libs", "acme")


def test_the_root_of_a_path_has_no_case() -> None:
    directory = OpenDirectory(MemoryCatalogue())
    projects = [directory.project(path) for path in ("acme/tools", "Acme/tools", "ACME/other")]
    assert len({project.root for project in projects if project}) == 1


def test_a_project_is_no_group_of_itself() -> None:
    assert paths_in(open_over("acme/tools"), "acme/tools") == []
    assert paths_in(open_over("acme/tools"), id_from_path("acme/tools")) == []


def test_a_group_is_the_same_whatever_the_order_of_arrival() -> None:
    paths = [f"acme/{index}" for index in range(20)]
    shuffled = random.Random(1).sample(paths, len(paths))
    for ref in ("acme", id_from_path("acme")):
        assert paths_in(open_over(*shuffled), ref) == sorted(paths)
    first, second = (open_over(*order).project("acme/7") for order in (paths, shuffled))
    assert first == second


def test_a_group_forgets_nothing_when_a_project_publishes_again_by_its_number() -> None:
    catalogue = catalogue_of(Project(id_from_path("acme/tools"), "acme/tools"))
    directory = OpenDirectory(catalogue)
    by_number = directory.project(id_from_path("acme/tools"))
    assert by_number is not None
    upload = Upload("x", canonicalize_name("x"), "1", "x-1.tar.gz", 1, Digests("0" * 64), "")
    catalogue.add(by_number, upload, "0" * 32, datetime.now(UTC))
    assert [project.id for project in directory.projects_in(Group(id_from_path("acme"), "acme"))] == [by_number.id]
