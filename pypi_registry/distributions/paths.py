"""What the paths and links of an archive may be: such as mean one place, inside, to every reader.

Pure text; nothing here touches a file system.
"""

import re
from collections.abc import Container, Iterable, Iterator
from itertools import pairwise
from operator import itemgetter

from pypi_registry.distributions.limits import MAX_PATH
from pypi_registry.errors import excerpt

# What nearly all paths are made of: nothing in it means anything but itself, and no part is empty or begins with a dot.
_USUAL = re.compile(r"(?:[\w-][\w.-]*/)*[\w-][\w.-]*", re.ASCII)


def path_fault(path: str) -> str:
    """Say why a path must not be in an archive; empty if it may. A slash at the end, as of a folder, is harmless.

    >>> path_fault("demo/core.py"), path_fault("../evil.py")
    ('', "the path '../evil.py' escapes by '..'")
    """
    reason = _reason(path)
    return f"the path {excerpt(path)} {reason}" if reason else ""


def _reason(path: str) -> str:
    if re.search(r"[\0-\x1f\x7f]", path):
        return "holds a control character"
    if "\\" in path:
        return "holds a backslash, which parts folders for some readers"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is absolute"
    if len(path) > MAX_PATH:
        return f"is longer than {MAX_PATH} characters"
    parts = path.removesuffix("/").split("/")
    if ".." in parts:
        return "escapes by '..'"
    return "has an empty part" if "" in parts or "." in parts else ""


def path_faults(files: Iterable[str], folders: Iterable[str]) -> Iterator[str]:
    """Name what is wrong with the paths of an archive, each alone and all together.

    `folders` are those that are members themselves; those that paths lie in are known from the paths.

    >>> list(path_faults(["demo/a", "demo/a/b"], ["demo"]))
    ["the path 'demo/a' is there more than once"]
    """
    # With the lowest character for the slash, what lies in a folder follows it at once.
    members = [(path.replace("/", "\0"), False, path) for path in files]
    members += [(path.replace("/", "\0"), True, path) for path in folders]
    unusual = [path for _, _, path in members if len(path) > MAX_PATH or _USUAL.fullmatch(path) is None]
    yield from filter(None, map(path_fault, unusual))
    members.sort(key=itemgetter(0, 1))
    for (_, is_folder, path), (_, _, following) in pairwise(members):
        if following.startswith(path) and following[len(path) : len(path) + 1] in ("", "/") and not is_folder:
            yield f"the path {excerpt(path)} is there more than once"


def link_fault(path: str, target: str, top: str, links: Container[str]) -> str:
    """Say why a symbolic link must not be in an archive whose files lie in the folder `top`; empty if it may.

    `links` holds the paths of all links of the archive: a target that leads through another link leads anywhere.

    >>> link_fault("demo/a/latest", "../b", "demo", []), link_fault("demo/a", "../../etc", "demo", [])
    ('', "the link 'demo/a' leads to '../../etc', outside of the archive")
    """
    named = f"the link {excerpt(path)} leads to {excerpt(target)}"
    if not target or re.search(r"[\0-\x1f\x7f]", target) or len(target) > MAX_PATH:
        return f"{named}, which is no path"
    if target.startswith("/") or "\\" in target or re.match(r"[A-Za-z]:", target):
        return f"{named}, outside of the archive"
    here = path.split("/")[:-1]
    parts = target.split("/")
    for number, part in enumerate(parts, 1):
        if part == "..":
            if len(here) <= 1:
                return f"{named}, outside of the archive"
            here.pop()
        elif part not in ("", "."):
            here.append(part)
        if number < len(parts) and "/".join(here) in links:
            return f"{named}, through another link"
    return "" if here[:1] == [top] else f"{named}, outside of the archive"
