"""`readable` returns what `can` allows, for any principal and any projects, and does not scan a large group.

The roles themselves have their tables in test_principal.py.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypi_registry._paths import fold, paths_above
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, TokenKind, User
from pypi_registry.accounts.principal import ReadableCache, TokenPrincipal
from pypi_registry.auth import Ability, AuthScheme, Credentials, ReadsMany
from pypi_registry.model import Group, Project, Projects, Visibility

ENVIRON = {"REQUEST_METHOD": "GET"}


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def principal(accounts: Accounts, secret: str) -> TokenPrincipal:
    credentials = Credentials(AuthScheme.BASIC, secret, "gitlab-ci-token") if secret else None
    found = accounts.authenticate(credentials, None, ENVIRON)
    assert isinstance(found, TokenPrincipal)
    return found


def by_can(principal: TokenPrincipal, projects: Projects) -> Projects:
    return Projects(project for project in projects if principal.can(Ability.READ_PACKAGE, project))


# Random accounts

SEGMENTS = st.sampled_from(["a", "b", "A"])
PROJECT_PATHS = st.lists(
    # A project has a last segment that no group has, so that no path is both.
    st.tuples(st.lists(SEGMENTS, max_size=4), st.sampled_from("xyzX")).map(
        lambda parts: "/".join([*parts[0], parts[1]])
    ),
    max_size=12,
    unique_by=str.lower,
)


def paths_of(projects: list[ProjectConfig]) -> list[str]:
    return sorted({path for project in projects for path in [project.path, *paths_above(project.path)]})


@st.composite
def accounts_with_secrets(draw: st.DrawFn) -> tuple[Accounts, list[str]]:
    """Accounts with a user, and a token of each kind; and the secrets, of which the empty one is anonymous."""
    paths = draw(PROJECT_PATHS)
    allowlists = st.lists(st.sampled_from([*paths, "not/declared"]), max_size=3).map(tuple)
    projects = [
        ProjectConfig(
            id=id_, path=path, visibility=draw(st.sampled_from(Visibility)), job_token_allowlist=draw(allowlists)
        )
        for id_, path in enumerate(paths)
    ]
    anywhere = paths_of(projects)
    places = [*{fold(path): path for path in anywhere}.values()]  # each path has one role
    roles = st.sampled_from([Role.GUEST, Role.DEVELOPER, Role.OWNER])
    user = User(
        name="ada",
        admin=draw(st.booleans()),
        roles=draw(st.dictionaries(st.sampled_from(places), roles, max_size=4)) if places else {},
    )
    tokens = [Token(sha256=digest("personal"), user="ada", scopes=frozenset({"api"}))]
    if anywhere:
        path, project = draw(st.sampled_from(anywhere)), draw(st.sampled_from(paths))
        scopes = frozenset({"read_package_registry"})
        tokens.append(Token(sha256=digest("deploy"), kind=TokenKind.DEPLOY, path=path, scopes=scopes))
        tokens.append(Token(sha256=digest("job"), kind=TokenKind.JOB, user="ada", path=project))
    secrets = ["", "personal", "deploy", "job"][: len(tokens) + 1]
    return Accounts(projects=projects, users=[user], tokens=tokens), secrets


def groups_of(accounts: Accounts) -> Iterator[Group]:
    for path in ["a", "b", "a/a", "a/b", "b/a", "a/a/a", "a/b/a", "a/a/a/a"]:
        if group := accounts.group(path):
            yield group


@given(accounts_with_secrets(), st.data())
@settings(deadline=None, max_examples=60)
def test_readable_equals_the_filter_by_can(case: tuple[Accounts, list[str]], data: st.DataObject) -> None:
    accounts, secrets = case
    for secret in secrets:
        caller = principal(accounts, secret)
        for group in groups_of(accounts):
            projects = accounts.projects_in(group)
            expected = by_can(caller, projects)
            # The second call may find the result of the first in the cache.
            for _ in range(2):
                found = caller.readable(projects)
                assert found == expected
                assert (found is projects) == (len(expected) == len(projects))
            # Projects that are not all those of a group, and those that these accounts do not know.
            chosen = [project for project in projects if data.draw(st.booleans())]
            foreign = Project(10**6, "a/foreign", visibility=data.draw(st.sampled_from(Visibility)))
            some = Projects([*chosen, foreign])
            assert caller.readable(some) == by_can(caller, some)
            equal = Projects(projects)
            assert (caller.readable(equal) is equal) == (len(expected) == len(projects))


# Large groups


def large(count: int = 1000, visibility: Visibility = Visibility.PRIVATE) -> Accounts:
    """A group with many projects of one visibility, and callers of every kind."""
    return Accounts(
        projects=[
            ProjectConfig(
                id=id_,
                path=f"acme/g{id_ % 50}/p{id_}",
                visibility=visibility,
                job_token_allowlist=("acme/g1/p1",) if id_ % 100 == 2 else (),
            )
            for id_ in range(count)
        ],
        groups=[GroupConfig(path="acme", visibility=Visibility.PUBLIC)],
        users=[
            User(name="owner", roles={"acme": Role.OWNER}),
            User(name="admin", admin=True),
            User(name="member of ten", roles={f"acme/g{id_}/p{id_}": Role.GUEST for id_ in range(10)}),
            User(name="member of a group below", roles={"acme/g7": Role.GUEST}),
            User(name="non-member"),
        ],
        tokens=[
            *(
                Token(sha256=digest(name), user=name, scopes=frozenset({"api"}))
                for name in ["owner", "admin", "member of ten", "member of a group below", "non-member"]
            ),
            Token(
                sha256=digest("deploy token"),
                kind=TokenKind.DEPLOY,
                path="acme/g1",
                scopes=frozenset({"read_package_registry"}),
            ),
            Token(sha256=digest("job"), kind=TokenKind.JOB, user="owner", path="acme/g1/p1"),
        ],
    )


CALLERS = ["", "owner", "admin", "member of ten", "member of a group below", "non-member", "deploy token", "job"]
NAMES = {"": "anonymous"}


def projects_of(accounts: Accounts, path: str = "acme") -> Projects:
    group = accounts.group(path)
    assert group is not None
    return accounts.projects_in(group)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the projects for which a role is computed, by their paths."""
    calls: Counter[str] = Counter()
    find_role: Callable[[Any, str], Role] = TokenPrincipal._find_role

    def counted(self: TokenPrincipal, path: str) -> Role:
        calls[path] += 1
        return find_role(self, path)

    monkeypatch.setattr(TokenPrincipal, "_find_role", counted)
    return calls


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("secret", CALLERS, ids=lambda secret: NAMES.get(secret, secret))
def test_what_a_caller_reads_of_a_large_group(secret: str, visibility: Visibility) -> None:
    accounts = large(visibility=visibility)
    caller, projects = principal(accounts, secret), projects_of(accounts)
    everything = visibility is Visibility.PUBLIC
    internal = visibility is Visibility.INTERNAL
    expected = {
        "": 0,
        "owner": 1000,
        "admin": 1000,
        "member of ten": 1000 if internal else 10,
        "member of a group below": 1000 if internal else 20,
        "non-member": 1000 if internal else 0,
        "deploy token": 20,
        "job": 11,  # its own project, and ten whose allowlists name it
    }
    found = caller.readable(projects)
    assert len(found) == (1000 if everything else expected[secret])
    assert found == by_can(caller, projects)


@pytest.mark.parametrize("visibility", Visibility)
@pytest.mark.parametrize("secret", CALLERS, ids=lambda secret: NAMES.get(secret, secret))
def test_a_caller_gets_the_same_object_at_each_call(secret: str, visibility: Visibility) -> None:
    accounts = large(visibility=visibility)
    projects = projects_of(accounts)
    assert projects_of(accounts) is projects
    first = principal(accounts, secret).readable(projects)
    assert principal(accounts, secret).readable(projects) is first


@pytest.mark.parametrize("secret", CALLERS, ids=lambda secret: NAMES.get(secret, secret))
def test_the_first_call_checks_no_more_projects_than_it_returns(secret: str, checked: Counter[str]) -> None:
    accounts = large()
    caller, projects = principal(accounts, secret), projects_of(accounts)
    found = caller.readable(projects)
    assert checked.total() <= (1 if found is projects else len(found) + 1)  # one for the group
    checked.clear()
    caller.readable(projects)
    assert checked.total() <= 1


def test_a_job_reads_only_projects_of_the_group() -> None:
    accounts = large()
    found = principal(accounts, "job").readable(projects_of(accounts, "acme/g2"))
    assert {project.path.rpartition("/")[0] for project in found} == {"acme/g2"}
    assert len(found) == 10


@pytest.mark.parametrize("secret", ["owner", "deploy token", ""], ids=["owner", "deploy token", "anonymous"])
def test_equal_projects_are_returned_as_they_are(secret: str) -> None:
    accounts = large(visibility=Visibility.PUBLIC)
    projects = projects_of(accounts, "acme/g1")
    caller, equal = principal(accounts, secret), Projects(projects)
    assert caller.readable(projects) is projects
    assert caller.readable(equal) is equal


def test_a_principal_implements_reads_many() -> None:
    assert isinstance(principal(Accounts(), ""), ReadsMany)


# The cache


def test_the_cache_drops_the_results_that_were_not_used_for_longest() -> None:
    cache = ReadableCache(max_projects=250)
    groups = [Projects([Project(id_, "acme/tools")]) for id_ in range(3)]
    result = Projects([Project(9, "acme/tools")])
    cache.add("ada", groups[0], result, 100)
    cache.add("ada", groups[1], result, 100)
    assert cache.get("ada", groups[0]) is result
    cache.add("ada", groups[2], result, 100)
    assert [cache.get("ada", group) is result for group in groups] == [True, False, True]


def test_the_cache_keeps_the_latest_result_even_if_it_is_larger_than_the_limit() -> None:
    cache = ReadableCache(max_projects=250)
    small, big = Projects([Project(1, "acme/small")]), Projects([Project(2, "acme/big")])
    cache.add("ada", small, small, 100)
    assert cache.add("ada", big, big, 1000) is big
    assert cache.get("ada", small) is None
    assert cache.get("ada", big) is big


def test_the_cache_returns_the_result_of_the_thread_that_was_first() -> None:
    cache = ReadableCache()
    projects = Projects([Project(1, "acme/tools")])
    first, second = Projects([Project(2, "a/b")]), Projects([Project(2, "a/b")])
    assert cache.add("ada", projects, first, 1) is first
    assert cache.add("ada", projects, second, 1) is first
