"""The same round on every server that can be installed, and behind nginx.

If a server cannot do something, its row states that, and the tests check what it does instead.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pypi_registry._publishing.form import MAX_FIELDS
from pypi_registry.testing.archives import distribution
from tests.clients.distributions import make_wheel
from tests.clients.programs import Programs, with_login
from tests.clients.served import PATIENCE
from tests.clients.wire import BOUNDARY, Answer, form, login, request, upload
from tests.servers.running import MAX_FILE_SIZE, SECRET, SERVERS, Server, running

pytestmark = pytest.mark.slow

PLACE = "/api/v4/projects/acme%2Ftools/packages/pypi"
WHEEL = "seed-1.0-py3-none-any.whl"
CONTENT = distribution(WHEEL, size=300_000)


@dataclass(frozen=True)
class Row:
    """A running server."""

    server: Server
    host: str

    @property
    def place(self) -> str:
        return self.host + PLACE

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", urlsplit(self.host).port or 0), timeout=PATIENCE)

    @contextmanager
    def posting(self, secret: str, headers: Mapping[str, str], body: Iterable[bytes]) -> Iterator[HTTPResponse]:
        """Send as much of a form as the server reads; then read its response, as urllib3 does."""
        said = {
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            **headers,
            **(login(secret) if secret else {}),
        }
        with self.connect() as connection:
            with suppress(ConnectionError):
                connection.sendall(_head(f"POST {PLACE}", said))
                for data in body:
                    connection.sendall(data)
            response = HTTPResponse(connection)
            response.begin()
            yield response

    def one_after_another(self, *requests: bytes) -> list[int]:
        """Send requests over one connection until it is closed; return the statuses of the responses."""
        statuses = []
        with self.connect() as connection, suppress(ConnectionError):
            for sent in requests:
                connection.sendall(sent)
                response = HTTPResponse(connection)
                response.begin()
                response.read()
                statuses.append(response.status)
                if response.will_close:
                    break
        return statuses


def _head(request: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{request} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.fixture(scope="module", params=SERVERS, ids=lambda server: server.name.replace(" ", "-"))
def row(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Row]:
    server: Server = request.param
    if missing := server.missing():
        pytest.skip(missing)
    with running(server, tmp_path_factory.mktemp("server")) as host:
        yield Row(server, host)


@pytest.fixture(scope="module")
def file(row: Row) -> str:
    """The path of a published file."""
    done = upload(row.place, SECRET, {"name": "seed", "version": "1.0"}, WHEEL, CONTENT)
    assert done.status == 201, done
    page = request("GET", f"{row.place}/simple/seed/", {**login(SECRET), "Accept": "text/html"})
    [link] = [line.split('"')[1] for line in page.body.decode().splitlines() if "href=" in line]
    return f"{PLACE}/files/{link.partition('/files/')[2].partition('#')[0]}"


WITH_CLIENTS = ["gunicorn gthread", "waitress", "uwsgi", "bjoern", "nginx in front of uwsgi"]
"""The servers that real clients use with --slow; the others take --long."""


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(
            server,
            id=server.name.replace(" ", "-"),
            marks=[] if server.name in WITH_CLIENTS else [pytest.mark.long],
        )
        for server in SERVERS
    ],
    indirect=True,
    scope="module",
)
def test_twine_publishes_and_pip_installs_at_an_address_with_an_encoded_slash(row: Row, tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    wheel = make_wheel(tmp_path / "dist", "demo", "1.0")
    programs.twine_upload(row.place, SECRET, wheel)
    programs.run(
        *("pip", "install", "--target", tmp_path / "site", "--index-url"),
        *(with_login(f"{row.place}/simple", SECRET), "demo"),
    )
    assert (tmp_path / "site" / "demo.py").read_text() == "VERSION = '1.0'\n"
    refused = programs.twine_upload(row.place, SECRET, wheel, status=1)
    assert ("already exists" if row.server.says_why else "400 Bad Request") in refused


@pytest.mark.parametrize("path", ["a page", "a file"])
def test_a_head_has_the_headers_of_a_get_and_no_body(row: Row, file: str, path: str) -> None:
    path = {"a page": f"{PLACE}/simple/seed/", "a file": file}[path]
    got = request("GET", row.host + path, login(SECRET))
    with row.connect() as connection:
        connection.sendall(_head(f"HEAD {path}", {"Connection": "close", **login(SECRET)}))
        response = HTTPResponse(connection, method="HEAD")
        response.begin()
        assert response.fp.read() == b""  # beneath what HTTPResponse itself leaves out
    assert (got.status, response.status) == (200, 200)
    about_the_connection = {"date", "connection", "keep-alive", "transfer-encoding"}
    shown, expected = (
        {(name.lower(), value) for name, value in headers.items() if name.lower() not in about_the_connection}
        for headers in (response.headers, got.headers)
    )
    assert shown == expected


def test_a_file_is_whole_and_so_is_a_part_of_it(row: Row, file: str) -> None:
    whole = request("GET", row.host + file, login(SECRET))
    assert (whole.status, whole.body) == (200, CONTENT)
    part = request("GET", row.host + file, {**login(SECRET), "Range": "bytes=1000-200000"})
    assert (part.status, part.body) == (206, CONTENT[1000:200_001])
    assert part.headers["Content-Range"] == f"bytes 1000-200000/{len(CONTENT)}"
    assert part.headers["ETag"] == whole.headers["ETag"]


@pytest.mark.parametrize(
    ("secret", "size", "status"),
    [
        pytest.param("", 30 * 1000**2, 401, id="anonymous"),
        pytest.param(SECRET, MAX_FILE_SIZE + MAX_FIELDS + 1, 413, id="too large"),
    ],
)
def test_a_client_that_sends_much_sees_why_it_is_refused(row: Row, secret: str, size: int, status: int) -> None:
    block = bytes(256 * 1024)
    blocks = (block[: size - at] for at in range(0, size, len(block)))
    with row.posting(secret, {"Content-Length": str(size)}, blocks) as answer:
        assert answer.status == status


def test_a_body_without_a_length_is_taken_or_refused_in_words(row: Row) -> None:
    name = "chunked-1.0-py3-none-any.whl"
    body = form({"name": "chunked", "version": "1.0"}, name, distribution(name, size=100_000))
    pieces = [body[at : at + 10_000] for at in range(0, len(body), 10_000)]
    chunks = (b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])
    with row.posting(SECRET, {"Transfer-Encoding": "chunked"}, chunks) as answer:
        assert answer.status == (201 if row.server.takes_chunks else 411)
    page = request("GET", f"{row.place}/simple/chunked/", login(SECRET))
    assert page.status == (200 if row.server.takes_chunks else 404)


def test_a_connection_serves_again_or_is_closed(row: Row, file: str) -> None:
    refused = form({"name": "seed", "version": "1.0"}, WHEEL, CONTENT)
    headers = {"Content-Length": str(len(refused)), "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    get, post = _head(f"GET {file}", login(SECRET)), _head(f"POST {PLACE}", headers | login(SECRET))
    answered = row.one_after_another(get, post + refused, get)
    assert answered == ([200, 400, 200] if row.server.keeps_alive else [200])
    # The body of an anonymous caller is not read where the server names no socket.
    answered = row.one_after_another(get, _head(f"POST {PLACE}", headers) + refused, get)
    assert answered in ([[200, 401, 200], [200, 401]] if row.server.keeps_alive else [[200]])


def test_what_is_left_of_a_body_that_nobody_read_is_no_request(row: Row) -> None:
    wish = _head(f"GET {PLACE}/simple/", login(SECRET))
    body = wish * (12 * 1000**2 // len(wish))  # more than is read of a body that is refused
    post = _head(f"POST {PLACE}", {"Content-Length": str(len(body))})
    assert row.one_after_another(post + body, _head("GET /nowhere", {})) in ([], [401], [401, 404])


def test_the_reason_of_a_refusal_is_in_the_status_line(row: Row) -> None:
    answer: Answer = upload(row.place, SECRET, {"name": "other", "version": "1.0"}, WHEEL, CONTENT)
    assert answer.status == 400
    assert b"Validation failed" in answer.body
    assert ("Validation failed" in answer.reason) is row.server.says_why
