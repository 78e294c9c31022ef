"""Requests that no client sends, drawn at random, and what every response must satisfy.

``python -m tests.hostile.requests 1000000 [SEED]`` sends so many and prints how many had each status.

A request begins as a valid one, drawn from the table of routes. Then parts of its path, its query, its headers and its
body are replaced. So most requests come further than the router.
"""

import gzip
import io
import json
import logging
import random
import re
import sys
import tempfile
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from werkzeug.test import Client

from pypi_registry import Registry
from pypi_registry._api.routes import ROUTES
from pypi_registry._variants import canonical
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, User
from pypi_registry.model import Visibility
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import Variant, distribution, make_wheel

SECRET = "s3cr3t"
INDEX = "https://mirror.example/simple"
TAG = "hostile"
MARKUP = f"<{TAG} onclick=alert(1)>"
DATA = distribution("demo-1.0.tar.gz")
DIGEST = sha256(DATA).hexdigest()
VARIANT = make_wheel("demo", "1.0", variant=Variant("fast"))
VARIANTS_DIGEST = sha256(canonical(json.loads(Variant("fast").to_json())).encode()).hexdigest()
"""Of the variants JSON of this version."""
BOUNDARY = "0f8a1b2c"

TEXTS: Sequence[str] = (
    "",
    "0",
    "1",
    "2",
    "-1",
    "01",
    "1e3",
    "9" * 18,
    "9" * 19,
    "9" * 5000,
    "true",
    "None",
    "acme/tools",
    "acme%2Ftools",
    "ACME/Tools",
    "demo",
    "De.Mo",
    "de--mo",
    "-",
    "_",
    ".",
    "..",
    "../..",
    "..%2f..",
    "%2e%2e%2f",
    "a/../b",
    "a\\b",
    "C:\\x",
    "/etc/passwd",
    "file:///etc/passwd",
    "//evil.example",
    "https://evil.example/",
    "\0",
    "a\0b",
    "%00",
    "\r\nSet-Cookie: a=b",
    "%0d%0aSet-Cookie:%20a=b",
    "\n",
    "\x1b[2J",
    "\x85",
    "\u2028",
    "K",
    "ı",
    "é",
    "日本",
    "\ud800",
    "\U0001f600",
    "a" * 300,
    "a" * 70_000,
    "%",
    "%zz",
    "%c0%af",
    "+",
    "&",
    ";",
    "?",
    "#",
    "*",
    "'",
    '"',
    "`",
    "$(id)",
    "{{7*7}}",
    "${x}",
    "%s%n",
    MARKUP,
    f'"{MARKUP}',
    f"'>{MARKUP}",
    f"</title>{MARKUP}",
    f"javascript:{TAG}",
    "' OR 1=1 --",
    '"; DROP TABLE files; --',
    DIGEST,
    DIGEST.upper(),
    "0" * 64,
    "demo-1.0.tar.gz",
    "demo-1.0.tar.gz.metadata",
    "..tar.gz",
    "demo-1.0-py3-none-any.whl",
    "simple",
    "packages",
    "pypi",
    "files",
    "+simple",
    "authorize",
    "nan",
    "inf",
    "[]",
    "{}",
    "null",
    "NaN",
)
METHODS = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "get",
    "PROPFIND",
    "",
    "G\0T",
)
QUERY = (
    "page",
    "per_page",
    "order_by",
    "sort",
    "package_name",
    "package_version",
    "package_type",
    "status",
    "format",
    "include_versionless",
    "exclude_subgroups",
    "private_token",
    "a",
    "",
)
HEADERS: Mapping[str, Sequence[str]] = {
    "HTTP_ACCEPT": (
        "*/*",
        "text/html",
        "application/vnd.pypi.simple.v1+json",
        "application/vnd.pypi.simple.latest+html",
        "text/html;q=0",
        "a/b;q=x",
        "*/*;q=1.0001",
        ",".join(f"a/{n};q=0.{n}" for n in range(300)),
        ";;,,=",
        "text/html;" * 99,
    ),
    "HTTP_ACCEPT_ENCODING": (
        "gzip",
        "identity;q=0",
        "gzip;q=0",
        "*;q=0",
        "br, gzip;q=0.1",
        ",;=",
        "gzip;q=" + "9" * 400,
    ),
    "HTTP_AUTHORIZATION": (
        "Basic",
        "Basic ",
        "Basic !!",
        "Basic YQ==",
        "Bearer",
        "Bearer x",
        "Digest a=b",
        "basic " + "QQ" * 20_000,
    ),
    "HTTP_PRIVATE_TOKEN": (SECRET, "x", "\xff", ""),
    "HTTP_JOB_TOKEN": (SECRET, "x"),
    "HTTP_DEPLOY_TOKEN": (SECRET, "x"),
    "HTTP_RANGE": (
        "bytes=0-",
        "bytes=-1",
        "bytes=5-2",
        "bytes=0-0,2-3",
        "bytes=" + ",".join(["0-"] * 2000),
        "bytes=-0",
        "bytes=99999999999999999999-",
        "lines=1-2",
        "bytes=a-b",
        "bytes=--1",
        "bytes=0-" + "9" * 5000,
    ),
    "HTTP_IF_RANGE": ('"x"', 'W/"x"', "Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 99 Jan 2000", "\xff"),
    "HTTP_IF_NONE_MATCH": ("*", '"x"', 'W/"x", "y"', '"' * 999, "\xff"),
    "HTTP_IF_MATCH": ("*", '"x"'),
    "HTTP_IF_MODIFIED_SINCE": (
        "Sat, 01 Jan 2000 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Sat, 01 Jan 0000 00:00:00 GMT",
        "x",
    ),
    "HTTP_IF_UNMODIFIED_SINCE": (
        "Sat, 01 Jan 2000 00:00:00 GMT",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "Mon, 01 Jan 1 00:00:00 +9999",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "1",
        "\xff",
    ),
    "HTTP_HOST": ("registry.example", "evil.example\r\nX: y", f'"{MARKUP}', "a" * 300, "[::1]:80", ":", "a@b", "\xff"),
    "HTTP_ORIGIN": ("null", "https://evil.example", "\xff"),
    "HTTP_SEC_FETCH_SITE": ("cross-site", "same-site", "same-origin", "none", "x"),
    "HTTP_X_FORWARDED_HOST": ("evil.example",),
    "HTTP_X_FORWARDED_PROTO": ("https", "javascript"),
    "HTTP_X_FORWARDED_PREFIX": (f"/{MARKUP}",),
    "HTTP_COOKIE": ("a=b", "\xff" * 9),
    "HTTP_EXPECT": ("100-continue", "x"),
    "HTTP_TRANSFER_ENCODING": ("chunked", "gzip, chunked", "x"),
    "HTTP_CONTENT_ENCODING": ("gzip",),
    "CONTENT_LENGTH": ("0", "1", "-1", "x", "9" * 30, "", "1 ", "+5", "\u0661"),
    "CONTENT_TYPE": (
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain",
        "\xff",
        "",
        f'multipart/form-data; boundary="{BOUNDARY}"',
        "multipart/form-data; boundary=" + "b" * 9000,
        "application/x-www-form-urlencoded",
    ),
    "SCRIPT_NAME": ("/api/v4", f"/{MARKUP}", "/\xff"),
    "wsgi.url_scheme": ("http", "https"),
    "SERVER_PROTOCOL": ("HTTP/1.0", "HTTP/1.1", "HTTP/0.9", "x"),
}
FIELDS = (
    "name",
    "version",
    ":action",
    "protocol_version",
    "filetype",
    "pyversion",
    "metadata_version",
    "summary",
    "description",
    "description_content_type",
    "requires_python",
    "requires_dist",
    "classifiers",
    "project_urls",
    "keywords",
    "license",
    "author_email",
    "sha256_digest",
    "md5_digest",
    "blake2_256_digest",
    "gpg_signature",
    "attestations",
    "content",
    "",
)


_UPLOADS = next(route for route in ROUTES if "POST" in route.endpoints)


class Requests:
    """Draws requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.chance, self.choice = self._random.random, self._random.choice

    def draw(self) -> dict[str, Any]:
        """Return the environ of one request."""
        route = self.choice(ROUTES) if self.chance() < 0.8 else _UPLOADS
        methods = [method for method in route.endpoints if method != "DELETE" or self.chance() < 0.2] or ["GET"]
        method = self.choice(methods) if self.chance() < 0.9 else self.choice(METHODS)
        path = self._path(route.path)
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": _wsgi(path), "QUERY_STRING": self._query()}
        setup_testing_defaults(environ)
        if self.chance() < 0.7:
            environ["HTTP_AUTHORIZATION"] = "Basic " + b64encode(f"any:{SECRET}".encode()).decode()
        body = self._body(method, environ)
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
        while self.chance() < 0.65:
            name = self.choice([*HEADERS])
            environ[name] = _wsgi(self._text() if self.chance() < 0.2 else self.choice(HEADERS[name]))
        if environ["wsgi.url_scheme"] not in ("http", "https"):
            environ["wsgi.url_scheme"] = "http"  # the server decides it, and no client
        return environ

    def _text(self) -> str:
        text = self.choice(TEXTS)
        if len(text) < 400 and self.chance() < 0.2:
            text += self.choice(TEXTS)[:400]
        if text and len(text) < 400 and self.chance() < 0.1:
            at = self._random.randrange(len(text))
            text = text[:at] + chr(self._random.randrange(256)) + text[at + 1 :]
        return text

    def _path(self, template: str) -> str:
        values = {
            "project": "1",
            "group": "1",
            "name": "demo",
            "sha256": VARIANTS_DIGEST if ":release" in template else DIGEST,
            "filename": "demo-1.0.tar.gz",
            "release": "demo-1.0",
            "package_id": str(self._random.randrange(1, 20)),
            "package_file_id": str(self._random.randrange(1, 40)),
        }
        parts = []
        for part in template.split("/"):
            name, suffix = split_parameter(part)
            value = values[name] + suffix if name else part
            if name in ("project", "group"):
                value = self.choice(("1", "1", "1", "2", "3", "acme%2ftools", "acme"))
            chance = 0.15 if part.startswith(":") else 0.01
            parts.append(self._text() if self.chance() < chance else value)
        return "/".join(parts) + self.choice(("", "", "", "", "/", "/", "/", "//"))

    def _query(self) -> str:
        pairs = []
        while self.chance() < 0.4:
            pairs.append(f"{self.choice(QUERY)}={self._text()}")
        return _wsgi("&".join(pairs))

    def _body(self, method: str, environ: dict[str, Any]) -> bytes:
        if method == "POST":
            environ["CONTENT_TYPE"] = f"multipart/form-data; boundary={BOUNDARY}"
            body = self._form()
        elif method == "PATCH":
            environ["CONTENT_TYPE"] = "application/json"
            body = self._json()
        else:
            body = b"" if self.chance() < 0.95 else b"x" * 100
        if body and self.chance() < 0.1:
            at = self._random.randrange(len(body))
            body = body[:at] + bytes([self._random.randrange(256)]) + body[at + self._random.randrange(3) :]
        return body

    def _json(self) -> bytes:
        value: Any = (
            {"yanked": self.choice((True, False, "a reason", None))}
            if self.chance() < 0.5
            else {"status": "deprecated"}
        )
        if self.chance() < 0.3:
            value[self.choice(("yanked", "status", "reason", "x"))] = self.choice(
                (self._text(), 1, 1e308, [], {}, None, True)
            )
        if self.chance() < 0.1:
            return self._text().encode("utf-8", "surrogatepass")
        if self.chance() < 0.02:
            return b"[" * 60_000
        return json.dumps(value).encode()

    def _form(self) -> bytes:
        version = f"{self._random.randrange(5)}.{self._random.randrange(3)}"
        filename = self.choice((f"demo-{version}.tar.gz", f"demo-{version}-py3-none-any.whl"))
        fields: list[tuple[str, str, bytes]] = [
            ("name", "", b"demo"),
            ("version", "", version.encode()),
            ("content", filename, distribution(filename)),
        ]
        while self.chance() < 0.4:
            at, text = self._random.randrange(len(fields) + 1), self._text().encode("utf-8", "surrogatepass")
            fields.insert(at, (self.choice(FIELDS), self.choice(("", "", self._text())), text))
        if self.chance() < 0.1:
            del fields[self._random.randrange(len(fields))]
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'.encode("utf-8", "surrogatepass")
            + (f'; filename="{filename}"'.encode("utf-8", "surrogatepass") if filename else b"")
            + b"\r\n\r\n"
            + data
            for name, filename, data in fields
        ]
        return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _wsgi(text: str) -> str:
    """Return a text as servers pass it on: each byte as one character (PEP 3333)."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


@contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """Make a registry with a project of each visibility and one package, over SQLite and files."""
    accounts = Accounts(
        projects=[
            ProjectConfig(id=1, path="acme/tools"),
            ProjectConfig(id=2, path="acme/open", visibility=Visibility.PUBLIC),
            ProjectConfig(id=3, path="other/app", visibility=Visibility.INTERNAL),
        ],
        groups=[GroupConfig(id=1, path="acme")],
        users=[User(name="ada", roles={"acme": Role.OWNER, "other": Role.OWNER})],
        tokens=[Token(user="ada", scopes=frozenset({"api"}), sha256=sha256(SECRET.encode()).hexdigest())],
        forwarding=INDEX,
    )
    with closing(SQLiteCatalogue(folder / "catalogue.sqlite3")) as catalogue:
        found = accounts.registry(catalogue=catalogue, blobs=FileBlobs(folder / "files"))
        for id_ in (1, 2, 3):
            for data, filename in ((DATA, "demo-1.0.tar.gz"), (VARIANT.data, VARIANT.filename)):
                form = {"name": "demo", "version": "1.0", "content": (io.BytesIO(data), filename)}
                response = Client(found).post(f"/projects/{id_}/packages/pypi", data=form, auth=("any", SECRET))
                assert response.status_code == 201, response.text
        yield found


def split_parameter(part: str) -> tuple[str, str]:
    """Return the name of the parameter in a part of a path, and what follows it; an empty name if there is none."""
    match = re.match(r":(\w+)", part)
    return (match[1], part[match.end() :]) if match else ("", part)


class Responses:
    """Sends requests to a registry, and checks every response."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.statuses: Counter[int] = Counter()

    def send(self, environ: dict[str, Any]) -> None:
        """Send one request.

        :raises AssertionError: if its response, a log record or an opened file is not as it must be.
        """
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], info: object = None) -> Callable[[bytes], None]:
            started.append((status, headers))
            return lambda data: None

        chunks = self._registry(environ, start_response)
        body = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        [(status, headers)] = started
        self.statuses[int(status[:3])] += 1
        _check_head(status, headers, environ, len(body))
        _check_body(dict(headers), body)


def _check_head(status: str, headers: list[tuple[str, str]], environ: Mapping[str, Any], length: int) -> None:
    assert int(status[:3]) < 500, status
    for text in (status, *(f"{name}: {value}" for name, value in headers)):
        assert text.encode("latin-1").decode("latin-1").isprintable(), f"{text!r} is no header line"
        assert f"<{TAG}" not in text or text.startswith(("Link:", status[:3])), text
    found = {name.lower(): value for name, value in headers}
    location = found.get("location", "")
    assert not location or location.startswith((INDEX, "/", "http://", "https://")), location
    if status.startswith("302"):
        assert location.startswith(f"{INDEX}/"), location
    assert SECRET not in str(headers)
    if environ["REQUEST_METHOD"] == "HEAD":
        assert length == 0
    elif "content-length" in found:
        assert length == int(found["content-length"])


class _Tags(HTMLParser):
    """Fails at an element of a stranger, and at an attribute that runs a script."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in (TAG, "script", "iframe", "object", "embed", "base"), tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            if name in ("href", "src", "action", "formaction"):
                assert not (value or "").strip().lower().startswith(("javascript:", "data:")), value


def _check_body(headers: Mapping[str, str], body: bytes) -> None:
    kind = headers.get("Content-Type", "")
    if headers.get("Content-Encoding") == "gzip" and body:
        body = gzip.decompress(body)
    assert SECRET.encode() not in body
    assert b"Traceback" not in body
    if "html" in kind:
        text = body.decode("utf-8")
        assert f"<{TAG}" not in text
        _Tags().feed(text)
    elif "json" in kind and body:
        json.loads(body)


class Failures(logging.Handler):
    """Keeps what is logged about a defect."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def send_many(number: int, seed: int, folder: Path) -> Counter[int]:
    """Send so many requests to a registry in a folder; return how many had each status.

    :raises AssertionError: if one of them is not as it must be; a note shows the request.
    """
    requests, failures = Requests(seed), Failures()
    logging.getLogger("pypi_registry").addHandler(failures)
    try:
        with registry(folder) as found:
            responses = Responses(found)
            for position in range(number):
                environ = requests.draw()
                try:
                    responses.send(environ)
                    assert not failures.records, failures.records[0].getMessage()
                except BaseException as error:
                    shown = {name: value for name, value in environ.items() if isinstance(value, str)}
                    error.add_note(f"request {position} of seed {seed}: {str(shown)[:3000]}")
                    error.add_note(f"body: {environ['wsgi.input'].getvalue()[:500]!r}")
                    raise
    finally:
        logging.getLogger("pypi_registry").removeHandler(failures)
    return responses.statuses


@contextmanager
def no_files_outside(folder: str) -> Iterator[None]:
    """Fail when the block opens, renames or removes a file that is not below a folder, nor part of Python.

    A process cannot remove the hook, so this is for a process of its own.
    """
    inside = [True]
    allowed = (folder, *filter(None, sys.path), sys.base_prefix, sys.prefix, "/etc/mime.types", "/dev/urandom")

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir", "sqlite3.connect"):
            path = arguments[0]
            if inside and isinstance(path, str) and not path.removeprefix("file://").startswith(allowed):
                raise AssertionError(f"{event} {path!r}")

    sys.addaudithook(audit)
    try:
        yield
    finally:
        inside.clear()


def main(number: str, seed: str = "1") -> None:
    with tempfile.TemporaryDirectory() as folder, no_files_outside(folder):
        statuses = send_many(int(number), int(seed), Path(folder) / "data")
    print(json.dumps({"requests": statuses.total(), "statuses": dict(sorted(statuses.items()))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
