"""Which refusals `serve` writes to the audit log, how often, and how many it counts."""

import io
import json
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from webtest import TestApp

from pypi_registry._api.early_refusal import refuse_unknown_caller
from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.refusals import SIGN_IN_FAILED, FailedSignIns, Refusal, Refusals
from pypi_registry._cli.site import Site
from pypi_registry._http.notes import NOTES, Notes
from pypi_registry.accounts import Accounts, token_digest
from pypi_registry.events import Actor, AuditLog
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

SECRETS = {
    name: f"registry-{name:_<40}"
    for name in ("ada", "rita", "eve", "reader", "expired", "revoked", "robot", "installer", "stale", "unknown")
}
UPLOAD = "/api/v4/projects/1/packages/pypi"
SIMPLE = f"{UPLOAD}/simple/demo/"


def token(name: str, more: str) -> str:
    return f'[[tokens]]\nname = "of {name}"\nsha256 = "{token_digest(SECRETS[name])}"\n{more}\n'


PERSONAL = 'kind = "personal"\nuser = "ada"\n'
DEPLOY = 'kind = "deploy"\non = "acme"\nscopes = ["write_package_registry"]\n'
CONFIG = f"""\
forward_to = false
[[projects]]
id = 1
path = "acme/tools"
protect = [{{ name = "core-*", minimum_push = "owner" }}]
[[projects]]
id = 2
path = "acme/open"
visibility = "public"
[[users]]
name = "ada"
roles = {{ "acme" = "developer" }}
[[users]]
name = "rita"
roles = {{ "acme/tools" = "reporter" }}
[[users]]
name = "eve"
{token("ada", PERSONAL + 'scopes = ["api"]')}
{token("rita", PERSONAL.replace("ada", "rita") + 'scopes = ["api"]')}
{token("eve", PERSONAL.replace("ada", "eve") + 'scopes = ["api"]')}
{token("reader", PERSONAL + 'scopes = ["read_api"]')}
{token("expired", PERSONAL + 'scopes = ["api"]' + chr(10) + "expires = 2001-01-01T00:00:00Z")}
{token("revoked", PERSONAL + 'scopes = ["api"]' + chr(10) + "revoked = true")}
{token("robot", DEPLOY)}
{token("installer", DEPLOY.replace("write", "read"))}
{token("stale", DEPLOY + "expires = 2001-01-01T00:00:00Z")}
"""


class Logged:
    """A registry as `serve` runs it, with its two logs."""

    def __init__(self, folder: Path) -> None:
        config = folder / "registry.toml"
        config.write_text(CONFIG, encoding="utf-8")
        self.accounts = Accounts.from_toml(config)
        self.now = 0.0
        self._audit = folder / "audit.jsonl"
        audit = AuditLog(self._audit)
        self.refusals = Refusals(audit, clock=lambda: self.now)
        registry = self.accounts.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs(), on_event=audit)
        self._access = io.StringIO()
        self.client = TestApp(AccessLog(Site(registry), self._access, self.refusals.record))

    def get(self, path: str, secret: str | None = None, user: str = "any", address: str = "192.0.2.7") -> int:
        answer = self.client.get(path, headers=_login(secret, user), extra_environ=_from(address), status="*")
        return int(answer.status_int)

    def upload(
        self, filename: str, secret: str | None, user: str = "any", data: bytes | None = None, **fields: str
    ) -> Any:
        name, version = filename.removesuffix(".tar.gz").rsplit("-", 1)
        content = distribution(filename) if data is None else data
        form = {":action": "file_upload", "name": name, "version": version, **fields}
        return self.client.post(
            UPLOAD,
            form,
            headers=_login(secret, user),
            upload_files=[("content", filename, content)],
            extra_environ=_from("192.0.2.7"),
            status="*",
        )

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._audit.read_bytes().splitlines()] if self._audit.exists() else []

    def access_lines(self) -> list[str]:
        return self._access.getvalue().splitlines()


def _login(secret: str | None, user: str) -> dict[str, str]:
    return {} if secret is None else {"Authorization": "Basic " + b64encode(f"{user}:{secret}".encode()).decode()}


def _from(address: str) -> dict[str, str]:
    return {"REMOTE_ADDR": address}


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    return Logged(tmp_path)


# Failed sign-ins


@pytest.mark.parametrize(
    ("name", "principal", "via", "reason"),
    [
        ("unknown", "", "", "the token is unknown, expired or revoked"),
        ("expired", "ada", "personal token of expired", "the token is expired"),
        ("revoked", "ada", "personal token of revoked", "the token is revoked"),
        ("stale", "", "expired deploy token of stale", "the token is unknown, expired or revoked"),
    ],
)
@pytest.mark.parametrize("uploads", [False, True])
def test_a_failed_sign_in_is_a_line(
    logged: Logged, name: str, principal: str, via: str, reason: str, uploads: bool
) -> None:
    status = (
        logged.upload("demo-1.0.tar.gz", SECRETS[name]).status_int if uploads else logged.get(SIMPLE, SECRETS[name])
    )
    [line] = logged.lines()
    assert line.pop("time")
    assert line == {
        "action": "SignInFailed",
        "principal": principal,
        "token": via,
        "address": "192.0.2.7",
        "project": "acme/tools",
        "project_id": 1,
        "package": None,
        "version": None,
        "files": [],
        "status": None,
        "reason": reason,
        "response": status,
        "count": 1,
    }
    assert status == 401


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        pytest.param(SIMPLE, None, id="no token: uv asks without one first"),
        pytest.param(SIMPLE, "", id="an empty token"),
        pytest.param(SIMPLE, SECRETS["ada"], id="a name that does not exist"),
        pytest.param("/api/v4/projects/2/packages/pypi/simple/", SECRETS["unknown"], id="a public index, not refused"),
        pytest.param("/api/v4/projects/9/packages/pypi/simple/", SECRETS["ada"], id="no such project"),
        pytest.param("/elsewhere", SECRETS["unknown"], id="a page that asks for no token"),
    ],
)
def test_these_are_no_failed_sign_ins(logged: Logged, path: str, secret: str | None) -> None:
    logged.get(path, secret)
    logged.refusals.close()
    assert logged.lines() == []


def test_an_address_has_one_line_a_minute_and_none_is_lost_from_the_count(logged: Logged) -> None:
    for logged.now in (0, 1, 30, 59):
        logged.get(SIMPLE, SECRETS["unknown"])
    logged.get(SIMPLE, SECRETS["unknown"], address="198.51.100.1")
    shown = [(line["address"], line["count"]) for line in logged.lines()]
    assert shown == [("192.0.2.7", 1), ("198.51.100.1", 1)]
    logged.now = 61
    logged.get(SIMPLE)  # any request
    assert [(line["address"], line["count"]) for line in logged.lines()[2:]] == [("192.0.2.7", 3)]
    for logged.now in (62, 63):
        logged.get(SIMPLE, SECRETS["expired"])
    assert len(logged.lines()) == 3
    logged.refusals.close()
    [line] = logged.lines()[3:]
    assert (line["count"], line["reason"]) == (2, "the token is expired")


def test_a_burst_is_counted_in_a_line_although_no_other_request_comes(logged: Logged) -> None:
    for logged.now in (0, 1, 2):
        logged.get(SIMPLE, SECRETS["unknown"])
    for logged.now in (3, 59.9):
        logged.refusals.write_due()
    assert [line["count"] for line in logged.lines()] == [1]
    logged.now = 60
    logged.refusals.write_due()
    assert [line["count"] for line in logged.lines()] == [1, 2]
    for logged.now in (61, 120, 200):
        logged.refusals.write_due()
    logged.refusals.close()
    assert len(logged.lines()) == 2


def failed(address: str) -> Refusal:
    return Refusal(SIGN_IN_FAILED, Actor(address=address), {})


def test_many_addresses_need_bounded_memory_and_lines() -> None:
    sign_ins = FailedSignIns(max_addresses=3)
    lines = [line for number in range(100) for line in sign_ins.add(failed(f"192.0.2.{number}"), 0)]
    assert [(refusal.actor.address, count) for refusal, count in lines] == [
        ("192.0.2.0", 1),
        ("192.0.2.1", 1),
        ("192.0.2.2", 1),
        ("", 1),
    ]
    assert [(refusal.actor.address, count) for refusal, count in sign_ins.rest()] == [("", 96)]


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        ("2001:db8::1", "2001:db8::2", 1),
        ("2001:db8::1", "2001:db8:0:1::1", 2),
        ("::ffff:192.0.2.7", "192.0.2.7", 1),
        ("no:address", "no:address", 1),
        ("", "192.0.2.7", 2),
    ],
)
def test_a_network_of_ipv6_is_one_address(first: str, second: str, lines: int) -> None:
    sign_ins = FailedSignIns()
    assert sum(len([*sign_ins.add(failed(address), 0)]) for address in (first, second)) == lines


def test_a_refusal_before_the_body_counts(logged: Logged) -> None:
    """`serve` answers it in its main loop; the request never reaches the registry."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": UPLOAD,
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_PRIVATE_TOKEN": SECRETS["revoked"],
        NOTES: Notes(),
    }
    response = refuse_unknown_caller(logged.accounts, environ, UPLOAD.removeprefix("/api/v4"))
    assert response is not None
    AccessLog(logged.client.app, io.StringIO(), logged.refusals.record).write_request(environ, "401", "-", 0)
    [line] = logged.lines()
    assert (line["project"], line["project_id"]) == (None, None), "no project was looked up"
    assert (line["action"], line["reason"], line["address"]) == ("SignInFailed", "the token is revoked", "192.0.2.7")


def test_a_token_that_is_refused_without_a_reason_is_not_accepted(logged: Logged) -> None:
    logged.client.get(
        SIMPLE, headers={"PRIVATE-TOKEN": SECRETS["unknown"]}, extra_environ=_from("192.0.2.7"), status=401
    )
    [line] = logged.lines()
    assert line["reason"] == "the token is unknown, expired or revoked"


# Refused uploads


def test_a_refused_upload_is_a_line_with_its_reasons(logged: Logged) -> None:
    assert logged.upload("demo-1.0.tar.gz", SECRETS["ada"], sha256_digest="0" * 64, version="2.0").status_int == 400
    [line] = logged.lines()
    [file] = line["files"]
    assert (line["action"], line["principal"], line["token"]) == ("UploadRefused", "ada", "personal token of ada")
    assert (line["project"], line["project_id"]) == ("acme/tools", 1)
    assert (line["package"], line["version"]) == ("demo", "2.0")
    assert (file["name"], len(file["sha256"])) == ("demo-1.0.tar.gz", 64)
    assert line["response"] == 400 and "count" not in line
    assert "sha256" in line["reason"] and "version" in line["reason"]


@pytest.mark.parametrize(
    ("path", "project", "project_id"),
    [
        ("/api/v4/projects/acme%2Ftools/packages/pypi/simple/", "acme/tools", 1),
        ("/acme/tools", "acme/tools", 1),
        ("/api/v4/groups/acme/-/packages/pypi/simple/", "acme", None),
        ("/sign-in", None, None),
    ],
)
def test_a_line_has_the_id_of_the_project_if_the_request_is_for_one(
    logged: Logged, path: str, project: str | None, project_id: int | None
) -> None:
    answer = logged.client.get(
        path, headers={"Accept": "text/html", **_login(SECRETS["revoked"], "any")}, status=[401, 404]
    )
    [line] = logged.lines()
    assert (line["action"], line["project"], line["project_id"]) == ("SignInFailed", project, project_id)
    assert line["response"] == answer.status_int


PROTECTED, FORBIDDEN = {"message": "403 Forbidden - Package protected."}, {"message": "403 Forbidden"}


@pytest.mark.parametrize(
    ("name", "filename", "status", "body", "reason"),
    [
        (
            "rita",
            "demo-1.0.tar.gz",
            403,
            FORBIDDEN,
            "rita may not publish packages in acme/tools (the role reporter does not allow create_package)",
        ),
        (
            "ada",
            "core-x-1.0.tar.gz",
            403,
            PROTECTED,
            "ada may not publish core-x in acme/tools "
            "(a protection rule for this name requires the role owner, not developer)",
        ),
        (
            "eve",
            "demo-1.0.tar.gz",
            404,
            {"message": "404 Not Found"},
            "eve may not publish packages in acme/tools (the user has no role there)",
        ),
        ("reader", "demo-1.0.tar.gz", 403, None, "the token lacks the scope api"),
        (
            "installer",
            "demo-1.0.tar.gz",
            403,
            FORBIDDEN,
            "deploy token of installer may not publish packages in acme/tools "
            "(the scopes of the token do not allow create_package)",
        ),
        (
            "robot",
            "core-x-1.0.tar.gz",
            403,
            PROTECTED,
            "deploy token of robot may not publish core-x in acme/tools "
            "(a protection rule for this name excludes deploy tokens)",
        ),
    ],
)
def test_an_upload_that_is_not_allowed_is_a_line_that_states_who_may_not_do_what_and_why(
    logged: Logged, name: str, filename: str, status: int, body: object, reason: str
) -> None:
    """GitLab's answer stays as it is: the client learns nothing of it."""
    answer = logged.upload(filename, SECRETS[name])
    [line] = logged.lines()
    principal = {"reader": "ada", "robot": "deploy token of robot", "installer": "deploy token of installer"}
    assert answer.status_int == line["response"] == status
    assert body is None or answer.json == body
    assert (line["action"], line["principal"], line["reason"]) == ("UploadRefused", principal.get(name, name), reason)
    assert line["token"].endswith(f"token of {name}")
    assert (line["project"], line["project_id"]) == ("acme/tools", 1)
    is_read = "core" in filename
    assert [file["name"] for file in line["files"]] == ([filename] if is_read else []), "if the form was read"
    [shown] = logged.access_lines()
    assert shown.endswith(f" reason={json.dumps(reason)}") == (status == 403)


def test_any_403_has_its_reason_in_the_access_log(logged: Logged) -> None:
    assert logged.upload("demo-1.0.tar.gz", SECRETS["ada"]).status_int == 201
    package = "/api/v4/projects/1/packages/1"
    for secret in ("rita", "robot"):
        logged.client.delete(package, headers=_login(SECRETS[secret], "any"), status=403)
    logged.client.delete("/api/v4/projects/2/packages/1", status=404)
    by_rita, by_robot, _ = logged.access_lines()[1:]
    assert "rita may not delete packages in acme/tools (the role reporter does not allow destroy_package)" in by_rita
    assert "deploy token of robot may not delete packages in acme/tools (a deploy token" in by_robot
    assert len(logged.lines()) == 1, "which is no refused upload"


def test_an_upload_without_a_token_is_no_line(logged: Logged) -> None:
    assert logged.upload("demo-1.0.tar.gz", None).status_int == 401
    assert logged.lines() == []


def test_published_and_refused_are_in_one_file(logged: Logged) -> None:
    assert [logged.upload("demo-1.0.tar.gz", SECRETS["ada"]).status_int for _ in range(2)] == [201, 400]
    shown = [(line["action"], line["files"][0]["name"]) for line in logged.lines()]
    assert shown == [("Published", "demo-1.0.tar.gz"), ("UploadRefused", "demo-1.0.tar.gz")]
    assert "already been taken" in logged.lines()[1]["reason"]


# The access log


def test_a_line_names_the_caller_and_the_file(logged: Logged) -> None:
    logged.upload("demo-1.0.tar.gz", SECRETS["ada"])
    logged.get(SIMPLE, SECRETS["robot"])
    logged.get(SIMPLE)
    uploaded, installed, refused = logged.access_lines()
    assert uploaded.endswith(' user="ada" file="demo-1.0.tar.gz"')
    assert installed.endswith(' user="deploy token of robot"')
    assert "user" not in refused


def test_a_400_has_its_reason(logged: Logged) -> None:
    logged.upload("demo-1.0.tar.gz", SECRETS["ada"], data=b"no archive")
    [line] = logged.access_lines()
    assert " 400 " in line and ' user="ada" file="demo-1.0.tar.gz" reason="' in line


@pytest.mark.parametrize("name", ["expired", "ada"])
def test_no_log_has_a_secret_wherever_it_was_sent(logged: Logged, name: str) -> None:
    secret = SECRETS[name]
    logged.upload("demo-1.0.tar.gz", secret, user=secret)
    logged.upload(f"{secret}-1.0.tar.gz", secret, data=b"x", version=secret)
    logged.upload("demo-1.0.tar.gz", SECRETS["ada"], user=SECRETS["robot"], data=b"x", name=SECRETS["robot"])
    logged.get(f"{SIMPLE}?private_token={secret}", secret, user=secret)
    shown = "\n".join([*logged.access_lines(), *map(json.dumps, logged.lines())])
    assert len(logged.lines()) >= 2
    assert not [each for each in SECRETS.values() if each in shown or each.lower() in shown]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"principal": 'a "b"\n'}, r'user="a \"b\"\n"'),
        ({"filename": "a" * 400}, f'file="{"a" * 300}…"'),
        ({"reason": "line\nfeed\u2028\x1b[2J"}, r'reason="line\nfeed\u2028\u001b[2J"'),
        ({"principal": "José"}, 'user="José"'),
    ],
)
def test_nothing_in_a_field_can_forge_a_line(fields: Mapping[str, str], shown: str) -> None:
    stream = io.StringIO()
    log = AccessLog(lambda *_: [], stream)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", NOTES: dict(fields)}
    log.write_request(environ, "400", "-", 0)
    assert stream.getvalue().endswith(f" 0.000 {shown}\n")
