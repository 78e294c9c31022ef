"""Pure decisions: whether a received form is an upload that may be published, and if not, why not.

An error names all problems together.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import BinaryIO

from packaging.utils import NormalizedName

from pypi_registry._excerpt import excerpt
from pypi_registry._names import MAX_LENGTH, normalize
from pypi_registry._publishing.client_fields import fields_of_client
from pypi_registry._publishing.form import DIGEST_FIELDS, TEXT_LIMITS, UploadForm, new_hash
from pypi_registry.distributions import Verify, read_unverified
from pypi_registry.distributions.filenames import filename_problems
from pypi_registry.distributions.limits import MAX_VALUE
from pypi_registry.distributions.metadata import is_metadata_served, metadata_problems
from pypi_registry.distributions.report import truncated
from pypi_registry.distributions.specifiers import specifier_problem
from pypi_registry.errors import InvalidName, InvalidUpload, InvalidVersion
from pypi_registry.model import Digests, PackageMetadata, Upload
from pypi_registry.versions import check_version

MAX_REASON = 1_000
"""Characters of the reason for a yank or a project status."""

_CONTROL_CHARACTER = re.compile(r"[^\t\n\r -\U0010ffff]|[\x7f-\x9f]")
_HEXADECIMAL = re.compile("[0-9a-fA-F]+")
_METADATA_FIELDS = [each.name for each in fields(PackageMetadata)]


def check_upload(form: UploadForm) -> Upload:
    """Return the upload that a form describes.

    :raises InvalidUpload: if anything is wrong with it; it names all problems.
    """
    problems = [*_missing(form)]
    if form.has_text_as_content:
        problems.append("content is not a file")
    name, version = name_of(form), form.first("version")
    if name is None:
        problems += _name_problems(form)
    if version and (version_problem := _version_problem(version)):
        problems.append(version_problem)
        version = ""
    problems += _digest_problems(form)
    metadata = form.report.metadata
    requires_python = (metadata.requires_python if metadata else "") or form.first("requires_python")
    problems += _requires_python_problems(form, requires_python)
    if form.filename is not None:
        wrong_filename = [*filename_problems(form.filename, name, version or None)]
        problems += [*wrong_filename, *form.report.problems]
        if metadata and form.is_verified and not wrong_filename:  # or the same problem would be named twice
            problems += metadata_problems(metadata, name, version or None)
    if problems:
        raise InvalidUpload([*dict.fromkeys(problems)])
    assert name and version and form.filename
    return Upload(
        name=form.first("name"),
        normalized_name=name,
        version=version,
        filename=form.filename,
        size=form.size,
        digests=Digests(
            form.digests["sha256_digest"], form.digests.get("md5_digest"), form.digests.get("blake2_256_digest")
        ),
        requires_python=" ".join(requires_python.split()),
        metadata=PackageMetadata(**{each: _shortened(form, each) for each in _METADATA_FIELDS}),
        core_metadata=metadata.data if metadata and is_metadata_served(metadata, form.filename) else None,
        variant=form.report.variant,
    )


def name_of(form: UploadForm) -> NormalizedName | None:
    """Return the normalized name in a form; None if it has none, or an invalid one."""
    text = form.first("name")
    try:
        return normalize(text) if text and len(text) <= MAX_LENGTH else None
    except InvalidName:
        return None


def _missing(form: UploadForm) -> Iterator[str]:
    if form.filename is None and not form.has_text_as_content:
        yield "content is missing"
    if form.has_more_files:
        yield "content appears more than once"
    for field in ("name", "version"):
        if len(form.fields.get(field, ())) > 1:
            yield f"{field} appears more than once"
        elif not form.first(field):
            yield f"{field} is missing"


def _name_problems(form: UploadForm) -> Iterator[str]:
    text = form.first("name")
    if len(text) > MAX_LENGTH:
        yield f"Name is invalid: longer than {MAX_LENGTH} characters"
    elif text:
        try:
            normalize(text)
        except InvalidName as error:
            yield f"Name is invalid: {error}"


def _version_problem(version: str) -> str:
    if len(version) > MAX_LENGTH:
        return f"Version is invalid: longer than {MAX_LENGTH} characters"
    try:
        check_version(version)
    except InvalidVersion as error:
        return f"Version is invalid: {error}"
    return ""


def _digest_problems(form: UploadForm) -> Iterator[str]:
    declared = form.declared_digests()
    for name, computed in form.digests.items():
        field = name if name in DIGEST_FIELDS else "blake2_256_digest"
        yield from truncated(digest_problems(field, declared[name], computed))


def digest_problems(field: str, declared: Iterable[str], computed: str) -> Iterator[str]:
    """Yield what is wrong with the digests that a form declares, given the computed one (lower-case hexadecimal).

    >>> list(digest_problems("md5_digest", ["ABC"], "900150983cd24fb0d6963f7d28e17f72"))
    ["md5_digest is invalid: 'ABC' is not 32 hexadecimal digits"]
    """
    for text in declared:
        if _HEXADECIMAL.fullmatch(text) is None or len(text) != len(computed):
            yield f"{field} is invalid: {excerpt(text, 80)} is not {len(computed)} hexadecimal digits"
        elif text.lower() != computed:
            yield f"{field} does not match the file: {text.lower()} was declared, {computed} was received"


def _requires_python_problems(form: UploadForm, used: str) -> Iterator[str]:
    declared = form.first("requires_python")
    if any(map(_CONTROL_CHARACTER.search, (used, declared))):
        yield "Requires python is invalid: it contains a control character"
    elif len(declared) > MAX_VALUE:  # a part of a specifier is another specifier, so it is not shortened
        yield f"Requires python is invalid: longer than {MAX_VALUE} characters"
    # The file may have the same text, and the report a problem that names it.
    elif (problem := specifier_problem(declared)) and not any(problem in other for other in form.report.problems):
        yield f"Requires python is invalid: {problem}"


def _shortened(form: UploadForm, field: str) -> str:
    text, limit = form.first(field), TEXT_LIMITS[field]
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def reason_problems(name: str, reason: object, expected: str = "a string") -> Iterator[str]:
    """Yield what is wrong with a reason, which pages repeat for each file: of a yank or of a project status.

    >>> list(reason_problems("reason", "broken on 3.11")), list(reason_problems("reason", 1))
    ([], ['reason must be a string without control characters'])
    """
    if not isinstance(reason, str) or not is_plain(reason):
        yield f"{name} must be {expected} without control characters"
    elif len(reason) > MAX_REASON:
        yield f"{name} is too long (at most {MAX_REASON} characters)"


def is_plain(text: str) -> bool:
    r"""Return whether a text can be stored and shown: no control characters, no surrogates.

    >>> is_plain("broken on 3.11; use 1.1"), is_plain("a\0b"), is_plain("\ud800")
    (True, False, False)
    """
    return not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


def read_distribution(file: BinaryIO, filename: str, *, verify: Verify | None) -> Upload:
    """Check a distribution that comes without a form, and return its upload.

    Name and version are those of its metadata; without metadata, those of its file name.

    :param file: seekable; it is read from its beginning.
    :param verify: checks the file; None accepts any file and reads only its metadata.
    :raises InvalidUpload: if anything is wrong with it; it names all problems.
    """
    form = _read(file, filename, verify, ("sha256_digest",))
    metadata = form.report.metadata
    name, version = (metadata.name, metadata.version) if metadata else _split(filename)
    form.fields = {"name": [name], "version": [version]}
    return check_upload(form)


def read_as_twine(file: BinaryIO, filename: str, *, verify: Verify | None, with_md5: bool = False) -> Upload:
    """Check a distribution that comes without a form, and return the upload that twine would make of it.

    The parameters and errors are those of `read_distribution`.

    :param with_md5: whether its MD5 digest is stored, too, which other indexes declare.
    """
    digests = ("sha256_digest", "blake2_256_digest", *(("md5_digest",) if with_md5 else ()))
    form = _read(file, filename, verify, digests)
    metadata = form.report.metadata
    if metadata:
        fields = fields_of_client(metadata)
    else:
        name, version = _split(filename)
        fields = {"name": name, "version": version}
    form.fields = {name: [text] for name, text in fields.items()}
    return check_upload(form)


def _read(file: BinaryIO, filename: str, verify: Verify | None, digests: Iterable[str]) -> UploadForm:
    form = UploadForm(filename=filename, is_verified=verify is not None)
    hashes = {name: new_hash(name) for name in digests}
    file.seek(0)
    while chunk := file.read(1024**2):
        form.size += len(chunk)
        for running in hashes.values():
            running.update(chunk)
    form.digests = {name: running.hexdigest() for name, running in hashes.items()}
    file.seek(0)
    form.report = verify(file, filename) if verify else read_unverified(file, filename)
    return form


def _split(filename: str) -> tuple[str, str]:
    """Return the name and the version in a file name; of the hyphens of an sdist the last one separates them."""
    if filename.endswith(".whl"):
        name, _, rest = filename.partition("-")
        return name, rest.partition("-")[0]
    name, _, version = filename.removesuffix(".tar.gz").removesuffix(".zip").rpartition("-")
    return name, version
