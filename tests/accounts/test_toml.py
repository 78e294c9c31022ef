import hashlib
import pickle
import traceback
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pypi_registry.accounts import (
    Accounts,
    GroupConfig,
    InvalidConfig,
    ProjectConfig,
    ProtectionRule,
    Role,
    Token,
    TokenKind,
    User,
)
from pypi_registry.accounts.config import HIDDEN, SECRET_PREFIX
from pypi_registry.accounts.toml import read_settings
from pypi_registry.model import Visibility

SECRET = "correct-horse-battery"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()

SAMPLE = f"""\
forward_to = true                             # true: the public PyPI (default); false: off; or another simple index's URL
max_file_size = 3221225472                    # bytes
reserved = ["acme-*"]                         # names that are never forwarded; also in a [[groups]] table
forward_always = ["numpy"]                    # names forwarded although somebody here once published them; also in a [[groups]] table

[[groups]]                                    # groups that only appear as parts of paths exist too
id = 1
path = "acme"
name = "Acme"                                 # default: the last segment
visibility = "private"                        # public, internal, private (default)
forward = false                               # overrides forward_to for this group and everything below it

[[projects]]
id = 42
path = "acme/tools"
visibility = "private"
job_token_allowlist = ["acme/deploy"]         # projects whose job tokens may come in
protect = [{{ name = "core-*", minimum_push = "maintainer", minimum_delete = "owner" }}]

[[users]]
name = "ada"
admin = false
roles = {{ "acme" = "owner", "acme/tools" = "developer" }}   # on a group (inherited downwards) or a project

[[tokens]]
name = "ada's laptop"
kind = "personal"                             # personal, deploy, job
user = "ada"                                  # personal and job
scopes = ["api"]                              # personal: api, read_api; deploy: read_package_registry, write_package_registry
on = "acme/tools"                             # deploy: a group or a project; job: the project whose job it is
sha256 = "{DIGEST}"                                  # hex SHA-256 of the secret
expires = 2027-01-01T00:00:00Z
revoked = false
"""  # noqa: E501  # the manual's sample to the letter

# The keys that each table needs, so that a row below has only the key that it tests.
NEEDED: dict[str, dict[str, str]] = {
    "": {},
    "groups": {"path": '"acme"'},
    "projects": {"id": "42", "path": '"acme/tools"'},
    "protect": {"name": '"core-*"', "minimum_push": '"owner"'},
    "users": {"name": '"ada"'},
    "tokens": {"kind": '"personal"', "sha256": f'"{DIGEST}"'},
}
# The prefix of the keys of the first table of each kind in messages.
PREFIX = {
    "": "",
    "groups": "groups[1].",
    "projects": "projects[1].",
    "protect": "projects[1].protect[1].",
    "users": "users[1].",
    "tokens": "tokens[1].",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accounts")  # one for all tests, because creating one takes longer than a test


@pytest.fixture
def file(folder: Path) -> Path:
    """The path of a file that does not exist yet."""
    path = folder / "registry.toml"
    path.unlink(missing_ok=True)
    return path


def document(table: str, settings: dict[str, str]) -> str:
    """One table with the keys that it needs and these settings, each as TOML."""
    lines = [f"{key} = {text}" for key, text in {**NEEDED[table], **settings}.items()]
    if table == "protect":
        rule = ", ".join(lines)
        return document("projects", {"protect": f"[{{ {rule} }}]"})
    return "\n".join([f"[[{table}]]", *lines] if table else lines)


def read(file: Path, text: str) -> dict[str, Any]:
    file.write_text(text, encoding="utf-8")
    return read_settings(file)


def refused(file: Path, text: str | bytes) -> InvalidConfig:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidConfig) as caught:
        Accounts.from_toml(file)
    assert caught.value.file == str(file)
    assert str(caught.value).startswith(f"{file}: ")
    return caught.value


def everything_shown(error: BaseException) -> str:
    """All that a log, a traceback or a pickle could show of an error and of its causes."""
    texts = ["".join(traceback.format_exception(error)), pickle.dumps(error).decode("latin-1")]
    chain: BaseException | None = error
    while chain is not None:
        texts += [str(chain), repr(chain), repr(chain.args)]
        chain = chain.__cause__ or chain.__context__
    return "\n".join(texts)


# Valid values


def test_every_key_of_the_sample_in_the_manual_is_read(file: Path) -> None:
    assert read(file, SAMPLE) == {
        "forwarding": True,
        "max_file_size": 3221225472,
        "reserved": ("acme-*",),
        "forward_always": ("numpy",),
        "groups": (GroupConfig(id=1, path="acme", name="Acme", visibility=Visibility.PRIVATE, forward=False),),
        "projects": (
            ProjectConfig(
                id=42,
                path="acme/tools",
                visibility=Visibility.PRIVATE,
                job_token_allowlist=("acme/deploy",),
                protect=(ProtectionRule(name="core-*", minimum_push=Role.MAINTAINER, minimum_delete=Role.OWNER),),
            ),
        ),
        "users": (User(name="ada", admin=False, roles={"acme": Role.OWNER, "acme/tools": Role.DEVELOPER}),),
        "tokens": (
            Token(
                name="ada's laptop",
                kind=TokenKind.PERSONAL,
                user="ada",
                scopes=frozenset({"api"}),
                path="acme/tools",
                sha256=DIGEST,
                expires=datetime(2027, 1, 1, tzinfo=UTC),
                revoked=False,
            ),
        ),
    }


def test_the_sample_of_the_manual_is_a_valid_configuration(file: Path) -> None:
    file.write_text(SAMPLE, encoding="utf-8")
    accounts = Accounts.from_toml(file)
    tools = accounts.project("acme/tools")
    assert tools is not None
    assert accounts.project(42) == tools
    assert accounts.max_file_size == 3221225472


def test_an_empty_file_has_the_defaults(file: Path) -> None:
    assert read(file, "") == {}
    accounts = Accounts.from_toml(file)
    assert accounts.max_file_size == 3 * 1024**3


@pytest.mark.parametrize("windows", [False, True], ids=["LF", "CRLF"])
def test_both_line_endings_are_accepted(file: Path, windows: bool) -> None:
    file.write_bytes(SAMPLE.replace("\n", "\r\n" if windows else "\n").encode())
    assert read_settings(file)["users"][0].name == "ada"


@pytest.mark.parametrize("as_text", [False, True], ids=["Path", "str"])
def test_from_toml_accepts_a_path_and_a_str(file: Path, as_text: bool) -> None:
    file.write_text('[[projects]]\nid = 7\npath = "acme/tools"\n', encoding="utf-8")
    accounts = Accounts.from_toml(str(file) if as_text else file)
    assert accounts.project(7) is not None


@pytest.mark.parametrize(
    ("table", "config"),
    [
        (
            "groups",
            GroupConfig(
                path="acme",
                id=None,
                name="",
                visibility=Visibility.PRIVATE,
                forward=None,
                reserved=(),
                forward_always=(),
            ),
        ),
        (
            "projects",
            ProjectConfig(
                id=42, path="acme/tools", name="", visibility=Visibility.PRIVATE, job_token_allowlist=(), protect=()
            ),
        ),
        ("users", User(name="ada", admin=False, roles={})),
        (
            "tokens",
            Token(
                sha256=DIGEST,
                kind=TokenKind.PERSONAL,
                name="",
                user="",
                scopes=frozenset(),
                path="",
                expires=None,
                revoked=False,
            ),
        ),
    ],
    ids=["groups", "projects", "users", "tokens"],
)
def test_a_missing_key_has_the_default_that_gives_no_access(file: Path, table: str, config: object) -> None:
    assert read(file, document(table, {})) == {table: (config,)}


def test_a_rule_without_minimum_push_does_not_limit_publishing(file: Path) -> None:
    settings = read(file, document("projects", {"protect": '[{ name = "a", minimum_delete = "admin" }]'}))
    assert settings["projects"][0].protect == (ProtectionRule(name="a", minimum_push=None, minimum_delete=Role.ADMIN),)


# The keys of which the argument in Python has another name.
FIELDS = {"forward_to": "forwarding", "on": "path"}

ACCEPTED: list[tuple[str, str, str, object]] = [
    ("", "forward_to", "true", True),
    ("", "forward_to", "false", False),
    ("", "forward_to", '"https://mirror.example/simple/"', "https://mirror.example/simple/"),
    ("", "forward_to", '"http://[2001:db8::1]:8080/simple"', "http://[2001:db8::1]:8080/simple"),
    ("", "max_file_size", "1", 1),
    ("", "max_file_size", "5_000_000_000", 5_000_000_000),
    ("", "reserved", "[]", ()),
    ("", "reserved", '["acme-*", "My_Tool", "*"]', ("acme-*", "My_Tool", "*")),
    ("", "forward_always", '["numpy", "sci*"]', ("numpy", "sci*")),
    ("groups", "id", "7", 7),
    ("groups", "path", '"acme/Libs_2/my.tools-3"', "acme/Libs_2/my.tools-3"),
    ("groups", "name", '"Ácme & sons"', "Ácme & sons"),
    ("groups", "visibility", '"public"', Visibility.PUBLIC),
    ("groups", "visibility", '"internal"', Visibility.INTERNAL),
    ("groups", "visibility", '"private"', Visibility.PRIVATE),
    ("groups", "forward", "true", True),
    ("groups", "forward", "false", False),
    ("groups", "forward", '"https://mirror.example/simple"', "https://mirror.example/simple"),
    ("groups", "reserved", '["acme-*"]', ("acme-*",)),
    ("groups", "forward_always", '["numpy"]', ("numpy",)),
    ("projects", "id", "7", 7),
    ("projects", "path", '"acme/libs/tools"', "acme/libs/tools"),
    ("projects", "name", '"Tools"', "Tools"),
    ("projects", "visibility", '"public"', Visibility.PUBLIC),
    ("projects", "visibility", '"internal"', Visibility.INTERNAL),
    ("projects", "visibility", '"private"', Visibility.PRIVATE),
    ("projects", "job_token_allowlist", '["acme/deploy", "else/where"]', ("acme/deploy", "else/where")),
    ("projects", "protect", "[]", ()),
    (
        "projects",
        "protect",
        '[{ name = "a", minimum_push = "maintainer" }, { name = "b*", minimum_push = "admin" }]',
        (ProtectionRule(name="a", minimum_push=Role.MAINTAINER), ProtectionRule(name="b*", minimum_push=Role.ADMIN)),
    ),
    (
        "projects",
        "protect",
        '[{ name = "a", minimum_push = "owner", minimum_delete = "owner" }]',
        (ProtectionRule(name="a", minimum_push=Role.OWNER, minimum_delete=Role.OWNER),),
    ),
    ("users", "name", '"grace hopper"', "grace hopper"),
    ("users", "admin", "true", True),
    ("users", "admin", "false", False),
    ("users", "roles", '{ "a" = "guest", "a/b" = "reporter" }', {"a": Role.GUEST, "a/b": Role.REPORTER}),
    ("users", "roles", '{ a = "developer", b = "maintainer" }', {"a": Role.DEVELOPER, "b": Role.MAINTAINER}),
    ("users", "roles", '{ "a.b" = "owner" }', {"a.b": Role.OWNER}),
    ("tokens", "name", '"a laptop"', "a laptop"),
    ("tokens", "kind", '"personal"', TokenKind.PERSONAL),
    ("tokens", "kind", '"deploy"', TokenKind.DEPLOY),
    ("tokens", "kind", '"job"', TokenKind.JOB),
    ("tokens", "user", '"ada"', "ada"),
    ("tokens", "scopes", '["read_api", "api", "api"]', frozenset({"api", "read_api"})),
    ("tokens", "scopes", '["write_package_registry"]', frozenset({"write_package_registry"})),
    ("tokens", "on", '"acme/tools"', "acme/tools"),
    ("tokens", "sha256", f'"{DIGEST.upper()}"', DIGEST.upper()),
    ("tokens", "expires", "2027-01-01T00:00:00Z", datetime(2027, 1, 1, tzinfo=UTC)),
    ("tokens", "expires", "2027-01-01 01:30:00+01:30", datetime(2027, 1, 1, tzinfo=UTC)),
    ("tokens", "expires", "2027-01-01T00:00:00.5-00:00", datetime(2027, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
    ("tokens", "revoked", "true", True),
    ("tokens", "revoked", "false", False),
]


@pytest.mark.parametrize(
    ("table", "key", "text", "value"),
    ACCEPTED,
    ids=[f"{PREFIX[table]}{key} = {text}" for table, key, text, _ in ACCEPTED],
)
def test_a_value_is_read(file: Path, table: str, key: str, text: str, value: object) -> None:
    settings = read(file, document(table, {key: text}))
    field = FIELDS.get(key, key)
    found = getattr(settings[table][0], field) if table else settings[field]
    assert found == value
    assert type(found) is type(value)


def test_every_key_has_a_row_above() -> None:
    keys = {table: {FIELDS.get(key, key) for row, key, *_ in ACCEPTED if row == table} for table in NEEDED}
    assert keys[""] == {"forwarding", "max_file_size", "reserved", "forward_always"}
    assert keys["groups"] == set(GroupConfig.__dataclass_fields__)
    assert keys["projects"] == set(ProjectConfig.__dataclass_fields__)
    assert keys["users"] == set(User.__dataclass_fields__)
    assert keys["tokens"] == set(Token.__dataclass_fields__)


def test_an_offset_is_kept(file: Path) -> None:
    (token,) = read(file, document("tokens", {"expires": "2027-01-01T00:00:00+05:30"}))["tokens"]
    assert token.expires == datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))


def test_an_allowlist_may_name_a_project_that_is_not_declared(file: Path) -> None:
    file.write_text(document("projects", {"job_token_allowlist": '["not/declared"]'}), encoding="utf-8")
    project = Accounts.from_toml(file).project(42)
    assert project is not None
    assert project.path == "acme/tools"


# Invalid values

URL = "true, false or the http(s) URL"
REFUSED: list[tuple[str, str, str, object, str]] = [
    # table, key, TOML, the value in the message, a part of the problem
    ("", "forward_to", "1", 1, URL),
    ("", "forward_to", "0", 0, URL),
    ("", "forward_to", '""', "", URL),
    ("", "forward_to", '"true"', "true", URL),
    ("", "forward_to", '"mirror.example/simple"', "mirror.example/simple", URL),
    ("", "forward_to", '"ftp://mirror.example/simple"', "ftp://mirror.example/simple", URL),
    ("", "forward_to", '"file:///etc/passwd"', "file:///etc/passwd", URL),
    ("", "forward_to", '"javascript:alert(1)"', "javascript:alert(1)", URL),
    ("", "forward_to", '"https:///simple"', "https:///simple", URL),
    ("", "forward_to", '"https://mirror.example/#a"', "https://mirror.example/#a", URL),
    ("", "forward_to", '"https://mirror.example/#a"', "https://mirror.example/#a", URL),
    ("", "forward_to", '"https://mirror.example/sim ple"', "https://mirror.example/sim ple", URL),
    ("", "forward_to", '"https://mirror.example/s\\r\\nX: y"', "https://mirror.example/s\r\nX: y", URL),
    ("", "forward_to", '"https://mirror.example/é"', "https://mirror.example/é", URL),
    ("", "forward_to", '"https://[2001:db8::1/simple"', "https://[2001:db8::1/simple", URL),
    ("", "forward_to", '"https://mirror.example:port/"', "https://mirror.example:port/", URL),
    ("", "forward_to", '"https://mirror.example:99999/"', "https://mirror.example:99999/", URL),
    ("", "max_file_size", "0", 0, "above 0"),
    ("", "max_file_size", "-1", -1, "above 0"),
    ("", "max_file_size", "true", True, "an integer"),
    ("", "max_file_size", "1.5", 1.5, "an integer"),
    ("", "max_file_size", "1e9", 1e9, "an integer"),
    ("", "max_file_size", '"3 GiB"', "3 GiB", "an integer"),
    ("groups", "id", "true", True, "an integer"),
    ("groups", "id", "1.0", 1.0, "an integer"),
    ("groups", "id", '"1"', "1", "an integer"),
    ("groups", "path", "1", 1, "a string"),
    ("groups", "path", '["acme"]', ["acme"], "a string"),
    ("groups", "name", "false", False, "a string"),
    ("groups", "visibility", '"Public"', "Public", "public, internal, private"),
    ("groups", "visibility", '""', "", "public, internal, private"),
    ("groups", "visibility", '"secret"', "secret", "public, internal, private"),
    ("groups", "visibility", "true", True, "public, internal, private"),
    ("groups", "forward", '"yes"', "yes", URL),
    ("groups", "forward", "1", 1, URL),
    ("projects", "id", "true", True, "an integer"),
    ("projects", "id", "42.0", 42.0, "an integer"),
    ("projects", "id", '"42"', "42", "an integer"),
    ("projects", "path", "42", 42, "a string"),
    ("projects", "name", "1", 1, "a string"),
    ("projects", "visibility", '"PUBLIC"', "PUBLIC", "public, internal, private"),
    ("projects", "visibility", '["public"]', ["public"], "public, internal, private"),
    ("protect", "name", '""', "", "* matches any text"),
    ("protect", "name", "1", 1, "* matches any text"),
    ("protect", "name", '"a/b"', "a/b", "* matches any text"),
    ("protect", "name", '"a?"', "a?", "* matches any text"),
    ("protect", "name", '"[ab]*"', "[ab]*", "* matches any text"),
    ("protect", "name", '"é"', "é", "* matches any text"),
    ("protect", "name", '"a\\n"', "a\n", "* matches any text"),
    ("protect", "minimum_push", '"developer"', "developer", "maintainer, owner, admin"),
    ("protect", "minimum_push", '"Owner"', "Owner", "maintainer, owner, admin"),
    ("protect", "minimum_push", "40", 40, "maintainer, owner, admin"),
    ("protect", "minimum_delete", '"maintainer"', "maintainer", "owner, admin"),
    ("protect", "minimum_delete", "true", True, "owner, admin"),
    ("users", "name", '""', "", "empty"),
    ("users", "name", "1", 1, "a string"),
    ("users", "admin", "1", 1, "true or false"),
    ("users", "admin", '"true"', "true", "true or false"),
    ("users", "admin", '"false"', "false", "true or false"),
    ("tokens", "name", "1", 1, "a string"),
    ("tokens", "kind", '"Personal"', "Personal", "personal, deploy, job"),
    ("tokens", "kind", '"pat"', "pat", "personal, deploy, job"),
    ("tokens", "kind", "1", 1, "personal, deploy, job"),
    ("tokens", "user", "1", 1, "a string"),
    ("tokens", "on", "42", 42, "a string"),
    ("tokens", "on", '["acme"]', ["acme"], "a string"),
    ("tokens", "expires", "2027-01-01T00:00:00", datetime(2027, 1, 1), "offset"),  # noqa: DTZ001  # the problem
    ("tokens", "expires", "2027-01-01", datetime(2027, 1, 1).date(), "offset"),  # noqa: DTZ001
    ("tokens", "expires", "12:30:00", datetime(2027, 1, 1, 12, 30).time(), "offset"),  # noqa: DTZ001
    ("tokens", "expires", '"2027-01-01T00:00:00Z"', "2027-01-01T00:00:00Z", "offset"),
    ("tokens", "expires", "1798761600", 1798761600, "offset"),
    ("tokens", "expires", "false", False, "offset"),
    ("tokens", "revoked", "0", 0, "true or false"),
    ("tokens", "revoked", '"true"', "true", "true or false"),
    ("tokens", "revoked", "2027-01-01T00:00:00Z", datetime(2027, 1, 1, tzinfo=UTC), "true or false"),
]


@pytest.mark.parametrize(
    ("table", "key", "text", "value", "problem"),
    REFUSED,
    ids=[f"{PREFIX[table]}{key} = {text}" for table, key, text, *_ in REFUSED],
)
def test_the_message_names_a_wrong_value_and_its_key(
    file: Path, table: str, key: str, text: str, value: object, problem: str
) -> None:
    error = refused(file, document(table, {key: text}))
    assert error.key == f"{PREFIX[table]}{key}"
    assert error.value == value
    assert type(error.value) is type(value)
    assert problem in error.problem
    assert str(error).startswith(f"{file}: {error.key} = {value!r}: ")


INSIDE: list[tuple[str, str, object]] = [
    ('reserved = ["a", 1]', "reserved[2]", 1),
    ('reserved = [["a"]]', "reserved[1]", ["a"]),
    ('forward_always = ["num py"]', "forward_always[1]", "num py"),
    ('[[groups]]\npath = "a"\nreserved = [""]', "groups[1].reserved[1]", ""),
    ('[[groups]]\npath = "a"\n[[groups]]\npath = 2', "groups[2].path", 2),
    (document("projects", {"job_token_allowlist": '["a", ""]'}), "projects[1].job_token_allowlist[2]", ""),
    (document("projects", {"job_token_allowlist": "[1]"}), "projects[1].job_token_allowlist[1]", 1),
    (document("projects", {"protect": '[{ name = "core-*" }]'}), "projects[1].protect[1]", "core-*"),
    (document("users", {"roles": '{ "a" = "Owner" }'}), 'users[1].roles."a"', "Owner"),
    (document("users", {"roles": '{ "a" = "admin" }'}), 'users[1].roles."a"', "admin"),
    (document("users", {"roles": '{ "a" = "nobody" }'}), 'users[1].roles."a"', "nobody"),
    (document("users", {"roles": '{ "a" = 50 }'}), 'users[1].roles."a"', 50),
    (document("users", {"roles": '{ "a" = { "b" = "owner" } }'}), 'users[1].roles."a"', {"b": "owner"}),
    (document("users", {"roles": '{ a.b = "owner" }'}), 'users[1].roles."a"', {"b": "owner"}),
    (document("tokens", {"scopes": '["api", 1]'}), "tokens[1].scopes[2]", 1),
]


@pytest.mark.parametrize(("text", "key", "value"), INSIDE, ids=[f"{key} = {value!r}" for _, key, value in INSIDE])
def test_the_message_names_the_position_of_a_wrong_value_inside_another(
    file: Path, text: str, key: str, value: object
) -> None:
    error = refused(file, text)
    assert (error.key, error.value) == (key, value)
    assert str(error).startswith(f"{file}: {key} = {value!r}: ")


# The messages need not show these values, which may be whole tables.
MISSHAPEN: list[tuple[str, str, str]] = [
    ('groups = "acme"', "groups", "must be an array"),
    ("groups = {}", "groups", "must be an array"),
    ('[groups]\npath = "acme"', "groups", "must be an array"),
    ('[groups.acme]\nvisibility = "public"', "groups", "must be an array"),
    ('groups = [{ path = "a" }, "b"]', "groups[2]", "must be a table"),
    ("groups = [[]]", "groups[1]", "must be a table"),
    ("projects = 42", "projects", "must be an array"),
    ('[projects]\nid = 42\npath = "acme/tools"', "projects", "must be an array"),
    ("projects = [42]", "projects[1]", "must be a table"),
    ("users = false", "users", "must be an array"),
    ('[users]\nname = "ada"', "users", "must be an array"),
    ('users = ["ada"]', "users[1]", "must be a table"),
    (f'[tokens]\nkind = "personal"\nsha256 = "{DIGEST}"', "tokens", "must be an array"),
    ("tokens = [1]", "tokens[1]", "must be a table"),
    ("reserved = {}", "reserved", "must be an array"),
    ('reserved = "acme-*"', "reserved", "must be an array"),
    ("reserved = true", "reserved", "must be an array"),
    ('forward_always = "numpy"', "forward_always", "must be an array"),
    (document("groups", {"reserved": '"acme-*"'}), "groups[1].reserved", "must be an array"),
    (
        document("projects", {"job_token_allowlist": '"acme/deploy"'}),
        "projects[1].job_token_allowlist",
        "must be an array",
    ),
    (document("tokens", {"scopes": '"api"'}), "tokens[1].scopes", "must be an array"),
    (document("groups", {"forward_always": "{}"}), "groups[1].forward_always", "must be an array"),
    (document("projects", {"protect": '"core-*"'}), "projects[1].protect", "must be an array"),
    (document("projects", {"protect": "{ name = 'a' }"}), "projects[1].protect", "must be an array"),
    (document("projects", {"protect": '["core-*"]'}), "projects[1].protect[1]", "must be a table"),
    (document("users", {"roles": '"owner"'}), "users[1].roles", "must be a table"),
    (document("users", {"roles": '["owner"]'}), "users[1].roles", "must be a table"),
    ("forward_to = []", "forward_to", "must be true, false or"),
    (document("groups", {"forward": "{}"}), "groups[1].forward", "must be true, false or"),
]


@pytest.mark.parametrize(("text", "key", "problem"), MISSHAPEN, ids=[text.replace("\n", " ") for text, *_ in MISSHAPEN])
def test_the_message_names_the_key_of_a_value_of_a_wrong_type(file: Path, text: str, key: str, problem: str) -> None:
    error = refused(file, text)
    assert error.key == key
    assert problem in error.problem


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("groups", "path"),
        ("projects", "id"),
        ("projects", "path"),
        ("protect", "name"),
        ("users", "name"),
        ("tokens", "kind"),
        ("tokens", "sha256"),
    ],
)
def test_a_required_key_must_be_present(file: Path, table: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(NEEDED[table], key)
    error = refused(file, document(table, {}))
    assert error.key == f"{PREFIX[table]}{key}"
    assert error.problem == "is missing"


# Unknown keys

UNKNOWN: list[tuple[str, str, str]] = [
    ("", "foward_to", "forward_to"),
    ("", "forward-to", "forward_to"),
    ("", "max_filesize", "max_file_size"),
    ("", "Reserved", "reserved"),
    ("", "group", "groups"),
    ("", "project", "projects"),
    ("", "user", "users"),
    ("", "token", "tokens"),
    ("groups", "visiblity", "visibility"),
    ("groups", "forwards", "forward"),
    ("groups", "reserve", "reserved"),
    ("projects", "visibilty", "visibility"),
    ("projects", "job_tokens_allowlist", "job_token_allowlist"),
    ("projects", "protected", "protect"),
    ("protect", "minimum_pushs", "minimum_push"),
    ("protect", "minimum_deletion", "minimum_delete"),
    ("users", "role", "roles"),
    ("users", "is_admin", "admin"),
    ("tokens", "sha-256", "sha256"),
    ("tokens", "scope", "scopes"),
    ("tokens", "expired", "expires"),
    ("tokens", "revoke", "revoked"),
]


@pytest.mark.parametrize(("table", "key", "similar"), UNKNOWN)
def test_an_unknown_key_is_an_error_that_suggests_a_similar_one(file: Path, table: str, key: str, similar: str) -> None:
    error = refused(file, document(table, {key: f'"{SECRET}"'}))
    assert error.key == f"{PREFIX[table]}{key}"
    assert f"did you mean {similar}?" in str(error)
    assert SECRET not in everything_shown(error)


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ("", "forward_to, max_file_size, reserved, forward_always, groups, projects, users, tokens"),
        ("groups", "id, path, name, visibility, forward, reserved, forward_always"),
        ("projects", "id, path, name, visibility, job_token_allowlist, protect"),
        ("protect", "name, minimum_push, minimum_delete"),
        ("users", "name, admin, roles"),
        ("tokens", "name, kind, user, scopes, on, sha256, expires, revoked"),
    ],
    ids=["top", "groups", "projects", "protect", "users", "tokens"],
)
def test_an_unknown_key_that_is_similar_to_none_is_an_error_that_lists_the_keys(
    file: Path, table: str, keys: str
) -> None:
    error = refused(file, document(table, {"xyzzy": f'"{SECRET}"'}))
    assert error.key == f"{PREFIX[table]}xyzzy"
    assert f"the keys are {keys}" in str(error)
    assert SECRET not in everything_shown(error)


# Secrets are never shown

MISTAKES = {
    "sha256 is the secret": document("tokens", {"sha256": f'"{SECRET}"'}),
    "sha256 of the second token is the secret": f"{SAMPLE}\n{document('tokens', {'sha256': repr(SECRET)})}",
    "sha256 is a list": document("tokens", {"sha256": f'["{SECRET}"]'}),
    "sha256 is a table": document("tokens", {"sha256": f'{{ secret = "{SECRET}" }}'}),
    "sha256 is digest and secret": document("tokens", {"sha256": f'"{DIGEST} {SECRET}"'}),
    "sha256 without quotes": document("tokens", {"sha256": SECRET}),
    "sha256 with one quote": document("tokens", {"sha256": f'"{SECRET}'}),
    "sha256 with two texts": document("tokens", {"sha256": f'"{DIGEST}" "{SECRET}"'}),
    "secret instead of sha256": f'[[tokens]]\nkind = "personal"\nsecret = "{SECRET}"',
    "secret beside sha256": document("tokens", {"secret": f'"{SECRET}"'}),
    "password of a user": document("users", {"password": f'"{SECRET}"'}),
    "a table where a list is expected": f'[tokens]\nkind = "personal"\nsha256 = "{SECRET}"',
    "a table of tables where a list is expected": f'[tokens.laptop]\nkind = "personal"\nsecret = "{SECRET}"',
    "a text where a list is expected": f'tokens = "{SECRET}"',
    "texts where tables are expected": f'tokens = ["{SECRET}"]',
}


@pytest.mark.parametrize("text", MISTAKES.values(), ids=MISTAKES)
def test_a_secret_that_was_pasted_by_mistake_is_never_shown(file: Path, text: str) -> None:
    assert SECRET not in everything_shown(refused(file, text))


def test_the_message_names_the_key_of_a_secret_that_replaces_its_digest(file: Path) -> None:
    error = refused(
        file,
        '[[users]]\nname = "ada"\n'
        + document("tokens", {"sha256": f'"{SECRET}"', "user": '"ada"', "scopes": '["api"]'}),
    )
    assert error.key == "tokens[1].sha256"
    assert error.value is HIDDEN
    assert str(error).startswith(f"{file}: tokens[1].sha256 = (not shown): ")
    assert "SHA-256" in error.problem


WITH_A_PASSWORD = {
    "user and password": f'"https://ci:{SECRET}@mirror.example/simple"',
    "user and password, over http": f'"http://ci:{SECRET}@mirror.example/simple"',
    "without a user": f'"https://:{SECRET}@mirror.example/simple"',
    "instead of a user": f'"https://{SECRET}@mirror.example/simple"',
    "in a query": f'"https://mirror.example/simple?token={SECRET}"',
    "with another problem": f'"https://ci:{SECRET}@mirror.example/simple?a=b"',
    "another scheme": f'"ftp://ci:{SECRET}@mirror.example/simple"',
    "one slash": f'"https:/ci:{SECRET}@mirror.example/simple"',
    "no scheme": f'"ci:{SECRET}@mirror.example/simple"',
    "no host": f'"https://ci:{SECRET}@"',
    "half a URL": f'"https://ci:{SECRET}@[2001:db8::1/simple"',
    "a list": f'["https://ci:{SECRET}@mirror.example/simple"]',
    "a table": f'{{ url = "https://ci:{SECRET}@mirror.example/simple" }}',
}


@pytest.mark.parametrize("text", WITH_A_PASSWORD.values(), ids=WITH_A_PASSWORD)
@pytest.mark.parametrize(("table", "key"), [("", "forward_to"), ("groups", "forward")], ids=["top", "group"])
def test_a_url_with_a_password_is_refused_and_not_shown(file: Path, table: str, key: str, text: str) -> None:
    # Every client would be redirected there and see the password.
    error = refused(file, document(table, {key: text}))
    assert error.key == f"{PREFIX[table]}{key}"
    assert SECRET not in everything_shown(error)


def test_the_message_for_a_url_with_a_password_states_the_reason(file: Path) -> None:
    error = refused(file, f'forward_to = "https://ci:{SECRET}@mirror.example/simple"')
    assert error.value is HIDDEN
    assert "password" in error.problem


# Files that cannot be read


@pytest.mark.parametrize(
    ("text", "position"),
    [
        pytest.param("forward_to = true\nreserved = [\n", "end of document", id="breaks off"),
        pytest.param("forward_to = true\nforward_to = false\n", "line 2", id="a key twice"),
        pytest.param("[[projects]]\nid: 42\n", "line 2", id="YAML"),
        pytest.param('{"projects": []}', "line 1", id="JSON"),
        pytest.param("[[tokens]]\nexpires = 2027-13-01T00:00:00Z\n", "line 2", id="month 13"),
        pytest.param("x = 1\0", "line 1", id="NUL"),
        pytest.param("max_file_size = " + "9" * 5000, "", id="a number of 5,000 digits"),
        pytest.param("reserved = " + "[" * 5000, "", id="5,000 nested arrays"),
    ],
)
def test_the_message_states_that_a_file_is_not_toml(file: Path, text: str, position: str) -> None:
    error = refused(file, text)
    assert error.key == ""
    assert position in error.problem
    assert str(error) == f"{file}: {error.problem}"


def test_the_message_states_from_which_byte_on_a_file_is_not_utf_8(file: Path) -> None:
    error = refused(file, b"# caf\xe9\nforward_to = true\n")
    assert error.key == ""
    assert "UTF-8" in error.problem
    assert "byte 5 " in error.problem


def test_a_missing_file_is_an_os_error(file: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Accounts.from_toml(file)
    assert caught.value.filename in (file, str(file))


def test_a_folder_instead_of_a_file_is_an_os_error(folder: Path) -> None:
    with pytest.raises(OSError) as caught:
        Accounts.from_toml(folder)
    assert caught.value.filename in (folder, str(folder))


# The error itself

ERRORS = [
    InvalidConfig("projects[1].id", True, "must be an integer", "registry.toml"),
    InvalidConfig("tokens[1].sha256", HIDDEN, "must be a string"),
    InvalidConfig("", None, "this is not TOML", "registry.toml"),
]


@pytest.mark.parametrize("error", ERRORS, ids=["with a file", "hidden", "without a key"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_invalid_config_can_be_pickled(error: InvalidConfig, protocol: int) -> None:
    copy = pickle.loads(pickle.dumps(error, protocol))
    assert type(copy) is InvalidConfig
    assert (copy.key, copy.value, copy.problem, copy.file) == (error.key, error.value, error.problem, error.file)
    assert str(copy) == str(error)
    assert copy.args == error.args == (error.key, error.value, error.problem, error.file)
    assert (copy.value is HIDDEN) == (error.value is HIDDEN)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ERRORS[0], "registry.toml: projects[1].id = True: must be an integer"),
        (ERRORS[1], "tokens[1].sha256 = (not shown): must be a string"),
        (ERRORS[2], "registry.toml: this is not TOML"),
    ],
    ids=["with a file", "hidden", "without a key"],
)
def test_invalid_config_names_file_key_and_value(error: InvalidConfig, sentence: str) -> None:
    assert str(error) == sentence


def test_invalid_config_is_a_value_error() -> None:
    assert issubclass(InvalidConfig, ValueError)


@pytest.mark.parametrize(
    "text",
    [
        f'[[tokens]]\nkind = "personal"\nuser = "{SECRET_PREFIX}{SECRET}"\nsha256 = "{64 * "a"}"\n',
        f'"{SECRET_PREFIX}{SECRET}" = 1\n',
        f'"a\\nb\\u001b[31m" = "{SECRET_PREFIX}{SECRET}"\n',
    ],
    ids=["as a user", "as a key", "as a value"],
)
def test_a_secret_with_our_prefix_is_never_shown(file: Path, text: str) -> None:
    shown = everything_shown(refused(file, text))
    assert SECRET not in shown
    assert "\x1b" not in shown
