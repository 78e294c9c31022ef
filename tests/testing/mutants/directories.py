"""Directories that break one law each, and the test of the suite that must find it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from threading import current_thread, main_thread
from typing import Any, TypeAlias, cast

from pypi_registry._paths import id_from_path, is_below
from pypi_registry.directory import Ref
from pypi_registry.model import Group, Project, Projects
from tests.testing.known import GROUPS, PRIVATE, PROJECTS
from tests.testing.mutants.racing import Shared
from tests.testing.mutants.wrapping import AccountsWrapper, Override, returns, takes

W: TypeAlias = AccountsWrapper
Found = Project | Group | None


def finds(method: str, change: Callable[[Any, Ref], Found]) -> Override:
    """Return another project or group: ``change(found, ref)``."""
    return returns(method, lambda self, found, ref: change(found, ref))


def matches(method: str, paths: Any, matches: Callable[[str, str], bool]) -> Override:
    """Find the first path that matches a reference."""

    def find(self: W, ref: Ref) -> Found:
        find = getattr(self.inner, method)
        path = ref if isinstance(ref, int) else next((each for each in paths if matches(each.lower(), ref.lower())), "")
        return cast(Found, find(path))

    return {method: find}


def in_upper_case(self: W, ref: Ref) -> Found:
    """Find a path as a database does that compares with ``upper()``, in which the long s is an "S"."""
    same = (path for path in PROJECTS if isinstance(ref, str) and path.upper() == ref.upper())
    return cast(Found, self.inner.project(next(same, ref)))


def contains(change: Callable[[list[Project], Group], Any]) -> Override:
    """Return other projects of a group."""
    return returns("projects_in", lambda self, found, group: Projects(change([*found], group)))


def all_projects(self: W) -> list[Project]:
    return [project for path in PROJECTS if (project := self.inner.project(path))]


def _like(path: str, ref: str) -> bool:
    return re.fullmatch(re.escape(ref).replace("%", ".*").replace("_", "."), path, re.DOTALL) is not None


def in_one_case(found: Found, ref: Ref) -> Found:
    return None if found is None or (isinstance(ref, str) and found.path != ref) else found


def as_asked_for(found: Found, ref: Ref) -> Found:
    """Derive the id from the path as the caller wrote it."""
    if found is None or isinstance(ref, int) or ref == found.path:
        return found
    return replace(found, id=id_from_path("x" + ref.swapcase()) + len(ref), path=ref)


def with_its_old_path(found: Any, ref: Ref) -> Any:
    return replace(found, path=f"old/{found.path}") if found and isinstance(ref, int) else found


def is_an_error(found: Found, ref: Ref) -> Found:
    if found is None:
        raise KeyError(ref)
    return found


def limited(found: Found, ref: Ref) -> Found:
    if (isinstance(ref, str) and len(ref) > 255) or (isinstance(ref, int) and ref >= 2**31):
        raise OverflowError("out of range")
    return found


def next_id(self: W, ref: Ref) -> tuple[Ref]:
    return (ref + 1 if isinstance(ref, int) else ref,)


def with_a_long_id(self: W, ref: Ref) -> Found:
    found = self.inner.project(PRIVATE if ref == 10**20 + 3 else ref)
    return replace(found, id=10**20 + 3) if found and found.id == 3 else found


def with_one_id(found: Any, ref: Ref) -> Any:
    same = ("acme/libs", "acme/libs-old") if isinstance(found, Group) else (*PROJECTS,)
    return replace(found, id=77) if found and found.path in same else found


class NamesGroupsAsAskedFor(W):
    """Returns a group with the path as the caller wrote it, and looks for the projects below just this path."""

    def group(self, ref: Ref) -> Group | None:
        found = self.inner.group(ref)
        return replace(found, path=ref) if found and isinstance(ref, str) else found

    def projects_in(self, group: Group) -> Projects:
        return self.inner.projects_in(group) if group.path in GROUPS else Projects()


class ProjectsContainThemselves(W):
    def group(self, ref: Ref) -> Group | None:
        project = self.project(ref) if isinstance(ref, str) else None
        return Group(id_from_path(project.path), project.path) if project else self.inner.group(ref)

    def projects_in(self, group: Group) -> Projects:
        project = self.project(group.path)
        return Projects([project]) if project else self.inner.projects_in(group)


def of_the_root(self: W, group: Group) -> tuple[Group]:
    return (self.inner.group(group.root) or group,)


def all_if_missing(self: W, found: Projects, group: Group) -> Projects:
    return found if self.inner.group(group.path) else Projects(all_projects(self))


class SharesAQuestion(W):
    """Keeps the reference of a call until it is answered, one for all threads."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.ref = Shared(threads=8)

    def project(self, ref: Ref) -> Project | None:
        if current_thread() is not main_thread():
            ref = self.ref.exchange(ref)
        return self.inner.project(ref)


# By the test that must find it: what is broken, and the mutant, as a class or as its methods.
Mutant = type[W] | Override
MUTANTS: Mapping[str, Mapping[str, Mutant]] = {
    "test_a_project_is_found_by_its_path_and_by_its_id_alike": {
        "an id has an old path": finds("project", with_its_old_path),
        "an id is that of another project": takes("project", next_id),
    },
    "test_a_project_is_the_same_in_any_case_of_its_path": {
        "paths of projects are case-sensitive": finds("project", in_one_case),
        "another case is another project": finds("project", as_asked_for),
    },
    "test_a_project_is_not_found_by_a_text_that_resembles_its_path": {
        "the end of a path is enough": matches(
            "project", PROJECTS, lambda path, ref: path.endswith(f"/{ref}") or path == ref
        ),
        "the beginning of a path is enough": matches("project", PROJECTS, str.startswith),
        "a path is a pattern": matches("project", PROJECTS, _like),
        "paths are compared in upper case": {"project": in_upper_case},
        "a path is stripped": matches("project", PROJECTS, lambda path, ref: path == ref.strip("/ \n")),
    },
    "test_ids_and_paths_of_projects_can_stand_in_a_url": {
        "an id is too long for a URL": {"project": with_a_long_id},
    },
    "test_two_projects_have_two_ids": {
        "all projects have one id": finds("project", with_one_id),
    },
    "test_a_group_is_found_by_its_path_and_by_its_id_alike": {
        "an id is that of another group": takes("group", next_id),
    },
    "test_a_group_is_the_same_in_any_case_of_its_path": {
        "paths of groups are case-sensitive": finds("group", in_one_case),
        "another case is another group": finds("group", as_asked_for),
    },
    "test_a_group_is_not_found_by_a_text_that_resembles_its_path": {
        "a path of a group is a pattern": matches("group", GROUPS, _like),
    },
    "test_two_groups_have_two_ids": {
        "two groups have one id": finds("group", with_one_id),
    },
    "test_a_group_has_the_projects_in_it_and_below_it": {
        "groups below a group are left out": contains(
            lambda found, group: [each for each in found if "/" not in each.path[len(group.path) + 1 :]]
        ),
        "a group has the projects below a longer path": returns(
            "projects_in",
            lambda self, found, group: Projects(
                each for each in all_projects(self) if each.path.lower().startswith(group.path.lower())
            ),
        ),
        "private projects are left out": contains(
            lambda found, group: [each for each in found if each.visibility != "private"]
        ),
        "a group has a list of projects": returns("projects_in", lambda self, found, group: [*found]),
    },
    "test_a_project_of_a_group_lies_below_it_and_is_the_same_as_alone": {
        "a group has the projects of its root group": takes("projects_in", of_the_root),
        "a project has another name in its group": contains(
            lambda found, group: [replace(each, name="another") for each in found]
        ),
    },
    "test_a_group_has_the_same_projects_however_it_was_found": {
        "a group in another case is empty": NamesGroupsAsAskedFor,
    },
    "test_every_group_above_a_project_has_it_and_the_project_does_not_contain_itself": {
        "projects whose path has another case are left out": contains(
            lambda found, group: [each for each in found if is_below(each.path, group.path)]
        ),
        "a project contains itself": ProjectsContainThemselves,
    },
    "test_what_does_not_exist_is_none": {
        "a missing project is the first one": returns(
            "project", lambda self, found, ref: found or self.inner.project(1)
        ),
        "a missing project is an error": finds("project", is_an_error),
        "a missing group is an error": finds("group", is_an_error),
    },
    "test_no_reference_raises_an_error": {
        "a long path is an error": finds("project", limited),
        "a long id is an error": finds("group", limited),
    },
    "test_a_group_that_no_longer_exists_has_no_projects": {
        "a missing group has all projects": returns("projects_in", all_if_missing),
    },
    "test_many_threads_get_the_same_answers": {
        "threads share a question": SharesAQuestion,
    },
}
