"""The form with which twine and uv publish a file: its fields and its file, as they arrive.

The bytes of the file flow once: into the digests, the spool file and the verifier. Whether they are valid is decided
in `checks`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol, TypeAlias

from pypi_registry._excerpt import excerpt
from pypi_registry._publishing.incoming import read_while_it_arrives
from pypi_registry.distributions import Report, Verify, read_unverified
from pypi_registry.errors import FileTooLarge, InvalidUpload, RegistryError

MAX_FIELD = 20 * 1000**2
"""Bytes of one text field at most."""

MAX_FIELDS = 64 * 1024**2
"""Bytes of a form beside its file at most."""

_KEPT = 64 * 1024  # bytes of a field; the registry stores at most 4,000 characters of a text
_KEPT_OF_DIGEST = 256
_DIGITS_OF_BLAKE2_512 = 128

Part: TypeAlias = tuple[str, str | None, Iterator[bytes]]

TEXT_LIMITS: Mapping[str, int] = {
    "metadata_version": 16,
    "author_email": 2048,
    "summary": 255,
    "keywords": 1024,
    "description": 4000,
    "description_content_type": 128,
}
"""Characters of a text field: GitLab shortens longer texts (app/models/packages/pypi/metadatum.rb)."""


class RegistrationNotSupported(RegistryError):
    """Names are not registered before an upload, as old tools do by ``:action=submit``."""

    def __str__(self) -> str:
        return "a name need not be registered, upload a file instead"


class Hash(Protocol):
    """A running digest."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def new_hash(name: str) -> Hash:
    """Return a running digest for a digest field."""
    match name:
        case "sha256_digest":
            return hashlib.sha256()
        case "md5_digest":
            return hashlib.md5(usedforsecurity=False)
    return hashlib.blake2b(digest_size=64 if name == BLAKE2_512 else 32)


DIGEST_FIELDS = ("sha256_digest", "md5_digest", "blake2_256_digest")
BLAKE2_512 = "blake2_512"
"""The digest that ``setup.py upload`` of setuptools before 72 and of Python before 3.12 sends as `blake2_256_digest`:
128 hexadecimal digits, because BLAKE2b has 64 bytes by default (distutils/command/upload.py)."""
_FIELDS = {":action", "name", "version", "requires_python", *TEXT_LIMITS, *DIGEST_FIELDS}


@dataclass(slots=True)
class UploadForm:
    """The fields and the file of a form, not checked."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    """Every value of each field that is used, of digests only values that are not empty.

    Of most fields only the first value and the number of values are used.
    """
    filename: str | None = None
    """The name of the first file; None if there is none."""
    size: int = 0
    """Bytes of the file."""
    digests: dict[str, str] = field(default_factory=dict)
    """Digest, as in `declared_digests` -> the value computed from the file, lower-case hexadecimal.

    SHA-256 is always computed, other digests only if the form declares them.
    """
    report: Report = field(default_factory=Report)
    """What the verifier reported about the file."""
    is_verified: bool = False
    """Whether a verifier has checked the file; otherwise only its metadata was read."""
    has_more_files: bool = False
    has_text_as_content: bool = False

    def first(self, name: str) -> str:
        """Return the first value of a field; empty if there is none."""
        return self.fields.get(name, [""])[0]

    def declared_digests(self) -> Mapping[str, list[str]]:
        """Return the declared values of each digest: of the digest fields, and of `BLAKE2_512`."""
        found = {name: self.fields.get(name, []) for name in DIGEST_FIELDS}
        blake2 = found["blake2_256_digest"]
        found[BLAKE2_512] = [text for text in blake2 if len(text) == _DIGITS_OF_BLAKE2_512]
        if found[BLAKE2_512]:
            found["blake2_256_digest"] = [text for text in blake2 if len(text) != _DIGITS_OF_BLAKE2_512]
        return found


def read_form(
    parts: Iterable[Part],
    file: BinaryIO,
    *,
    max_file_size: int,
    verify: Verify | None,
    on_filename: Callable[[str], object] | None = None,
) -> UploadForm:
    """Read a form to its end, and write the bytes of its file to `file`.

    :param parts: the name, the file name and the bytes of each part. The file name is None for a text field, and empty
        for a file without a name. The bytes are read before the next part is requested.
    :param max_file_size: bytes; the file must be smaller.
    :param verify: checks the file while it arrives; None accepts any file and reads only its metadata.
    :param on_filename: is called with the name of the file before the file is read.
    :raises RegistrationNotSupported: if the form registers a name, as tools did before uploads (``twine register``).
    :raises InvalidUpload: if the fields are too large.
    :raises FileTooLarge: if the file has `max_file_size` bytes or more.
    """
    reader = _FormReader(file, max_file_size, verify)
    form = reader.form
    for name, filename, chunks in parts:
        if filename is None or name != "content":
            reader.read_field(name, chunks)
            form.has_text_as_content |= name == "content"
        elif form.filename is None:
            if on_filename and filename:
                on_filename(filename)
            reader.read_file(filename, chunks)
        else:
            form.has_more_files = True
            reader.read_field(name, chunks)
    if form.first(":action") == "submit":
        raise RegistrationNotSupported
    reader.compute_late_digests()
    return form


class _FormReader:
    def __init__(self, file: BinaryIO, max_file_size: int, verify: Verify | None) -> None:
        self.form = UploadForm(is_verified=verify is not None)
        self._file = file
        self._max_file_size = max_file_size
        self._verify = verify
        self._budget = MAX_FIELDS

    def read_file(self, filename: str, content: Iterable[bytes]) -> None:
        form = self.form
        form.filename = filename
        # Digests cost more than all the rest of an upload, so only SHA-256 and those already declared are computed.
        wanted = [name for name, texts in form.declared_digests().items() if name == "sha256_digest" or texts]
        hashes = {name: new_hash(name) for name in wanted}
        chunks, verify = self._counted(content, [*hashes.values()]), self._verify or read_unverified
        form.report = read_while_it_arrives(chunks, self._file, lambda stream: verify(stream, filename))
        form.digests = {name: running.hexdigest() for name, running in hashes.items()}

    def _counted(self, chunks: Iterable[bytes], hashes: list[Hash]) -> Iterator[bytes]:
        for chunk in chunks:
            self.form.size += len(chunk)
            if self.form.size >= self._max_file_size:
                raise FileTooLarge(self._max_file_size)
            for running in hashes:
                running.update(chunk)
            yield chunk

    def read_field(self, name: str, chunks: Iterable[bytes]) -> None:
        # Digests are compared with every value; of other fields only the first is used.
        form = self.form
        limit = _KEPT_OF_DIGEST if name in DIGEST_FIELDS else 0 if name in form.fields else _KEPT
        kept, size = bytearray(), 0
        for chunk in chunks:
            size += len(chunk)
            if size > MAX_FIELD:
                raise InvalidUpload([f"{excerpt(name)} is too large (at most {MAX_FIELD} bytes per field)"])
            if size > self._budget:
                raise InvalidUpload([f"the fields are too large (at most {MAX_FIELDS} bytes together)"])
            if len(kept) < limit:
                kept += chunk[: limit - len(kept)]
        self._budget -= size
        if name in _FIELDS and (kept or name not in DIGEST_FIELDS):
            form.fields.setdefault(name, []).append(kept.decode(errors="replace"))

    def compute_late_digests(self) -> None:
        """Compute the digests that were declared after the file, as no known client does, from the spool file."""
        if self.form.filename is None:
            return
        for name, texts in self.form.declared_digests().items():
            if texts and name not in self.form.digests:
                running = new_hash(name)
                self._file.seek(0)
                while chunk := self._file.read(1024**2):
                    running.update(chunk)
                self.form.digests[name] = running.hexdigest()
