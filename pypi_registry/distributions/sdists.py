"""What must be in an sdist (https://packaging.python.org/specifications/source-distribution-format/).

One folder with everything in it, and ``PKG-INFO`` in that. It is a gzipped tar; old ones may be a zip.
"""

import re
from collections.abc import Callable
from functools import partial

from pypi_registry.distributions.contents import content_faults, read_all
from pypi_registry.distributions.faults import Unreadable, some
from pypi_registry.distributions.findings import Findings
from pypi_registry.distributions.limits import MAX_METADATA
from pypi_registry.distributions.metadata import CoreMetadata, read_metadata
from pypi_registry.distributions.paths import link_fault, path_faults
from pypi_registry.distributions.tars import Tar
from pypi_registry.distributions.zip_directory import ZipMember
from pypi_registry.distributions.zips import Zip
from pypi_registry.errors import excerpt

_METADATA = re.compile(r"[^/]+/PKG-INFO")
_MAX_TARGET = 4096  # bytes of a link's target, which in a zip is the contents of a file


class _Tree:
    """What an sdist holds, as its members come."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.folders: list[str] = []
        self.links: list[tuple[str, str]] = []
        """Path and target of each."""
        self.hard_links: list[str] = []
        self._known: set[str] = set()  # files and hard links
        self._metadata_path = ""  # of the first that came
        self.metadata: CoreMetadata | None = None
        self.faults: list[str] = []

    def add_file(self, path: str, size: int, read: Callable[[], bytes]) -> None:
        """Take in a file; its contents are read only if they are metadata."""
        self.files.append(path)
        self._known.add(path)
        if self._metadata_path or _METADATA.fullmatch(path) is None:
            return
        self._metadata_path = path
        try:
            if size > MAX_METADATA:
                raise Unreadable(f"{excerpt(path)} has {size} bytes, more than {MAX_METADATA}")
            self.metadata = read_metadata(read(), "PKG-INFO")
        except Unreadable as error:
            self.faults.append(str(error))

    def add_hard_link(self, path: str, target: str) -> None:
        """Take in another name of a file, which must have come before."""
        if target not in self._known:
            self.faults.append(f"the link {excerpt(path)} leads to {excerpt(target)}, which is no file before it")
        self._known.add(path)
        self.hard_links.append(path)

    def check(self) -> None:
        """Look at all of it together, once it is complete."""
        links = dict(self.links)
        paths = *self.files, *self.folders, *links, *self.hard_links
        tops = sorted({path.partition("/")[0] for path in paths} - {""})  # of absolute paths, which are another fault
        if len(tops) != 1:
            self.faults.append(f"an sdist has one folder at its top, and this has {some(tops) or 'none'}")
            return
        [top] = tops
        if f"{top}/PKG-INFO" != self._metadata_path:
            self.faults.append(f"there is no PKG-INFO in the folder {excerpt(top)}")
        self.faults += filter(None, (link_fault(path, to, top, links) for path, to in self.links))


def check_zipped_sdist(archive: Zip, budget: int | None) -> Findings:
    """Look into a zip; `budget` is how many bytes may be unpacked to find damage, None for all."""
    tree = _Tree()
    tree.faults += archive.faults
    # What has faults is refused anyway, and reading on might never end.
    for member in archive.members if not archive.faults else ():
        path = member.path.removesuffix("/")
        if member.is_folder:
            tree.folders.append(path)
        elif member.is_link:
            tree.links.append((path, _link_target(archive, member)))
        else:
            tree.add_file(path, member.size, partial(read_all, archive, member))
    if not archive.faults:
        tree.check()
        tree.faults += content_faults(archive, {}, budget)
    return Findings(tree.metadata, tuple(tree.faults))


def _link_target(archive: Zip, member: ZipMember) -> str:
    try:
        target = read_all(archive, member) if member.size <= _MAX_TARGET else b"\0"
    except Unreadable:
        target = b"\0"  # which leads nowhere
    return target.decode("utf-8", "surrogateescape")


def check_sdist(archive: Tar) -> Findings:
    """Look into a gzipped tar, from its beginning to its end."""
    tree = _Tree()
    try:
        for member in archive:
            if member.is_folder:
                tree.folders += filter(None, [member.path])  # "./" is no folder of its own
            elif member.is_link:
                tree.links.append((member.path, member.target))
            elif member.is_hard_link:
                tree.add_hard_link(member.path, member.target)
            elif member.is_device:
                tree.faults.append(f"the member {excerpt(member.path)} is a device or a pipe")
            else:
                tree.add_file(member.path, member.size, archive.read)
    except Unreadable as error:
        tree.faults.append(str(error))
    else:
        tree.check()
    tree.faults += path_faults([*tree.files, *(path for path, _ in tree.links), *tree.hard_links], tree.folders)
    return Findings(tree.metadata, tuple(tree.faults))
