"""Distributions made on the spot: valid ones, and the same bytes every time.

A file name says what is in one: ``distribution("demo-1.0-py3-none-any.whl")``; `make_wheel` and `make_sdist` give the
file name, too. Where two of one name must differ, one of them gets a `payload`; where the number of bytes matters,
`size` says about how many.
"""

import base64
import csv
import gzip
import io
import random
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from packaging.version import Version

WHEEL = ".whl"
SDISTS = (".tar.gz", ".zip")

LARGE = 1000**2
"""Bytes from which on a distribution is not kept to be given out again."""

_Files = tuple[tuple[str, bytes], ...]


class Said(TypedDict, total=False):
    """What core metadata says beside the name and the version."""

    metadata_version: str
    requires_python: str
    requires: str | Iterable[str]
    """Requirements, such as ``other>=1``, or one of them."""
    extras: Mapping[str, str | Iterable[str]] | Iterable[str]
    """The requirements of each extra; or names alone, of which `requires` says the rest in markers."""
    headers: Iterable[tuple[str, str]]
    """Any more of them."""


class Contents(Said, total=False):
    """What a distribution says and holds."""

    files: Mapping[str, str | bytes] | None
    """By path; an sdist's lie in its folder. It has one module if nothing is said."""
    payload: bytes
    """The bytes of one more file."""
    size: int
    """About how many bytes the distribution has; fewer than it needs are not to be had."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A wheel or an sdist."""

    filename: str
    data: bytes = field(repr=False)

    def write_to(self, folder: Path) -> Path:
        """Write it into a folder, which is made if it is not there, and give its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.filename
        path.write_bytes(self.data)
        return path


def make_wheel(
    name: str, version: str, *, tags: str = "py3-none-any", build: str = "", **contents: Unpack[Contents]
) -> Distribution:
    """Make a wheel that pip and uv install."""
    filename = wheel_filename(name, version, tags=tags, build=build)
    return Distribution(filename, distribution(filename, name=name, version=version, **contents))


def make_sdist(
    name: str, version: str, *, ending: Literal[".tar.gz", ".zip"] = ".tar.gz", **contents: Unpack[Contents]
) -> Distribution:
    """Make an sdist that pip and uv build and install, without an index.

    Unless ``pyproject.toml`` or ``setup.py`` is among its files: then it is built as they say.
    """
    given = contents.get("files")
    files = _module(name, version) if given is None else given
    stem = _stem(name, version)
    contents["files"] = files if {"pyproject.toml", "setup.py"} & files.keys() else {**_build(stem), **files}
    filename = f"{stem}{ending}"
    return Distribution(filename, distribution(filename, name=name, version=version, **contents))


def _build(stem: str) -> Mapping[str, str | bytes]:
    backend = Path(__file__).with_name("sdist_backend.py")
    system = f'requires = []\nbuild-backend = "{backend.stem}"\nbackend-path = ["."]\n'
    source = backend.read_text(encoding="utf-8")
    return {"pyproject.toml": f"[build-system]\n{system}", backend.name: f'{source}\n\nSTEM = "{stem}"\n'}


def wheel_filename(name: str, version: str, *, tags: str = "py3-none-any", build: str = "") -> str:
    """Give the file name of a wheel."""
    return "-".join(part for part in (_stem(name, version), build, tags) if part) + WHEEL


def distribution(
    filename: str,
    *,
    name: str = "",
    version: str = "",
    files: Mapping[str, str | bytes] | None = None,
    payload: bytes = b"",
    size: int = 0,
    **said: Unpack[Said],
) -> bytes:
    """Make what a file name announces; the name and the version that its metadata says are read there, if not given.

    :raises ValueError: if it is the file name of neither a wheel nor an sdist.
    """
    found_name, found_version = name_and_version(filename)
    metadata = core_metadata(name or found_name, version or found_version, **said)
    if files is None:
        files = _module(found_name, found_version) if filename.endswith(WHEEL) else {}
    held = tuple((path, data.encode() if isinstance(data, str) else data) for path, data in files.items())
    pack = _packed if size + len(payload) >= LARGE else _kept
    if not (payload or size):
        return pack(filename, metadata, held)
    place = f"{re.sub(r'[^A-Za-z0-9]', '_', found_name)}.payload"
    least = pack(filename, metadata, (*held, (place, payload)))
    return pack(filename, metadata, (*held, (place, payload + _noise(size - len(least))))) if size else least


def name_and_version(filename: str) -> tuple[str, str]:
    """Read them in a file name, as they are spelled there; of an sdist's hyphens the last is the one between them.

    >>> name_and_version("old-name-1.0.tar.gz")
    ('old-name', '1.0')
    """
    if filename.endswith(WHEEL):
        parse_wheel_filename(filename)
        name, version, *_ = filename.split("-")
        return name, version
    for ending in filter(filename.endswith, SDISTS):
        name, hyphen, version = filename.removesuffix(ending).rpartition("-")
        if hyphen and re.fullmatch(r"[\w.+!-]+", filename):
            return name, version
    raise ValueError(f"{filename!r} is the file name of neither a wheel nor an sdist")


def core_metadata(
    name: str,
    version: str,
    *,
    metadata_version: str = "2.1",
    requires_python: str = "",
    requires: str | Iterable[str] = (),
    extras: Mapping[str, str | Iterable[str]] | Iterable[str] | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """Write ``METADATA`` or ``PKG-INFO``."""
    wanted_with = extras if isinstance(extras, Mapping) else dict.fromkeys(each(extras or ()), ())
    lines = [
        ("Metadata-Version", metadata_version),
        ("Name", name),
        ("Version", version),
        ("Summary", "Made for a test"),
        *([("Requires-Python", requires_python)] if requires_python else []),
        *(("Requires-Dist", requirement) for requirement in each(requires)),
        *(line for extra, wanted in wanted_with.items() for line in _lines_of_an_extra(extra, wanted)),
        *headers,
    ]
    return "".join(f"{key}: {value}\n" for key, value in lines).encode()


def each(texts: str | Iterable[str]) -> Iterable[str]:
    """Give texts one by one, or a single one, which would else be taken for its letters."""
    return [texts] if isinstance(texts, str) else texts


def _lines_of_an_extra(extra: str, requires: str | Iterable[str]) -> Iterator[tuple[str, str]]:
    yield "Provides-Extra", extra
    for text in each(requires):
        requirement = Requirement(text)
        marker = f"({requirement.marker}) and " if requirement.marker else ""
        requirement.marker = None
        yield "Requires-Dist", f'{requirement} ; {marker}extra == "{extra}"'


def record(files: _Files, at: str) -> bytes:
    """Write the ``RECORD`` of files, which lies at a path; each with its digest and its size, itself with neither."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for path, data in files:
        digest = base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow([path, f"sha256={digest}", len(data)])
    rows.writerow([at, "", ""])
    return text.getvalue().encode()


def _packed(filename: str, metadata: bytes, files: _Files) -> bytes:
    if filename.endswith(WHEEL):
        return _zip(_in_a_wheel(filename, metadata, files))
    ending = next(filter(filename.endswith, SDISTS))
    folder = filename.removesuffix(ending)
    members = tuple((f"{folder}/{path}", data) for path, data in (("PKG-INFO", metadata), *files))
    return _zip(members) if ending == ".zip" else _tar_gz(members)


_kept = lru_cache(maxsize=512)(_packed)


def _in_a_wheel(filename: str, metadata: bytes, files: _Files) -> _Files:
    name, version = name_and_version(filename)
    info = f"{name}-{version}.dist-info"
    members = (*files, (f"{info}/METADATA", metadata), (f"{info}/WHEEL", _wheel_file(filename)))
    return (*members, (f"{info}/RECORD", record(members, f"{info}/RECORD")))


def _wheel_file(filename: str) -> bytes:
    _, _, build, tags = parse_wheel_filename(filename)
    pure = all(tag.abi == "none" and tag.platform == "any" for tag in tags)
    lines = ["Wheel-Version: 1.0", "Generator: a test", f"Root-Is-Purelib: {str(pure).lower()}"]
    lines += [f"Tag: {tag}" for tag in sorted(map(str, tags))]
    lines += [f"Build: {filename.split('-')[2]}"] if build else []
    return "".join(f"{line}\n" for line in lines).encode()


def _zip(members: _Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, data in members:
            info = zipfile.ZipInfo(path)  # of 1980, when nothing is said
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    return stream.getvalue()


def _tar_gz(members: _Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, data in members:
            info = tarfile.TarInfo(path)  # of 1970, and nobody's
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), compresslevel=1, mtime=0)


def _module(name: str, version: str) -> Mapping[str, str]:
    module = re.sub(r"\W", "_", name)
    return {f"{module}.py": f"VERSION = {version!r}\n"}


def _noise(size: int) -> bytes:
    """Make bytes that cannot be compressed."""
    return random.Random(0).randbytes(max(0, size))  # noqa: S311  # the same every time


def _stem(name: str, version: str) -> str:
    return re.sub(r"[-_.]+", "_", name) + f"-{Version(version)}"
