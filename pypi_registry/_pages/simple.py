"""The simple pages (PEP 503 and 691, with the keys of 592, 700, 714 and 792). Values in, bytes out.

Links are relative, so that a page is right behind any proxy, prefix or Host header. They depend on one thing only:
whether the requested path ended in a slash. Only scripts in browsers get absolute ones (`_api/cors.py`).
"""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from html import escape
from itertools import chain
from urllib.parse import quote

from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_registry._pages.variants import VariantsFile, variants_files
from pypi_registry.model import NameStatus, PackageFile

API_VERSION = "1.4"
ACTIVE = NameStatus()


class MediaType(StrEnum):
    """The media types of a simple page (PEP 691)."""

    TEXT_HTML = "text/html"
    JSON = "application/vnd.pypi.simple.v1+json"
    HTML = "application/vnd.pypi.simple.v1+html"

    @property
    def content_type(self) -> str:
        """The value of the Content-Type header."""
        return _CONTENT_TYPES[self]


_CONTENT_TYPES = {
    MediaType.TEXT_HTML: "text/html; charset=utf-8",
    MediaType.JSON: "application/vnd.pypi.simple.v1+json",
    MediaType.HTML: "application/vnd.pypi.simple.v1+html; charset=utf-8",
}


def render_index(title: str, names: Iterable[NormalizedName], media_type: MediaType, *, trailing_slash: bool) -> bytes:
    """Render the list of names, which JSON and HTML need not escape."""
    if media_type is MediaType.JSON:
        # Joined text: json.dumps takes five times as long for 100,000 names.
        entries = ",".join([f'{{"name":"{name}"}}' for name in names])
        return f'{{"meta":{{"api-version":"{API_VERSION}"}},"projects":[{entries}]}}'.encode()
    base = "" if trailing_slash else "simple/"
    return _html(title, (f'<a href="{base}{name}/">{name}</a>' for name in names))


def render_package(
    name: NormalizedName,
    files: Sequence[PackageFile],
    media_type: MediaType,
    status: NameStatus = ACTIVE,
    *,
    trailing_slash: bool,
    files_url: str = "",
) -> bytes:
    """Render the files of a name, in this order; files of several projects may have one file name.

    :param files_url: the absolute URL at which all links begin; empty for relative ones.
    """
    base = files_url or ("../../files" if trailing_slash else "../files")
    # "it MUST be provided in all the responses where the variant wheels are included"
    variants = variants_files(name, files)
    if media_type is MediaType.JSON:
        versions = {Version(file.package.version) for file in files}
        return _json(
            {
                "name": name,
                **({} if status == ACTIVE else {"project-status": _status(status)}),
                "versions": [str(version) for version in sorted(versions)],
                "files": [*(_entry(file, base) for file in files), *(_variants_entry(each, base) for each in variants)],
            }
        )
    title = files[0].package.name if files else name
    anchors = chain((_anchor(file, base) for file in files), (_variants_anchor(each, base) for each in variants))
    return _html(title, anchors, _status_metas(status))


def _url(base: str, sha256: str, filename: str) -> str:
    # '+' and '!' stay unquoted: clients read the file name from the last segment of the URL.
    return f"{base}/{sha256}/{quote(filename, safe='+!')}"


def _anchor(file: PackageFile, base: str) -> str:
    requires = f' data-requires-python="{escape(file.requires_python)}"' if file.requires_python else ""
    # PEP 592: "Links in the simple repository MAY have a data-yanked attribute which may have no value, or may have an
    # arbitrary string as a value." pip and pdm read an empty value as yanked, and ignore an attribute without one.
    yanked = "" if file.package.yanked is None else f' data-yanked="{escape(file.package.yanked)}"'
    # PEP 714 renamed data-dist-info-metadata (PEP 658) to data-core-metadata; older clients read the old name.
    digest = file.core_metadata_sha256
    metadata = f' data-core-metadata="sha256={digest}" data-dist-info-metadata="sha256={digest}"' if digest else ""
    href = escape(f"{_url(base, file.digests.sha256, file.filename)}#sha256={file.digests.sha256}")
    return f'<a href="{href}"{requires}{metadata}{yanked}>{escape(file.filename)}</a>'


def _entry(file: PackageFile, base: str) -> dict[str, object]:
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": _url(base, file.digests.sha256, file.filename),
        "hashes": {"sha256": file.digests.sha256},
        "size": file.size,
        "upload-time": file.uploaded_at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z",
    }
    if file.requires_python:  # uv refuses a page for some nulls, so a key without a value is left out
        entry["requires-python"] = file.requires_python
    if file.core_metadata_sha256:
        entry["core-metadata"] = {"sha256": file.core_metadata_sha256}
    if file.package.yanked is not None:
        entry["yanked"] = file.package.yanked or True  # pip, poetry and pdm read an empty text as not yanked
    return entry


# PEP 825: the JSON "should follow the rules for files in the simple repository API, except that the optional metadata
# attributes served by the index (such as core-metadata, dist-info-metadata, requires-python or yanked) are not
# meaningful for that file." So it has none of them, and no upload time, either: it is generated, and changes.


def _variants_anchor(file: VariantsFile, base: str) -> str:
    href = escape(f"{_url(base, file.sha256, file.filename)}#sha256={file.sha256}")
    return f'<a href="{href}">{escape(file.filename)}</a>'


def _variants_entry(file: VariantsFile, base: str) -> dict[str, object]:
    url = _url(base, file.sha256, file.filename)
    return {"filename": file.filename, "url": url, "hashes": {"sha256": file.sha256}, "size": len(file.content)}


def _status(status: NameStatus) -> dict[str, str]:
    return {"status": status.status.value, **({"reason": status.reason} if status.reason else {})}


def _status_metas(status: NameStatus) -> str:
    if status == ACTIVE:
        return ""
    metas = {"pypi:project-status": status.status.value, "pypi:project-status-reason": status.reason}
    return "".join(f'\n    <meta name="{name}" content="{escape(text)}">' for name, text in metas.items() if text)


def _json(page: dict[str, object]) -> bytes:
    return json.dumps({"meta": {"api-version": API_VERSION}, **page}, separators=(",", ":")).encode()


def _html(title: str, anchors: Iterable[str], metas: str = "") -> bytes:
    heading = escape(f"Links for {title}")
    lines = "<br>\n    ".join(anchors)
    return f"""<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="pypi:repository-version" content="{API_VERSION}">{metas}
    <title>{heading}</title>
  </head>
  <body>
    <h1>{heading}</h1>
    {lines}
  </body>
</html>
""".encode()
