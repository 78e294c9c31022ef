"""Verify sdists (https://packaging.python.org/specifications/source-distribution-format/).

"A .tar.gz source distribution (sdist) contains a single top-level directory [...]. This directory must also contain
[...] a PKG-INFO file". Old sdists may be zip archives.
"""

import re
from collections.abc import Callable
from functools import partial

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.contents import content_problems, read_all
from pypi_registry.distributions.limits import MAX_METADATA, MAX_PATH
from pypi_registry.distributions.metadata import dependency_problems, parse_metadata
from pypi_registry.distributions.paths import Links, link_problem, path_problems
from pypi_registry.distributions.report import CoreMetadata, InvalidArchive, Report, listed
from pypi_registry.distributions.tars import Tar
from pypi_registry.distributions.zip_directory import ZipMember
from pypi_registry.distributions.zips import Zip

_PKG_INFO = re.compile(r"[^/]+/PKG-INFO")


class _Tree:
    """The members of an sdist, collected one by one."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.folders: list[str] = []
        self.links: list[tuple[str, str]] = []
        """The path and the target of each symbolic link."""
        self.hard_links: list[str] = []
        self.metadata: CoreMetadata | None = None
        self.problems: list[str] = []
        self._linkable: set[str] = set()  # the paths to which a hard link may point
        self._metadata_path = ""  # of the first PKG-INFO; a second one is in another folder, which is a problem itself

    def add_file(self, path: str, size: int, read: Callable[[], bytes]) -> None:
        """Add a file. `read` returns its contents; it is called only if they are core metadata."""
        self.files.append(path)
        self._linkable.add(path)
        if self._metadata_path or _PKG_INFO.fullmatch(path) is None:
            return
        self._metadata_path = path
        try:
            if size > MAX_METADATA:
                raise InvalidArchive(f"{excerpt(path)} has {size} bytes, more than {MAX_METADATA}")
            self.metadata = parse_metadata(read(), "PKG-INFO")
        except InvalidArchive as error:
            self.problems.append(str(error))
        else:
            self.problems += dependency_problems(self.metadata, "PKG-INFO")

    def add_hard_link(self, path: str, target: str) -> None:
        """Add a second name of a file, which must precede it in the archive."""
        if target not in self._linkable:
            self.problems.append(f"the link {excerpt(path)} points to {excerpt(target)}, which is not an earlier file")
        self._linkable.add(path)
        self.hard_links.append(path)

    def verify(self) -> None:
        """Add the problems of all members together. Call it when all were added."""
        links = [path for path, _ in self.links]
        paths = *self.files, *self.folders, *links, *self.hard_links
        # An absolute path has an empty top folder, and is a problem of its own.
        tops = sorted({path.partition("/")[0] for path in paths} - {""})
        if len(tops) != 1:
            self.problems.append(f"an sdist must have one folder at its top, but this has {listed(tops) or 'none'}")
            return
        [top] = tops
        if f"{top}/PKG-INFO" != self._metadata_path:
            self.problems.append(f"there is no PKG-INFO in the folder {excerpt(top)}")
        tree = Links(links)
        self.problems += filter(None, (link_problem(path, target, top, tree) for path, target in self.links))


def verify_zipped_sdist(archive: Zip, budget: int | None) -> Report:
    """Verify a zip archive; at most `budget` bytes are decompressed to find damage, all if it is None."""
    if archive.problems:  # it is refused anyway, and may be a bomb
        return Report(problems=tuple(archive.problems))
    tree = _Tree()
    for member in archive.members:
        path = member.path.removesuffix("/")
        if member.is_folder:
            tree.folders.append(path)
        elif member.is_link:
            tree.links.append((path, _link_target(archive, member)))
        else:
            tree.add_file(path, member.size, partial(read_all, archive, member))
    tree.verify()
    return Report(tree.metadata, (*tree.problems, *content_problems(archive, {}, budget)))


def _link_target(archive: Zip, member: ZipMember) -> str:
    """Return the target of a symbolic link: the contents of its member. NUL, which is no path, if they are invalid."""
    try:
        target = read_all(archive, member) if member.size <= MAX_PATH else b"\0"
    except InvalidArchive:
        target = b"\0"
    return target.decode("utf-8", "surrogateescape")


def verify_sdist(archive: Tar) -> Report:
    """Verify a gzipped tar archive, from its beginning to its end."""
    tree = _Tree()
    try:
        for member in archive:
            if member.is_folder:
                tree.folders.append(member.path)
            elif member.is_link:
                tree.links.append((member.path, member.target))
            elif member.is_hard_link:
                tree.add_hard_link(member.path, member.target)
            elif member.is_device:
                # Source distribution format: invalid are "Device files (including pipes)".
                tree.problems.append(f"the member {excerpt(member.path)} is a device or a pipe")
            else:
                tree.add_file(member.path, member.size, archive.read)
    except InvalidArchive as error:
        tree.problems.append(str(error))
    else:
        tree.verify()
    links = [path for path, _ in tree.links]
    tree.problems += path_problems([*tree.files, *links, *tree.hard_links], tree.folders)
    return Report(tree.metadata, tuple(tree.problems))
