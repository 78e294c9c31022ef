"""What the paths and links of an archive may be: such as mean one place, inside, to every reader.

Pure text; nothing here touches a file system.
"""

import re
from collections.abc import Container, Iterator, Sequence

from pypi_registry.errors import excerpt

_MAX_LENGTH = 4096  # characters; what Linux takes for a path


def path_fault(path: str) -> str:
    """Say why a path must not be in an archive; empty if it may. A slash at the end, as of a folder, is harmless.

    >>> path_fault("demo/core.py"), path_fault("../evil.py")
    ('', "the path '../evil.py' escapes by '..'")
    """
    named = f"the path {excerpt(path)}"
    if re.search(r"[\0-\x1f\x7f]", path):
        return f"{named} holds a control character"
    if "\\" in path:
        return f"{named} holds a backslash, which parts folders for some readers"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return f"{named} is absolute"
    parts = path.removesuffix("/").split("/")
    if ".." in parts:
        return f"{named} escapes by '..'"
    if "" in parts or "." in parts:
        return f"{named} has an empty part"
    return f"{named} is longer than {_MAX_LENGTH} characters" if len(path) > _MAX_LENGTH else ""


def path_faults(files: Sequence[str], folders: Sequence[str]) -> Iterator[str]:
    """Name what is wrong with the paths of an archive, each alone and all together.

    `folders` are those that are members themselves; those that paths lie in are known from the paths.

    >>> list(path_faults(["demo/a", "demo/a/b"], ["demo"]))
    ["the path 'demo/a' is there more than once"]
    """
    yield from filter(None, map(path_fault, [*files, *folders]))
    seen: set[str] = set()
    above: set[str] = set()
    for path in files:
        if path in seen:
            yield _repeated(path)
        seen.add(path)
        _add_parents(path, above)
    for path in folders:
        above.add(path)
        _add_parents(path, above)
    yield from map(_repeated, sorted(seen & above))


def _repeated(path: str) -> str:
    return f"the path {excerpt(path)} is there more than once"


def _add_parents(path: str, above: set[str]) -> None:
    parent = path.rpartition("/")[0]
    while parent and parent not in above:
        above.add(parent)
        parent = parent.rpartition("/")[0]


def link_fault(path: str, target: str, top: str, links: Container[str]) -> str:
    """Say why a symbolic link must not be in an archive whose files lie in the folder `top`; empty if it may.

    `links` holds the paths of all links of the archive: a target that leads through another link leads anywhere.

    >>> link_fault("demo/a/latest", "../b", "demo", []), link_fault("demo/a", "../../etc", "demo", [])
    ('', "the link 'demo/a' leads to '../../etc', outside of the archive")
    """
    named = f"the link {excerpt(path)} leads to {excerpt(target)}"
    if target.startswith("/") or "\\" in target or re.match(r"[A-Za-z]:", target) or "\0" in target:
        return f"{named}, outside of the archive"
    if not target:
        return f"{named}, which is nowhere"
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
