"""The paths and links in an archive: each must mean the same file inside the archive for every reader.

These are functions of text; nothing here touches a file system.
"""

import re
from collections.abc import Container, Iterable, Iterator
from itertools import pairwise
from operator import itemgetter

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.limits import MAX_PATH

_CONTROL_CHARACTER = re.compile(r"[\0-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")

# Nearly all paths match this. One that does has none of the problems below except its length: it has no special
# characters, and no part of it is empty or begins with a dot. A test compares it with `path_problem`.
_HARMLESS = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*", re.ASCII)


def is_harmless(path: str) -> bool:
    """Return whether a path certainly has no problem of its own; it is faster than `path_problem`."""
    return len(path) <= MAX_PATH and _HARMLESS.fullmatch(path) is not None


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


def link_problem(path: str, target: str, top: str, links: Container[str]) -> str:
    """Return why a symbolic link must not be in an archive; empty if it may be.

    `top` is the only folder at the top of the archive. `links` are the paths of all symbolic links in it: a target that
    passes through another link may be anywhere.

    >>> link_problem("demo/a/latest", "../b", "demo", []), link_problem("demo/a", "../../etc", "demo", [])
    ('', "the link 'demo/a' points to '../../etc', outside the archive")
    """
    link = f"the link {excerpt(path)} points to {excerpt(target)}"
    # Source distribution format, "Unpacking without the data filter": invalid are "Links (symbolic or hard) pointing
    # outside the destination directory".
    if not target or _CONTROL_CHARACTER.search(target) or len(target) > MAX_PATH:
        return f"{link}, which is not a path"
    if target.startswith("/") or "\\" in target or _DRIVE.match(target):
        return f"{link}, outside the archive"
    here = path.split("/")[:-1]
    parts = target.split("/")
    for count, part in enumerate(parts, 1):
        if part == "..":
            if len(here) <= 1:
                return f"{link}, outside the archive"
            here.pop()
        elif part not in ("", "."):
            here.append(part)
        if count < len(parts) and "/".join(here) in links:
            return f"{link}, through another link"
    return "" if here[:1] == [top] else f"{link}, outside the archive"
