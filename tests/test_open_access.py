"""The open registry: every path is a project, every caller may do anything."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from packaging.utils import canonicalize_name

from pypi_registry._api.access import require
from pypi_registry._open_access import AllowAll, OpenDirectory
from pypi_registry._paths import id_from_path
from pypi_registry.auth import Ability, Auth, AuthScheme, Credentials, ReadsMany
from pypi_registry.directory import Directory, Ref
from pypi_registry.model import Digests, Group, PackageName, Project, Projects, Upload, Visibility
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.testing.contracts import AuthContract, Caller, DirectoryContract, KnownAuth, KnownDirectory

PROJECT, GROUP = Project(1, "acme/tools"), Group(2, "acme")
NAME = PackageName(PROJECT, canonicalize_name("demo"))


# AllowAll


class TestAllowAll(AuthContract):
    def make_auth(self) -> KnownAuth:
        anonymous = Caller(
            None,
            projects=dict.fromkeys(["acme/tools", "other/place"], set(Ability) - {Ability.READ_GROUP}),
            groups={path: {Ability.READ_GROUP, Ability.READ_PACKAGE} for path in ("acme", "other")},
            anonymous=True,
        )
        known = replace(anonymous, credentials=Credentials(AuthScheme.BASIC, "any secret", "ada"))
        directory = OpenDirectory(MemoryCatalogue())
        return KnownAuth(AllowAll(), directory, {"with credentials": known}, anonymous=anonymous, invalid_tokens=())


@pytest.mark.parametrize("ability", Ability)
@pytest.mark.parametrize("subject", [PROJECT, GROUP, NAME], ids=["project", "group", "name"])
def test_every_caller_has_every_ability(ability: Ability, subject: Project | Group | PackageName) -> None:
    auth: Auth = AllowAll()
    principal = auth.authenticate(Credentials(AuthScheme.BEARER, "any secret"), None, {})
    assert (principal.name, principal.via, principal.anonymous) == ("", "", True)
    require(principal, ability, subject)


def test_every_caller_reads_all_projects_as_the_same_object() -> None:
    principal = AllowAll().authenticate(None, None, {})
    projects = Projects([PROJECT])
    assert isinstance(principal, ReadsMany)
    assert principal.readable(projects) is projects


# OpenDirectory


def publish(catalogue: MemoryCatalogue, project: Project, filename: str = "demo-1.0.tar.gz") -> None:
    upload = Upload("demo", canonicalize_name("demo"), "1.0", filename, 1, Digests("0" * 64), "")
    catalogue.add(project, upload, f"{len(filename):032}", datetime.now(UTC), "")


def open_over(*paths: str) -> OpenDirectory:
    """Return an open directory whose catalogue has a package of each of these projects, published in this order."""
    catalogue = MemoryCatalogue()
    directory = OpenDirectory(catalogue)
    for path in paths:
        project = directory.project(path)
        assert project is not None
        publish(catalogue, project)
    return directory


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
    directory = open_over()
    project, group = id_from_path("acme/tools"), id_from_path("acme")
    assert directory.project("acme/tools") == Project(project, "acme/tools", visibility=Visibility.PUBLIC)
    assert directory.group("acme") == Group(group, "acme", visibility=Visibility.PUBLIC)


def test_every_id_is_a_public_project_and_a_public_group() -> None:
    directory = open_over()
    assert directory.project(42) == Project(42, "42", visibility=Visibility.PUBLIC)
    assert directory.group(42) == Group(42, "42", visibility=Visibility.PUBLIC)


@pytest.mark.parametrize("published", [(), ("acme/tools",)], ids=["never published", "published by its path"])
@pytest.mark.parametrize("path", ["acme/tools", "Acme/Tools"])
def test_a_project_has_one_id_by_its_path_and_by_its_id(path: str, published: tuple[str, ...]) -> None:
    directory = open_over(*published)
    by_path, by_id = directory.project(path), directory.project(id_from_path("acme/tools"))
    assert by_path is not None
    assert by_id is not None
    assert by_path.id == by_id.id


def test_the_id_of_a_path_that_published_has_that_path() -> None:
    # The registry forwards a name unless it was published under this root group: another path would forward it.
    project = open_over("acme/tools").project(id_from_path("acme/tools"))
    assert project is not None
    assert (project.path, project.root) == ("acme/tools", "acme")


def test_the_id_of_a_group_whose_projects_published_has_its_path() -> None:
    group = open_over("acme/libs/tools").group(id_from_path("acme/libs"))
    assert group is not None
    assert (group.path, group.root) == ("acme/libs", "acme")


def test_the_root_group_of_a_path_is_the_same_in_any_case() -> None:
    directory = open_over()
    projects = [directory.project(path) for path in ("acme/tools", "Acme/tools", "ACME/other")]
    assert {project.root for project in projects if project} == {"acme"}


def test_a_group_does_not_contain_the_project_with_its_path() -> None:
    assert paths_in(open_over("acme/tools"), "acme/tools") == []
    assert paths_in(open_over("acme/tools"), id_from_path("acme/tools")) == []


def test_a_group_is_the_same_in_any_order_of_uploads() -> None:
    paths = [f"acme/{index}" for index in range(20)]
    shuffled = random.Random(1).sample(paths, len(paths))
    for ref in ("acme", id_from_path("acme")):
        assert paths_in(open_over(*shuffled), ref) == sorted(paths)
    first, second = (open_over(*order).project("acme/7") for order in (paths, shuffled))
    assert first == second


def test_a_project_that_publishes_again_by_its_id_stays_in_its_group() -> None:
    catalogue = MemoryCatalogue()
    directory = OpenDirectory(catalogue)
    publish(catalogue, Project(id_from_path("acme/tools"), "acme/tools"))
    by_id = directory.project(id_from_path("acme/tools"))
    assert by_id is not None
    publish(catalogue, by_id, "demo-1.0.zip")
    assert directory.projects_in(Group(id_from_path("acme"), "acme")).ids == (by_id.id,)


def test_a_project_by_its_id_does_not_read_the_other_projects() -> None:
    read: list[Sequence[int] | None] = []

    class Paths(MemoryCatalogue):
        def project_paths(self, ids: Sequence[int] | None = None) -> Sequence[tuple[int, str]]:
            read.append(ids)
            return super().project_paths(ids)

    directory = OpenDirectory(Paths())
    directory.project("acme/tools")
    directory.project(42)
    assert read == [[42]]
