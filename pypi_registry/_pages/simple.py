"""The simple pages: values in, bytes out (PEP 503 and 691, with the keys of 592, 700 and 792).

Links are relative, so that a page is right behind any proxy, prefix or Host header. They depend on one thing only:
whether the address that was asked ended in a slash.
"""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from html import escape
from urllib.parse import quote

from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_registry.model import NameStatus, PackageFile

API_VERSION = "1.4"
ACTIVE = NameStatus()


class MediaType(StrEnum):
    """The forms of a simple page, by the media types that name them."""

    TEXT_HTML = "text/html"
    JSON = "application/vnd.pypi.simple.v1+json"
    HTML = "application/vnd.pypi.simple.v1+html"

    @property
    def content_type(self) -> str:
        """The value of a Content-Type header."""
        return _CONTENT_TYPES[self]


_CONTENT_TYPES = {
    MediaType.TEXT_HTML: "text/html; charset=utf-8",
    MediaType.JSON: "application/vnd.pypi.simple.v1+json",
    MediaType.HTML: "application/vnd.pypi.simple.v1+html; charset=utf-8",
}


def render_index(title: str, names: Iterable[NormalizedName], form: MediaType, *, slash: bool) -> bytes:
    """Render the list of names; `slash` tells whether the page was asked with a slash at its end."""
    if form is MediaType.JSON:  # of a hundred thousand names, which have nothing in them that JSON or HTML would escape
        entries = ",".join([f'{{"name":"{name}"}}' for name in names])
        return _json({"projects": []}).removesuffix(b"]}") + f"{entries}]}}".encode()
    base = "" if slash else "simple/"
    return _html(title, (f'<a href="{base}{name}/">{name}</a>' for name in names))


def render_package(
    name: NormalizedName, files: Sequence[PackageFile], form: MediaType, status: NameStatus = ACTIVE, *, slash: bool
) -> bytes:
    """Render the files of a name; of several files with one file name only the last is shown."""
    base = "../../files" if slash else "../files"
    shown = list({file.filename: file for file in files}.values())
    if form is MediaType.JSON:
        versions = {Version(file.package.version) for file in shown}
        return _json(
            {
                "name": name,
                **({} if status == ACTIVE else {"project-status": _status(status)}),
                "versions": [str(version) for version in sorted(versions)],
                "files": [_entry(file, base) for file in shown],
            }
        )
    title = shown[0].package.name if shown else name
    return _html(title, (_anchor(file, base) for file in shown), _status_metas(status))


def _url(file: PackageFile, base: str) -> str:
    # '+' and '!' stay as they are: clients read the file name from the URL's last part.
    return f"{base}/{file.digests.sha256}/{quote(file.filename, safe='+!')}"


def _anchor(file: PackageFile, base: str) -> str:
    requires = f' data-requires-python="{escape(file.requires_python)}"' if file.requires_python else ""
    # pip and pdm take no notice of an attribute without a value.
    yanked = "" if file.package.yanked is None else f' data-yanked="{escape(file.package.yanked)}"'
    # The second is the older name, by which clients ask that do not know the first (PEP 714).
    digest = file.metadata_sha256
    metadata = f' data-core-metadata="sha256={digest}" data-dist-info-metadata="sha256={digest}"' if digest else ""
    href = escape(f"{_url(file, base)}#sha256={file.digests.sha256}")
    return f'<a href="{href}"{requires}{metadata}{yanked}>{escape(file.filename)}</a>'


def _entry(file: PackageFile, base: str) -> dict[str, object]:
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": _url(file, base),
        "hashes": {"sha256": file.digests.sha256},
        "size": file.size,
        "upload-time": file.uploaded_at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z",
    }
    if file.requires_python:  # uv refuses a page for some nulls: a key is there or it is not
        entry["requires-python"] = file.requires_python
    if file.metadata_sha256:
        entry["core-metadata"] = {"sha256": file.metadata_sha256}
    if file.package.yanked is not None:
        entry["yanked"] = file.package.yanked or True  # an empty text counts as "no" to pip, poetry and pdm
    return entry


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
