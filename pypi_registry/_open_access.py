"""The open registry: everyone may do anything, and every path is a project."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pypi_registry._paths import fold, id_from_path, is_below, is_valid_path, paths_above
from pypi_registry.auth import Ability, Credentials, Principal, Subject
from pypi_registry.directory import Ref
from pypi_registry.model import Group, Namespace, Project, Projects, Visibility
from pypi_registry.storage import ProjectPaths


@dataclass(frozen=True, slots=True)
class AllowAll:
    """An `Auth` that lets everyone do anything. It must be passed explicitly: ``Registry(auth=AllowAll(), …)``."""

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Principal:
        return Everyone()


class Everyone(NamedTuple):
    """The anonymous principal of an open registry."""

    name: str = ""
    via: str = ""
    anonymous: bool = True

    def can(self, ability: Ability, subject: Subject) -> bool:
        return True

    def readable(self, projects: Projects) -> Projects:
        return projects


class OpenDirectory:
    """A directory in which every path is a project, and every group contains the projects below its path.

    The id of a project derives from its path. Which projects a group contains follows from the uploads that the
    catalogue has stored, so it is the same in every process and after a restart.
    """

    def __init__(self, paths: ProjectPaths) -> None:
        self._paths = paths

    def project(self, ref: Ref) -> Project | None:
        if isinstance(ref, int):
            path = dict(self._paths.project_paths([ref])).get(ref, str(ref))
            return Project(ref, path, visibility=Visibility.PUBLIC)
        return Project(id_from_path(ref), ref, visibility=Visibility.PUBLIC) if is_valid_path(ref) else None

    def group(self, ref: Ref) -> Group | None:
        if isinstance(ref, int):
            above = (group for _, path in self._all() for group in paths_above(path))
            path = next((group for group in above if id_from_path(group) == ref), str(ref))
            return Group(ref, path, visibility=Visibility.PUBLIC)
        return Group(id_from_path(ref), ref, visibility=Visibility.PUBLIC) if is_valid_path(ref) else None

    def projects_in(self, group: Group) -> Projects:
        return Projects(
            Project(id_, path, visibility=Visibility.PUBLIC)
            for id_, path in self._all()
            if is_below(fold(path), fold(group.path))
        )

    def all_projects(self) -> Projects:
        """Return all projects to which something was published. The landing page of ``serve`` lists them."""
        return Projects(Project(id_, path, visibility=Visibility.PUBLIC) for id_, path in self._all())

    def _all(self) -> Sequence[tuple[int, str]]:
        return self._paths.project_paths()
