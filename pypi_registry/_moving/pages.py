"""Reading the pages of other indexes: HTML (PEP 503, with the attributes of 592) and JSON (PEP 691 and 700).

Bytes in, values out. The pages come from strangers: an entry that cannot be read is a problem of this entry alone.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from packaging.utils import NormalizedName

from pypi_registry._excerpt import excerpt
from pypi_registry._filenames import SDIST_SUFFIXES, WHEEL_SUFFIX
from pypi_registry._moving.digests import known_digests
from pypi_registry._moving.markup import EndTag, StartTag, tokens, unescaped
from pypi_registry._moving.source import SourceError, SourceFile, SourcePage
from pypi_registry._names import MAX_LENGTH, normalize
from pypi_registry.distributions.filenames import MAX_FILENAME
from pypi_registry.errors import InvalidName

T = TypeVar("T")

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPES = ("application/vnd.pypi.simple.v1+html", "text/html")
ACCEPT = f"{JSON_TYPE}, {HTML_TYPES[0]};q=0.2, {HTML_TYPES[1]};q=0.1"


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a page may hold; a compressed page of some kilobytes can otherwise take all memory."""

    json_size: int
    """Bytes, decompressed."""
    html_size: int
    """Bytes, decompressed. HTML contains fewer facts about each file than JSON, so its pages are smaller."""
    entries: int
    """Names, or files."""
    values: int
    """Values in JSON: objects, arrays, and what is in them. Each one takes memory, however short it is."""

    def size(self, content_type: str, url: str) -> int:
        """Return how many bytes a page of a type may have.

        :raises SourceError: if it is not the type of a page.
        """
        return self.json_size if _media_type(content_type, url) == JSON_TYPE else self.html_size


# PyPI describes a name with 3 values and some 60 bytes of JSON, and a file with some 20 values and 900 bytes.
INDEX_LIMITS = Limits(128 * 1024**2, 64 * 1024**2, entries=1_000_000, values=4_000_000)
PAGE_LIMITS = Limits(32 * 1024**2, 16 * 1024**2, entries=50_000, values=1_000_000)
_MAX_TEXT = 10_000  # characters of the text of a link; no file name is longer
_MAX_BASE = 2_000  # characters of a URL to which links are relative: each link gets a copy of it
_MAX_PROBLEMS = 20  # of a page that are reported one by one; further ones are counted


def read_names(body: bytes, content_type: str, url: str, limits: Limits = INDEX_LIMITS) -> Sequence[NormalizedName]:
    """Return the names of an index, each once; texts that are not names are left out.

    :raises SourceError: if the body is not the list of names of an index, or exceeds a limit.
    """
    texts: Iterable[object]
    if _media_type(content_type, url) == JSON_TYPE:
        projects = _json(body, url, limits).get("projects")
        if not isinstance(projects, list):
            raise SourceError(f"{url}: the JSON page has no list of projects")
        texts = (entry.get("name") for entry in projects if isinstance(entry, dict))
    else:
        page = _Page(body, content_type, url)
        texts = (link.text or _last_segment(link.href) for link in page.links())
    found: dict[NormalizedName, None] = {}
    for name in filter(None, map(_name, texts)):
        found[name] = None
        if len(found) > limits.entries:
            raise SourceError(f"{url}: the index has more than {limits.entries} names; pass --name")
    return [*found]


def _name(text: object) -> NormalizedName | None:
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        return None
    try:
        return normalize(text.strip().rstrip("/"))
    except InvalidName:
        return None


def read_files(body: bytes, content_type: str, url: str, limits: Limits = PAGE_LIMITS) -> SourcePage:
    """Return the files of one name.

    :param url: of the page, after redirects: links are relative to it.
    :raises SourceError: if the body is not the page of a name, or exceeds a limit.
    """
    if _media_type(content_type, url) == JSON_TYPE:
        entries = _json(body, url, limits).get("files")
        if not isinstance(entries, list):
            raise SourceError(f"{url}: the JSON page has no list of files")
        base = _base(url)
        return _page((_file_of_entry(entry, base) for entry in entries), url, limits)
    page = _Page(body, content_type, url)
    links = [*_at_most(limits.entries, (link for link in page.links() if _is_file(link.href)), url)]
    base = _base(page.base)  # it holds for the links before it, too
    return _page((_file_of_link(link, base) for link in links), url, limits)


def _page(read: Iterable[SourceFile | tuple[str, str]], url: str, limits: Limits) -> SourcePage:
    files: list[SourceFile] = []
    problems: list[tuple[str, str]] = []
    others = 0
    for each in _at_most(limits.entries, read, url):
        if isinstance(each, SourceFile):
            files.append(each)
        elif len(problems) < _MAX_PROBLEMS:
            problems.append(each)
        else:
            others += 1
    if others:
        problems.append((f"{others} more entries", "they cannot be read either"))
    return SourcePage(files, problems)


def _at_most(limit: int, items: Iterable[T], url: str) -> Iterator[T]:
    for number, item in enumerate(items):
        if number == limit:
            raise SourceError(f"{url}: the page has more than {limit} files")
        yield item


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


def _base(url: str) -> str:
    """Return the part of a URL that relative links need.

    :raises SourceError: if it is too long.
    """
    found = url.partition("#")[0].partition("?")[0]
    if len(found) > _MAX_BASE:
        raise SourceError(f"{excerpt(url)}: the URL of the page has more than {_MAX_BASE} characters")
    return found


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


def _json(body: bytes, url: str, limits: Limits) -> Mapping[str, Any]:
    # Each value follows one of these; those in texts only make the count too high.
    if sum(map(body.count, (b",", b"[", b"{"))) > limits.values:
        raise SourceError(f"{url}: the JSON page has more than {limits.values} values")
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

    def __init__(self, href: str, attributes: Mapping[str, str]) -> None:
        self.href = href
        self.attributes = attributes
        self._parts: list[str] = []
        self._length = 0

    def add(self, text: str) -> None:
        part = text[: _MAX_TEXT - self._length]
        if part:
            self._parts.append(part)
            self._length += len(part)

    @property
    def text(self) -> str:
        return unescaped("".join(self._parts)).strip()


_ATTRIBUTES = frozenset({"content", "data-upload-time", "data-yanked", "href", "name"})


class _Page:
    """A page in HTML."""

    def __init__(self, body: bytes, content_type: str, url: str) -> None:
        self.url = url
        self.base = url
        """The URL to which links are relative; final when all links were read."""
        self._text = _decoded(body, content_type)

    def links(self) -> Iterator[_Link]:
        """Yield the anchors, each with its text.

        :raises SourceError: if the page is of another version of the API.
        """
        link, has_base = None, False
        for token in tokens(self._text, _ATTRIBUTES):
            if isinstance(token, str):
                if link is not None:
                    link.add(token)
                continue
            if token.name == "a":  # an anchor ends where the next one starts
                if link is not None:
                    yield link
                found = token.attributes if isinstance(token, StartTag) else {}
                link = _Link(found["href"], found) if "href" in found else None
            elif isinstance(token, EndTag):
                continue
            elif token.name == "base" and token.attributes.get("href") and not has_base:
                base = _url(token.attributes["href"], self.url)
                self.base, has_base = (base[0] if base else self.url), True
            elif token.name == "meta" and token.attributes.get("name") == "pypi:repository-version":
                _check_version(token.attributes.get("content"), self.url)
        if link is not None:
            yield link


# No other codec of Python is used: some are not for text (rot13), fail (idna), or are slow (punycode).
_CODECS = {
    "utf-8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}


def _decoded(body: bytes, content_type: str) -> str:
    match = re.search(r"charset=[\"']?([A-Za-z0-9._-]{1,40})", content_type)
    return body.decode(_CODECS.get(match[1].lower(), "utf-8") if match else "utf-8", "replace")


def _file_of_link(link: _Link, base: str) -> SourceFile | tuple[str, str]:
    url = _url(link.href, base)
    if url is None:
        return excerpt(link.text, MAX_FILENAME), f"its URL {excerpt(link.href)} cannot be requested"
    address, fragment = url
    algorithm, _, digest = fragment.partition("=")
    return SourceFile(
        filename=_filename(address, link.text),
        url=address,
        digests=known_digests({algorithm: digest}),
        # Not in any standard; uv reads it, and some indexes send it.
        uploaded_at=_time(link.attributes.get("data-upload-time")),
        yanked=link.attributes.get("data-yanked"),
    )
