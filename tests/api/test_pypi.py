import base64
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

import pypi_simple
import pytest
from packaging.utils import NormalizedName
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry._api import pypi
from pypi_registry._api.call import Call, Services
from pypi_registry._api.routes import match
from pypi_registry._http.body import DRAINED
from pypi_registry._http.request import Request
from pypi_registry._open_access import OpenDirectory
from pypi_registry._pages.cache import PageCache
from pypi_registry._paths import id_from_path, is_below
from pypi_registry._publishing.form import MAX_FIELDS
from pypi_registry._publishing.publish import Stores
from pypi_registry.accounts import Accounts, ProjectConfig, Role, Token, User, token_digest
from pypi_registry.auth import Ability, AuthScheme, Credentials, Subject
from pypi_registry.directory import Ref
from pypi_registry.errors import InvalidToken, RegistryError, StorageFull, StorageUnavailable
from pypi_registry.forwarding import Forward
from pypi_registry.model import (
    Digests,
    Group,
    Namespace,
    PackageFile,
    PackageName,
    Project,
    Projects,
    Upload,
    Visibility,
)
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.stores.sqlite import SQLiteCatalogue
from pypi_registry.testing.archives import distribution, name_and_version
from tests.distributions.measuring import peak

ClientOf = Callable[[Registry], Any]

MIRROR = "https://mirror.example/simple/"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
HTML = {"Accept": "text/html"}

TOOLS = "/projects/acme%2Ftools/packages/pypi"
OTHER = "/projects/acme%2Fother/packages/pypi"
ACME = "/groups/acme/-/packages/pypi"


DEMO = distribution("demo-1.0.tar.gz")


def publish(client: Any, where: str, filename: str = "demo-1.0.tar.gz", data: bytes = b"", **fields: Any) -> Any:
    """Upload as twine does; what is not given comes from the file name."""
    name, version = name_and_version(filename)
    options = {option: fields.pop(option) for option in ("status", "headers") if option in fields}
    form = {":action": "file_upload", "protocol_version": "1", "name": name, "version": version, **fields}
    return client.post(where, form, upload_files=[("content", filename, data or distribution(filename))], **options)


# The host: two projects in groups of their own, and people


GUEST, DEVELOPER = 10, 30

OPEN = Project(1, "acme/open", visibility=Visibility.PUBLIC)
CLOSED = Project(2, "vault/closed")
HIDDEN = Project(3, "acme/hidden")
PLACES: list[Project | Group] = [
    OPEN,
    CLOSED,
    HIDDEN,
    Group(10, "acme", "Acme & <Sons>", Visibility.PUBLIC),
    Group(20, "vault"),
]
TOKENS: Mapping[str, Mapping[str, int]] = {
    "developer": {"acme": DEVELOPER, "vault": DEVELOPER},
    "guest": {"acme": GUEST, "vault": GUEST},
    "insider": {"vault/closed": DEVELOPER},
    "stranger": {},
}


class Host:
    """Knows the places and the tokens above."""

    def project(self, ref: Ref) -> Project | None:
        return next((p for p in PLACES if isinstance(p, Project) and ref in (p.id, p.path)), None)

    def group(self, ref: Ref) -> Group | None:
        return next((p for p in PLACES if isinstance(p, Group) and ref in (p.id, p.path)), None)

    def projects_in(self, group: Group) -> Projects:
        return Projects(p for p in PLACES if isinstance(p, Project) and is_below(p.path, group.path))

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> "Somebody":
        roles = TOKENS.get(credentials.secret) if credentials else None
        if credentials and roles is None and credentials.scheme is not AuthScheme.BASIC:
            raise InvalidToken
        return Somebody(credentials.secret if credentials and roles is not None else "", roles)


@dataclass
class Somebody:
    name: str
    roles: Mapping[str, int] | None
    via: str = "token"

    @property
    def anonymous(self) -> bool:
        return self.roles is None

    def can(self, ability: Ability, subject: Subject) -> bool:
        if isinstance(subject, PackageName):
            return ability is Ability.CREATE_PACKAGE and not subject.name.startswith("core-")
        held = self.roles or {}
        role = max((level for path, level in held.items() if is_below(f"{subject.path}/", path)), default=0)
        if ability in (Ability.CREATE_PACKAGE, Ability.ADMIN_PACKAGE):
            return role >= DEVELOPER
        inside = ability is Ability.READ_GROUP and any(is_below(path, subject.path) for path in held)
        seen = subject.visibility is Visibility.PUBLIC or role >= GUEST or inside
        return seen and ability in (Ability.READ_PROJECT, Ability.READ_GROUP, Ability.READ_PACKAGE)


def hosted(auth: Any = None, forward_to: Any = None, blobs: Any = None, **options: Any) -> Registry:
    return Registry(
        directory=Host(),
        auth=auth or Host(),
        catalogue=MemoryCatalogue(),
        blobs=blobs or MemoryBlobs(),
        forward_to=forward_to,
        **options,
    )


def basic(token: str, user: str = "__token__") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()}


DEVELOPING = basic("developer")


@pytest.fixture
def hosts(client_of: ClientOf) -> Any:
    """A registry over the host, with a file in each project."""
    client = client_of(hosted())
    # The open one last, so that whoever reads one project and whoever reads both see pages of the same revision.
    for project in (HIDDEN, CLOSED, OPEN):
        filename = f"{project.path.rpartition('/')[2]}-1.0.tar.gz"
        publish(client, f"/projects/{project.id}/packages/pypi", filename, headers=DEVELOPING, status=201)
    return client


def sha256_of(filename: str) -> str:
    """Give the digest of what `publish` sends."""
    return hashlib.sha256(distribution(filename)).hexdigest()


CALLERS: Mapping[str, dict[str, str]] = {
    "developer": basic("developer"),
    "guest": basic("guest"),
    "stranger": basic("stranger"),
    "wrong token": basic("wrong"),
    "anonymous": {},
}


READS = ["simple", "simple/", "simple/{name}", "simple/{name}/", "files/{sha256}/{name}-1.0.tar.gz"]


@pytest.mark.parametrize("place", ["/projects/{id}/packages/pypi", "/groups/{group}/-/packages/pypi"])
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    ("project", "statuses"),
    [
        (OPEN, {"developer": 200, "guest": 200, "stranger": 200, "wrong token": 200, "anonymous": 200}),
        (CLOSED, {"developer": 200, "guest": 200, "stranger": 404, "wrong token": 401, "anonymous": 401}),
    ],
    ids=["public", "private"],
)
def test_reads_are_for_guests_and_up_or_for_everybody(
    hosts: Any, project: Project, statuses: Mapping[str, int], place: str, caller: str
) -> None:
    name = project.path.rpartition("/")[2]
    sha256 = sha256_of(f"{name}-1.0.tar.gz")
    for address in READS:
        path = f"{place}/{address}".format(id=project.id, group=project.root, name=name, sha256=sha256)
        answer = hosts.get(path, headers=CALLERS[caller], status=statuses[caller])
        challenge = answer.headers.get("WWW-Authenticate")
        if answer.status_int != 200:
            assert answer.json == {"message": {401: "401 Unauthorized", 404: "404 Not Found"}[answer.status_int]}
        assert challenge == ('Basic realm="GitLab Packages Registry"' if answer.status_int == 401 else None)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize(
    ("project", "statuses"),
    [
        (OPEN, {"developer": 201, "guest": 403, "stranger": 403, "wrong token": 401, "anonymous": 401}),
        (CLOSED, {"developer": 201, "guest": 403, "stranger": 404, "wrong token": 401, "anonymous": 401}),
    ],
    ids=["public", "private"],
)
def test_uploads_are_for_developers_and_up(
    hosts: Any, project: Project, statuses: Mapping[str, int], caller: str
) -> None:
    here = f"/projects/{project.id}/packages/pypi"
    answer = publish(hosts, here, "new-1.0.tar.gz", headers=CALLERS[caller], status=statuses[caller])
    messages = {201: "201 Created", 401: "401 Unauthorized", 403: "403 Forbidden", 404: "404 Not Found"}
    assert answer.json == {"message": messages[statuses[caller]]}
    assert ("WWW-Authenticate" in answer.headers) == (statuses[caller] == 401)
    stored = 200 if statuses[caller] == 201 else 404
    hosts.get(f"{here}/simple/new/", headers=DEVELOPING, status=stored)


@pytest.mark.parametrize("project", [OPEN, CLOSED], ids=["public", "private"])
def test_a_wrong_token_in_a_header_of_its_own_is_401_even_where_anyone_may_read(hosts: Any, project: Project) -> None:
    hosts.get(f"/projects/{project.id}/packages/pypi/simple/", headers={"Private-Token": "wrong"}, status=401)


@pytest.mark.parametrize("headers", [{}, basic("wrong"), {"Private-Token": "wrong"}, DEVELOPING])
def test_an_unknown_id_is_404_before_anybody_is_asked_who_they_are(hosts: Any, headers: dict[str, str]) -> None:
    for path in ("/projects/99/packages/pypi/simple/", "/groups/nobody/-/packages/pypi/simple/demo/"):
        assert hosts.get(path, headers=headers, status=404).json == {"message": "404 Not Found"}
    publish(hosts, "/projects/acme%2Fnobody/packages/pypi", headers=headers, status=404)


def test_a_member_of_a_project_inside_may_know_the_group_but_not_read_it(hosts: Any) -> None:
    answer = hosts.get("/groups/vault/-/packages/pypi/simple/", headers=basic("insider"), status=403)
    assert answer.json == {"message": "403 Forbidden"}
    hosts.get("/projects/2/packages/pypi/simple/", headers=basic("insider"), status=200)


def test_a_group_shows_everybody_the_projects_that_they_may_read(hosts: Any) -> None:
    def seen(headers: dict[str, str]) -> list[str]:
        page = hosts.get("/groups/acme/-/packages/pypi/simple/", headers=headers | JSON, status=200)
        return [project["name"] for project in page.json["projects"]]

    for _ in range(2):  # what was rendered for one must not be shown to the other
        assert seen({}) == ["open"]
        assert seen(basic("stranger")) == ["open"]
        assert seen(basic("guest")) == ["hidden", "open"]
    page, file = "simple/hidden/", f"files/{sha256_of('hidden-1.0.tar.gz')}/hidden-1.0.tar.gz"
    for path in (page, file, page):
        hosts.get(f"/groups/acme/-/packages/pypi/{path}", headers=basic("guest"), status=200)
        hosts.get(f"/groups/acme/-/packages/pypi/{path}", status=404)


def test_the_title_of_a_group_is_text_and_no_markup(hosts: Any) -> None:
    page = hosts.get("/groups/acme/-/packages/pypi/simple/", headers=HTML).text
    assert page.count("Links for Acme &amp; &lt;Sons&gt;") == 2
    assert "<Sons>" not in page


def test_a_protected_name_is_403_and_nothing_is_stored(client_of: ClientOf, tmp_path: Path) -> None:
    client = client_of(hosted(blobs=FileBlobs(tmp_path)))
    for filename in ("core-x-1.0.tar.gz", "Core.X-1.0.tar.gz"):
        answer = publish(client, "/projects/1/packages/pypi", filename, headers=DEVELOPING, status=403)
        assert answer.json == {"message": "403 Forbidden - Package protected."}
        assert answer.status == "403 Forbidden - Package protected."
    assert files_below(tmp_path) == []
    publish(client, "/projects/1/packages/pypi", "score-1.0.tar.gz", headers=DEVELOPING, status=201)


def test_a_protected_name_is_refused_before_its_form_is_found_faulty(client_of: ClientOf) -> None:
    client = client_of(hosted())
    publish(client, "/projects/1/packages/pypi", "core-x-1.0.tar.gz", version="?", headers=DEVELOPING, status=403)


# The body


class Log(list[str]):
    """What happened, in order."""


class Tape:
    """A body that notes when it is read, and may break."""

    def __init__(self, log: Log, data: bytes = b"", error: Exception | None = None) -> None:
        self.log, self.left, self.error = log, data, error

    def read(self, size: int = -1) -> bytes:
        self.log.append("read")
        if self.error:
            raise self.error
        data, self.left = self.left[:size], self.left[size:]
        return data


@dataclass
class Noting(Host):
    """The host, which notes what it is asked."""

    log: Log

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> "NotingPrincipal":
        self.log.append("authenticate")
        return NotingPrincipal("", TOKENS.get(credentials.secret) if credentials else None, log=self.log)


@dataclass(kw_only=True)
class NotingPrincipal(Somebody):
    log: Log

    def can(self, ability: Ability, subject: Subject) -> bool:
        self.log.append(f"{ability.value} {type(subject).__name__}")
        return super().can(ability, subject)


BOUNDARY = "boundary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form_of(data: bytes = DEMO, filename: str = "demo-1.0.tar.gz") -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"' for name in ("name", "version", "content")
    ]
    return (
        f'{parts[0]}\r\n\r\ndemo\r\n{parts[1]}\r\n\r\n1.0\r\n{parts[2]}; filename="{filename}"\r\n\r\n'.encode()
        + data
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


def send(registry: Registry, tape: Any, length: int | None, token: str = "developer", /, **environ: Any) -> Any:
    """Post a form to the first project, as raw as a server hands it on."""
    headers = {"HTTP_AUTHORIZATION": basic(token)["Authorization"], "CONTENT_TYPE": FORM_TYPE} | environ
    declared = {} if length is None else {"CONTENT_LENGTH": str(length)}
    base = create_environ("/projects/1/packages/pypi", method="POST")
    base.pop("CONTENT_LENGTH", None)
    body, status, _ = run_wsgi_app(registry, base | headers | declared | {"wsgi.input": tape})
    return status, json.loads(b"".join(body))


def listed(registry: Registry) -> list[str]:
    """The names in the first project."""
    accept = {"HTTP_ACCEPT": JSON["Accept"]}
    body, _, _ = run_wsgi_app(registry, create_environ("/projects/1/packages/pypi/simple/") | accept)
    return [project["name"] for project in json.loads(b"".join(body))["projects"]]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_nothing_of_a_body_is_read_before_its_sender_may_publish() -> None:
    log, form = Log(), form_of()
    status, _ = send(hosted(auth=Noting(log)), Tape(log, form), len(form))
    assert status == "201 Created"
    assert log[:3] == ["authenticate", "create_package Project", "read"]
    assert log.index("create_package PackageName") > 2


@pytest.mark.parametrize(("token", "status"), [("guest", "403 Forbidden"), ("stranger", "403 Forbidden")])
def test_a_refused_body_is_read_only_after_the_decision(token: str, status: str) -> None:
    log, form = Log(), form_of()
    tape = Tape(log, form)
    assert send(hosted(auth=Noting(log)), tape, len(form), token)[0] == status
    assert log[:2] == ["authenticate", "create_package Project"]
    first_read = log.index("read")
    assert set(log[first_read:]) == {"read"}
    assert tape.left == b""  # a client that is still sending must get to see the answer


@pytest.mark.parametrize(
    "path",
    [
        "/projects/1/packages/pypi",
        "/projects/1/packages/pypi/simple/demo",
        "/projects/1/packages/pypi/files/0/demo-1.0.tar.gz",
        "/projects/1/packages/7",
        "/projects/1/packages/7/package_files/8",
        "/groups/2/-/packages/pypi/simple",
        "/groups/2/packages",
        "/projects/404/packages/pypi",
        "/nowhere",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"])
def test_nothing_of_the_body_of_an_anonymous_caller_is_read(method: str, path: str) -> None:
    # The server names no socket, so nothing could end a read that waits.
    log = Log()
    environ = {"CONTENT_LENGTH": "1000", "CONTENT_TYPE": FORM_TYPE, "wsgi.input": Tape(log, bytes(1000))}
    body, _, _ = run_wsgi_app(hosted(), create_environ(path, method=method) | environ)
    assert log == [], b"".join(body)


@pytest.mark.parametrize(
    "error",
    [OSError("broken pipe"), ConnectionResetError(), ValueError("closed"), RuntimeError("the server's own")],
    ids=repr,
)
@pytest.mark.parametrize("environ", [{}, {"wsgi.input_terminated": True}], ids=["length", "input_terminated"])
def test_a_refusal_is_answered_although_the_body_cannot_be_read(error: Exception, environ: dict[str, object]) -> None:
    log = Log()
    assert send(hosted(), Tape(log, error=error), 1000, "guest", **environ)[0] == "403 Forbidden"
    assert log == ["read"]


def test_a_refused_body_is_drained_only_up_to_a_bound() -> None:
    class Endless:
        served = 0

        def read(self, size: int = -1) -> bytes:
            self.served += size
            return bytes(size)

    endless = Endless()
    assert send(hosted(), endless, 10**12, "guest")[0] == "403 Forbidden"
    assert 0 < endless.served <= DRAINED


@pytest.mark.parametrize("environ", [{}, {"wsgi.input_terminated": False}], ids=["nothing said", "as cheroot"])
@pytest.mark.parametrize("token", ["developer", "guest"])
def test_nothing_is_read_beyond_the_end_of_a_body(token: str, environ: dict[str, object]) -> None:
    # On some servers that waits for ever, or takes away what belongs to the next request.
    form = form_of()
    tape = Tape(Log(), form + b"POST /next")
    send(hosted(), tape, len(form), token, **environ)
    assert tape.left == b"POST /next"


def test_a_page_reads_no_body() -> None:
    log = Log()
    environ = create_environ("/projects/1/packages/pypi/simple/") | {"wsgi.input": Tape(log, error=OSError())}
    _, status, _ = run_wsgi_app(hosted(), environ)
    assert status == "200 OK"
    assert log == []


LIMIT = 1000
TOO_LARGE = "File is too large (it must be smaller than 1000 bytes)"


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 5 * LIMIT])
def test_a_file_of_the_limit_or_more_is_400_and_nothing_is_stored(tmp_path: Path, size: int) -> None:
    registry = hosted(blobs=FileBlobs(tmp_path), max_file_size=LIMIT)
    form = form_of(bytes(size))
    status, body = send(registry, Tape(Log(), form), len(form))
    assert status == f"400 Bad request - {TOO_LARGE}"
    assert body == {"message": f"400 Bad request - {TOO_LARGE}", "errors": [TOO_LARGE]}
    assert (listed(registry), files_below(tmp_path)) == ([], [])


def test_a_file_of_one_byte_less_than_the_limit_is_taken() -> None:
    registry, form = hosted(max_file_size=len(DEMO) + 1), form_of()
    assert send(registry, Tape(Log(), form), len(form))[0] == "201 Created"
    assert listed(registry) == ["demo"]


@pytest.mark.parametrize("length", [LIMIT + MAX_FIELDS, 10**15])
def test_a_length_that_leaves_no_doubt_is_413_without_a_look_at_the_form(length: int) -> None:
    registry = hosted(max_file_size=LIMIT)
    status, body = send(registry, Tape(Log(), form_of()), length)
    assert status == f"413 Request Entity Too Large - {TOO_LARGE}"
    assert body == {"message": status, "errors": [TOO_LARGE]}
    assert listed(registry) == []


def test_a_length_that_leaves_room_for_a_large_form_is_no_reason_to_refuse() -> None:
    registry = hosted(max_file_size=LIMIT)
    assert send(registry, Tape(Log(), form_of()), LIMIT + MAX_FIELDS - 1)[0] == "201 Created"


def test_a_length_is_looked_at_only_for_those_who_may_publish() -> None:
    assert send(hosted(max_file_size=LIMIT), Tape(Log()), 10**15, "guest")[0] == "403 Forbidden"


@pytest.mark.parametrize("length", [None, "", "-1", "4x", "1e3", "٣"])
def test_a_body_without_a_length_is_411(length: str | None) -> None:
    log, declared = Log(), {} if length is None else {"CONTENT_LENGTH": length}
    status, body = send(hosted(), Tape(log, form_of()), None, **declared)
    assert status == "411 Length Required - send a Content-Length"
    assert body == {"message": "411 Length Required - send a Content-Length"}
    assert log == []  # on some servers to read would wait for ever


def test_a_body_whose_end_the_server_marks_needs_no_length() -> None:
    registry = hosted()
    environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    assert send(registry, Tape(Log(), form_of()), None, **environ)[0] == "201 Created"
    assert listed(registry) == ["demo"]


@pytest.mark.parametrize("cut", [1, 30, 100, 200, 250, -30, -10, -3])
@pytest.mark.parametrize("declared", ["whole", "cut"])
def test_a_body_cut_short_stores_nothing_and_the_retry_works(tmp_path: Path, cut: int, declared: str) -> None:
    registry, form = hosted(blobs=FileBlobs(tmp_path)), form_of()
    status, body = send(registry, Tape(Log(), form[:cut]), len(form if declared == "whole" else form[:cut]))
    assert status.startswith("400 ")
    assert len(body["errors"]) == 1
    assert (listed(registry), files_below(tmp_path)) == ([], [])
    assert send(registry, Tape(Log(), form), len(form))[0] == "201 Created"
    assert listed(registry) == ["demo"]


def test_a_connection_that_breaks_stores_nothing_and_the_retry_works(tmp_path: Path) -> None:
    class Breaking(Tape):
        def read(self, size: int = -1) -> bytes:
            if not self.left:
                raise ConnectionResetError
            return super().read(size)

    registry, form = hosted(blobs=FileBlobs(tmp_path)), form_of()
    status, body = send(registry, Breaking(Log(), form[:-50]), len(form))
    assert status == "400 Bad request - Validation failed: the request ended before its body was complete"
    assert body["errors"] == ["the request ended before its body was complete"]
    assert (listed(registry), files_below(tmp_path)) == ([], [])
    assert send(registry, Tape(Log(), form), len(form))[0] == "201 Created"


class FullDisk(FileBlobs):
    """A folder on a disk that is full for a while."""

    full_at = ""

    def new_file(self) -> BinaryIO:
        self.fail("new_file")
        file = super().new_file()
        write = file.write

        def write_some(data: Any) -> int:
            write(data[:10])
            self.fail("write")
            return write(data[10:])

        file.write = write_some  # type: ignore[method-assign]
        return file

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        self.fail("put")
        super().put(key, file, size=size, sha256=sha256, filename=filename)

    def fail(self, step: str) -> None:
        if step == self.full_at:
            raise StorageFull


@pytest.mark.parametrize("step", ["new_file", "write", "put"])
def test_a_full_disk_leaves_nothing_and_the_retry_works(client_of: ClientOf, tmp_path: Path, step: str) -> None:
    blobs = FullDisk(tmp_path)
    client = client_of(Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=blobs, forward_to=None))
    blobs.full_at = step
    answer = publish(client, TOOLS, status=507)
    assert answer.json == {"message": "507 Insufficient Storage"}
    assert files_below(tmp_path) == []
    client.get(f"{TOOLS}/simple/demo/", status=404)
    blobs.full_at = ""
    publish(client, TOOLS, status=201)
    assert follow(client, f"{TOOLS}/simple/demo/") == {"demo-1.0.tar.gz": DEMO}


class Failing(MemoryCatalogue):
    """Raises once, before or after the row is there."""

    def __init__(self, error: Exception, *, after: bool) -> None:
        super().__init__()
        self.error: Exception | None = error
        self.after = after

    def add(self, project: Project, upload: Upload, blob_key: str, at: datetime, by: str) -> PackageFile:
        error, self.error = self.error, None
        if error and not self.after:
            raise error
        added = super().add(project, upload, blob_key, at, by)
        if error:
            raise error
        return added


@pytest.mark.parametrize(("error", "status"), [(StorageFull(), 507), (StorageUnavailable("busy"), 503)])
def test_a_catalogue_that_takes_no_row_leaves_no_bytes(
    client_of: ClientOf, tmp_path: Path, error: RegistryError, status: int
) -> None:
    catalogue = Failing(error, after=False)
    client = client_of(Registry(auth=AllowAll(), catalogue=catalogue, blobs=FileBlobs(tmp_path), forward_to=None))
    publish(client, TOOLS, status=status)
    assert files_below(tmp_path) == []
    client.get(f"{TOOLS}/simple/demo/", status=404)
    publish(client, TOOLS, status=201)


def test_a_row_that_may_be_there_keeps_its_bytes(client_of: ClientOf) -> None:
    # After an error that is not the catalogue's own word for "nothing happened", the row may have been written.
    catalogue = Failing(OSError("the connection was lost on COMMIT"), after=True)
    client = client_of(Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs()))
    publish(client, TOOLS, status=500)
    assert follow(client, f"{TOOLS}/simple/demo/") == {"demo-1.0.tar.gz": DEMO}


# Uploads and pages


def parse(client: Any, path: str, accept: dict[str, str]) -> pypi_simple.ProjectPage:
    """Read a page with somebody else's parser."""
    answer = client.get(path, headers=accept, status=200)
    base = f"http://localhost{client.prefix}{path}"
    if accept is JSON:
        assert answer.headers["Content-Type"] == "application/vnd.pypi.simple.v1+json"
        return pypi_simple.ProjectPage.from_json_data(answer.json, base)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return pypi_simple.ProjectPage.from_html("whatever", answer.text, base)


def follow(client: Any, path: str, accept: dict[str, str] = HTML) -> dict[str, bytes]:
    """Download every file of a page by its link."""
    found = {}
    for package in parse(client, path, accept).packages:
        data = client.app.get(urlsplit(package.url).path, status=200).body
        assert package.digests["sha256"] == hashlib.sha256(data).hexdigest()
        assert unquote(package.url).partition("#")[0].endswith(f"/{package.filename}")
        found[package.filename] = data
    return found


def index(client: Any, path: str, accept: dict[str, str] = HTML) -> list[str]:
    answer = client.get(path, headers=accept, status=200)
    page = pypi_simple.IndexPage
    return (page.from_json_data(answer.json) if accept is JSON else page.from_html(answer.text)).projects


@pytest.fixture
def client(client_of: ClientOf) -> Any:
    return client_of(Registry(forward_to=MIRROR))


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_upload_is_201_with_and_without_a_slash(client: Any, slash: str) -> None:
    answer = publish(client, TOOLS + slash)
    assert answer.status == "201 Created"
    assert answer.json == {"message": "201 Created"}
    assert answer.content_type == "application/json"


FILES = {
    filename: distribution(filename)
    for filename in (
        "My.Pkg_demo-1.0.tar.gz",
        "My.Pkg_demo-1.0-py3-none-any.whl",
        "My.Pkg_demo-1.1+local.1.tar.gz",
        "My.Pkg_demo-1!2.0.tar.gz",
    )
}
ACME_TOOLS = id_from_path("acme/libs/tools")
PLACES_OF_TOOLS = [
    f"/projects/{ACME_TOOLS}/packages/pypi",
    "/projects/acme%2Flibs%2Ftools/packages/pypi",
    "/groups/acme%2Flibs/-/packages/pypi",
    "/groups/acme/-/packages/pypi",
    f"/groups/{id_from_path('acme')}/-/packages/pypi",
]


@pytest.fixture
def tools(client: Any) -> Any:
    for filename in FILES:
        publish(client, PLACES_OF_TOOLS[1], filename, status=201)
    return client


@pytest.mark.everywhere
@pytest.mark.parametrize("place", PLACES_OF_TOOLS)
def test_every_link_of_a_page_leads_to_its_file(tools: Any, place: str) -> None:
    for slash in ("", "/"):
        for accept in (HTML, JSON):
            assert follow(tools, f"{place}/simple/my-pkg-demo{slash}", accept) == FILES


@pytest.mark.everywhere
@pytest.mark.parametrize("place", PLACES_OF_TOOLS)
def test_every_link_of_an_index_leads_to_its_page(tools: Any, place: str) -> None:
    for path in (f"{place}/simple", f"{place}/simple/"):
        answer = tools.get(path, headers=HTML, status=200)
        (link,) = pypi_simple.parse_links_stream([answer.text], f"http://localhost{tools.prefix}{path}")
        assert link.text == "my-pkg-demo"
        page = tools.app.get(urlsplit(link.url).path, headers=HTML, status=200).text
        assert all(filename in page for filename in FILES)


def test_an_index_has_the_title_of_its_place_though_another_place_has_the_same_projects(tools: Any) -> None:
    for _ in range(2):  # the second time all of them are kept
        for place, title in zip(PLACES_OF_TOOLS[1:4], ("tools", "libs", "acme"), strict=True):
            assert f"<title>Links for {title}</title>" in tools.get(f"{place}/simple/", headers=HTML).text


@pytest.mark.parametrize("accept", [HTML, JSON], ids=["html", "json"])
def test_an_index_has_each_name_once_in_order(client: Any, accept: dict[str, str]) -> None:
    for filename in ("zeta-1.0.tar.gz", "Alpha_b-1.0.tar.gz", "alpha.B-2.0.tar.gz", "mid-1.0.tar.gz"):
        publish(client, TOOLS, filename, status=201)
    for path in (f"{TOOLS}/simple", f"{TOOLS}/simple/", f"{ACME}/simple/"):
        assert index(client, path, accept) == ["alpha-b", "mid", "zeta"]


@pytest.mark.parametrize("accept", [HTML, JSON], ids=["html", "json"])
@pytest.mark.parametrize("path", [f"{TOOLS}/simple", f"{TOOLS}/simple/", f"{ACME}/simple/"])
def test_an_index_of_nothing_is_a_page(client: Any, path: str, accept: dict[str, str]) -> None:
    assert index(client, path, accept) == []


def index_of(services: Services, path: str) -> bytes:
    """Return the index of a project."""
    request = Request(create_environ() | {"HTTP_ACCEPT": "application/vnd.pypi.simple.v1+json"})
    return b"".join(pypi.index(Call(request, match(f"/projects/{path}/packages/pypi/simple"), services)).body)


@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_cached_indexes_of_an_open_registry_are_bounded_with_their_keys(filled: bool) -> None:
    catalogue, title = MemoryCatalogue(), 900 * "a"
    directory = OpenDirectory(catalogue)
    services = Services(
        directory=directory,
        auth=AllowAll(),
        stores=Stores(catalogue, MemoryBlobs()),
        forward_to=None,
        max_file_size=10**6,
        verify=None,
        pages=PageCache(max_bytes=500_000),
    )
    if filled:
        project = directory.project(f"acme/{title}")
        assert project is not None
        sdist = Upload("demo", NormalizedName("demo"), "1.0", "demo-1.0.zip", 1, Digests("a" * 64), "")
        catalogue.add(project, sdist, "0" * 32, datetime.now(UTC), "")
    with peak() as held:
        for number in range(500):
            written = title[:number] + "A" + title[number + 1 :] if filled else f"{title}{number}"
            assert (b'"demo"' in index_of(services, f"acme/{written}")) is filled
    assert held.bytes < 700_000


@pytest.mark.parametrize(
    "asked", ["my-pkg-demo", "My.Pkg_demo", "my_pkg.demo", "MY-PKG-DEMO", "my..pkg__demo", "my-.-pkg-_-demo"]
)
def test_a_name_may_be_asked_in_any_spelling(tools: Any, asked: str) -> None:
    for slash in ("", "/"):
        expected = tools.get(f"{PLACES_OF_TOOLS[0]}/simple/my-pkg-demo{slash}", status=200).body
        assert tools.get(f"{PLACES_OF_TOOLS[0]}/simple/{asked}{slash}", status=200).body == expected


def test_what_the_form_says_is_on_the_page(client: Any) -> None:
    publish(client, TOOLS, requires_python=">=3.8, <4", status=201)
    before = datetime.now(UTC)
    larger = distribution("demo-2.0.tar.gz", size=2000)
    publish(client, TOOLS, "demo-2.0.tar.gz", larger, status=201)
    for accept in (HTML, JSON):
        first, second = parse(client, f"{TOOLS}/simple/demo/", accept).packages
        assert (first.requires_python, second.requires_python) == (">=3.8, <4", None)
        assert not first.is_yanked
    assert (first.size, second.size) == (len(DEMO), len(larger))
    assert first.upload_time is not None
    assert second.upload_time is not None
    assert first.upload_time <= before <= second.upload_time <= datetime.now(UTC)
    assert client.get(f"{TOOLS}/simple/demo/", headers=JSON).json["versions"] == ["1.0", "2.0"]


@pytest.mark.parametrize(
    ("uploaded", "read"),
    [("acme%2Ftools", str(id_from_path("acme/tools"))), (str(id_from_path("acme/tools")), "acme%2Ftools")],
    ids=["path, then number", "number, then path"],
)
def test_a_project_is_one_by_its_path_and_by_its_number(client: Any, uploaded: str, read: str) -> None:
    publish(client, f"/projects/{uploaded}/packages/pypi", status=201)
    assert follow(client, f"/projects/{read}/packages/pypi/simple/demo/") == {"demo-1.0.tar.gz": DEMO}
    publish(client, f"/projects/{read}/packages/pypi", status=400)


def test_a_group_keeps_a_project_whose_last_upload_came_by_its_number(client: Any) -> None:
    publish(client, TOOLS, status=201)
    publish(client, f"/projects/{id_from_path('acme/tools')}/packages/pypi", "demo-2.0.tar.gz", status=201)
    assert follow(client, f"{ACME}/simple/demo/").keys() == {"demo-1.0.tar.gz", "demo-2.0.tar.gz"}


def test_a_group_holds_what_is_in_the_groups_below_it_and_nothing_else(client: Any) -> None:
    for project in ("acme/a", "acme/sub/b", "acme/sub/deep/c", "acme2/d", "x/acme/e"):
        filename = f"{project[-1]}-1.0.tar.gz"
        publish(client, f"/projects/{quote(project, safe='')}/packages/pypi", filename, status=201)
    expected = {"acme": ["a", "b", "c"], "acme/sub": ["b", "c"], "acme/sub/deep": ["c"], "acme2": ["d"], "ac": []}
    for group, names in expected.items():
        for ref in (quote(group, safe=""), str(id_from_path(group))):
            assert index(client, f"/groups/{ref}/-/packages/pypi/simple/") == names


def test_a_group_merges_the_files_of_a_name(client: Any) -> None:
    publish(client, TOOLS, "demo-1.0.tar.gz", status=201)
    publish(client, OTHER, "demo-2.0.tar.gz", status=201)
    for accept in (HTML, JSON):
        merged = follow(client, f"{ACME}/simple/demo/", accept)
        assert merged == {"demo-1.0.tar.gz": DEMO, "demo-2.0.tar.gz": distribution("demo-2.0.tar.gz")}
    assert follow(client, f"{TOOLS}/simple/demo/") == {"demo-1.0.tar.gz": DEMO}


@pytest.mark.parametrize("accept", [HTML, JSON], ids=["html", "json"])
def test_a_group_lists_files_of_one_name_with_their_own_urls_and_digests(client: Any, accept: dict[str, str]) -> None:
    name = "demo-1.0-py3-none-any.whl"
    contents = [distribution(name), distribution(name, payload=b"other")]
    for project, data in zip((TOOLS, OTHER), contents, strict=True):
        publish(client, project, name, data=data, status=201)
    digests = [hashlib.sha256(data).hexdigest() for data in contents]
    shown = parse(client, f"{ACME}/simple/demo/", accept).packages
    assert [(each.filename, each.digests["sha256"]) for each in shown] == [(name, digest) for digest in digests]
    for each, data, project, other in zip(shown, contents, (TOOLS, OTHER), (OTHER, TOOLS), strict=True):
        path = urlsplit(each.url).path
        assert client.app.get(path, status=200).body == data
        assert client.app.head(path, status=200).headers["Content-Length"] == str(len(data))
        metadata = client.app.get(f"{path}.metadata", status=200)
        assert (each.metadata_digests or {})["sha256"] == hashlib.sha256(metadata.body).hexdigest()
        assert client.app.head(f"{path}.metadata", status=200).headers["ETag"] == metadata.headers["ETag"]
        tail = path.rpartition("/files/")[2]
        client.get(f"{project}/files/{tail}", status=200)
        client.get(f"{other}/files/{tail}", status=404)


def test_a_group_lists_copies_of_a_file_once(client: Any) -> None:
    etags = []
    for project in (TOOLS, OTHER):
        publish(client, project, status=201)
        answer = client.get(f"{ACME}/simple/demo/", headers=JSON, status=200)
        [file] = answer.json["files"]
        assert file["hashes"]["sha256"] == hashlib.sha256(DEMO).hexdigest()
        etags.append(answer.headers["ETag"])
    assert etags[0] != etags[1]  # of the two the newer copy is listed, with its own time


def test_the_page_of_a_group_changes_with_every_file_of_one_name(client: Any) -> None:
    page = f"{ACME}/simple/demo/"
    second = distribution("demo-1.0.tar.gz", payload=b"second")
    publish(client, TOOLS, status=201)
    etag = client.get(page, status=200).headers["ETag"]
    client.get(page, headers={"If-None-Match": etag}, status=304)
    publish(client, OTHER, data=second, status=201)
    both = client.get(page, headers={"If-None-Match": etag}, status=200).headers["ETag"]
    assert len(parse(client, page, HTML).packages) == 2
    path = "/projects/acme%2Ftools/packages"
    [package] = client.get(path, status=200).json
    client.app.patch_json(f"{client.prefix}{path}/{package['id']}", {"yanked": "broken"}, status=200)
    client.get(page, headers={"If-None-Match": both}, status=200)
    yanked = {each.digests["sha256"]: each.is_yanked for each in parse(client, page, JSON).packages}
    assert yanked == {hashlib.sha256(DEMO).hexdigest(): True, hashlib.sha256(second).hexdigest(): False}
    client.app.patch_json(f"{client.prefix}{TOOLS}/simple/demo", {"status": "quarantined"}, status=200)
    assert follow(client, page) == {"demo-1.0.tar.gz": second}
    client.get(f"{ACME}/files/{hashlib.sha256(DEMO).hexdigest()}/demo-1.0.tar.gz", status=403)


def test_a_file_that_is_there_already_is_refused_in_words_that_uploaders_know(client: Any) -> None:
    publish(client, TOOLS, status=201)
    answer = publish(client, TOOLS, data=distribution("demo-1.0.tar.gz", payload=b"second"), status=400)
    fault = "File name has already been taken (demo-1.0.tar.gz already exists)"
    assert answer.status == f"400 Bad request - Validation failed: {fault}"
    assert answer.json == {"message": answer.status, "errors": [fault]}
    assert follow(client, f"{TOOLS}/simple/demo/") == {"demo-1.0.tar.gz": DEMO}


def test_another_spelling_of_a_file_name_is_refused_with_the_name_of_the_file_that_is_there(client: Any) -> None:
    first, second = "demo-1.0-py2.py3-none-any.whl", "Demo-1-py3.py2-none-any.whl"
    publish(client, TOOLS, first, status=201)
    answer = publish(client, TOOLS, second, name="Demo", version="1", data=distribution(second), status=400)
    fault = f"File name has already been taken ({second} already exists as {first})"
    assert answer.json["errors"] == [fault]
    assert follow(client, f"{TOOLS}/simple/demo/") == {first: distribution(first)}
    publish(client, OTHER, second, name="Demo", version="1", data=distribution(second), status=201)


def test_a_refused_duplicate_leaves_no_bytes(client_of: ClientOf, tmp_path: Path) -> None:
    client = client_of(Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=FileBlobs(tmp_path)))
    publish(client, TOOLS, status=201)
    before = files_below(tmp_path)
    assert len(before) == 1
    publish(client, TOOLS, status=400)
    assert files_below(tmp_path) == before


def test_a_wheel_may_join_its_sdist_and_another_project_have_the_same_file(client: Any) -> None:
    publish(client, TOOLS, status=201)
    publish(client, TOOLS, "demo-1.0-py3-none-any.whl", status=201)
    publish(client, OTHER, status=201)


@pytest.mark.parametrize("version", ["1.0_1", "latest", "1.0 ", "v", "1.0.*"])
def test_a_bad_version_is_refused_and_said(client: Any, version: str) -> None:
    answer = publish(client, TOOLS, version=version, status=400)
    assert answer.status.startswith("400 Bad request - Validation failed: Version is invalid: ")
    assert answer.json["errors"][0].startswith("Version is invalid: ")
    client.get(f"{TOOLS}/simple/demo/", status=302)


def test_all_faults_of_a_form_are_named_at_once(client: Any) -> None:
    answer = publish(client, TOOLS, name="-", version="x", md5_digest="zz", status=400)
    assert [fault.partition(" is invalid")[0] for fault in answer.json["errors"]] == ["Name", "Version", "md5_digest"]
    assert answer.json["message"].startswith("400 Bad request - Validation failed: Name is invalid")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("group", ["acme", "nobody", "42"])
def test_an_upload_to_a_group_is_told_where_to_go(client: Any, group: str, slash: str) -> None:
    answer = publish(client, f"/groups/{group}/-/packages/pypi{slash}", status=405)
    sentence = "405 Not Allowed - packages are published to a project: /projects/:id/packages/pypi"
    assert answer.status == sentence
    assert answer.json == {"error": sentence}
    assert answer.headers["Allow"] == "OPTIONS"


# Pages and caches


@pytest.mark.parametrize("accept", [HTML, JSON], ids=["html", "json"])
@pytest.mark.parametrize(
    "path", [f"{TOOLS}/simple/", f"{TOOLS}/simple/demo/", f"{ACME}/simple/", f"{ACME}/simple/demo/"]
)
def test_a_page_is_sent_again_only_after_a_change(client: Any, path: str, accept: dict[str, str]) -> None:
    publish(client, TOOLS, status=201)
    first = client.get(path, headers=accept, status=200)
    assert first.headers["ETag"].startswith('"')
    assert first.headers["Cache-Control"] == "no-cache"
    assert {"Accept", "Authorization"} <= set(first.headers["Vary"].split(", "))

    known = accept | {"If-None-Match": first.headers["ETag"]}
    same = client.get(path, headers=known, status=304)
    assert same.body == b""
    assert {name: same.headers[name] for name in ("ETag", "Cache-Control", "Vary")} == {
        name: first.headers[name] for name in ("ETag", "Cache-Control", "Vary")
    }
    assert client.head(path, headers=known, status=304).headers["ETag"] == first.headers["ETag"]

    publish(client, OTHER if path.startswith(ACME) else TOOLS, "demo-2.0.tar.gz", status=201)
    publish(client, OTHER if path.startswith(ACME) else TOOLS, "new-1.0.tar.gz", status=201)
    changed = client.get(path, headers=known, status=200)
    assert changed.headers["ETag"] != first.headers["ETag"]
    assert "demo-2.0.tar.gz" in changed or "new" in changed


def test_no_two_representations_of_a_page_share_a_tag(client: Any) -> None:
    publish(client, TOOLS, status=201)
    tags = [
        client.get(path, headers={"Accept": accept}).headers["ETag"]
        for path in (f"{TOOLS}/simple", f"{TOOLS}/simple/", f"{TOOLS}/simple/demo", f"{TOOLS}/simple/demo/")
        for accept in ("text/html", JSON["Accept"])
    ]
    assert len(set(tags)) == len(tags) - 1  # the JSON index has no links, so the slash makes no difference there


def test_an_upload_elsewhere_leaves_the_tag_of_a_page(client: Any) -> None:
    publish(client, TOOLS, status=201)
    known = {"If-None-Match": client.get(f"{TOOLS}/simple/demo/").headers["ETag"]}
    publish(client, OTHER, "demo-2.0.tar.gz", status=201)
    publish(client, TOOLS, "new-1.0.tar.gz", status=201)
    client.get(f"{TOOLS}/simple/demo/", headers=known, status=304)


# Core metadata


WHEEL = "my_pkg-1.0+local.1-py3-none-any.whl"
PLACES_OF_ONE = [TOOLS, f"/projects/{id_from_path('acme/tools')}/packages/pypi", ACME]


def metadata_of(filename: str) -> bytes:
    """Give what is in a wheel, as the standard library reads it."""
    with zipfile.ZipFile(io.BytesIO(distribution(filename))) as archive:
        return archive.read(next(path for path in archive.namelist() if path.endswith(".dist-info/METADATA")))


@pytest.mark.everywhere
@pytest.mark.parametrize("place", PLACES_OF_ONE)
def test_metadata_lies_beside_its_file_and_is_what_the_page_says(client: Any, place: str) -> None:
    publish(client, TOOLS, WHEEL, status=201)
    path = f"{place}/simple/my-pkg/"
    for accept in (HTML, JSON):
        (package,) = parse(client, path, accept).packages
        assert package.has_metadata
        address = urlsplit(package.metadata_url).path
        answer = client.app.get(address, status=200)
        assert answer.body == metadata_of(WHEEL)
        assert package.metadata_digests == {"sha256": hashlib.sha256(answer.body).hexdigest()}
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["ETag"] == f'"{package.metadata_digests["sha256"]}"'
        for other in (
            address.replace("+", "%2B"),
            f"{address}/",
            address.replace(sha256_of(WHEEL), sha256_of(WHEEL).upper()),
        ):
            assert client.app.get(other, status=200).body == answer.body


def test_metadata_is_whole_or_known(client: Any) -> None:
    publish(client, TOOLS, WHEEL, status=201)
    path = f"{TOOLS}/files/{sha256_of(WHEEL)}/{WHEEL}.metadata"
    got = client.get(path, headers={"Range": "bytes=0-3", "Accept-Encoding": "gzip"}, status=200)
    assert got.body == metadata_of(WHEEL)
    assert "Content-Encoding" not in got.headers
    head = client.head(path, status=200)
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(got.body)))
    for known in (got.headers["ETag"], f"W/{got.headers['ETag']}", "*"):
        same = client.get(path, headers={"If-None-Match": known}, status=304)
        assert same.body == b""
        assert {name: same.headers[name] for name in ("ETag", "Vary", "Cache-Control")} == {
            name: got.headers[name] for name in ("ETag", "Vary", "Cache-Control")
        }
    client.get(path, headers={"If-None-Match": f'"{sha256_of(WHEEL)}"'}, status=200)  # the tag of the wheel


@pytest.mark.parametrize(("metadata_version", "status"), [("2.1", 404), ("2.2", 200)])
def test_metadata_of_an_sdist_is_there_if_a_wheel_of_it_would_say_the_same(
    client: Any, metadata_version: str, status: int
) -> None:
    data = distribution("demo-1.0.tar.gz", metadata_version=metadata_version)
    publish(client, TOOLS, data=data, status=201)
    path = f"{TOOLS}/files/{hashlib.sha256(data).hexdigest()}/demo-1.0.tar.gz"
    client.get(path, status=200)
    answer = client.get(f"{path}.metadata", status=status)
    if status == 404:
        assert answer.json == {"message": "404 Metadata Not Found"}
        for known in ("*", '"None"', f'"{hashlib.sha256(data).hexdigest()}"'):
            client.get(f"{path}.metadata", headers={"If-None-Match": known}, status=404)
    for accept in (HTML, JSON):
        (package,) = parse(client, f"{TOOLS}/simple/demo/", accept).packages
        assert bool(package.has_metadata) is (status == 200)


@pytest.mark.parametrize(
    "address",
    [
        f"{TOOLS}/files/{64 * '0'}/{WHEEL}.metadata",
        f"{TOOLS}/files/{sha256_of(WHEEL)}/{WHEEL}.metadata.metadata",
        f"{TOOLS}/files/{sha256_of(WHEEL)}/{WHEEL}.METADATA",
        f"{TOOLS}/files/{sha256_of(WHEEL)}/.metadata",
        f"{OTHER}/files/{sha256_of(WHEEL)}/{WHEEL}.metadata",
    ],
    ids=["another digest", "twice", "upper case", "of nothing", "another project"],
)
def test_metadata_of_no_file_is_not_there(client: Any, address: str) -> None:
    publish(client, TOOLS, WHEEL, status=201)
    assert client.get(address, status=404).json == {"message": "404 Package Not Found"}


@pytest.mark.parametrize("place", ["/projects/{}/packages/pypi", "/groups/{}/-/packages/pypi"])
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("project", [OPEN, CLOSED, HIDDEN], ids=["public", "private", "private in a public group"])
def test_metadata_is_for_those_who_may_have_the_file(hosts: Any, project: Project, place: str, caller: str) -> None:
    publish(hosts, f"/projects/{project.id}/packages/pypi", WHEEL, headers=DEVELOPING, status=201)
    where = place.format(project.id if "projects" in place else project.root)
    path = f"{where}/files/{sha256_of(WHEEL)}/{WHEEL}"
    file, metadata = (hosts.get(at, headers=CALLERS[caller], status="*") for at in (path, f"{path}.metadata"))
    assert metadata.status == file.status
    if file.status_int != 200:
        assert metadata.body == file.body
        hosts.get(f"{path}.metadata", headers={**CALLERS[caller], "If-None-Match": "*"}, status=file.status_int)


def test_metadata_is_quarantined_deleted_and_offered_by_another_project_like_the_file(client: Any) -> None:
    publish(client, TOOLS, WHEEL, status=201)
    publish(client, OTHER, WHEEL, status=201)
    path = f"files/{sha256_of(WHEEL)}/{WHEEL}"

    def statuses() -> list[int]:
        return [
            client.get(f"{place}/{path}{ending}", status="*").status_int
            for ending in ("", ".metadata")
            for place in (TOOLS, OTHER, ACME)
        ]

    def quarantine(project: str) -> None:
        address = f"{client.prefix}{project}/simple/my-pkg"
        client.app.patch_json(address, {"status": "quarantined"}, status=200)

    assert statuses() == 2 * [200, 200, 200]
    quarantine(OTHER)
    assert statuses() == 2 * [200, 403, 200]
    quarantine(TOOLS)
    assert statuses() == 2 * [403, 403, 403]
    answer = client.get(f"{ACME}/{path}.metadata", status=403)
    assert answer.json == {"message": "403 Forbidden - my-pkg is quarantined"}
    package = client.get("/projects/acme%2Ftools/packages").json[0]["id"]
    client.app.delete(f"{client.prefix}/projects/acme%2Ftools/packages/{package}", status=204)
    assert statuses() == 2 * [404, 403, 403]


# What hatch asks before it publishes


def existing(client: Any, path: str, **headers: str) -> list[str]:
    """Read an answer as hatch does (``hatch/publish/index.py``)."""
    answer = client.get(path, headers=headers, status=200)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return re.findall(r"<a [^>]+>([^<]+)</a>", answer.text)


@pytest.mark.everywhere
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("alias", ["+simple", "%2Bsimple"])
@pytest.mark.parametrize("asked", ["my-pkg-demo", "My.Pkg_demo"])
def test_hatch_finds_what_is_published(tools: Any, asked: str, alias: str, slash: str) -> None:
    path = f"{PLACES_OF_TOOLS[1]}/{alias}/{asked}{slash}"
    assert sorted(existing(tools, path)) == sorted(FILES)
    assert follow(tools, path) == FILES


@pytest.mark.parametrize("accept", ["*/*", "text/html", JSON["Accept"]])
@pytest.mark.parametrize("query", ["", f"?format={quote(JSON['Accept'], safe='')}"])
def test_hatch_gets_html_whatever_it_asks_for(tools: Any, accept: str, query: str) -> None:
    assert len(existing(tools, f"{PLACES_OF_TOOLS[0]}/%2Bsimple/my-pkg-demo/{query}", Accept=accept)) == len(FILES)


def test_hatch_finds_a_file_that_says_for_which_python_it_is(client: Any) -> None:
    data = distribution("demo-1.0-py3-none-any.whl", requires_python='>=3.8, <"4"')
    publish(client, TOOLS, "demo-1.0-py3-none-any.whl", data, requires_python=">=3.8", status=201)
    assert existing(client, f"{TOOLS}/%2Bsimple/demo/") == ["demo-1.0-py3-none-any.whl"]


@pytest.mark.parametrize("name", ["absent", "-", "a b", f"{1000 * 'x'}"])
def test_hatch_is_never_sent_to_another_index_whose_files_it_would_take_for_published(client: Any, name: str) -> None:
    publish(client, TOOLS, status=201)
    for slash in ("", "/"):
        answer = client.get(f"{TOOLS}/%2Bsimple/{quote(name)}{slash}", status=404)
        assert answer.json == {"message": "404 Package Not Found"}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("project", [OPEN, CLOSED], ids=["public", "private"])
def test_hatch_is_let_in_where_the_page_is_read(hosts: Any, project: Project, caller: str) -> None:
    name = project.path.rpartition("/")[2]
    page, alias = (
        hosts.get(f"/projects/{project.id}/packages/pypi/{at}/{name}/", headers=CALLERS[caller], status="*")
        for at in ("simple", "%2Bsimple")
    )
    assert (alias.status, alias.body) == (page.status, page.body)
    assert alias.headers.get("WWW-Authenticate") == page.headers.get("WWW-Authenticate")


# Forwarding


@pytest.mark.parametrize("slashes", ["", "/", "//"])
@pytest.mark.parametrize("place", [TOOLS, ACME])
def test_a_name_that_is_not_here_is_forwarded_normalized(client_of: ClientOf, place: str, slashes: str) -> None:
    client = client_of(Registry(forward_to=f"https://mirror.example/root/simple{slashes}"))
    for path in (f"{place}/simple/My..Pkg_x", f"{place}/simple/My..Pkg_x/"):
        for accept in (HTML, JSON):
            answer = client.get(path, headers=accept, status=302)
            assert answer.headers["Location"] == "https://mirror.example/root/simple/my-pkg-x/"
            assert answer.headers["Cache-Control"] == "private, no-cache"
            assert {"Accept", "Authorization"} <= set(answer.headers["Vary"].split(", "))


def test_the_body_of_a_forwarding_is_a_page_without_links(client_of: ClientOf) -> None:
    # uv before 0.12 does not follow the redirect, and reads this as the page.
    client = client_of(Registry(forward_to="https://mirror.example/a&<b>"))
    answer = client.get(f"{TOOLS}/simple/demo/", status=302)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert pypi_simple.ProjectPage.from_html("demo", answer.text).packages == []
    assert "<a" not in answer.text
    assert "<b>" not in answer.text


def test_a_name_of_another_group_is_not_here(client_of: ClientOf, tmp_path: Path) -> None:
    # A name that is only in another root group may have a revision in a group, but no page.
    catalogue = SQLiteCatalogue(tmp_path / "catalogue.db")
    client = client_of(Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs(), forward_to=MIRROR))
    for project in ("acme%2Ftools", "acme%2Fother"):
        publish(client, f"/projects/{project}/packages/pypi", "known-1.0.tar.gz", status=201)
    publish(client, "/projects/elsewhere%2Ftools/packages/pypi", status=201)
    assert client.get(f"{ACME}/simple/demo/", status=302).headers["Location"] == f"{MIRROR}demo/"
    client.get(f"{ACME}/simple/known/", status=200)
    catalogue.close()


def test_what_is_here_is_not_forwarded_nor_merged(client: Any) -> None:
    publish(client, TOOLS, status=201)
    assert "mirror" not in client.get(f"{TOOLS}/simple/demo/", status=200)
    client.get(f"{TOOLS}/simple/", status=200)
    client.get(f"{TOOLS}/files/{sha256_of('demo-1.0.tar.gz')}/absent-1.0.tar.gz", status=404)


@pytest.mark.parametrize("forward_to", [None, lambda where, name: None], ids=["nowhere", "nowhere says a function"])
@pytest.mark.parametrize("place", [TOOLS, ACME])
def test_without_forwarding_a_name_that_is_not_here_is_404(client_of: ClientOf, forward_to: Any, place: str) -> None:
    answer = client_of(Registry(forward_to=forward_to)).get(f"{place}/simple/demo/", status=404)
    assert answer.json == {"message": "404 Package Not Found"}


class Asked:
    """Decides about forwarding, and remembers what it was asked."""

    def __init__(self, index: str | None = MIRROR) -> None:
        self.index = index
        self.asked: list[tuple[Project | Group, NormalizedName]] = []

    def __call__(self, where: Project | Group, name: NormalizedName) -> str | None:
        self.asked.append((where, name))
        return self.index


def test_a_function_decides_for_a_place_and_a_name(client_of: ClientOf) -> None:
    asked = Asked()
    client = client_of(hosted(forward_to=asked))
    client.get("/projects/1/packages/pypi/simple/My.Pkg/", status=302)
    answer = client.get("/groups/acme/-/packages/pypi/simple/other", status=302)
    assert answer.headers["Location"] == f"{MIRROR}other/"
    assert asked.asked == [(OPEN, "my-pkg"), (Host().group("acme"), "other")]


def test_a_function_is_not_asked_about_what_is_here(client_of: ClientOf) -> None:
    asked = Asked()
    client = client_of(hosted(forward_to=asked))
    publish(client, "/projects/1/packages/pypi", headers=DEVELOPING, status=201)
    client.get("/projects/1/packages/pypi/simple/demo/", status=200)
    assert asked.asked == []


@pytest.mark.parametrize(
    "asked_for",
    [
        "-demo",
        "demo-",
        ".demo",
        "_",
        "...",
        "d%C3%A9m",
        "%C5%BFet",
        "de%20mo",
        "demo%0A",
        "%0D%0ASet-Cookie:a",
        "a@b",
        "d%3Fx",
    ],
)
def test_what_could_not_be_a_name_is_404_and_never_forwarded(client_of: ClientOf, asked_for: str) -> None:
    asked = Asked()
    client = client_of(Registry(forward_to=asked))
    for place in (TOOLS, ACME):
        answer = client.get(f"{place}/simple/{asked_for}/", status=404)
        assert answer.json == {"message": "404 Package Not Found"}
    assert asked.asked == []


@pytest.mark.parametrize(
    ("caller", "status"),
    [("anonymous", 401), ("wrong token", 401), ("stranger", 404), ("guest", 302), ("developer", 302)],
)
@pytest.mark.parametrize("place", ["/projects/2/packages/pypi", "/groups/vault/-/packages/pypi"])
def test_nobody_is_forwarded_from_a_place_that_they_may_not_read(
    client_of: ClientOf, place: str, caller: str, status: int
) -> None:
    asked = Asked()
    client = client_of(hosted(forward_to=asked))
    answer = client.get(f"{place}/simple/demo/", headers=CALLERS[caller], status=status)
    assert ("Location" in answer.headers) == (status == 302)
    assert len(asked.asked) == (1 if status == 302 else 0)


@pytest.mark.parametrize(
    ("place", "status"),
    [
        pytest.param(OTHER, 404, id="a sibling"),
        pytest.param("/projects/acme%2Fdeep%2Fer%2Fother/packages/pypi", 404, id="a project deeper down"),
        pytest.param("/groups/acme%2Fdeep/-/packages/pypi", 404, id="a group of the same root"),
        pytest.param("/projects/Acme%2Fother/packages/pypi", 404, id="a sibling, in capitals"),
        pytest.param("/projects/acme2%2Fother/packages/pypi", 302, id="another root"),
        pytest.param("/groups/other/-/packages/pypi", 302, id="a group of another root"),
    ],
)
def test_a_name_once_published_under_a_root_group_is_not_forwarded_from_there(
    client: Any, place: str, status: int
) -> None:
    client.get(f"{place}/simple/de.mo/", status=302)
    publish(client, TOOLS, "de_mo-1.0.tar.gz", status=201)
    client.get(f"{place}/simple/De-Mo/", status=status)
    client.get(f"{place}/simple/free/", status=302)


@pytest.mark.parametrize(
    "place",
    [
        f"/projects/{id_from_path('acme/other')}/packages/pypi",
        f"/groups/{id_from_path('acme/deep')}/-/packages/pypi",
    ],
    ids=["project", "group"],
)
def test_a_number_is_forwarded_no_further_than_its_path(client: Any, place: str) -> None:
    publish(client, TOOLS, status=201)
    for project in ("acme%2Fother", "acme%2Fdeep%2Fproject"):
        publish(client, f"/projects/{project}/packages/pypi", "unrelated-1.0.tar.gz", status=201)
    client.get(f"{place}/simple/demo/", status=404)


@pytest.mark.parametrize(
    ("index", "status"),
    [(MIRROR, 404), (Forward(MIRROR, even_if_published=True), 302), (Forward(MIRROR), 404), (None, 404)],
    ids=["published", "even if published", "not if published", "nowhere"],
)
def test_a_name_once_published_goes_where_it_is_released_to(
    client_of: ClientOf, index: str | None, status: int
) -> None:
    client = client_of(Registry(forward_to=Asked(index)))
    publish(client, TOOLS, status=201)
    answer = client.get(f"{OTHER}/simple/demo/", status=status)
    assert answer.headers.get("Location") == (f"{MIRROR}demo/" if status == 302 else None)


def test_a_hidden_name_is_not_forwarded_for_those_who_do_not_see_it(client_of: ClientOf) -> None:
    client = client_of(hosted(forward_to=MIRROR))
    publish(client, "/projects/3/packages/pypi", "secret-1.0.tar.gz", headers=DEVELOPING, status=201)
    answer = client.get("/groups/acme/-/packages/pypi/simple/secret/", status=404)
    assert answer.json == {"message": "404 Package Not Found"}
    client.get("/projects/1/packages/pypi/simple/secret/", status=404)


def test_a_name_stays_at_home_when_its_root_group_is_renamed(client_of: ClientOf) -> None:
    tokens = [Token(sha256=token_digest("secret"), user="ada", scopes=frozenset({"api"}))]
    ada = {"Authorization": "Basic " + base64.b64encode(b"ada:secret").decode()}
    catalogue, blobs = MemoryCatalogue(), MemoryBlobs()

    def registry(root: str) -> Registry:
        accounts = Accounts(
            projects=[ProjectConfig(id=1, path=f"{root}/hidden"), ProjectConfig(id=2, path=f"{root}/seen")],
            users=[User(name="ada", roles={root: Role.OWNER})],
            tokens=tokens,
        )
        return Registry(
            directory=accounts, auth=accounts, catalogue=catalogue, blobs=blobs, forward_to="https://mirror.example/"
        )

    form = {"name": "demo", "version": "1.0"}
    files = [("content", "demo-1.0.tar.gz", DEMO)]
    client_of(registry("acme")).post("/projects/1/packages/pypi", form, upload_files=files, headers=ada, status=201)
    for root in ("acme", "renamed"):
        client_of(registry(root)).get("/projects/2/packages/pypi/simple/demo/", headers=ada, status=404)
        client_of(registry(root)).get("/projects/2/packages/pypi/simple/other/", headers=ada, status=302)


class Restored(MemoryCatalogue):
    """A catalogue that changes whenever a page is rendered, and is then restored."""

    rendered = 0
    present = 1

    def revision(self, projects: Projects, name: NormalizedName | None) -> int:
        return self.present

    def names(self, projects: Projects) -> list[NormalizedName]:
        self._change()
        return [*super().names(projects)]

    def listing(self, projects: Projects, name: NormalizedName) -> Any:
        self._change()
        return super().listing(projects, name)

    def _change(self) -> None:
        self.rendered += 1
        self.present += 1


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("path", ["simple/", "simple/demo/"])
def test_a_page_that_changes_while_it_is_rendered_is_not_cached(path: str, encoding: str, client_of: ClientOf) -> None:
    catalogue = Restored()
    client = client_of(Registry(auth=AllowAll(), catalogue=catalogue, blobs=MemoryBlobs()))
    publish(client, TOOLS, status=201)
    for rendered in (1, 2):
        catalogue.present = 1
        client.get(f"{TOOLS}/{path}", headers={"Accept-Encoding": encoding}, status=200)
        assert catalogue.rendered == rendered
