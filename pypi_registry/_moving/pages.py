"""Reading the pages of other indexes: HTML (PEP 503, with the attributes of 592) and JSON (PEP 691 and 700).

Bytes in, values out. The pages come from strangers: an entry that cannot be read is a problem of this entry alone.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from packaging.utils import NormalizedName

from pypi_registry._excerpt import excerpt
from pypi_registry._filenames import SDIST_SUFFIXES, WHEEL_SUFFIX
from pypi_registry._moving.digests import known_digests
from pypi_registry._moving.source import SourceError, SourceFile, SourcePage
from pypi_registry._names import MAX_LENGTH, normalize
from pypi_registry.distributions.filenames import MAX_FILENAME
from pypi_registry.errors import InvalidName

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPES = ("application/vnd.pypi.simple.v1+html", "text/html")
ACCEPT = f"{JSON_TYPE}, {HTML_TYPES[0]};q=0.2, {HTML_TYPES[1]};q=0.1"

_MAX_TEXT = 10_000  # characters of the text of a link; more is no file name


def read_names(body: bytes, content_type: str, url: str) -> Sequence[NormalizedName]:
    """Return the names of an index, each once; what is no name is left out.

    :raises SourceError: if the body is not the list of names of an index.
    """
    if _media_type(content_type, url) == JSON_TYPE:
        projects = _json(body, url).get("projects")
        if not isinstance(projects, list):
            raise SourceError(f"{url}: the JSON page has no list of projects")
        texts = [entry.get("name") for entry in projects if isinstance(entry, dict)]
    else:
        texts = [link.text or _last_segment(link.href) for link in _html(body, content_type, url).links]
    return [*dict.fromkeys(filter(None, map(_name, texts)))]


def _name(text: object) -> NormalizedName | None:
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        return None
    try:
        return normalize(text.strip().rstrip("/"))
    except InvalidName:
        return None


def read_files(body: bytes, content_type: str, url: str) -> SourcePage:
    """Return the files of one name.

    :param url: of the page, after redirects: links are relative to it.
    :raises SourceError: if the body is not the page of a name.
    """
    if _media_type(content_type, url) == JSON_TYPE:
        entries = _json(body, url).get("files")
        if not isinstance(entries, list):
            raise SourceError(f"{url}: the JSON page has no list of files")
        read = [_file_of_entry(entry, url) for entry in entries]
    else:
        page = _html(body, content_type, url)
        read = [_file_of_link(link, page.base) for link in page.links if _is_file(link.href)]
    return SourcePage(
        [each for each in read if isinstance(each, SourceFile)],
        [each for each in read if not isinstance(each, SourceFile)],
    )


def _media_type(content_type: str, url: str) -> str:
    found = content_type.partition(";")[0].strip().lower()
    if found != JSON_TYPE and found not in HTML_TYPES:
        raise SourceError(f"{url}: this is not a page of a simple index, its Content-Type is {excerpt(found)}")
    return found


def _check_version(text: object, url: str) -> None:
    """Raise an error for an API of another major version (PEP 629)."""
    if isinstance(text, str) and not re.fullmatch(r"1\.[0-9]{1,9}", text, re.ASCII):
        raise SourceError(f"{url}: version {excerpt(text)} of the simple API cannot be read, only versions 1.…")


# Links

_COMPANIONS = (".asc", ".metadata")  # signatures, and core metadata (PEP 658), which the list of a web server shows


def _is_file(href: str) -> bool:
    """Return whether a link can lead to a file: the list of a web server also has links to folders, and to itself.

    >>> _is_file("demo-1.0.zip#md5=0"), _is_file("../"), _is_file("?C=M;O=A"), _is_file("demo-1.0.zip.asc")
    (True, False, False, False)
    """
    path = href.partition("#")[0].partition("?")[0].strip()
    return path != "" and not path.endswith(("/", *_COMPANIONS))


def _url(text: str, base: str) -> tuple[str, str] | None:
    """Return an absolute URL without credentials and fragment, and the fragment; None if it cannot be requested."""
    try:
        joined, fragment = urldefrag(urljoin(base, text.strip()))
        parts = urlsplit(joined)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\x00-\x20\x7f]", joined):
        return None
    host = f"[{host}]" if ":" in host else host
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, "")), fragment


def _last_segment(url: str) -> str:
    return unquote(url.partition("?")[0].partition("#")[0].rstrip("/").rpartition("/")[2])


def _filename(url: str, text: str) -> str:
    """Return the file name in a URL; if the URL has none, as with a query, the text of the link."""
    found = _last_segment(url)
    suffixes = (WHEEL_SUFFIX, *SDIST_SUFFIXES)
    return text if text.endswith(suffixes) and not found.endswith(suffixes) else found


def _time(text: object) -> datetime | None:
    """Return a time in the past; None for anything else.

    >>> _time("2024-01-02T03:04:05.678901Z"), _time("2024-01-02"), _time("9999-01-01T00:00:00Z")
    (datetime.datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone.utc), None, None)
    """
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            return None
        found = found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found <= datetime.now(UTC) else None


# JSON


def _json(body: bytes, url: str) -> Mapping[str, Any]:
    try:
        page = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{url}: the page is not valid JSON") from error
    if not isinstance(page, dict):
        raise SourceError(f"{url}: the JSON page is not an object")
    meta = page.get("meta")
    _check_version(meta.get("api-version") if isinstance(meta, dict) else None, url)
    return page


def _file_of_entry(entry: object, base: str) -> SourceFile | tuple[str, str]:
    values: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    filename, link = values.get("filename"), values.get("url")
    if not isinstance(filename, str) or not isinstance(link, str):
        return excerpt(str(filename)), "the source describes it without a file name or a URL"
    url = _url(link, base)
    if url is None:
        return excerpt(filename, MAX_FILENAME), f"its URL {excerpt(link)} cannot be requested: only http and https can"
    hashes, size = values.get("hashes"), values.get("size")
    texts = {key: text for key, text in hashes.items() if isinstance(text, str)} if isinstance(hashes, dict) else {}
    yanked = values.get("yanked")
    return SourceFile(
        filename=filename,
        url=url[0],
        digests=known_digests(texts),
        size=size if type(size) is int and size >= 0 else None,
        uploaded_at=_time(values.get("upload-time")),
        # "MAY be either a boolean [...] or a non-empty string"
        yanked="" if yanked is True else yanked if isinstance(yanked, str) and yanked else None,
    )


# HTML


class _Link:
    """An anchor."""

    def __init__(self, href: str, attributes: Mapping[str, str | None]) -> None:
        self.href = href
        self.attributes = attributes
        self._parts: list[str] = []
        self._length = 0

    def add(self, text: str) -> None:
        if self._length <= _MAX_TEXT:
            self._parts.append(text)
            self._length += len(text)

    @property
    def text(self) -> str:
        return "".join(self._parts).strip()


class _Page(HTMLParser):
    """The anchors of a page, its base and its version."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.url = self.base = url
        self.links: list[_Link] = []
        self._has_base = self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "a" and attributes.get("href") is not None:
            self.links.append(_Link(attributes["href"] or "", attributes))
            self._is_open = True
        elif tag == "base" and attributes.get("href") and not self._has_base:
            base = _url(attributes["href"] or "", self.url)
            self.base, self._has_base = (base[0] if base else self.url), True
        elif tag == "meta" and attributes.get("name") == "pypi:repository-version":
            _check_version(attributes.get("content"), self.url)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._is_open = False

    def handle_data(self, data: str) -> None:
        if self._is_open:
            self.links[-1].add(data)


def _html(body: bytes, content_type: str, url: str) -> _Page:
    match = re.search(r"charset=[\"']?([A-Za-z0-9._-]{1,40})", content_type)
    try:
        text = body.decode(match[1] if match else "utf-8", "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    page = _Page(url)
    try:
        page.feed(text)
        page.close()
    except AssertionError as error:  # html.parser, for some declarations that no browser understands either
        raise SourceError(f"{url}: the page is not valid HTML") from error
    return page


def _file_of_link(link: _Link, base: str) -> SourceFile | tuple[str, str]:
    url = _url(link.href, base)
    if url is None:
        return excerpt(link.text, MAX_FILENAME), f"its URL {excerpt(link.href)} cannot be requested"
    address, fragment = url
    algorithm, _, digest = fragment.partition("=")
    yanked = link.attributes["data-yanked"] or "" if "data-yanked" in link.attributes else None
    return SourceFile(
        filename=_filename(address, link.text),
        url=address,
        digests=known_digests({algorithm: digest}),
        # Not in any standard; uv reads it, and some indexes send it.
        uploaded_at=_time(link.attributes.get("data-upload-time")),
        yanked=yanked,
    )
