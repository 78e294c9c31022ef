"""The suite of a directory, and what a test states about it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pypi_registry._paths import MAX_DIGITS, is_below, paths_above
from pypi_registry.directory import Directory, Ref
from pypi_registry.model import Group, Project, Projects
from pypi_registry.testing.contracts.threads import Threads


@dataclass(frozen=True, slots=True)
class KnownDirectory:
    """A directory, and what it contains.

    The suite finds most if a group contains another group, each has a project, and the path of a third group begins
    with the path of the first.
    """

    directory: Directory
    projects: Mapping[str, int]
    """Full path of a project -> its id."""
    groups: Mapping[str, Collection[str]]
    """Full path of a group -> the full paths of all projects in it and in the groups below it."""
    absent: Collection[Ref] = ()
    """Ids and paths of neither a project nor a group."""
    any_case: bool = True
    """Whether a path is found in any case, as in GitLab; False if only the exact path is found."""


class DirectoryContract(Threads):
    """Tests a `Directory`: subclass it in your tests, and override `make_directory`."""

    def make_directory(self) -> KnownDirectory:
        """Return a directory and what it contains; called once per test."""
        raise NotImplementedError(f"{type(self).__name__} must override make_directory()")

    # Projects

    def test_a_project_is_found_by_its_path_and_by_its_id_alike(self) -> None:
        known = self.make_directory()
        assert known.projects, "a directory without projects proves nothing"
        for path, id_ in known.projects.items():
            by_path, by_id = known.directory.project(path), known.directory.project(id_)
            assert by_path is not None, path
            assert isinstance(by_path, Project), path
            assert (by_path.id, by_path.path) == (id_, path)
            assert by_id == by_path

    def test_a_project_is_the_same_in_any_case_of_its_path(self) -> None:
        known = self.make_directory()
        for path, id_ in known.projects.items():
            for other in other_cases(path):
                project = known.directory.project(other)
                if project is None:
                    assert not known.any_case, other
                else:
                    assert (project.id, project.path.lower()) == (id_, path.lower()), other

    def test_a_project_is_not_found_by_a_text_that_resembles_its_path(self) -> None:
        known = self.make_directory()
        for path, id_ in known.projects.items():
            for other in _like(path):
                project = known.directory.project(other)
                assert project is None or project.id != id_, other

    def test_ids_and_paths_of_projects_can_stand_in_a_url(self) -> None:
        known = self.make_directory()
        for path in known.projects:
            project = known.directory.project(path)
            assert project is not None, path
            assert 0 <= project.id < 10**MAX_DIGITS, path
            assert project.path.strip("/") == project.path
            assert not project.path.isdecimal(), path  # a URL could not distinguish it from an id

    def test_two_projects_have_two_ids(self) -> None:
        known = self.make_directory()
        projects = [known.directory.project(path) for path in known.projects]
        assert len({project.id for project in projects if project}) == len(known.projects)

    # Groups

    def test_a_group_is_found_by_its_path_and_by_its_id_alike(self) -> None:
        known = self.make_directory()
        assert known.groups, "a directory without groups proves nothing"
        for path in known.groups:
            group = known.directory.group(path)
            assert group is not None, path
            assert isinstance(group, Group), path
            assert group.path == path
            assert 0 <= group.id < 10**MAX_DIGITS, path
            assert known.directory.group(group.id) == group

    def test_a_group_is_the_same_in_any_case_of_its_path(self) -> None:
        known = self.make_directory()
        for path in known.groups:
            id_ = _group(known, path).id
            for other in other_cases(path):
                group = known.directory.group(other)
                if group is None:
                    assert not known.any_case, other
                else:
                    assert (group.id, group.path.lower()) == (id_, path.lower()), other

    def test_a_group_is_not_found_by_a_text_that_resembles_its_path(self) -> None:
        known = self.make_directory()
        for path in known.groups:
            for other in _like(path):
                group = known.directory.group(other)
                assert group is None or group.id != _group(known, path).id, other

    def test_two_groups_have_two_ids(self) -> None:
        known = self.make_directory()
        assert len({_group(known, path).id for path in known.groups}) == len(known.groups)

    # The projects of a group

    def test_a_group_has_the_projects_in_it_and_below_it(self) -> None:
        known = self.make_directory()
        for path, inside in known.groups.items():
            found = known.directory.projects_in(_group(known, path))
            assert isinstance(found, Projects), path
            assert sorted(project.path for project in found) == sorted(inside), path

    def test_a_project_of_a_group_lies_below_it_and_is_the_same_as_alone(self) -> None:
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
            expected = {*known.directory.projects_in(group).ids}
            refs: list[Ref] = [group.id, *other_cases(path)]
            for found in map(known.directory.group, refs):
                if found is not None:
                    assert {*known.directory.projects_in(found).ids} == expected, found.path

    def test_every_group_above_a_project_has_it_and_the_project_does_not_contain_itself(self) -> None:
        known = self.make_directory()
        for path, id_ in known.projects.items():
            for above in paths_above(path):
                if (group := known.directory.group(above)) is not None:
                    assert id_ in known.directory.projects_in(group), (path, above)
            if (group := known.directory.group(path)) is not None:
                assert id_ not in known.directory.projects_in(group), path

    # What does not exist

    def test_what_does_not_exist_is_none(self) -> None:
        known = self.make_directory()
        for ref in known.absent:
            assert known.directory.project(ref) is None, ref
            assert known.directory.group(ref) is None, ref

    def test_no_reference_raises_an_error(self) -> None:
        known = self.make_directory()
        ids = {*known.projects.values()}
        for ref in _STRANGE:
            project, group = known.directory.project(ref), known.directory.group(ref)
            if ref not in ids:
                assert project is None or project.id not in ids, ref
            assert group is None or isinstance(group, Group), ref

    def test_a_group_that_no_longer_exists_has_no_projects(self) -> None:
        known = self.make_directory()
        gone = Group(10**MAX_DIGITS - 1, "a-group/that-is-gone")
        assert [*known.directory.projects_in(gone)] == []

    # Many threads

    def test_many_threads_get_the_same_answers(self) -> None:
        known = self.make_directory()
        refs: list[Ref] = [*known.projects, *known.projects.values(), *known.groups, *known.absent]

        def ask(ref: Ref) -> object:
            group = known.directory.group(ref)
            inside = sorted(known.directory.projects_in(group).ids) if group else []
            return known.directory.project(ref), group, inside

        expected = {ref: ask(ref) for ref in refs}

        def ask_in_another_order(number: int) -> list[Ref]:
            start = number * len(refs) // 8
            return [ref for _ in range(5) for ref in [*refs[start:], *refs[:start]] if ask(ref) != expected[ref]]

        assert [ref for found in self._in_threads(ask_in_another_order) for ref in found] == []


def _group(known: KnownDirectory, path: str) -> Group:
    group = known.directory.group(path)
    assert group is not None, path
    return group


def other_cases(path: str) -> set[str]:
    """Return other spellings of a path, which differ in the case of letters."""
    others = {path.lower(), path.upper(), path.swapcase(), path.title()} - {path}
    return {other for other in others if other.lower() == path.lower()}  # false if one letter becomes two


def _like(path: str) -> set[str]:
    """Return texts that an inexact look-up confuses with a path: a part of it, more than it, and patterns of SQL."""
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
    # In Unicode the Kelvin sign is a "k" in lower case, and the long s an "S" in upper case.
    folded = {path.replace("k", "\N{KELVIN SIGN}"), path.replace("s", "\N{LATIN SMALL LETTER LONG S}")}
    return {other for other in found if other.lower() != path.lower()} | (folded - {path})


_STRANGE: list[Ref] = [
    *(0, 1, 2**31 - 1, 2**31, 10**MAX_DIGITS - 1),
    *("", " ", "/", "//", ".", "..", "-", "%", "_", "'", '"', "\\", "\n", "\x7f", "é", "☃", "\U0001f40d", "٤٢", "²"),
    *("a" * 5000, "a/" * 2000 + "a", "../../etc/passwd", "acme\r\nX: y", "{}", "%s", "%(x)s", "$(id)"),
]
