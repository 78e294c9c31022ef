"""A "no" of a principal becomes GitLab's 401, 403 or 404, for all applications alike."""

from dataclasses import dataclass, field

import pytest
from packaging.utils import canonicalize_name

from pypi_registry._api.access import Challenge, explanation, readable_projects, refusal, require
from pypi_registry._api.errors import error_response
from pypi_registry._http.errors import NotAuthenticated
from pypi_registry.auth import Ability, Subject
from pypi_registry.errors import Forbidden, NotFound, RegistryError
from pypi_registry.model import Group, PackageName, Project, Projects

PROJECT, GROUP = Project(1, "acme/tools"), Group(2, "acme")
NAME = PackageName(PROJECT, canonicalize_name("demo"))
READ_PROJECT, READ_GROUP = Ability.READ_PROJECT, Ability.READ_GROUP
READ, CREATE = Ability.READ_PACKAGE, Ability.CREATE_PACKAGE
DESTROY, YANK, ADMIN = Ability.DESTROY_PACKAGE, Ability.YANK_PACKAGE, Ability.ADMIN_PACKAGE


@dataclass
class Caller:
    """A principal with exactly these abilities, for every subject."""

    abilities: set[Ability]
    anonymous: bool = False
    name: str = ""
    via: str = ""
    asked: list[tuple[Ability, Subject]] = field(default_factory=list)

    def can(self, ability: Ability, subject: Subject) -> bool:
        self.asked.append((ability, subject))
        return ability in self.abilities


TABLE = [
    pytest.param(READ, PROJECT, set(), True, NotAuthenticated, id="anonymous, hidden project, read"),
    pytest.param(READ, PROJECT, set(), False, NotFound, id="known, hidden project, read"),
    pytest.param(READ, PROJECT, {READ_PROJECT}, True, Forbidden, id="anonymous, visible project, read"),
    pytest.param(READ, PROJECT, {READ_PROJECT}, False, Forbidden, id="known, visible project, read"),
    pytest.param(CREATE, PROJECT, set(), True, NotAuthenticated, id="anonymous, hidden project, publish"),
    pytest.param(CREATE, PROJECT, set(), False, NotFound, id="known, hidden project, publish"),
    pytest.param(CREATE, PROJECT, {READ_PROJECT, READ}, True, NotAuthenticated, id="anonymous, readable, publish"),
    pytest.param(CREATE, PROJECT, {READ_PROJECT, READ}, False, Forbidden, id="known, readable, publish"),
    pytest.param(READ, PROJECT, {READ_GROUP}, False, NotFound, id="READ_GROUP does not show projects"),
    pytest.param(READ, GROUP, set(), True, NotAuthenticated, id="anonymous, hidden group, read"),
    pytest.param(READ, GROUP, set(), False, NotFound, id="known, hidden group, read"),
    pytest.param(READ, GROUP, {READ_GROUP}, True, Forbidden, id="anonymous, visible group, read"),
    pytest.param(READ, GROUP, {READ_GROUP}, False, Forbidden, id="known, visible group, read"),
    pytest.param(READ, GROUP, {READ_PROJECT}, True, NotAuthenticated, id="READ_PROJECT does not show groups"),
    pytest.param(READ_PROJECT, PROJECT, set(), True, NotAuthenticated, id="anonymous, hidden project, see"),
    pytest.param(READ_PROJECT, PROJECT, set(), False, NotFound, id="known, hidden project, see"),
    pytest.param(CREATE, NAME, {READ_PROJECT}, False, Forbidden, id="known, protected name"),
    pytest.param(CREATE, NAME, set(), True, Forbidden, id="anonymous, protected name"),
]


@pytest.mark.parametrize(("ability", "subject", "abilities", "anonymous", "expected"), TABLE)
def test_a_refusal_reveals_no_more_than_the_principal_may_know(
    ability: Ability, subject: Subject, abilities: set[Ability], anonymous: bool, expected: type[RegistryError]
) -> None:
    principal = Caller(abilities, anonymous)
    with pytest.raises(RegistryError) as caught:
        require(principal, ability, subject)
    assert type(caught.value) is expected
    assert type(refusal(principal, ability, subject, Challenge.ALWAYS)) is expected


@pytest.mark.parametrize("anonymous", [True, False], ids=["anonymous", "known"])
@pytest.mark.parametrize(
    ("ability", "subject", "abilities", "expected"),
    [
        pytest.param(READ, PROJECT, set(), NotFound, id="hidden project, read"),
        pytest.param(READ, PROJECT, {READ_PROJECT}, Forbidden, id="visible project, read"),
        pytest.param(READ, GROUP, set(), NotFound, id="hidden group, read"),
        pytest.param(READ, GROUP, {READ_GROUP}, Forbidden, id="visible group, read"),
        pytest.param(READ, GROUP, {READ_PROJECT}, NotFound, id="READ_PROJECT does not show groups"),
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
def test_without_a_challenge_a_refusal_is_never_401(
    ability: Ability, subject: Subject, abilities: set[Ability], expected: type[RegistryError], anonymous: bool
) -> None:
    with pytest.raises(RegistryError) as caught:
        require(Caller(abilities, anonymous), ability, subject, Challenge.NEVER)
    assert type(caught.value) is expected


@pytest.mark.parametrize("ability", [CREATE, DESTROY, YANK, ADMIN])
@pytest.mark.parametrize(("anonymous", "expected"), [(True, NotAuthenticated), (False, Forbidden)])
def test_with_a_challenge_a_refusal_is_401_if_credentials_could_help(
    ability: Ability, anonymous: bool, expected: type[RegistryError]
) -> None:
    principal = Caller({READ_PROJECT, READ}, anonymous)
    assert type(refusal(principal, ability, PROJECT, Challenge.ALWAYS)) is expected


@pytest.mark.parametrize("challenge", Challenge)
@pytest.mark.parametrize(
    ("ability", "reason"), [(CREATE, "Package protected."), (DESTROY, "Package is deletion protected.")]
)
def test_a_protected_name_is_refused_in_gitlabs_words(challenge: Challenge, ability: Ability, reason: str) -> None:
    error = refusal(Caller(set()), ability, NAME, challenge)
    assert isinstance(error, Forbidden)
    assert error.reason == reason


@pytest.mark.parametrize("challenge", Challenge)
def test_any_other_refusal_has_no_reason(challenge: Challenge) -> None:
    error = refusal(Caller({READ_PROJECT}), CREATE, PROJECT, challenge)
    assert isinstance(error, Forbidden)
    assert error.reason == ""


@pytest.mark.parametrize(
    ("subject", "challenge", "what"),
    [
        (PROJECT, Challenge.ALWAYS, ""),
        (GROUP, Challenge.ALWAYS, ""),
        (PROJECT, Challenge.NEVER, "Project"),
        (GROUP, Challenge.NEVER, "Group"),
        (PROJECT, Challenge.BROWSER, "Project"),
        (GROUP, Challenge.BROWSER, "Group"),
    ],
)
def test_only_the_packages_api_names_what_is_not_found(
    subject: Project | Group, challenge: Challenge, what: str
) -> None:
    error = refusal(Caller(set()), READ, subject, challenge)
    assert isinstance(error, NotFound)
    assert error.what == what


@pytest.mark.parametrize("anonymous", [True, False])
@pytest.mark.parametrize(("ability", "subject"), [(READ, PROJECT), (READ, GROUP), (CREATE, PROJECT), (CREATE, NAME)])
def test_an_ability_is_asked_for_once(ability: Ability, subject: Subject, anonymous: bool) -> None:
    principal = Caller({ability}, anonymous)
    require(principal, ability, subject)
    assert principal.asked == [(ability, subject)]


def test_a_browser_is_challenged_to_see_a_project_and_to_change_it() -> None:
    for ability, abilities in ((READ, set()), (DESTROY, {READ_PROJECT, READ})):
        error = refusal(Caller(abilities, anonymous=True), ability, PROJECT, Challenge.BROWSER)
        assert isinstance(error, NotAuthenticated)


# The projects of a group

TOOLS, LIBS = PROJECT, Project(3, "acme/libs")
PROJECTS = Projects([TOOLS, LIBS])


class ReadsTools(Caller):
    """May read one project."""

    def can(self, ability: Ability, subject: Subject) -> bool:
        return super().can(ability, subject) and subject == TOOLS


def test_readable_projects_are_those_whose_packages_the_principal_may_read() -> None:
    principal = ReadsTools({READ})
    assert readable_projects(principal, PROJECTS) == Projects([TOOLS])
    assert principal.asked == [(READ, TOOLS), (READ, LIBS)]


def test_all_projects_are_readable_as_the_same_object() -> None:
    assert readable_projects(Caller({READ}), PROJECTS) is PROJECTS


class ReadsMany(Caller):
    """Answers for many projects at once."""

    def readable(self, projects: Projects) -> Projects:
        return projects.only(lambda project: project == LIBS)


def test_a_principal_with_readable_is_asked_once() -> None:
    principal = ReadsMany({READ})
    assert readable_projects(principal, PROJECTS) == Projects([LIBS])
    assert principal.asked == []


@pytest.mark.parametrize(
    ("caller", "ability", "subject", "words"),
    [
        (
            Caller(set(), name="ada"),
            CREATE,
            PROJECT,
            "ada may not publish packages in acme/tools (this needs create_package)",
        ),
        (Caller(set(), name="ada"), CREATE, NAME, "ada may not publish demo in acme/tools (this needs create_package)"),
        (Caller(set(), name="ada"), READ, GROUP, "ada may not read packages in acme (this needs read_package)"),
        (Caller(set(), name="ada"), READ_GROUP, GROUP, "ada may not see acme (this needs read_group)"),
        (
            Caller(set()),
            YANK,
            PROJECT,
            "a caller without a name may not yank packages in acme/tools (this needs yank_package)",
        ),
        (
            Caller({READ_PROJECT}, anonymous=True),
            ADMIN,
            PROJECT,
            "an anonymous caller may not set the status of packages in acme/tools (this needs admin_package)",
        ),
    ],
)
def test_a_refusal_explains_itself_to_logs_and_never_to_the_client(
    caller: Caller, ability: Ability, subject: Subject, words: str
) -> None:
    with pytest.raises(RegistryError) as caught:
        require(caller, ability, subject, Challenge.NEVER)
    assert caught.value.__notes__ == [words]
    response = error_response(caught.value)
    for word in ("ada", "caller", "acme", ability.value):
        assert word not in f"{response.status} {response.headers} {[*response.body]}"


def test_every_ability_has_its_words() -> None:
    for ability in Ability:
        assert ability.value in explanation(Caller(set()), ability, PROJECT, ability)


def test_the_explanation_names_what_the_request_asks_for() -> None:
    with pytest.raises(RegistryError) as caught:
        require(Caller(set(), name="ada"), CREATE, NAME, Challenge.NEVER, action=YANK)
    assert caught.value.__notes__ == ["ada may not yank demo in acme/tools (this needs create_package)"]


class OfAnApplication(Caller):
    """Has a method for something else, which has the same name."""

    why_not: object = None


@pytest.mark.parametrize(
    "why_not",
    [
        lambda: "without arguments",
        lambda ability, subject: None,
        lambda ability, subject: 1 / 0,
        lambda ability, subject: b"bytes",
        "a text",
    ],
)
def test_a_method_of_an_application_changes_no_refusal(why_not: object) -> None:
    caller = OfAnApplication(set(), name="ada")
    caller.why_not = why_not
    with pytest.raises(RegistryError) as caught:
        require(caller, CREATE, PROJECT, Challenge.NEVER)
    assert caught.value.__notes__ == ["ada may not publish packages in acme/tools (this needs create_package)"]
