"""Directories that break one thing each, and the test of the suite that finds it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from threading import current_thread, main_thread
from typing import Any

from pypi_registry.accounts import Accounts
from pypi_registry.directory import Ref, id_from_path
from pypi_registry.model import Group, Project, is_below
from tests.testing.known import PRIVATE, PROJECTS, accounts
from tests.testing.mutants.racing import Meeting

A = Accounts


def mutant(base: type[Accounts] = Accounts, /, **methods: Any) -> Accounts:
    """Make a directory of which these methods are others."""
    return accounts(type("Mutant", (base,), methods))


def _all(self: Accounts) -> list[Project]:
    return [project for path in PROJECTS if (project := A.project(self, path))]


def _by_any_path(matches: Any) -> Accounts:
    """Make a directory that finds the first project whose path matches what was asked for."""

    def project(self: Accounts, ref: Ref) -> Project | None:
        if isinstance(ref, int):
            return A.project(self, ref)
        return next((each for each in _all(self) if matches(each.path.lower(), ref.lower())), None)

    return mutant(project=project)


def _by_any_group_path(matches: Any) -> Accounts:
    def group(self: Accounts, ref: Ref) -> Group | None:
        if isinstance(ref, int):
            return A.group(self, ref)
        return next((each for path, each in self._groups.items() if matches(path, ref.lower())), None)

    return mutant(group=group)


def _like(path: str, ref: str) -> bool:
    return re.fullmatch(re.escape(ref).replace("%", ".*").replace("_", "."), path, re.DOTALL) is not None


def _in_one_case(method: str) -> Accounts:
    def find(self: Accounts, ref: Ref) -> Any:
        found = getattr(A, method)(self, ref)
        return None if found is None or (isinstance(ref, str) and found.path != ref) else found

    return mutant(**{method: find})


def _as_asked_for(method: str) -> Accounts:
    """Make a directory that derives the number from the path, as it was written."""

    def find(self: Accounts, ref: Ref) -> Any:
        found = getattr(A, method)(self, ref)
        if found is None or isinstance(ref, int) or ref == found.path:
            return found
        return replace(found, id=id_from_path("x" + ref.swapcase()) + len(ref), path=ref)

    return mutant(**{method: find})


def _with_its_old_path(self: Accounts, ref: Ref) -> Project | None:
    found = A.project(self, ref)
    return replace(found, path=f"old/{found.path}") if found and isinstance(ref, int) else found


def _of_another_number(method: str) -> Accounts:
    def find(self: Accounts, ref: Ref) -> Any:
        return getattr(A, method)(self, ref + 1 if isinstance(ref, int) else ref)

    return mutant(**{method: find})


def _with_a_long_number(self: Accounts, ref: Ref) -> Project | None:
    found = A.project(self, PRIVATE if ref == 10**20 + 3 else ref)
    return replace(found, id=10**20 + 3) if found and found.id == 3 else found


def _fails_for_what_is_not_there(method: str) -> Accounts:
    def find(self: Accounts, ref: Ref) -> Any:
        found = getattr(A, method)(self, ref)
        if found is None:
            raise KeyError(ref)
        return found

    return mutant(**{method: find})


def _fails_for_long_paths(self: Accounts, ref: Ref) -> Project | None:
    if isinstance(ref, str) and len(ref) > 255:
        raise OverflowError("the path is too long")
    return A.project(self, ref)


def _fails_for_long_numbers(self: Accounts, ref: Ref) -> Group | None:
    if isinstance(ref, int) and ref >= 2**31:
        raise OverflowError("integer out of range")
    return A.group(self, ref)


def _directly(self: Accounts, group: Group) -> Sequence[Project]:
    return [each for each in A.projects_in(self, group) if "/" not in each.path[len(group.path) + 1 :]]


def _by_beginning(self: Accounts, group: Group) -> Sequence[Project]:
    return [each for each in _all(self) if each.path.lower().startswith(group.path.lower())]


def _of_the_whole_root(self: Accounts, group: Group) -> Sequence[Project]:
    root = self.group(group.root)
    return A.projects_in(self, root) if root else []


def _once_a_group_above(self: Accounts, group: Group) -> Sequence[Project]:
    inside = A.projects_in(self, group)
    return [*inside, *(each for each in inside if is_below(each.path.lower(), "acme/libs"))]


def _only_public(self: Accounts, group: Group) -> Sequence[Project]:
    return [each for each in A.projects_in(self, group) if each.visibility != "private"]


def _in_its_own_case(self: Accounts, group: Group) -> Sequence[Project]:
    return [each for each in A.projects_in(self, group) if is_below(each.path, group.path) or group.path == "acme"]


class AsAskedFor(Accounts):
    """Names a group as it was asked for, and then looks for the projects in just this spelling."""

    def group(self, ref: Ref) -> Group | None:
        found = super().group(ref)
        return replace(found, path=ref) if found and isinstance(ref, str) else found

    def projects_in(self, group: Group) -> Sequence[Project]:
        return super().projects_in(group) if group.path in self._projects_in else []


def _renamed(self: Accounts, group: Group) -> Sequence[Project]:
    return [replace(each, name="a name that it has only here") for each in A.projects_in(self, group)]


def _all_of_what_is_gone(self: Accounts, group: Group) -> Sequence[Project]:
    return A.projects_in(self, group) if self.group(group.path) else _all(self)


def _groups_of_their_own(self: Accounts, ref: Ref) -> Group | None:
    project = self.project(ref) if isinstance(ref, str) else None
    return Group(id_from_path(project.path), project.path) if project else A.group(self, ref)


def _in_themselves(self: Accounts, group: Group) -> Sequence[Project]:
    project = self.project(group.path)
    return [project] if project else A.projects_in(self, group)


def _in_private_groups(self: Accounts, ref: Ref) -> Project | None:
    found = A.project(self, ref)
    return replace(found, id=5) if found and found.id == 4 else found


def _of_one_number(self: Accounts, ref: Ref) -> Group | None:
    found = A.group(self, 1 if ref == 77 else ref)
    return replace(found, id=77) if found and found.path in ("acme/libs", "acme/libs-old") else found


class KeepsWhatIsAskedFor(Accounts):
    """Remembers a question until it is answered, for all threads in one place."""

    def __init__(self, **entries: Any) -> None:
        super().__init__(**entries)
        self._meeting = Meeting(threads=8)
        self._asked: Ref = 0

    def project(self, ref: Ref) -> Project | None:
        self._asked = ref
        if current_thread() is not main_thread():
            self._meeting.wait()
        return super().project(self._asked)


# What is broken: the directory, and the test that finds it.
MUTANTS: dict[str, tuple[Accounts, str]] = {
    "a number has an old path": (
        mutant(project=_with_its_old_path),
        "test_a_project_is_found_by_its_path_and_by_its_number_alike",
    ),
    "a number is that of another project": (
        _of_another_number("project"),
        "test_a_project_is_found_by_its_path_and_by_its_number_alike",
    ),
    "paths of projects have case": (_in_one_case("project"), "test_a_project_is_found_in_any_case_as_the_same"),
    "another case is another project": (_as_asked_for("project"), "test_a_project_is_found_in_any_case_as_the_same"),
    "a part of a path is enough": (
        _by_any_path(lambda path, ref: path.endswith(f"/{ref}") or path == ref),
        "test_a_project_is_found_by_nothing_that_is_only_like_its_path",
    ),
    "the beginning of a path is enough": (
        _by_any_path(str.startswith),
        "test_a_project_is_found_by_nothing_that_is_only_like_its_path",
    ),
    "a path is a pattern": (
        _by_any_path(_like),
        "test_a_project_is_found_by_nothing_that_is_only_like_its_path",
    ),
    "slashes and blanks around a path do not count": (
        _by_any_path(lambda path, ref: path == ref.strip("/ \n")),
        "test_a_project_is_found_by_nothing_that_is_only_like_its_path",
    ),
    "a number is longer than an address may have it": (
        mutant(project=_with_a_long_number),
        "test_every_project_has_a_number_and_a_path_that_an_address_can_hold",
    ),
    "two projects have one number": (
        mutant(project=_in_private_groups),
        "test_two_projects_have_two_numbers",
    ),
    "a number is that of another group": (
        _of_another_number("group"),
        "test_a_group_is_found_by_its_path_and_by_its_number_alike",
    ),
    "paths of groups have case": (_in_one_case("group"), "test_a_group_is_found_in_any_case_as_the_same"),
    "another case is another group": (_as_asked_for("group"), "test_a_group_is_found_in_any_case_as_the_same"),
    "a path of a group is a pattern": (
        _by_any_group_path(_like),
        "test_a_group_is_found_by_nothing_that_is_only_like_its_path",
    ),
    "two groups have one number": (mutant(group=_of_one_number), "test_two_groups_have_two_numbers"),
    "groups in a group are not looked into": (
        mutant(projects_in=_directly),
        "test_a_group_has_the_projects_in_it_and_below_it_each_once",
    ),
    "a group has what begins like it": (
        mutant(projects_in=_by_beginning),
        "test_a_group_has_the_projects_in_it_and_below_it_each_once",
    ),
    "a group has what is beside it": (
        mutant(projects_in=_of_the_whole_root),
        "test_what_a_group_has_lies_below_it_and_is_found_alone_as_well",
    ),
    "a project is there once for each group": (
        mutant(projects_in=_once_a_group_above),
        "test_a_group_has_the_projects_in_it_and_below_it_each_once",
    ),
    "private projects are not there": (
        mutant(projects_in=_only_public),
        "test_a_group_has_the_projects_in_it_and_below_it_each_once",
    ),
    "a project is another one in its group": (
        mutant(projects_in=_renamed),
        "test_what_a_group_has_lies_below_it_and_is_found_alone_as_well",
    ),
    "a group in another case is empty": (
        accounts(AsAskedFor),
        "test_a_group_has_the_same_projects_however_it_was_found",
    ),
    "projects whose path has another case are missing": (
        mutant(projects_in=lambda self, group: [p for p in A.projects_in(self, group) if is_below(p.path, group.path)]),
        "test_the_groups_that_a_project_lies_in_have_it_and_it_has_not_itself",
    ),
    "a project is in itself": (
        mutant(group=_groups_of_their_own, projects_in=_in_themselves),
        "test_the_groups_that_a_project_lies_in_have_it_and_it_has_not_itself",
    ),
    "what is not there is the first": (
        mutant(project=lambda self, ref: A.project(self, ref) or A.project(self, 1)),
        "test_what_is_not_known_is_none",
    ),
    "a project that is not there is an error": (
        _fails_for_what_is_not_there("project"),
        "test_what_is_not_known_is_none",
    ),
    "a group that is not there is an error": (_fails_for_what_is_not_there("group"), "test_what_is_not_known_is_none"),
    "a long path is an error": (
        mutant(project=_fails_for_long_paths),
        "test_whatever_an_address_may_hold_is_answered",
    ),
    "a long number is an error": (
        mutant(group=_fails_for_long_numbers),
        "test_whatever_an_address_may_hold_is_answered",
    ),
    "a group that is gone has everything": (
        mutant(projects_in=_all_of_what_is_gone),
        "test_a_group_that_is_not_there_any_more_has_nothing_of_others",
    ),
    "threads share a question": (accounts(KeepsWhatIsAskedFor), "test_many_threads_are_answered_alike"),
}
