"""The contract for a host's projects and groups, and the directory in which every id is a project.

Apart from storage on purpose: most hosts have projects of their own, and no wish to store packages.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Protocol, TypeAlias

from pypi_registry.model import Group, Project, Visibility, is_below, paths_above
from pypi_registry.storage import Catalogue

Ref: TypeAlias = int | str
"""How a URL names a project or a group: by its number, or by its full path (unquoted, may hold any character)."""

MAX_DIGITS = 18
"""A longer number is nobody's id, so that every id fits into 64 bits."""


class Directory(Protocol):
    """Knows which projects and groups exist.

    Called from any thread, once or twice a request; it must not block for long. What it does not know it answers with
    None, whatever characters it holds. It says nothing about who may see a project: that is `Auth`'s.

    A number has at most `MAX_DIGITS` digits. It stays when the path changes, and is never given to another.
    """

    def project(self, ref: Ref) -> Project | None:
        """Give the project with this number or full path, or None.

        It is the same by either. GitLab looks paths up without regard to case; nothing else may be like a path.
        """

    def group(self, ref: Ref) -> Group | None:
        """Give the group with this number or full path, or None; as for a project."""

    def projects_in(self, group: Group) -> Sequence[Project]:
        """Give the projects of the group and of all groups below it, each once; none if it is gone."""


def parse_ref(text: str) -> Ref | None:
    """Read what a URL holds for ``:id``, already unquoted; None is the id of nothing.

    >>> parse_ref("42"), parse_ref("acme/libs/tools"), parse_ref("1" * 19)
    (42, 'acme/libs/tools', None)
    """
    if re.fullmatch("-?[0-9]+", text):  # GitLab: anything that looks like a number is one
        return int(text) if text.isdecimal() and len(text) <= MAX_DIGITS else None
    return None if "\0" in text else text


def id_from_path(path: str) -> int:
    """Derive a number from a path, the same on every machine and in any order of arrival.

    15 digits, so that a program which keeps JSON numbers in doubles does not round it. Case does not count, as in
    GitLab.

    >>> number_of("acme/tools") == number_of("Acme/Tools")
    True
    """
    digest = hashlib.sha256(path.lower().encode()).digest()
    return int.from_bytes(digest[:8]) % 10**15


# GitLab's manual, "Rules for project and group names": letters, digits, '_', '-' and '.', not beginning with '-'.
_PATH = r"[A-Za-z0-9_.][A-Za-z0-9_.-]*(/[A-Za-z0-9_.][A-Za-z0-9_.-]*)*"


def is_valid_path(text: str) -> bool:
    """Tell whether a project or a group could have this full path.

    >>> is_path("acme/libs/my.tools_2"), is_path("acme//tools"), is_path("acme/../tools")
    (True, False, False)
    """
    return re.fullmatch(_PATH, text) is not None and not {".", ".."} & set(text.split("/"))


class OpenDirectory:
    """A directory in which every id is a project, and every group holds the projects below its path.

    A project answers to its path and to its number, which derives from the path. Which projects a group holds is what
    the catalogue remembers of uploads, so that it is the same in every process and after a restart.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def project(self, ref: Ref) -> Project | None:
        if isinstance(ref, int):
            path = dict(self._catalogue.publishers([ref])).get(ref, str(ref))
            return Project(ref, path, visibility=Visibility.PUBLIC)
        return Project(id_from_path(ref), ref, visibility=Visibility.PUBLIC) if is_valid_path(ref) else None

    def group(self, ref: Ref) -> Group | None:
        if isinstance(ref, int):
            above = (group for _, path in self._catalogue.publishers() for group in paths_above(path))
            path = next((group for group in above if id_from_path(group) == ref), str(ref))
            return Group(ref, path, visibility=Visibility.PUBLIC)
        return Group(id_from_path(ref), ref, visibility=Visibility.PUBLIC) if is_valid_path(ref) else None

    def projects_in(self, group: Group) -> Sequence[Project]:
        return [
            Project(number, path, visibility=Visibility.PUBLIC)
            for number, path in self._catalogue.publishers()
            if is_below(path.lower(), group.path.lower())
        ]
