"""Reads an index with pypi-simple, run by the interpreter of its environment: ``INDEX FOLDER NAME [NAME==VERSION …]``.

Downloads each file, and its metadata if the page has some, into the folder; prints what the pages say, as JSON.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pypi_simple import DistributionPackage, NoMetadataError, PyPISimple


def fetch(client: PyPISimple, package: DistributionPackage, folder: Path) -> dict[str, object]:
    client.download_package(package, folder / package.filename)  # checks the digest
    said: dict[str, object] = {
        "filename": package.filename,
        "version": package.version,
        "digests": package.digests,
        "size": package.size,
        "requires_python": package.requires_python,
        "yanked": package.yanked_reason if package.is_yanked else None,
        "has_metadata": bool(package.has_metadata),
    }
    try:
        # Checks the digest, if the page has one; asks also where the page promises nothing.
        metadata = client.get_package_metadata_bytes(package, verify=bool(package.metadata_digests))
    except NoMetadataError:
        return said
    (folder / f"{package.filename}.metadata").write_bytes(metadata)
    return said


def main(index: str, folder: Path, *wanted: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with PyPISimple(index) as client, ThreadPoolExecutor(8) as pool:
        packages = []
        for name, _, version in (each.partition("==") for each in wanted):
            page = client.get_project_page(name)
            packages += [package for package in page.packages if version in ("", package.version)]
        print(json.dumps([*pool.map(lambda package: fetch(client, package, folder), packages)]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
