"""What a request changes: who changed it, which events are sent, and what a refused upload leaves behind."""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pytest
from packaging.utils import NormalizedName

from pypi_registry import AllowAll, Registry
from pypi_registry._api import pypi
from pypi_registry._open_access import OpenDirectory
from pypi_registry.auth import Ability, Credentials, Subject
from pypi_registry.distributions import Report, verify
from pypi_registry.errors import InvalidToken, StorageFull
from pypi_registry.events import Actor, Event, Published, StatusChanged, Yanked
from pypi_registry.model import Namespace, NameStatus, PackageName, Projects, Status
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

ClientOf = Callable[[Registry], Any]

PYPI = "/projects/acme%2Ftools/packages/pypi"
FORM = {"name": "De_Mo", "version": "1.0"}
DATA = b"the bytes of an sdist"
SDIST = ("content", "de_mo-1.0.tar.gz", DATA)
HEADERS = {"Authorization": "Bearer s3cr3t"}
DEMO = NormalizedName("de-mo")


@dataclass
class Person:
    """A principal who may do anything, except what is forbidden."""

    name: str = "ada"
    via: str = "personal token laptop"
    anonymous: bool = False
    forbidden: set[tuple[Ability, Subject]] = field(default_factory=set)
    asked: list[tuple[Ability, Subject]] = field(default_factory=list)

    def can(self, ability: Ability, subject: Subject) -> bool:
        self.asked.append((ability, subject))
        return (ability, subject) not in self.forbidden


class OneToken:
    """An auth that knows one token, until it is revoked. It counts its calls."""

    def __init__(self) -> None:
        self.person = Person()
        self.is_revoked = False
        self.calls = 0

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Person:
        self.calls += 1
        if self.is_revoked:
            raise InvalidToken("revoked")
        return self.person


class Site:
    """A registry with its collaborators."""

    def __init__(self, client_of: ClientOf, **options: Any) -> None:
        self.auth = OneToken()
        self.catalogue, self.blobs, self.events = MemoryCatalogue(), MemoryBlobs(), list[Event]()
        self.directory = OpenDirectory(self.catalogue)
        options = {"blobs": self.blobs, "verify": self.verify, "on_event": self.events.append, **options}
        registry = Registry(directory=self.directory, auth=self.auth, catalogue=self.catalogue, **options)
        self.client = client_of(registry)
        self.during_upload: Callable[[], object] = lambda: None
        found = self.directory.project("acme/tools")
        assert found is not None
        self.project = found

    def verify(self, stream: BinaryIO, filename: str) -> Report:
        self.during_upload()
        return Report()

    def upload(self, *, status: int = 201, form: Mapping[str, str] = FORM, **environ: str) -> Any:
        options = {"headers": HEADERS, "extra_environ": environ, "status": status}
        return self.client.post(PYPI, form, upload_files=[SDIST], **options)

    def json(self, method: str, path: str, body: object) -> Any:
        send = getattr(self.client.app, f"{method}_json")
        return send(self.client.prefix + path, body, headers=HEADERS, extra_environ={"REMOTE_ADDR": "192.0.2.7"})

    def package_path(self) -> str:
        listing = self.catalogue.listing(Projects([self.project]), DEMO)
        assert listing is not None
        return f"/projects/acme%2Ftools/packages/{listing.files[0].package.id}"

    def assert_empty(self) -> None:
        projects = Projects([self.project])
        assert [*self.blobs.keys()] == []
        assert self.catalogue.names(projects) == []
        assert self.catalogue.revision(projects, DEMO) is None
        assert self.catalogue.publications(DEMO) == []
        assert self.events == []


@pytest.fixture
def site(client_of: ClientOf) -> Site:
    return Site(client_of)


# Actors


def test_the_actor_of_an_upload_has_a_name_a_token_and_an_address(site: Site) -> None:
    site.upload(REMOTE_ADDR="192.0.2.7")
    [event] = site.events
    assert isinstance(event, Published)
    assert event.actor == Actor("ada", "personal token laptop", "192.0.2.7")
    assert event.project == site.project
    assert [file.filename for file in event.files] == ["de_mo-1.0.tar.gz"]


def test_every_change_has_an_actor(site: Site) -> None:
    site.upload(REMOTE_ADDR="192.0.2.7")
    package = site.package_path()
    site.json("patch", package, {"yanked": "broken"})
    site.json("patch", package, {"yanked": False})
    site.json("patch", f"{PYPI}/simple/de-mo", {"status": "deprecated", "reason": "old"})
    [file] = site.client.get(f"{package}/package_files", headers=HEADERS).json
    site.json("delete", f"{package}/package_files/{file['id']}", {})
    site.upload(REMOTE_ADDR="192.0.2.7")
    site.json("delete", site.package_path(), {})
    assert [type(event).__name__ for event in site.events] == [
        "Published",
        "Yanked",
        "Unyanked",
        "StatusChanged",
        "FileDeleted",
        "PackageDeleted",
        "Published",
        "PackageDeleted",
    ]
    assert {event.actor for event in site.events} == {Actor("ada", "personal token laptop", "192.0.2.7")}
    yanked, status = site.events[1], site.events[3]
    assert isinstance(yanked, Yanked)
    assert yanked.reason == "broken"
    assert isinstance(status, StatusChanged)
    assert (status.name, status.status) == ("de-mo", NameStatus(Status.DEPRECATED, "old"))


def test_the_actor_of_an_open_registry_is_anonymous(client_of: ClientOf) -> None:
    events: list[Event] = []
    client = client_of(Registry(auth=AllowAll(), verify=None, on_event=events.append))
    client.post(PYPI, FORM, upload_files=[SDIST], extra_environ={"REMOTE_ADDR": ""}, status=201)
    assert [event.actor for event in events] == [Actor()]


def test_an_error_of_on_event_does_not_change_the_response(client_of: ClientOf) -> None:
    def failing(event: Event) -> None:
        raise RuntimeError("the audit log is full")

    client = client_of(Registry(auth=AllowAll(), verify=None, on_event=failing))
    assert client.post(PYPI, FORM, upload_files=[SDIST], status=201).json == {"message": "201 Created"}
    assert "de_mo-1.0.tar.gz" in client.get(f"{PYPI}/simple/de-mo/")


def test_a_read_sends_no_event(site: Site) -> None:
    site.upload()
    site.events.clear()
    package = site.package_path()
    for path in (f"{PYPI}/simple/", f"{PYPI}/simple/de-mo/", package, f"{package}/package_files"):
        site.client.get(path, headers=HEADERS, status=200)
    assert site.events == []


def test_uploaded_by_is_shown_in_json_and_on_the_web_page(site: Site) -> None:
    site.upload()
    package = site.package_path()
    [file] = site.client.get(f"{package}/package_files", headers=HEADERS).json
    assert file["uploaded_by"] == "ada"
    assert " by ada" in site.client.get(package, headers=HEADERS | {"Accept": "text/html"})


def test_uploaded_by_of_an_anonymous_caller_is_null(site: Site) -> None:
    site.auth.person = Person("", "", anonymous=True)
    site.upload()
    package = site.package_path()
    [file] = site.client.get(f"{package}/package_files", headers=HEADERS).json
    assert file["uploaded_by"] is None
    assert " by " not in site.client.get(package, headers=HEADERS | {"Accept": "text/html"}).html.find("table").text


def test_the_name_of_a_token_is_not_shown(site: Site) -> None:
    site.upload()
    package = site.package_path()
    for accept in ("text/html", "application/json"):
        for path in (package, f"{package}/package_files", f"{PYPI}/simple/de-mo"):
            assert "laptop" not in site.client.get(path, headers=HEADERS | {"Accept": accept})


# Uploads that take long


def test_a_fast_upload_is_authenticated_once(site: Site) -> None:
    site.upload()
    assert site.auth.calls == 1


def test_a_slow_upload_is_authenticated_again_before_the_commit(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypi, "SLOW_UPLOAD", 0)
    site.during_upload = lambda: setattr(site.auth, "person", Person("ada", "personal token of today"))
    site.upload()
    assert site.auth.calls == 2
    [event] = site.events
    assert event.actor.via == "personal token of today"


def test_a_slow_upload_is_refused_if_the_token_was_revoked_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pypi, "SLOW_UPLOAD", 0)
    site.during_upload = lambda: setattr(site.auth, "is_revoked", True)
    assert site.upload(status=401).json["error"] == "invalid_token"
    site.assert_empty()


@pytest.mark.parametrize("ability", [Ability.CREATE_PACKAGE, Ability.READ_PROJECT])
@pytest.mark.parametrize("named", [False, True], ids=["in the project", "under the name"])
def test_a_slow_upload_is_refused_if_the_caller_has_lost_the_ability(
    site: Site, monkeypatch: pytest.MonkeyPatch, ability: Ability, named: bool
) -> None:
    monkeypatch.setattr(pypi, "SLOW_UPLOAD", 0)
    subject: Subject = PackageName(site.project, DEMO) if named else site.project
    forbidden = {(Ability.CREATE_PACKAGE, subject), (ability, subject)}
    site.during_upload = lambda: setattr(site.auth, "person", Person(forbidden=forbidden))
    site.upload(status=404 if ability is Ability.READ_PROJECT and not named else 403)
    site.assert_empty()


def test_an_invalid_upload_is_not_authenticated_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pypi, "SLOW_UPLOAD", 0)
    site.upload(form={"name": "De_Mo"}, status=400)
    assert site.auth.calls == 1


# Who may publish under a name


def test_the_ability_under_a_name_is_asked_for_once_with_the_normalized_name(site: Site) -> None:
    site.upload()
    named = [asked for asked in site.auth.person.asked if isinstance(asked[1], PackageName)]
    assert named == [(Ability.CREATE_PACKAGE, PackageName(site.project, DEMO))]


def protect(site: Site) -> None:
    site.auth.person.forbidden.add((Ability.CREATE_PACKAGE, PackageName(site.project, DEMO)))


def test_a_protected_name_is_refused_before_the_other_fields_are_checked(site: Site) -> None:
    # GitLab checks its protection rules before it validates what it would store.
    protect(site)
    answer = site.upload(form={"name": "De_Mo", "version": "1.0_1"}, status=403)
    assert answer.json == {"message": "403 Forbidden - Package protected."}


# What a refused upload leaves behind: nothing


class FullBlobs(MemoryBlobs):
    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        raise StorageFull


def failing(stream: BinaryIO, filename: str) -> Report:
    raise RuntimeError("a defect of the verifier")


@pytest.mark.parametrize(
    ("options", "form", "prepare", "status"),
    [
        pytest.param({}, {"name": "De_Mo", "version": "1.0_1"}, None, 400, id="an invalid version"),
        pytest.param({}, FORM | {"sha256_digest": "0" * 64}, None, 400, id="another digest"),
        pytest.param({}, FORM | {":action": "submit"}, None, 410, id="a registration"),
        pytest.param({}, FORM, protect, 403, id="a protected name"),
        pytest.param({"max_file_size": 20}, FORM, None, 400, id="a file that is too large"),
        pytest.param({"verify": lambda stream, name: Report(None, ("?",))}, FORM, None, 400, id="an invalid file"),
        pytest.param({"verify": verify}, FORM, None, 400, id="not an archive"),
        pytest.param({"verify": failing}, FORM, None, 500, id="a verifier that fails"),
        pytest.param({"blobs": FullBlobs()}, FORM, None, 507, id="a store without room"),
    ],
)
def test_a_refused_upload_leaves_nothing(
    client_of: ClientOf,
    options: dict[str, Any],
    form: dict[str, str],
    prepare: Callable[[Site], None] | None,
    status: int,
) -> None:
    site = Site(client_of, **options)
    if prepare:
        prepare(site)
    site.upload(form=form, status=status)
    site.assert_empty()


def test_a_body_that_ends_early_leaves_nothing(site: Site) -> None:
    content_type, body = site.client.app.encode_multipart([*FORM.items()], [SDIST])
    environ = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    answer = site.client.app.request(
        site.client.prefix + PYPI,
        method="POST",
        environ=environ | {"wsgi.input": io.BytesIO(body[:-200])},
        status=400,
    )
    assert answer.json["errors"]
    site.assert_empty()


def test_a_refused_upload_can_be_corrected_and_sent_again(site: Site) -> None:
    site.upload(form=FORM | {"sha256_digest": "0" * 64}, status=400)
    site.upload(form=FORM | {"sha256_digest": hashlib.sha256(DATA).hexdigest()})
    [(_, size, _)] = site.blobs.keys()
    assert size == len(DATA)


class SlowBlobs(MemoryBlobs):
    """A store that takes long, by a clock of its own, and lets something happen meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.seconds = 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        super().put(key, file, size=size, sha256=sha256, filename=filename)
        self.now += self.seconds
        self.meanwhile()


@pytest.mark.parametrize(("seconds", "status", "calls"), [(5.0, 201, 1), (5.1, 401, 2)])
def test_a_token_that_expires_while_the_bytes_are_stored_publishes_nothing(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch, seconds: float, status: int, calls: int
) -> None:
    blobs = SlowBlobs()
    site = Site(client_of, blobs=blobs)
    blobs.seconds, blobs.meanwhile = seconds, lambda: setattr(site.auth, "is_revoked", True)
    monkeypatch.setattr("pypi_registry._api.pypi.time.monotonic", lambda: blobs.now)
    site.upload(status=status)
    assert site.auth.calls == calls
    if status != 201:
        assert [*blobs.keys()] == []
        assert site.events == []


@pytest.mark.parametrize(
    ("path", "body"), [("package", {"yanked": "x"}), (f"{PYPI}/simple/de-mo", {"status": "archived", "reason": "x"})]
)
def test_a_reason_has_at_most_1000_characters(site: Site, path: str, body: dict[str, str]) -> None:
    site.upload()
    path = site.package_path() if path == "package" else path
    key = "reason" if "reason" in body else "yanked"
    for length, status in ((1000, 200), (1001, 400), (60_000, 400)):
        options = {"headers": HEADERS, "status": status}
        sent = body | {key: "\N{SNOWMAN}" * length} if length < 10_000 else body | {key: "x" * length}
        answer = site.client.app.patch_json(site.client.prefix + path, sent, **options)
        if status == 400:
            assert answer.json["errors"] == [f"{key} is too long (at most 1000 characters)"]
            assert len(answer.body) < 500
    site.events.clear()
    for media_type in ("text/html", "application/vnd.pypi.simple.v1+json"):
        page = site.client.get(f"{PYPI}/simple/de-mo/", headers=HEADERS | {"Accept": media_type})
        assert len(page.body) < 20_000


@pytest.mark.parametrize(
    "date", ["yesterday", "Sun, 06 Nov 99999 08:49:37 GMT", "9" * 1000, "Sun, 06 Nov 1994 08:49:37 +9999", "\xff"]
)
def test_a_date_that_is_none_is_ignored(site: Site, date: str) -> None:
    site.upload()
    site.client.app.delete(
        site.client.prefix + site.package_path(), headers=HEADERS | {"If-Unmodified-Since": date}, status=204
    )


class Undeletable(MemoryBlobs):
    def delete(self, key: str) -> None:
        raise RuntimeError("an error of a library")


@pytest.mark.parametrize("what", ["package", "file"])
def test_a_delete_whose_bytes_stay_is_204_and_logged(
    client_of: ClientOf, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    blobs = Undeletable()
    site = Site(client_of, blobs=blobs)
    site.upload()
    path = site.package_path()
    if what == "file":
        [file] = site.client.get(f"{path}/package_files", headers=HEADERS).json
        path = f"{path}/package_files/{file['id']}"
    site.client.app.delete(site.client.prefix + path, headers=HEADERS, status=204)
    [(key, _, _)] = blobs.keys()
    assert key in caplog.text
    site.client.get(f"{PYPI}/simple/de-mo/", headers=HEADERS, status=404)
