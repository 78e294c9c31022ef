"""A form and a stream become a checked `Upload`, and an `Upload` is published.

Bytes flow once: from the form into the digests, the store and the eyes of the verifier, whatever their number.
Everything that is wrong is collected and named together; until the catalogue's transaction nothing is visible.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple, Protocol

from packaging.utils import NormalizedName

from pypi_registry._names import normalize
from pypi_registry._publishing.incoming import incoming_file
from pypi_registry.distributions import Findings, Verify, disagreements, filename_faults, is_served, trust
from pypi_registry.distributions.faults import bounded
from pypi_registry.errors import (
    FileTooLarge,
    InvalidName,
    InvalidUpload,
    InvalidVersion,
    RegistrationNotSupported,
    RegistryError,
    excerpt,
)
from pypi_registry.model import Digests, PackageFile, PackageMetadata, Project, Upload
from pypi_registry.storage import Blobs, Catalogue, NewBlob
from pypi_registry.versions import check_version


class Part(NamedTuple):
    """One part of a multipart form; its bytes are read before the next part is asked for."""

    name: str
    filename: str | None
    """None for a text field; empty for a file without a name."""
    chunks: Iterator[bytes]


MAX_FIELD = 20 * 1000**2
"""How many bytes one text field may have."""

FORM_ROOM = 64 * 1024**2
"""How many bytes a form may have beside its file."""

_KEPT = 64 * 1024  # bytes of a field; no field has a use for more: the longest text is cut at 4,000 characters
_KEPT_OF_DIGEST = 256

MAX_LENGTH = 255
"""How many characters a name or a version may have, as in GitLab's tables."""

# Field -> characters, cut as GitLab cuts (app/models/packages/pypi/metadatum.rb).
_CUT = {
    "requires_python": 255,
    "metadata_version": 16,
    "author_email": 2048,
    "summary": 255,
    "keywords": 1024,
    "description": 4000,
    "description_content_type": 128,
}


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


_HASHES: Mapping[str, Callable[[], _Hash]] = {
    "sha256_digest": hashlib.sha256,
    "md5_digest": lambda: hashlib.md5(usedforsecurity=False),
    "blake2_256_digest": lambda: hashlib.blake2b(digest_size=32),
}

_ABOUT = [field.name for field in fields(PackageMetadata)]
_FIELDS = {":action", "name", "version", *_CUT, *_HASHES}


def publish(
    parts: Iterable[Part],
    project: Project,
    *,
    catalogue: Catalogue,
    blobs: Blobs,
    max_file_size: int,
    verify: Verify | None,
    permit: Callable[[NormalizedName], None],
) -> PackageFile:
    """Read a form to its end, check it, and publish its file in the project.

    `verify` looks into the file; None takes it at its word. `permit` is asked once the name is known, and raises if the
    name must not be published.

    :raises NothingToRegister: if the form is for registering a name, as tools did before they uploaded.
    :raises InvalidUpload: if anything is wrong with the form; all faults at once.
    :raises FileTooLarge: if the file has `max_file_size` bytes or more.
    """
    key = secrets.token_hex(16)
    with blobs.create(key) as blob:
        reading = _Reading(blob, max_file_size, verify)
        for part in parts:
            reading.take(part)
        if reading.registers:
            raise RegistrationNotSupported
        if reading.name:
            permit(reading.name)  # GitLab looks at its rules before it looks at anything else
        upload = reading.upload()
        blob.commit()
    try:
        return catalogue.add(project, upload, key, datetime.now(UTC))
    except RegistryError:  # the catalogue says that it holds nothing; after any other error the bytes may be needed
        blobs.delete(key)
        raise


class _Reading:
    """What is known of a form, part by part."""

    def __init__(self, blob: NewBlob, max_file_size: int, verify: Verify | None) -> None:
        self._blob = blob
        self._max_file_size = max_file_size
        self._verify = verify
        self._findings = Findings()
        self._fields: dict[str, list[str]] = {}
        self._room = FORM_ROOM
        self._filenames: list[str] = []  # none, or that of the first file
        self._more_files = False
        self._size = 0
        self._running: dict[str, _Hash] = {}
        self._faults: list[str] = []

    def take(self, part: Part) -> None:
        if part.name != "content" or part.filename is None:
            self._take_field(part)
        elif self._filenames:
            self._more_files = True
            self._take_field(part)
        else:
            self._filenames.append(part.filename)
            self._take_file(part)

    def _take_file(self, part: Part) -> None:
        # Digests cost more than all the rest of an upload: only sha256, and those that were already declared.
        wanted = {"sha256_digest", *(field for field in _HASHES if self._declared(field))}
        self._running = {field: _HASHES[field]() for field in wanted}
        with incoming_file(self._taken(part.chunks), self._blob.read_back) as stream:
            self._findings = (self._verify or trust)(stream, part.filename or "")

    def _taken(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._size += len(chunk)
            if self._size >= self._max_file_size:
                raise FileTooLarge(self._max_file_size)
            for running in self._running.values():
                running.update(chunk)
            self._blob.write(chunk)
            yield chunk

    def _take_field(self, part: Part) -> None:
        # Of most fields only the first value counts, and how many there are; of digests each, if it is short enough.
        limit = _KEPT_OF_DIGEST if part.name in _HASHES else 0 if part.name in self._fields else _KEPT
        kept, size = bytearray(), 0
        for chunk in part.chunks:
            size += len(chunk)
            self._room -= len(chunk)
            if size > MAX_FIELD:
                raise InvalidUpload([f"{excerpt(part.name)} is too large (at most {MAX_FIELD} bytes a field)"])
            if self._room < 0:
                raise InvalidUpload([f"the fields are too large (at most {FORM_ROOM} bytes together)"])
            kept += chunk[: max(0, limit - len(kept))]
        if part.name in _FIELDS:
            self._fields.setdefault(part.name, []).append(kept.decode(errors="replace"))
        elif part.name == "content" and part.filename is None:
            self._faults.append("content is not a file")

    def upload(self) -> Upload:
        """Give what the form amounts to.

        :raises InvalidUpload: if anything is wrong with it.
        """
        missing = list(self._missing())
        name = self.name
        version = self._version()
        digests = self._digests()
        requires_python = self._requires_python()
        metadata = self._findings.metadata
        if self._filenames:
            wrong_name = [*filename_faults(self._filenames[0], name, version)]
            self._faults += [*wrong_name, *self._findings.faults]
            if metadata and self._verify and not wrong_name:  # or the same would be said once more
                self._faults += disagreements(metadata, name, version)
        if faults := dict.fromkeys([*missing, *self._faults]):
            raise InvalidUpload([*faults])
        assert name and version
        return Upload(
            name=self._fields["name"][0],
            normalized_name=name,
            version=version,
            filename=self._filenames[0],
            size=self._size,
            digests=digests,
            requires_python=requires_python,
            about=PackageMetadata(**{field: self._cut(field) for field in _ABOUT}),
            core_metadata=metadata.data if metadata and is_served(metadata, self._filenames[0]) else None,
        )

    @property
    def registers(self) -> bool:
        """Whether this is what ``setup.py register`` and ``twine register`` send, and no upload."""
        return self._first(":action") == "submit"

    def _missing(self) -> Iterator[str]:
        if not self._filenames and "content is not a file" not in self._faults:
            yield "content is missing"
        if self._more_files:
            yield "content is there more than once"
        for field in ("name", "version"):
            if len(self._fields.get(field, [])) > 1:
                yield f"{field} is there more than once"
            elif not self._first(field):
                yield f"{field} is missing"

    def _first(self, field: str) -> str:
        return self._fields.get(field, [""])[0]

    def _declared(self, field: str) -> list[str]:
        return [text for text in self._fields.get(field, []) if text]

    @cached_property
    def name(self) -> NormalizedName | None:
        """The normalized name; None if there is none, or none that can be."""
        text = self._first("name")
        if not text:
            return None
        if len(text) > MAX_LENGTH:
            self._faults.append(f"Name is invalid: longer than {MAX_LENGTH} characters")
            return None
        try:
            return normalize(text)
        except InvalidName as error:
            self._faults.append(f"Name is invalid: {error}")
            return None

    def _version(self) -> str | None:
        text = self._first("version")
        if not text:
            return None
        if len(text) > MAX_LENGTH:
            self._faults.append(f"Version is invalid: longer than {MAX_LENGTH} characters")
            return None
        try:
            check_version(text)
        except InvalidVersion as error:
            self._faults.append(f"Version is invalid: {error}")
            return None
        return text

    def _digests(self) -> Digests:
        """Check every digest that was given, and keep what was computed."""
        computed: dict[str, str] = {}
        for field in _HASHES if self._filenames else ():
            declared = self._declared(field)
            if declared or field in self._running:
                computed[field] = self._digest(field)
            self._faults += bounded(digest_faults(field, declared, computed.get(field, "")))
        return Digests(computed.get("sha256_digest", ""), computed.get("md5_digest"), computed.get("blake2_256_digest"))

    def _digest(self, field: str) -> str:
        if field in self._running:
            return self._running[field].hexdigest()
        running = _HASHES[field]()  # declared after the file, as no client does: read the bytes once more
        with self._blob.read_back() as stream:
            while chunk := stream.read(1024**2):
                running.update(chunk)
        return running.hexdigest()

    def _requires_python(self) -> str:
        metadata = self._findings.metadata
        text = (metadata.requires_python if metadata else "") or self._cut("requires_python")
        if re.search(r"[^\t\n\r -\U0010ffff]|[\x7f-\x9f]", text):
            self._faults.append("Requires python is invalid: it holds a control character")
        return " ".join(text.split())

    def _cut(self, field: str) -> str:
        text, limit = self._first(field), _CUT[field]
        return text if len(text) <= limit else f"{text[: limit - 3]}..."


def digest_faults(field: str, declared: Iterable[str], computed: str) -> Iterator[str]:
    """Name what is wrong with digests that a form declares, given the one that was computed (lower-case hexadecimal).

    >>> list(digest_faults("md5_digest", ["ABC"], "900150983cd24fb0d6963f7d28e17f72"))
    ["md5_digest is invalid: 'ABC' is not 32 hexadecimal digits"]
    """
    for text in declared:
        if re.fullmatch(r"[0-9a-fA-F]+", text) is None or len(text) != len(computed):
            yield f"{field} is invalid: {excerpt(text, 80)} is not {len(computed)} hexadecimal digits"
        elif text.lower() != computed:
            yield f"{field} does not match the file: {text.lower()} was declared, {computed} was received"
