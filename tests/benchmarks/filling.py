"""Registries full of packages, made in seconds by `Catalogue.add` itself."""

import hashlib
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from packaging.utils import canonicalize_name

from pypi_registry.model import Digests, PackageFile, Project, Upload
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import wheel_filename
from tests.benchmarks.registry import PROJECT, open_catalogue, project

TEN, HUNDRED, MYRIAD, SHARED, CHANGING = "ten", "hundred", "myriad", "shared", "changing"
FILES = {TEN: 10, HUNDRED: 100, MYRIAD: 10_000}
SHARING = 10
"""How many projects of the group have a file of the name `SHARED`."""

AT = datetime(2025, 1, 1, tzinfo=UTC)


def described(name: str, version: str, size: int = 10_000, sha256: str = "") -> Upload:
    """Describe a wheel that was never made."""
    filename = wheel_filename(name, version)
    digest = hashlib.sha256(filename.encode()).hexdigest()
    return Upload(
        name=name,
        normalized_name=canonicalize_name(name),
        version=version,
        filename=filename,
        size=size,
        digests=Digests(sha256 or digest, None, digest),
        requires_python=">=3.9",
        core_metadata=f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: >=3.9\n".encode(),
    )


def add(catalogue: SQLiteCatalogue, uploads: Iterable[tuple[Project, Upload]]) -> None:
    for place, upload in uploads:
        key = hashlib.sha256(f"{place.id} {upload.filename}".encode()).hexdigest()[:32]
        catalogue.add(place, upload, key, AT, "ada")


def names(number: int) -> Iterator[tuple[Project, Upload]]:
    """Return so many names, with one file each."""
    for each in range(number):
        yield PROJECT, described(f"package-{each:06}", "1.0")


def well_known() -> Iterator[tuple[Project, Upload]]:
    """Return the names whose pages are asked for."""
    for name, files in FILES.items():
        for each in range(files):
            yield PROJECT, described(name, f"{each // 100}.{each % 100}")
    for number in range(1, SHARING + 1):
        yield project(number), described(SHARED, f"{number}.0")


def fill(folder: Path, uploads: Iterable[tuple[Project, Upload]]) -> None:
    """Add to the catalogue of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with _in_memory() as quick:
        for file in folder.glob("catalogue.sqlite*"):
            shutil.copy(file, quick)
        catalogue = open_catalogue(quick)
        add(catalogue, uploads)
        catalogue.close()
        for file in quick.iterdir():
            shutil.copy(file, folder)


@contextmanager
def _in_memory() -> Iterator[Path]:
    # A transaction is as durable as its file system: in memory it waits for no disk.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def store(folder: Path, name: str, size: int) -> PackageFile:
    """Put a file of `size` bytes, which is no wheel but for its name, where a client can download it."""
    key = hashlib.sha256(name.encode()).hexdigest()[:32]
    digest, noise, blobs = hashlib.sha256(), random.Random(size), FileBlobs(folder / "files")
    with blobs.new_file() as blob:
        for start in range(0, size, 1024**2):
            data = noise.randbytes(min(1024**2, size - start))
            digest.update(data)
            blob.write(data)
        upload = described(name, "1.0", size, digest.hexdigest())
        blobs.put(key, blob, size=size, sha256=upload.digests.sha256, filename=upload.filename)
    catalogue = open_catalogue(folder)
    file = catalogue.add(PROJECT, upload, key, AT, "ada")
    catalogue.close()
    return file
