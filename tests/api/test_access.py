from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from packaging.utils import canonicalize_name

from pypi_registry.auth import Ability, Auth, AuthScheme, Credentials, Principal, Subject
from pypi_registry._open_access import AllowAll
from pypi_registry._api.access import Challenge, refusal, require
from pypi_registry._open_access import OpenDirectory
from pypi_registry.errors import Forbidden, NotAuthenticated, NotFound, RegistryError
from pypi_registry.model import Group, PackageName, Project
from pypi_registry.stores.memory import MemoryCatalogue
from pypi_registry.testing.contracts import AuthContract, Caller, KnownAuth

PROJECT, GROUP = Project(1, "acme/tools"), Group(2, "acme")
NAME = PackageName(PROJECT, canonicalize_name("demo"))
READ_PROJECT, READ_GROUP = Ability.READ_PROJECT, Ability.READ_GROUP
READ, CREATE = Ability.READ_PACKAGE, Ability.CREATE_PACKAGE


@dataclass
class Somebody:
    """May do exactly these things, to whatever subject."""

    abilities: set[Ability]
    anonymous: bool
    asked: list[tuple[Ability, Subject]] = field(default_factory=list)

    def can(self, ability: Ability, subject: Subject) -> bool:
        self.asked.append((ability, subject))
        return ability in self.abilities

    def readable(self, group: Group) -> Sequence[Project]:
        return []


TABLE = [
    pytest.param(READ, PROJECT, set(), True, NotAuthenticated, id="anonymous, hidden project, read"),
    pytest.param(READ, PROJECT, set(), False, NotFound, id="known, hidden project, read"),
    pytest.param(READ, PROJECT, {READ_PROJECT}, True, Forbidden, id="anonymous, visible project, read"),
    pytest.param(READ, PROJECT, {READ_PROJECT}, False, Forbidden, id="known, visible project, read"),
    pytest.param(CREATE, PROJECT, set(), True, NotAuthenticated, id="anonymous, hidden project, publish"),
    pytest.param(CREATE, PROJECT, set(), False, NotFound, id="known, hidden project, publish"),
    pytest.param(CREATE, PROJECT, {READ_PROJECT, READ}, True, NotAuthenticated, id="anonymous, readable, publish"),
    pytest.param(CREATE, PROJECT, {READ_PROJECT, READ}, False, Forbidden, id="known, readable, publish"),
    pytest.param(READ, PROJECT, {READ_GROUP}, False, NotFound, id="knowing groups is not knowing projects"),
    pytest.param(READ, GROUP, set(), True, NotAuthenticated, id="anonymous, hidden group, read"),
    pytest.param(READ, GROUP, set(), False, NotFound, id="known, hidden group, read"),
    pytest.param(READ, GROUP, {READ_GROUP}, True, Forbidden, id="anonymous, visible group, read"),
    pytest.param(READ, GROUP, {READ_GROUP}, False, Forbidden, id="known, visible group, read"),
    pytest.param(READ, GROUP, {READ_PROJECT}, True, NotAuthenticated, id="knowing projects is not knowing groups"),
    pytest.param(READ_PROJECT, PROJECT, set(), True, NotAuthenticated, id="anonymous, hidden project, know"),
    pytest.param(READ_PROJECT, PROJECT, set(), False, NotFound, id="known, hidden project, know"),
    pytest.param(CREATE, NAME, {READ_PROJECT}, False, Forbidden, id="known, protected name"),
    pytest.param(CREATE, NAME, set(), True, Forbidden, id="anonymous, protected name"),
]


@pytest.mark.parametrize(("ability", "subject", "abilities", "anonymous", "expected"), TABLE)
def test_a_refusal_tells_no_more_than_the_principal_may_know(
    ability: Ability, subject: Subject, abilities: set[Ability], anonymous: bool, expected: type[RegistryError]
) -> None:
    principal = Somebody(abilities, anonymous)
    with pytest.raises(RegistryError) as caught:
        require(principal, ability, subject)
    assert type(caught.value) is expected
    assert type(refusal(principal, ability, subject, Challenge.ALWAYS)) is expected


DESTROY, YANK, ADMIN = Ability.DESTROY_PACKAGE, Ability.YANK_PACKAGE, Ability.ADMIN_PACKAGE


@pytest.mark.parametrize("anonymous", [True, False], ids=["anonymous", "known"])
@pytest.mark.parametrize(
    ("ability", "subject", "abilities", "expected"),
    [
        pytest.param(READ, PROJECT, set(), NotFound, id="hidden project, read"),
        pytest.param(READ, PROJECT, {READ_PROJECT}, Forbidden, id="visible project, read"),
        pytest.param(READ, GROUP, set(), NotFound, id="hidden group, read"),
        pytest.param(READ, GROUP, {READ_GROUP}, Forbidden, id="visible group, read"),
        pytest.param(READ, GROUP, {READ_PROJECT}, NotFound, id="knowing projects is not knowing groups"),
        *(
            pytest.param(ability, subject, abilities, expected, id=f"{words}, {ability.value}")
            for ability in (DESTROY, YANK, ADMIN)
            for words, subject, abilities, expected in [
                ("hidden project", PROJECT, set(), NotFound),
                ("readable project", PROJECT, {READ_PROJECT, READ}, Forbidden),
                ("protected name", NAME, set(), Forbidden),
            ]
        ),
    ],
)
def test_a_refusal_that_hides_never_asks_for_credentials(
    ability: Ability, subject: Subject, abilities: set[Ability], expected: type[RegistryError], anonymous: bool
) -> None:
    with pytest.raises(RegistryError) as caught:
        require(Somebody(abilities, anonymous), ability, subject, Challenge.NEVER)
    assert type(caught.value) is expected


@pytest.mark.parametrize("ability", [CREATE, DESTROY, YANK, ADMIN])
@pytest.mark.parametrize(("anonymous", "expected"), [(True, NotAuthenticated), (False, Forbidden)])
def test_a_refusal_that_asks_does_so_wherever_credentials_could_help(
    ability: Ability, anonymous: bool, expected: type[RegistryError]
) -> None:
    principal = Somebody({READ_PROJECT, READ}, anonymous)
    assert type(refusal(principal, ability, PROJECT, Challenge.ALWAYS)) is expected


@pytest.mark.parametrize("manner", Challenge)
def test_a_protected_name_is_refused_in_gitlabs_words(manner: Challenge) -> None:
    assert str(refusal(Somebody(set(), False), CREATE, NAME, manner)) == "Forbidden - Package protected."
    assert str(refusal(Somebody(set(), False), DESTROY, NAME, manner)) == "Forbidden - Package is deletion protected."


@pytest.mark.parametrize("manner", Challenge)
def test_any_other_refusal_gives_no_reason(manner: Challenge) -> None:
    assert str(refusal(Somebody({READ_PROJECT}, False), CREATE, PROJECT, manner)) == "Forbidden"
    words = "Not Found" if manner is Challenge.ALWAYS else "Project Not Found"
    assert str(refusal(Somebody(set(), False), CREATE, PROJECT, manner)) == words


@pytest.mark.parametrize("anonymous", [True, False])
@pytest.mark.parametrize(("ability", "subject"), [(READ, PROJECT), (READ, GROUP), (CREATE, PROJECT), (CREATE, NAME)])
def test_who_may_is_let_through_with_one_question(ability: Ability, subject: Subject, anonymous: bool) -> None:
    principal = Somebody({ability}, anonymous)
    require(principal, ability, subject)
    assert principal.asked == [(ability, subject)]


class TestOpen(AuthContract):
    def make_auth(self) -> KnownAuth:
        directory = OpenDirectory(MemoryCatalogue())
        anybody = Caller(
            None,
            projects=dict.fromkeys(["acme/tools", "other/place"], set(Ability) - {READ_GROUP}),
            groups={path: {READ_GROUP, READ} for path in ("acme", "other")},
            anonymous=True,
        )
        somebody = replace(anybody, credentials=Credentials(AuthScheme.BASIC, "any secret", "ada"))
        return KnownAuth(AllowAll(directory), directory, {"somebody": somebody}, nobody=anybody, refused=())


@pytest.mark.parametrize("ability", Ability)
@pytest.mark.parametrize("subject", [PROJECT, GROUP, NAME], ids=["project", "group", "name"])
def test_open_lets_anyone_do_anything(ability: Ability, subject: Subject) -> None:
    auth: Auth = AllowAll()
    principal: Principal = auth.authenticate(None, {})
    assert principal.anonymous
    require(principal, ability, subject)


class OneProject(OpenDirectory):
    """A directory whose groups all hold one project."""

    def projects_in(self, group: Group) -> Sequence[Project]:
        return [PROJECT]


def test_open_shows_the_projects_of_its_directory() -> None:
    directory = OneProject(MemoryCatalogue())
    assert AllowAll(directory).authenticate(None, {}).readable(GROUP) == [PROJECT]
    assert AllowAll().over(directory).authenticate(None, {}).readable(GROUP) == [PROJECT]


def test_open_keeps_the_directory_that_it_was_given() -> None:
    first, second = OneProject(MemoryCatalogue()), OpenDirectory(MemoryCatalogue())
    assert AllowAll(first).over(second).directory is first


def test_open_over_a_directory_is_a_new_one() -> None:
    shared = AllowAll()
    shared.over(OneProject(MemoryCatalogue()))
    assert shared.directory is None
    assert list(shared.authenticate(None, {}).readable(GROUP)) == []
