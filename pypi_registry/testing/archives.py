"""Valid wheels and sdists, built in memory. The same arguments always give the same bytes.

`make_wheel` and `make_sdist` compose the file name; `distribution` builds what belongs to a given file name:
``distribution("demo-1.0-py3-none-any.whl")``. If two distributions with one file name must differ, pass `payload` to
one of them. If the number of bytes matters, pass `size`.
"""

import base64
import csv
import gzip
import io
import json
import random
import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from pypi_registry._filenames import SDIST_SUFFIX, SDIST_SUFFIXES, WHEEL_SUFFIX, split_label

_MAX_CACHED = 1000**2
"""Larger distributions are not cached; bytes."""

_Files = tuple[tuple[str, bytes], ...]


class Metadata(TypedDict, total=False):
    """The core metadata of a distribution, besides its name and its version."""

    metadata_version: str
    requires_python: str
    requires: str | Iterable[str]
    """One requirement or several, such as ``other>=1``."""
    extras: Mapping[str, str | Iterable[str]] | Iterable[str]
    """The requirements of each extra; or only the names of extras, if `requires` has the requirements, with markers."""
    headers: Iterable[tuple[str, str]]
    """Further fields, as pairs of name and value."""


class Contents(Metadata, total=False):
    """The core metadata and the files of a distribution."""

    files: Mapping[str, str | bytes] | None
    """Contents by path; in an sdist relative to its top directory. By default one module."""
    payload: bytes
    """The contents of one more file, so that distributions with the same file name differ."""
    size: int
    """The approximate size of the distribution in bytes, unless its files need more."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What a wheel variant was built for (PEP 825)."""

    label: str
    """The last part of its file name, such as ``x86_64_v3``; ``null`` for the variant without properties."""
    properties: Mapping[str, Mapping[str, Sequence[str]]] | None = None
    """Namespace -> feature -> values; None for one property that is derived from the label."""
    namespaces: Sequence[str] = ()
    """All namespaces of the version, the most important one first; by default those of its properties."""
    providers: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """By namespace; without a provider no installer supports its properties (PEP 850, a draft)."""
    schema: str = ""
    """The URL of a JSON schema; by default the one of PEP 825, or of PEP 850 if there are providers."""

    def to_json(self) -> str:
        """Return the contents of ``variant.json``."""
        properties = self.properties
        if properties is None:
            properties = {} if self.label == "null" else {"test": {"label": [self.label]}}
        schema = f"https://variants-schema.wheelnext.dev/peps/{'850/v0.2.0' if self.providers else '825/v0.1.1'}.json"
        document = {
            "$schema": self.schema or schema,
            "default-priorities": {"namespace": [*(self.namespaces or self.providers or properties or ["test"])]},
            **({"providers": self.providers} if self.providers else {}),
            "variants": {self.label: properties},
        }
        return json.dumps(document, indent=2)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A wheel or an sdist."""

    filename: str
    data: bytes = field(repr=False)

    def write_to(self, folder: Path) -> Path:
        """Write it into a directory, which is created if it does not exist, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.filename
        path.write_bytes(self.data)
        return path


def make_wheel(
    name: str,
    version: str,
    *,
    tags: str = "py3-none-any",
    build: str = "",
    variant: Variant | None = None,
    **contents: Unpack[Contents],
) -> Distribution:
    """Build a wheel that pip and uv can install; with `variant`, a wheel variant."""
    filename = wheel_filename(name, version, tags=tags, build=build, label=variant.label if variant else "")
    data = distribution(filename, name=name, version=version, variant=variant, **contents)
    return Distribution(filename, data)


def make_sdist(
    name: str, version: str, *, ending: Literal[".tar.gz", ".zip"] = ".tar.gz", **contents: Unpack[Contents]
) -> Distribution:
    """Build an sdist that pip and uv can build and install without an index.

    It contains its own build backend, unless ``pyproject.toml`` or ``setup.py`` is among its files.

    :param ending: the suffix of the file name.
    """
    files = contents.get("files")
    if files is None:
        files = _module(name, version)
    stem = _stem(name, version)
    contents["files"] = files if {"pyproject.toml", "setup.py"} & files.keys() else {**_build_files(stem), **files}
    filename = f"{stem}{ending}"
    return Distribution(filename, distribution(filename, name=name, version=version, **contents))


def _build_files(stem: str) -> Mapping[str, str | bytes]:
    backend = Path(__file__).with_name("sdist_backend.py")
    system = f'requires = []\nbuild-backend = "{backend.stem}"\nbackend-path = ["."]\n'
    source = backend.read_text(encoding="utf-8")
    return {"pyproject.toml": f"[build-system]\n{system}", backend.name: f'{source}\n\nSTEM = "{stem}"\n'}


def wheel_filename(name: str, version: str, *, tags: str = "py3-none-any", build: str = "", label: str = "") -> str:
    """Return the file name of a wheel; with a label, of a wheel variant."""
    return "-".join(part for part in (_stem(name, version), build, tags, label) if part) + WHEEL_SUFFIX


def distribution(
    filename: str,
    *,
    name: str = "",
    version: str = "",
    files: Mapping[str, str | bytes] | None = None,
    payload: bytes = b"",
    size: int = 0,
    variant: Variant | None = None,
    **metadata: Unpack[Metadata],
) -> bytes:
    """Build the wheel or the sdist that belongs to a file name.

    :param name: the name in its metadata; empty for the one in the file name, and `version` likewise.
    :param variant: of a file name with a variant label; by default one with this label.
    :raises ValueError: if it is not the file name of a wheel or an sdist, or has a different label from the variant.
    """
    found_name, found_version = name_and_version(filename)
    core = core_metadata(name or found_name, version or found_version, **metadata)
    if files is None:
        files = _module(found_name, found_version) if filename.endswith(WHEEL_SUFFIX) else {}
    members = tuple((path, data.encode() if isinstance(data, str) else data) for path, data in files.items())
    if (label := _label(filename, variant)) is not None:
        info = f"{found_name}-{found_version}.dist-info"
        members = (*members, (f"{info}/variant.json", (variant or Variant(label)).to_json().encode()))
    pack = _pack if size + len(payload) >= _MAX_CACHED else _cached_pack
    if not (payload or size):
        return pack(filename, core, members)
    path = f"{re.sub(r'[^A-Za-z0-9]', '_', found_name)}.payload"
    smallest = pack(filename, core, (*members, (path, payload)))
    return pack(filename, core, (*members, (path, payload + _noise(size - len(smallest))))) if size else smallest


def name_and_version(filename: str) -> tuple[str, str]:
    """Return the name and the version in a file name, as they are spelled there.

    In the file name of an sdist, the last hyphen separates them.

    >>> name_and_version("old-name-1.0.tar.gz")
    ('old-name', '1.0')

    :raises ValueError: if it is not the file name of a wheel or an sdist.
    """
    if filename.endswith(WHEEL_SUFFIX):
        parse_wheel_filename(split_label(filename)[0])
        name, version, *_ = filename.split("-")
        return name, version
    for suffix in filter(filename.endswith, SDIST_SUFFIXES):
        name, hyphen, version = filename.removesuffix(suffix).rpartition("-")
        if hyphen and re.fullmatch(r"[\w.+!-]+", filename):
            return name, version
    raise ValueError(f"{filename!r} is not the file name of a wheel or an sdist")


def _label(filename: str, variant: Variant | None) -> str | None:
    """Return the variant label of a file name, which must be that of the variant if there is one."""
    label = split_label(filename)[1] if filename.endswith(WHEEL_SUFFIX) else None
    if variant is not None and variant.label != label:
        raise ValueError(f"{filename!r} does not have the variant label {variant.label!r}")
    return label


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
    """Return the contents of ``METADATA`` or ``PKG-INFO``."""
    by_extra = extras if isinstance(extras, Mapping) else dict.fromkeys(one_or_more(extras or ()), ())
    lines = [
        ("Metadata-Version", metadata_version),
        ("Name", name),
        ("Version", version),
        ("Summary", "Built for a test"),
        *([("Requires-Python", requires_python)] if requires_python else []),
        *(("Requires-Dist", requirement) for requirement in one_or_more(requires)),
        *(line for extra, wanted in by_extra.items() for line in _lines_of_extra(extra, wanted)),
        *headers,
    ]
    return "".join(f"{key}: {value}\n" for key, value in lines).encode()


def one_or_more(texts: str | Iterable[str]) -> Iterable[str]:
    """Return several texts as they are, and one text as a list: iteration over it would yield its characters."""
    return [texts] if isinstance(texts, str) else texts


def _lines_of_extra(extra: str, requires: str | Iterable[str]) -> Iterator[tuple[str, str]]:
    yield "Provides-Extra", extra
    for text in one_or_more(requires):
        requirement = Requirement(text)
        marker = f"({requirement.marker}) and " if requirement.marker else ""
        requirement.marker = None
        yield "Requires-Dist", f'{requirement} ; {marker}extra == "{extra}"'


def _record(files: _Files, path_of_record: str) -> bytes:
    """Return ``RECORD``: a row with the digest and the size of each file, and one for itself, without them."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for path, data in files:
        digest = base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow([path, f"sha256={digest}", len(data)])
    rows.writerow([path_of_record, "", ""])
    return text.getvalue().encode()


def _pack(filename: str, metadata: bytes, files: _Files) -> bytes:
    if filename.endswith(WHEEL_SUFFIX):
        return _zip(_wheel_members(filename, metadata, files))
    suffix = next(filter(filename.endswith, SDIST_SUFFIXES))
    folder = filename.removesuffix(suffix)
    members = tuple((f"{folder}/{path}", data) for path, data in (("PKG-INFO", metadata), *files))
    return _tar_gz(members) if suffix == SDIST_SUFFIX else _zip(members)


_cached_pack = lru_cache(maxsize=512)(_pack)


def _wheel_members(filename: str, metadata: bytes, files: _Files) -> _Files:
    name, version = name_and_version(filename)
    info = f"{name}-{version}.dist-info"
    members = (*files, (f"{info}/METADATA", metadata), (f"{info}/WHEEL", _wheel_file(filename)))
    return (*members, (f"{info}/RECORD", _record(members, f"{info}/RECORD")))


def _wheel_file(filename: str) -> bytes:
    _, _, build, tags = parse_wheel_filename(split_label(filename)[0])
    pure = all(tag.abi == "none" and tag.platform == "any" for tag in tags)
    lines = ["Wheel-Version: 1.0", "Generator: a test", f"Root-Is-Purelib: {str(pure).lower()}"]
    lines += [f"Tag: {tag}" for tag in sorted(map(str, tags))]
    lines += [f"Build: {filename.split('-')[2]}"] if build else []
    return "".join(f"{line}\n" for line in lines).encode()


def _zip(members: _Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, data in members:
            info = zipfile.ZipInfo(path)  # dated 1980 by default
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    return stream.getvalue()


def _tar_gz(members: _Files) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, data in members:
            info = tarfile.TarInfo(path)  # dated 1970, without an owner, by default
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), compresslevel=1, mtime=0)


def _module(name: str, version: str) -> Mapping[str, str]:
    module = re.sub(r"\W", "_", name)
    return {f"{module}.py": f"VERSION = {version!r}\n"}


def _noise(size: int) -> bytes:
    """Return bytes that cannot be compressed."""
    return random.Random(0).randbytes(max(0, size))  # noqa: S311  # the same every time


def _stem(name: str, version: str) -> str:
    return re.sub(r"[-_.]+", "_", name) + f"-{Version(version)}"
