"""The suite of a directory, and what a host must tell of its own for it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pypi_registry.directory import MAX_DIGITS, Directory, Ref, parse_ref
from pypi_registry.model import Group, Project, is_below, paths_above
from pypi_registry.testing.contracts.threads import Threads


@dataclass(frozen=True, slots=True)
class KnownDirectory:
    """A directory, and what is known to be in it.

    It proves most with a group in a group, each with a project, and a group whose path begins like another's.
    """

    directory: Directory
    projects: Mapping[str, int]
    """Full path of a project -> its number."""
    groups: Mapping[str, Collection[str]]
    """Full path of a group -> the full paths of all projects in it and in the groups below it."""
    absent: Collection[Ref] = ()
    """Numbers and paths of neither a project nor a group."""
    any_case: bool = True
    """Whether a path is found in any case, as in GitLab; False if in any other case it is nothing."""


class DirectoryContract(Threads):
    """Tests a `Directory`: subclass it in your tests, and override `make_directory`."""

    def make_directory(self) -> KnownDirectory:
        """Give a directory, and what is in it; called once a test."""
        raise NotImplementedError(f"{type(self).__name__} must say what it is about: override make_directory()")

    # Projects

    def test_a_project_is_found_by_its_path_and_by_its_number_alike(self) -> None:
        known = self.make_directory()
        assert known.projects, "a directory without a project proves nothing"
        for path, number in known.projects.items():
            by_path, by_number = known.directory.project(path), known.directory.project(number)
            assert by_path is not None, path
            assert isinstance(by_path, Project), path
            assert (by_path.id, by_path.path) == (number, path)
            assert by_number == by_path

    def test_a_project_is_found_in_any_case_as_the_same(self) -> None:
        known = self.make_directory()
        for path, number in known.projects.items():
            for other in other_cases(path):
                project = known.directory.project(other)
                if project is None:
                    assert not known.any_case, other
                else:
                    assert (project.id, project.path.lower()) == (number, path.lower()), other

    def test_a_project_is_found_by_nothing_that_is_only_like_its_path(self) -> None:
        known = self.make_directory()
        for path, number in known.projects.items():
            for other in _like(path):
                project = known.directory.project(other)
                assert project is None or project.id != number, other

    def test_every_project_has_a_number_and_a_path_that_an_address_can_hold(self) -> None:
        known = self.make_directory()
        for path, number in known.projects.items():
            project = known.directory.project(path)
            assert project is not None, path
            assert 0 <= project.id < 10**MAX_DIGITS, path
            assert parse_ref(str(project.id)) == project.id == number
            assert parse_ref(project.path) == project.path == path

    def test_two_projects_have_two_numbers(self) -> None:
        known = self.make_directory()
        projects = [known.directory.project(path) for path in known.projects]
        assert len({project.id for project in projects if project}) == len(known.projects)

    # Groups

    def test_a_group_is_found_by_its_path_and_by_its_number_alike(self) -> None:
        known = self.make_directory()
        assert known.groups, "a directory without a group proves nothing"
        for path in known.groups:
            group = known.directory.group(path)
            assert group is not None, path
            assert isinstance(group, Group), path
            assert group.path == path
            assert parse_ref(str(group.id)) == group.id, path
            assert known.directory.group(group.id) == group

    def test_a_group_is_found_in_any_case_as_the_same(self) -> None:
        known = self.make_directory()
        for path in known.groups:
            number = _group(known, path).id
            for other in other_cases(path):
                group = known.directory.group(other)
                if group is None:
                    assert not known.any_case, other
                else:
                    assert (group.id, group.path.lower()) == (number, path.lower()), other

    def test_a_group_is_found_by_nothing_that_is_only_like_its_path(self) -> None:
        known = self.make_directory()
        for path in known.groups:
            for other in _like(path):
                group = known.directory.group(other)
                assert group is None or group.id != _group(known, path).id, other

    def test_two_groups_have_two_numbers(self) -> None:
        known = self.make_directory()
        assert len({_group(known, path).id for path in known.groups}) == len(known.groups)

    # What is in a group

    def test_a_group_has_the_projects_in_it_and_below_it_each_once(self) -> None:
        known = self.make_directory()
        for path, inside in known.groups.items():
            found = [project.path for project in known.directory.projects_in(_group(known, path))]
            assert sorted(found) == sorted(inside), path

    def test_what_a_group_has_lies_below_it_and_is_found_alone_as_well(self) -> None:
        known = self.make_directory()
        for path in known.groups:
            for project in known.directory.projects_in(_group(known, path)):
                assert is_below(project.path.lower(), path.lower()), (project.path, path)
                assert known.directory.project(project.id) == project
                assert known.directory.project(project.path) == project

    def test_a_group_has_the_same_projects_however_it_was_found(self) -> None:
        known = self.make_directory()
        for path in known.groups:
            group = _group(known, path)
            expected = {project.id for project in known.directory.projects_in(group)}
            refs: list[Ref] = [group.id, *other_cases(path)]
            for found in map(known.directory.group, refs):
                if found is not None:
                    assert {project.id for project in known.directory.projects_in(found)} == expected, found.path

    def test_the_groups_that_a_project_lies_in_have_it_and_it_has_not_itself(self) -> None:
        known = self.make_directory()
        for path, number in known.projects.items():
            for above in paths_above(path):
                if (group := known.directory.group(above)) is not None:
                    assert number in {project.id for project in known.directory.projects_in(group)}, (path, above)
            if (group := known.directory.group(path)) is not None:
                assert number not in {project.id for project in known.directory.projects_in(group)}, path

    # What is not there

    def test_what_is_not_known_is_none(self) -> None:
        known = self.make_directory()
        for ref in known.absent:
            assert known.directory.project(ref) is None, ref
            assert known.directory.group(ref) is None, ref

    def test_whatever_an_address_may_hold_is_answered(self) -> None:
        known = self.make_directory()
        numbers = {*known.projects.values()}
        for ref in _STRANGE:
            project, group = known.directory.project(ref), known.directory.group(ref)
            if ref not in numbers:
                assert project is None or project.id not in numbers, ref
            assert group is None or isinstance(group, Group), ref

    def test_a_group_that_is_not_there_any_more_has_nothing_of_others(self) -> None:
        known = self.make_directory()
        gone = Group(10**MAX_DIGITS - 1, "a-group/that-is-gone")
        assert list(known.directory.projects_in(gone)) == []

    # Many threads

    def test_many_threads_are_answered_alike(self) -> None:
        known = self.make_directory()
        refs: list[Ref] = [*known.projects, *known.projects.values(), *known.groups, *known.absent]

        def ask(ref: Ref) -> object:
            group = known.directory.group(ref)
            inside = sorted(project.id for project in known.directory.projects_in(group)) if group else []
            return known.directory.project(ref), group, inside

        expected = {ref: ask(ref) for ref in refs}

        def mixed_up(number: int) -> list[Ref]:
            start = number * len(refs) // 8
            return [ref for _ in range(5) for ref in [*refs[start:], *refs[:start]] if ask(ref) != expected[ref]]

        assert [ref for found in self._at_once(mixed_up) for ref in found] == []


def _group(known: KnownDirectory, path: str) -> Group:
    group = known.directory.group(path)
    assert group is not None, path
    return group


def other_cases(path: str) -> set[str]:
    """Give a path as others may write it."""
    others = {path.lower(), path.upper(), path.swapcase(), path.title()} - {path}
    return {other for other in others if other.lower() == path.lower()}  # not so where one letter becomes two


def _like(path: str) -> set[str]:
    """Give what a look-up that is not exact takes for a path: a part of it, more than it, and patterns of SQL."""
    first, _, rest = path.partition("/")
    found = {
        *(f"/{path}", f"{path}/", f" {path}", f"{path} ", f"{path}\n", path[:-1], f"{path}x", f"x{path}"),
        *(f"./{path}", f"{path}/.", f"{first}/../{path}", "%", "*", ".*", f"{path}' OR '1'='1", f'{path}"'),
        *(f"{path[:-1]}{wildcard}" for wildcard in "_%?."),
        f"%{path[1:]}",
    }
    if rest:
        found |= {f"{first}//{rest}", f"{first}/./{rest}", f"{first}%2F{rest}", f"{first}\\{rest}"}
        found |= {first, rest, path.rpartition("/")[2], path.rpartition("/")[0]}
    return {other for other in found if other.lower() != path.lower()}


_STRANGE: list[Ref] = [
    *(0, 1, 2**31 - 1, 2**31, 10**MAX_DIGITS - 1),
    *("", " ", "/", "//", ".", "..", "-", "%", "_", "'", '"', "\\", "\n", "\x7f", "é", "☃", "\U0001f40d", "٤٢", "²"),
    *("a" * 5000, "a/" * 2000 + "a", "../../etc/passwd", "acme\r\nX: y", "{}", "%s", "%(x)s", "$(id)"),
]
