"""The paths and links in an archive: each must mean the same file inside the archive for every reader.

These are functions of text; nothing here touches a file system.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from operator import itemgetter

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.limits import MAX_DEPTH, MAX_PATH

_CONTROL_CHARACTER = re.compile(r"[\0-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")

# Nearly all paths match this. One that does has none of the problems below except its length and depth: it has no
# special characters, and no part of it is empty or begins with a dot. A test compares it with `path_problem`.
_HARMLESS = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*", re.ASCII)


def is_harmless(path: str) -> bool:
    """Return whether a path certainly has no problem of its own; it is faster than `path_problem`."""
    return len(path) <= MAX_PATH and path.count("/") < MAX_DEPTH and _HARMLESS.fullmatch(path) is not None


def path_problem(path: str) -> str:
    """Return why a path must not be in an archive; empty if it may be. It may end with a slash, as those of folders.

    >>> path_problem("demo/core.py"), path_problem("../evil.py")
    ('', "the path '../evil.py' contains '..'")
    """
    reason = _path_problem(path)
    return f"the path {excerpt(path)} {reason}" if reason else ""


def _path_problem(path: str) -> str:
    if _CONTROL_CHARACTER.search(path):
        return "contains a control character"
    # APPNOTE 4.4.17.1: "The path stored MUST not contain a drive or device letter, or a leading slash. All slashes MUST
    # be forward slashes".
    if "\\" in path:
        return "contains a backslash, which some readers interpret as a slash"
    if path.startswith("/") or _DRIVE.match(path):
        return "is absolute"
    if len(path) > MAX_PATH:
        return f"is longer than {MAX_PATH} characters"
    parts = path.removesuffix("/").split("/")
    if len(parts) > MAX_DEPTH:
        return f"has more than {MAX_DEPTH} parts"
    if ".." in parts:
        return "contains '..'"
    return "has an empty part" if "" in parts or "." in parts else ""


def path_problems(files: Iterable[str], folders: Iterable[str]) -> Iterator[str]:
    """Yield the problems of the paths in an archive, of each one and of all together.

    `folders` are those that are members of the archive; the folders in the paths of files need not be.

    >>> list(path_problems(["demo/a", "demo/a/b"], ["demo"]))
    ["the path 'demo/a' occurs more than once"]
    """
    # NUL sorts before all other characters, so the contents of a folder follow the folder directly.
    members = [(path.replace("/", "\0"), False, path) for path in files]
    members += [(path.replace("/", "\0"), True, path) for path in folders]
    yield from filter(None, (path_problem(path) for _, _, path in members if not is_harmless(path)))
    members.sort(key=itemgetter(0, 1))
    for (_, is_folder, path), (_, _, following) in pairwise(members):
        if following.startswith(path) and following[len(path) : len(path) + 1] in ("", "/") and not is_folder:
            yield f"the path {excerpt(path)} occurs more than once"


class Links:
    """The paths of all symbolic links in an archive, as a tree, in which one step takes the same time at any depth."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._nodes: dict[tuple[int, str], int] = {}  # by the node of a folder and the name in it
        self._links: set[int] = set()
        for path in paths:
            node = 0
            for part in path.split("/", MAX_DEPTH):  # a deeper path is a problem itself
                node = self._nodes.setdefault((node, part), len(self._nodes) + 1)
            self._links.add(node)

    def node(self, folder: int, part: str) -> int:
        """Return the node of a name in a folder; -1 if no link is at this path or below it. The archive is node 0."""
        return self._nodes.get((folder, part), -1)

    def is_link(self, node: int) -> bool:
        """Return whether a link is at this node."""
        return node in self._links


def link_problem(path: str, target: str, top: str, links: Links) -> str:
    """Return why a symbolic link must not be in an archive; empty if it may be.

    `top` is the only folder at the top of the archive. `links` are all symbolic links in it: a target that passes
    through another link may be anywhere.

    >>> nothing = Links([])
    >>> link_problem("demo/a/latest", "../b", "demo", nothing), link_problem("demo/a", "../../etc", "demo", nothing)
    ('', "the link 'demo/a' points to '../../etc', outside the archive")
    """
    reason = _link_problem(path, target, top, links)
    return f"the link {excerpt(path)} points to {excerpt(target)}, {reason}" if reason else ""


def _link_problem(path: str, target: str, top: str, links: Links) -> str:
    # Source distribution format, "Unpacking without the data filter": invalid are "Links (symbolic or hard) pointing
    # outside the destination directory".
    if not target or len(target) > MAX_PATH or target.count("/") >= MAX_DEPTH or _CONTROL_CHARACTER.search(target):
        return "which is not a path"
    if target.startswith("/") or "\\" in target or _DRIVE.match(target):
        return "outside the archive"
    *here, _ = path.split("/", MAX_DEPTH)
    if here[:1] != [top]:
        return "outside the archive"
    nodes = [0]  # of the archive and the folders in `here`
    for part in here:
        nodes.append(links.node(nodes[-1], part))
    parts = target.split("/")
    for count, part in enumerate(parts, 1):
        if part == "..":
            if len(nodes) <= 2:  # the archive and the folder at its top
                return "outside the archive"
            nodes.pop()
        elif part not in ("", "."):
            nodes.append(links.node(nodes[-1], part))
        if count < len(parts) and links.is_link(nodes[-1]):
            return "through another link"
    return ""
