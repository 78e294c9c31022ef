import hashlib
import json
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pypi_registry.accounts import Accounts, GroupConfig, InvalidConfig, ProjectConfig, Role, Token, TokenKind, User
from pypi_registry.accounts.config import HIDDEN

Configs = dict[str, Any]
Create = Callable[[Configs], Accounts]


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def as_toml(configs: Configs) -> str:
    """The configuration as a TOML file has it."""
    lines = []
    for table, values in configs.items():
        for config in values:
            lines.append(f"[[{table}]]")
            settings = {field.name: getattr(config, field.name) for field in fields(config)}
            if table == "tokens":
                settings["on"] = settings.pop("path")
            lines += [f"{key} = {_toml(value)}" for key, value in settings.items() if value is not None]
    return "\n".join(lines)


def _toml(value: object) -> str:
    match value:
        case Role():
            return json.dumps(value.name.lower())
        case bool() | int() | str():
            return json.dumps(value)
        case datetime():
            return value.isoformat()
        case dict():
            return f"{{ {', '.join(f'{json.dumps(key)} = {_toml(inner)}' for key, inner in value.items())} }}"
        case tuple() | frozenset():
            return f"[{', '.join(map(_toml, value))}]"
    raise TypeError(value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accounts")  # one for all tests, because creating one takes longer than a test


@pytest.fixture(params=["Python", "a file"])
def create(request: pytest.FixtureRequest, folder: Path) -> Create:
    """Creates accounts, from Python and from a file: the same rules apply to both."""

    def from_file(configs: Configs) -> Accounts:
        file = folder / "registry.toml"
        file.write_text(as_toml(configs), encoding="utf-8")
        return Accounts.from_toml(file)

    def from_python(configs: Configs) -> Accounts:
        return Accounts(**configs)

    return from_file if request.param == "a file" else from_python


def project(path: str = "acme/tools", number: int = 1) -> ProjectConfig:
    return ProjectConfig(id=number, path=path)


ADA = User(name="ada")


def personal(secret: str = "one", **changes: Any) -> Token:
    return Token(**{"sha256": digest(secret), "user": "ada", "scopes": frozenset({"api"}), **changes})


def deploy(secret: str = "one", **changes: Any) -> Token:
    scopes = frozenset({"read_package_registry"})
    return Token(
        **{"sha256": digest(secret), "kind": TokenKind.DEPLOY, "path": "acme/tools", "scopes": scopes, **changes}
    )


def job(secret: str = "one", **changes: Any) -> Token:
    return Token(**{"sha256": digest(secret), "kind": TokenKind.JOB, "user": "ada", "path": "acme/tools", **changes})


def with_token(token: Token) -> Configs:
    return {"projects": [project("acme/tools")], "users": [ADA], "tokens": [token]}


NO_PATHS = [
    "",
    "/",
    "/acme/tools",
    "acme/tools/",
    "acme//tools",
    ".",
    "..",
    "acme/../tools",
    "acme/./tools",
    "-acme/tools",
    "acme/-/tools",
    "acme/-tools",
    "acme tools",
    " acme/tools",
    "acme/tools ",
    "acmé/tools",
    "ａcme/tools",
    "acme%2Ftools",
    "acme\\tools",
    "acme/tools\n",
    "acme/to\tols",
    "acme/tools?a=b",
    "acme/tools#a",
    "acme/<tools>",
    "acme/tools*",
    "https://mirror.example/acme",
]

REFUSED: dict[str, tuple[Configs, str, object]] = {
    # Duplicates
    "two projects with an id": (
        {"projects": [project("acme/a", 7), project("acme/b", 8), project("acme/c", 7)]},
        "projects[3].id",
        7,
    ),
    "two projects with a path": (
        {"projects": [project("acme/a", 7), project("acme/a", 8)]},
        "projects[2].path",
        "acme/a",
    ),
    "two projects with a path in another case": (
        {"projects": [project("acme/a", 7), project("Acme/A", 8)]},
        "projects[2].path",
        "acme/a",
    ),
    "two groups with an id": (
        {"groups": [GroupConfig(path="a", id=7), GroupConfig(path="b", id=7)]},
        "groups[2].id",
        7,
    ),
    "two groups with a path": (
        {"groups": [GroupConfig(path="a", id=7), GroupConfig(path="a", id=8)]},
        "groups[2].path",
        "a",
    ),
    "two groups with a path in another case": (
        {"groups": [GroupConfig(path="acme/a"), GroupConfig(path="ACME/a")]},
        "groups[2].path",
        "acme/a",
    ),
    "two users with a name": (
        {"users": [User(name="ada"), User(name="bob"), User(name="ada", admin=True)]},
        "users[3].name",
        "ada",
    ),
    "two tokens with a secret": (
        {"users": [ADA], "tokens": [personal("one"), personal("two"), personal("one", name="again")]},
        "tokens[3].sha256",
        HIDDEN,
    ),
    "two tokens with a secret in another case": (
        {"users": [ADA], "tokens": [personal("one"), personal(sha256=digest("one").upper())]},
        "tokens[2].sha256",
        HIDDEN,
    ),
    "two tokens of different kinds with a secret": (
        {"projects": [project()], "users": [ADA], "tokens": [personal("one"), deploy("one")]},
        "tokens[2].sha256",
        HIDDEN,
    ),
    # A path of both a project and a group
    "a project at the path of a group": (
        {"projects": [project("acme/tools")], "groups": [GroupConfig(path="acme/tools")]},
        "projects[1].path",
        "acme/tools",
    ),
    "a project at the path of a group, in another case": (
        {"projects": [project("other/a", 2), project("acme/Tools")], "groups": [GroupConfig(path="Acme/tools")]},
        "projects[2].path",
        "acme/Tools",
    ),
    "a project above a project": (
        {"projects": [project("acme/tools", 1), project("acme/tools/deep", 2)]},
        "projects[1].path",
        "acme/tools",
    ),
    "a project above a project, in another case": (
        {"projects": [project("acme/tools/deep", 1), project("ACME/TOOLS", 2)]},
        "projects[2].path",
        "ACME/TOOLS",
    ),
    "a project above a group": (
        {"projects": [project("acme/tools")], "groups": [GroupConfig(path="acme/tools/deep/er")]},
        "projects[1].path",
        "acme/tools",
    ),
    # Paths and ids
    **{
        f"the path of a project {path!r}": (
            {"projects": [project("ok/ok", 2), project(path)]},
            "projects[2].path",
            path,
        )
        for path in NO_PATHS
    },
    **{
        f"the path of a group {path!r}": (
            {"groups": [GroupConfig(path="ok"), GroupConfig(path=path)]},
            "groups[2].path",
            path,
        )
        for path in NO_PATHS
    },
    "the id of a project below 0": ({"projects": [project(number=-1)]}, "projects[1].id", -1),
    "the id of a project of 19 digits": ({"projects": [project(number=10**18)]}, "projects[1].id", 10**18),
    "the id of a group below 0": ({"groups": [GroupConfig(path="a", id=-1)]}, "groups[1].id", -1),
    "the id of a group of 19 digits": ({"groups": [GroupConfig(path="a", id=10**18)]}, "groups[1].id", 10**18),
    # Roles
    "a role at an unknown path": (
        {"projects": [project("acme/tools")], "users": [ADA, User(name="bob", roles={"acmee": Role.OWNER})]},
        "users[2].roles",
        "acmee",
    ),
    "a role on the beginning of a path": (
        {"projects": [project("acme/tools")], "users": [User(name="ada", roles={"acme/tool": Role.OWNER})]},
        "users[1].roles",
        "acme/tool",
    ),
    "a role below a project": (
        {"projects": [project("acme/tools")], "users": [User(name="ada", roles={"acme/tools/x": Role.OWNER})]},
        "users[1].roles",
        "acme/tools/x",
    ),
    "a role on the last segment of a path": (
        {"projects": [project("acme/tools")], "users": [User(name="ada", roles={"tools": Role.OWNER})]},
        "users[1].roles",
        "tools",
    ),
    "a role with a slash too many": (
        {"projects": [project("acme/tools")], "users": [User(name="ada", roles={"acme/": Role.OWNER})]},
        "users[1].roles",
        "acme/",
    ),
    "a role at an empty path": (
        {"projects": [project("acme/tools")], "users": [User(name="ada", roles={"": Role.OWNER})]},
        "users[1].roles",
        "",
    ),
    "the second role of two": (
        {
            "projects": [project("acme/tools")],
            "users": [User(name="ada", roles={"acme": Role.OWNER, "amce/tools": Role.OWNER})],
        },
        "users[1].roles",
        "amce/tools",
    ),
    "two roles at one path": (
        {
            "projects": [project("acme/tools")],
            "users": [User(name="ada", roles={"acme": Role.GUEST, "Acme": Role.OWNER})],
        },
        "users[1].roles",
        "Acme",
    ),
    # Users of tokens
    "a personal token without a user": (with_token(personal(user="")), "tokens[1].user", ""),
    "a personal token of an unknown user": (with_token(personal(user="eve")), "tokens[1].user", "eve"),
    "a job without a user": (with_token(job(user="")), "tokens[1].user", ""),
    "a job of an unknown user": (with_token(job(user="eve")), "tokens[1].user", "eve"),
    # Paths of tokens
    "a deploy token without a path": (with_token(deploy(path="")), "tokens[1].on", ""),
    "a deploy token of an unknown path": (with_token(deploy(path="acme/tool")), "tokens[1].on", "acme/tool"),
    "a deploy token below a project": (with_token(deploy(path="acme/tools/x")), "tokens[1].on", "acme/tools/x"),
    "a deploy token with a slash too many": (with_token(deploy(path="acme/")), "tokens[1].on", "acme/"),
    "a job without a path": (with_token(job(path="")), "tokens[1].on", ""),
    "a job of an unknown project": (with_token(job(path="acme/other")), "tokens[1].on", "acme/other"),
    "a job of a group": (with_token(job(path="acme")), "tokens[1].on", "acme"),
    # Scopes of tokens
    "a personal token without a scope": (with_token(personal(scopes=frozenset())), "tokens[1].scopes", []),
    "a personal token with a deploy token's scope": (
        with_token(personal(scopes=frozenset({"read_package_registry"}))),
        "tokens[1].scopes",
        ["read_package_registry"],
    ),
    "a personal token with a scope of each": (
        with_token(personal(scopes=frozenset({"write_package_registry", "api"}))),
        "tokens[1].scopes",
        ["api", "write_package_registry"],
    ),
    "a personal token with a scope in upper case": (
        with_token(personal(scopes=frozenset({"API"}))),
        "tokens[1].scopes",
        ["API"],
    ),
    "a personal token with another scope of GitLab": (
        with_token(personal(scopes=frozenset({"api", "read_repository"}))),
        "tokens[1].scopes",
        ["api", "read_repository"],
    ),
    "a deploy token without a scope": (with_token(deploy(scopes=frozenset())), "tokens[1].scopes", []),
    "a deploy token with a personal token's scope": (
        with_token(deploy(scopes=frozenset({"read_api"}))),
        "tokens[1].scopes",
        ["read_api"],
    ),
    # Digests
    **{
        f"a digest {words}": (with_token(personal(sha256=text)), "tokens[1].sha256", HIDDEN)
        for words, text in {
            "that is empty": "",
            "of 63 digits": "a" * 63,
            "of 65 digits": "a" * 65,
            "with another letter": "g" + "a" * 63,
            "with a blank": " " + "a" * 63,
            "with a line break": "a" * 64 + "\n",
            "of digits that are not ASCII": "٣" * 64,
            "that is an MD5": "d41d8cd98f00b204e9800998ecf8427e",
            "with a prefix": "sha256:" + "a" * 64,
        }.items()
    },
    # Times
    "a token that expires without an offset": (
        with_token(personal(expires=datetime(2027, 1, 1))),  # noqa: DTZ001  # the problem
        "tokens[1].expires",
        datetime(2027, 1, 1),  # noqa: DTZ001
    ),
}


@pytest.mark.parametrize(("configs", "key", "value"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_configuration_is_refused(create: Create, configs: Configs, key: str, value: object) -> None:
    with pytest.raises(InvalidConfig) as caught:
        create(configs)
    assert (caught.value.key, caught.value.value) == (key, value)
    assert f"{key} = {value!r}: " in str(caught.value)


@pytest.mark.parametrize("name", ["two projects with an id", "two users with a name", "two tokens with a secret"])
def test_the_message_names_the_first_of_two_duplicates(create: Create, name: str) -> None:
    configs, key, _ = REFUSED[name]
    with pytest.raises(InvalidConfig) as caught:
        create(configs)
    table = key.partition("[")[0]
    assert caught.value.problem.startswith(f"{table}[1] ")


def test_only_a_problem_in_a_file_names_a_file(tmp_path: Path) -> None:
    configs = REFUSED["a role at an unknown path"][0]
    with pytest.raises(InvalidConfig) as from_python:
        Accounts(**configs)
    file = tmp_path / "registry.toml"
    file.write_text(as_toml(configs), encoding="utf-8")
    with pytest.raises(InvalidConfig) as from_file:
        Accounts.from_toml(file)
    assert from_python.value.file == ""
    assert from_file.value.file == str(file)
    assert str(from_file.value) == f"{file}: {from_python.value}"


@pytest.mark.parametrize("name", ["two tokens with a secret", "a digest of 63 digits", "a digest with a prefix"])
def test_a_digest_is_not_shown_because_it_may_be_a_secret(create: Create, name: str) -> None:
    configs = REFUSED[name][0]
    with pytest.raises(InvalidConfig) as caught:
        create(configs)
    assert configs["tokens"][-1].sha256 not in f"{caught.value} {caught.value!r} {caught.value.args}"


ACCEPTED: dict[str, Configs] = {
    "nothing": {},
    "the smallest id and the largest": {"projects": [project("acme/a", 0), project("acme/b", 10**18 - 1)]},
    "a project and a group with one id": {"projects": [project("acme/a", 1)], "groups": [GroupConfig(path="b", id=1)]},
    "groups without ids": {"groups": [GroupConfig(path="a"), GroupConfig(path="b")]},
    "a group that is a part of a path": {"projects": [project("acme/a")], "groups": [GroupConfig(path="acme")]},
    "paths of which one begins another": {"projects": [project("acme/a", 1), project("acme/ab", 2)]},
    "a path of twenty segments": {"projects": [project("/".join("abcdefghijklmnopqrst"))]},
    "a path with all characters that are allowed": {"projects": [project("_a.b-c/0_.x--y.")]},
    "a role on a group that is only a part of a path": {
        "projects": [project("acme/libs/tools")],
        "users": [User(name="ada", roles={"acme/libs": Role.OWNER, "acme": Role.GUEST})],
    },
    "a role on a path in another case": {
        "projects": [project("acme/tools")],
        "users": [User(name="ada", roles={"ACME/Tools": Role.OWNER})],
    },
    "a personal token with a path": with_token(personal(path="no/where")),
    "a deploy token with a user": with_token(deploy(user="eve")),
    "a deploy token of a group": with_token(deploy(path="acme")),
    "a deploy token of a path in another case": with_token(deploy(path="Acme/TOOLS")),
    "a deploy token that only writes": with_token(deploy(scopes=frozenset({"write_package_registry"}))),
    "a deploy token with both scopes": with_token(
        deploy(scopes=frozenset({"write_package_registry", "read_package_registry"}))
    ),
    "a personal token with both scopes": with_token(personal(scopes=frozenset({"api", "read_api"}))),
    "a job of a project in another case": with_token(job(path="Acme/TOOLS")),
    "a digest in upper case": with_token(personal(sha256="AB" * 32)),
    "a token that expired": with_token(personal(expires=datetime(1999, 1, 1, tzinfo=UTC))),
    "many tokens of one user": {"users": [ADA], "tokens": [personal("one"), personal("two")]},
}


@pytest.mark.parametrize("configs", ACCEPTED.values(), ids=ACCEPTED)
def test_a_valid_configuration_is_accepted(create: Create, configs: Configs) -> None:
    accounts = create(configs)
    for project in configs.get("projects", []):
        found = accounts.project(project.id)
        assert found is not None
        assert found.path == project.path
    for group in configs.get("groups", []):
        assert accounts.group(group.path) is not None
