"""The contract for an application's projects and groups.

It is apart from storage on purpose: most applications have projects of their own and do not want to store packages.
"""

from typing import Protocol, TypeAlias

from pypi_registry.model import Group, Project, Projects

Ref: TypeAlias = int | str
"""How a URL refers to a project or a group: by its id, or by its full path (unquoted; may contain any character)."""


class Directory(Protocol):
    """Finds projects and groups.

    The registry calls the methods from any thread, a few times per request, so they must not block for long. Before the
    registry redirects a name to another index, it also calls `group` and `projects_in` for the root group. If the root
    is not a group, it calls `project` for each project in which the name was ever published. A reference may contain
    any characters. A directory does not decide who may see a project: `Auth` does.
    """

    def project(self, ref: Ref) -> Project | None:
        """Return the project with this id or full path, or None.

        For the id and for the path of a project, this method must return equal objects. GitLab ignores the case of
        paths. A directory may do the same, but must not match any other path.
        """

    def group(self, ref: Ref) -> Group | None:
        """Return the group with this id or full path, or None. The rules of `project` apply."""

    def projects_in(self, group: Group) -> Projects:
        """Return the projects of the group and of all groups below it, independently of the caller.

        If the group no longer exists, return an empty `Projects`.

        A group may have 100,000 projects. Return the same `Projects` object until the group changes, so that the cost
        of an unchanged page does not grow with the number of projects.
        """
