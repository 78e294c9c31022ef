"""The projects and groups of accounts, indexed so that no request scans all of them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from pypi_registry._paths import fold, id_from_path, paths_above
from pypi_registry.accounts.config import GroupConfig, ProjectConfig
from pypi_registry.directory import Ref
from pypi_registry.model import Group, Project, Projects, Visibility


class Namespaces:
    """The projects and groups, by id and by path. The case of paths is ignored, as in GitLab.

    They never change. Values for a group, or for all jobs, are computed when they are first needed, and cached.
    """

    def __init__(self, projects: Sequence[ProjectConfig], groups: Sequence[GroupConfig]) -> None:
        self._configs = {fold(config.path): config for config in projects}
        self._projects = {
            path: Project(config.id, config.path, config.name, config.visibility)
            for path, config in self._configs.items()
        }
        self._projects_by_id = {project.id: project for project in self._projects.values()}
        self._groups = _all_groups(projects, groups)
        self._groups_by_id = {group.id: group for group in self._groups.values()}
        self._projects_at: dict[str, Projects] = {}
        self._group_projects: dict[Projects, GroupProjects] = {}

    def project(self, ref: Ref) -> Project | None:
        return self._projects.get(fold(ref)) if isinstance(ref, str) else self._projects_by_id.get(ref)

    def group(self, ref: Ref) -> Group | None:
        return self._groups.get(fold(ref)) if isinstance(ref, str) else self._groups_by_id.get(ref)

    def config(self, project: Project) -> ProjectConfig | None:
        """Return the settings of a project; None if there is no project at its path."""
        return self._configs.get(fold(project.path))

    def projects_in(self, group: Group) -> Projects:
        """Return the projects of the group and of all groups below it, the same object at each call."""
        return self.projects_at(group.path) if fold(group.path) in self._groups else _NO_PROJECTS

    def projects_at(self, path: str) -> Projects:
        """Return the projects of the group at a path and of all groups below it, or only the project at the path."""
        path = fold(path)
        if path in self._projects:
            return Projects([self._projects[path]])
        found = self._projects_at.get(path)
        if found is None:
            # Groups with equal projects share one object, and so do threads that get here at the same time.
            projects = Projects(self._below(path))
            shared = self._group_projects.setdefault(projects, GroupProjects(path, projects))
            found = self._projects_at[path] = shared.projects
        return found

    @cached_property
    def all_projects(self) -> Projects:
        """All projects, as if one group contained them."""
        projects = Projects(self._projects.values())
        return self._group_projects.setdefault(projects, GroupProjects("", projects)).projects

    def group_projects(self, projects: Projects) -> "GroupProjects | None":
        """Return the group whose projects these are; None if they are not all the projects of a group."""
        return self._group_projects.get(projects)

    def _below(self, group: str) -> Iterator[Project]:
        groups = [group]
        while groups:
            projects, groups_inside = self._directly_in[groups.pop()]
            yield from projects
            groups.extend(groups_inside)

    @cached_property
    def _directly_in(self) -> Mapping[str, tuple[list[Project], list[str]]]:
        """The projects and the paths of the groups that each group contains directly."""
        found: dict[str, tuple[list[Project], list[str]]] = {path: ([], []) for path in self._groups}
        for path, project in self._projects.items():
            if "/" in path:
                found[path.rpartition("/")[0]][0].append(project)
        for path in self._groups:
            if "/" in path:
                found[path.rpartition("/")[0]][1].append(path)
        return found

    def lets_job_in(self, job_project: str, path: str) -> bool:
        """Return whether the jobs of a project, given by its path in lower case, may access a project or group.

        Only projects have an allowlist (GitLab's manual, "CI/CD job token").
        """
        path = fold(path)
        return path == job_project or path not in self._projects or path in self._allowlisted_by.get(job_project, ())

    def projects_for_job(self, job_project: str) -> Iterator[Project]:
        """Return the projects that the jobs of a project may access, besides those that everyone may access."""
        for path in {job_project, *self._allowlisted_by.get(job_project, ())}:
            if path in self._projects:
                yield self._projects[path]

    @cached_property
    def _allowlisted_by(self) -> Mapping[str, frozenset[str]]:
        """For each project that an allowlist names, the paths of the projects whose allowlists name it."""
        found: dict[str, set[str]] = {}
        for path, config in self._configs.items():
            for allowed in config.job_token_allowlist:
                found.setdefault(fold(allowed), set()).add(path)
        return {allowed: frozenset(paths) for allowed, paths in found.items()}


class GroupProjects:
    """The projects of one group and of all groups below it, and those of them that many callers may read."""

    def __init__(self, path: str, projects: Projects) -> None:
        self.path = path
        """Of the group, in lower case; empty for all projects."""
        self.projects = projects

    @cached_property
    def public(self) -> Projects:
        return self.projects.only(lambda project: project.visibility == Visibility.PUBLIC)

    @cached_property
    def public_or_internal(self) -> Projects:
        return self.projects.only(lambda project: project.visibility != Visibility.PRIVATE)


_NO_PROJECTS = Projects()


def _all_groups(projects: Sequence[ProjectConfig], groups: Sequence[GroupConfig]) -> dict[str, Group]:
    """Return the groups that are declared, and those that a path contains, by their paths in lower case."""
    found = {
        fold(group.path): Group(
            id_from_path(group.path) if group.id is None else group.id, group.path, group.name, group.visibility
        )
        for group in groups
    }
    for path in [*(config.path for config in projects), *(config.path for config in groups)]:
        for above in paths_above(path):
            if fold(above) not in found:
                found[fold(above)] = Group(id_from_path(above), above)
    return found
