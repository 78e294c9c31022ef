"""The suite of an auth, and what a host must tell of its own people for it."""

import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias, cast
from unittest import SkipTest
from wsgiref.util import setup_testing_defaults

from packaging.utils import NormalizedName

from pypi_registry.auth import Ability, Auth, AuthScheme, Credentials, Principal
from pypi_registry.directory import Directory, Ref
from pypi_registry.errors import InsufficientScope, InvalidToken
from pypi_registry.model import Group, PackageName, Project
from pypi_registry.testing.contracts.directory import other_cases
from pypi_registry.testing.contracts.threads import Threads, raised

Abilities: TypeAlias = Collection[Ability]

_NO_SECRET = "a-secret-that-nobody-was-ever-given"
UNKNOWN_TOKENS = tuple(
    Credentials(presented, _NO_SECRET)
    for presented in (AuthScheme.BEARER, AuthScheme.PRIVATE_TOKEN, AuthScheme.JOB_TOKEN)
)
"""What nobody holds, shown in ways in which GitLab then answers 401."""
_NO_RULE = NormalizedName("a-name-of-no-rule")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is known to an auth, and all that they may do."""

    credentials: Credentials | None
    """None for somebody who is known by the environ alone, such as by the cookie of a session."""
    projects: Mapping[str, Abilities] = field(default_factory=dict)
    """Full path of a project -> all that they may do to it; nothing to one that is missing."""
    groups: Mapping[str, Abilities] = field(default_factory=dict)
    """Full path of a group -> `READ_GROUP`, `READ_PACKAGE` or both; nothing of one that is missing."""
    kept_from: Mapping[tuple[str, str], Abilities] = field(default_factory=dict)
    """Full path of a project, and a normalized name -> what a protection rule takes of what they may do there.

    A name that is here for somebody is asked about for all, in all projects.
    """
    environ: Mapping[str, object] = field(default_factory=dict)
    """What the environ of their requests has more than that of others."""
    excluded: Collection[str] = ()
    """The HTTP methods that the scope of their token excludes."""
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class KnownAuth:
    """An auth, its directory, and who may do what.

    It proves most with callers of whom each may do something that the others may not.
    """

    auth: Auth
    directory: Directory
    callers: Mapping[str, Caller]
    """By what they are called when a test fails."""
    nobody: Caller = Caller(None, anonymous=True)
    """Whoever shows nothing, or Basic credentials that are not known."""
    refused: Collection[Credentials] = UNKNOWN_TOKENS
    """What is an `InvalidToken`; add tokens that have expired or were revoked."""
    free_name: NormalizedName = _NO_RULE
    """A name that no protection rule speaks of."""


class AuthContract(Threads):
    """Tests an `Auth` and its principals: subclass it in your tests, and override `make_auth`."""

    def make_auth(self) -> KnownAuth:
        """Give an auth, and what is known of it; called once a test."""
        raise NotImplementedError(f"{type(self).__name__} must say what it is about: override make_auth()")

    # Who asks

    def test_whoever_shows_nothing_is_anonymous(self) -> None:
        known = self.make_auth()
        for method in _METHODS:
            assert _ask(known, None, method).anonymous, method

    def test_whoever_is_known_is_not_anonymous(self) -> None:
        known = self.make_auth()
        for name, caller in known.callers.items():
            assert _who(known, caller).anonymous == caller.anonymous, name

    def test_basic_credentials_that_are_not_known_are_nobodys(self) -> None:
        known = self.make_auth()
        for credentials in _credentials_of_nobody(known):
            principal = _ask(known, credentials)
            assert principal.anonymous, credentials
            assert _answers(known, principal) == _expected(known, known.nobody), credentials

    def test_a_secret_that_is_not_known_makes_nobody_known_however_it_is_shown(self) -> None:
        known = self.make_auth()
        for credentials in _credentials_of_nobody(known):
            for presented in AuthScheme:
                try:
                    principal = _ask(known, replace(credentials, presented=presented))
                except InvalidToken:
                    continue
                assert principal.anonymous, presented
                assert _answers(known, principal) == _expected(known, known.nobody), presented

    def test_a_token_that_is_known_to_be_bad_is_an_invalid_token_whatever_the_request(self) -> None:
        known = self.make_auth()
        if not known.refused:
            raise SkipTest("this auth knows no bad tokens: KnownAuth.refused is empty")
        for credentials in known.refused:
            for method in _METHODS:
                raised(InvalidToken, _ask, known, credentials, method)

    def test_a_token_whose_scope_excludes_a_request_lets_others_pass(self) -> None:
        known = self.make_auth()
        for name, caller in known.callers.items():
            for method in _METHODS:
                if method in caller.excluded:
                    raised(InsufficientScope, _who, known, caller, method)
                else:
                    assert _who(known, caller, method).anonymous == caller.anonymous, name

    # What they may do

    def test_everybody_may_do_exactly_what_is_known_of_them(self) -> None:
        known = self.make_auth()
        for name, caller in _everybody(known).items():
            assert _answers(known, _who(known, caller)) == _expected(known, caller), name

    def test_the_principals_of_several_requests_do_not_mix(self) -> None:
        known = self.make_auth()
        principals = {name: _who(known, caller) for name, caller in _everybody(known).items()}
        for name, principal in principals.items():
            assert principal.anonymous == _everybody(known)[name].anonymous, name
            assert _answers(known, principal) == _expected(known, _everybody(known)[name]), name

    def test_a_right_is_the_same_however_the_place_was_found(self) -> None:
        known = self.make_auth()
        for name, principal in _principals(known):
            for place in _places(known):
                for same in _found_otherwise(known, place):
                    for ability in _abilities(place):
                        answers = principal.can(ability, place), principal.can(ability, same)
                        assert answers[0] == answers[1], (name, ability, same)

    def test_whoever_may_do_anything_to_a_place_may_know_that_it_exists(self) -> None:
        known = self.make_auth()
        for name, principal in _principals(known):
            for place in _places(known):
                to_know = Ability.READ_PROJECT if isinstance(place, Project) else Ability.READ_GROUP
                if any(principal.can(ability, place) for ability in _abilities(place)):
                    assert principal.can(to_know, place), (name, place)

    def test_an_ability_that_is_not_known_is_refused_to_all_who_may_not_do_everything(self) -> None:
        # A later version of the package may ask for one more.
        known = self.make_auth()
        for name, principal in _principals(known):
            for place in _places(known):
                if not all(principal.can(ability, place) for ability in _abilities(place)):
                    assert not principal.can(cast(Ability, _Later.ABILITY), place), (name, place)
                    if isinstance(place, Project):
                        of_name = PackageName(place, known.free_name)
                        assert not principal.can(cast(Ability, _Later.ABILITY), of_name), (name, of_name)

    # Names

    def test_a_name_of_no_rule_may_be_used_by_whoever_may_use_its_project(self) -> None:
        known = self.make_auth()
        for name, caller in _everybody(known).items():
            principal = _who(known, caller)
            for project, ability in _rights_to_names(known, caller):
                assert principal.can(ability, PackageName(project, known.free_name)), (name, project, ability)

    def test_a_protection_rule_keeps_its_name_from_whom_it_should_and_in_its_project_only(self) -> None:
        known = self.make_auth()
        protected = {kept for caller in _everybody(known).values() for _, kept in caller.kept_from}
        for name, caller in _everybody(known).items():
            principal = _who(known, caller)
            for project, ability in _rights_to_names(known, caller):
                for kept in protected:
                    allowed = ability not in caller.kept_from.get((project.path, kept), ())
                    subject = PackageName(project, NormalizedName(kept))
                    assert principal.can(ability, subject) == allowed, (name, ability, project.path, kept)

    # Groups

    def test_what_is_readable_in_a_group_is_in_it_and_may_be_read(self) -> None:
        known = self.make_auth()
        for name, principal in _principals(known):
            for group in _groups(known):
                inside = {project.id for project in known.directory.projects_in(group)}
                for project in principal.readable(group):
                    assert project.id in inside, (name, group, project)
                    assert principal.can(Ability.READ_PACKAGE, project), (name, group, project)

    def test_all_that_may_be_read_in_a_group_that_may_be_read_is_readable_each_once(self) -> None:
        known = self.make_auth()
        for name, principal in _principals(known):
            for group in _groups(known):
                if principal.can(Ability.READ_PACKAGE, group):
                    inside = known.directory.projects_in(group)
                    expected = [project.id for project in inside if principal.can(Ability.READ_PACKAGE, project)]
                    found = [project.id for project in principal.readable(group)]
                    assert sorted(found) == sorted(expected), (name, group)

    # What must not happen

    def test_no_secret_is_in_a_repr_or_in_an_error(self) -> None:
        known = self.make_auth()
        for caller in (*map(Caller, known.refused), *known.callers.values()):
            secret = caller.credentials.secret if caller.credentials else ""
            if len(secret) > 5:  # a shorter one may be a part of any text
                shown = [method for method in _METHODS if secret in _text_of(known, caller, method)]
                assert shown == [], "a secret is shown"  # and which it is, a failed test must not show, too

    def test_the_environ_and_the_body_of_a_request_are_left_as_they_are(self) -> None:
        known = self.make_auth()
        for name, caller in _everybody(known).items():
            environ = _environ(_method(caller), caller.environ)
            before, body = dict(environ), cast(io.BytesIO, environ["wsgi.input"])
            known.auth.authenticate(caller.credentials, environ)
            assert environ == before, name
            assert (body.closed, body.tell()) == (False, 0), name

    # Many threads

    def test_many_threads_are_answered_each_for_itself(self) -> None:
        known = self.make_auth()
        everybody = [*_everybody(known).items()]

        def mixed_up(number: int) -> list[str]:
            callers = [everybody[(number + count) % len(everybody)] for count in range(2 * len(everybody))]
            return [
                name for name, caller in callers if _answers(known, _who(known, caller)) != _expected(known, caller)
            ]

        assert [name for names in self._at_once(mixed_up) for name in names] == []


class _Later(Enum):
    ABILITY = "an_ability_of_a_later_version"


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OF_NAMES = (Ability.CREATE_PACKAGE, Ability.DESTROY_PACKAGE)


def _abilities(place: Project | Group) -> frozenset[Ability]:
    """Give what is asked about a place."""
    of_groups = frozenset({Ability.READ_GROUP, Ability.READ_PACKAGE})
    return of_groups if isinstance(place, Group) else frozenset(Ability) - {Ability.READ_GROUP}


def _environ(method: str, more: Mapping[str, object]) -> dict[str, object]:
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "CONTENT_TYPE": "application/x-www-form-urlencoded"}
    environ |= {"CONTENT_LENGTH": "9", "wsgi.input": io.BytesIO(b"name=demo")}
    setup_testing_defaults(environ)
    return environ | dict(more)


def _ask(
    known: KnownAuth, credentials: Credentials | None, method: str = "GET", environ: Mapping[str, object] = {}
) -> Principal:
    return known.auth.authenticate(credentials, _environ(method, environ))


def _method(caller: Caller) -> str:
    return next(method for method in _METHODS if method not in caller.excluded)


def _who(known: KnownAuth, caller: Caller, method: str = "") -> Principal:
    return _ask(known, caller.credentials, method or _method(caller), caller.environ)


def _everybody(known: KnownAuth) -> Mapping[str, Caller]:
    return {"nobody": known.nobody, **known.callers}


def _principals(known: KnownAuth) -> Iterator[tuple[str, Principal]]:
    return ((name, _who(known, caller)) for name, caller in _everybody(known).items())


def _groups(known: KnownAuth) -> list[Group]:
    paths = {path for caller in _everybody(known).values() for path in caller.groups}
    found = {path: known.directory.group(path) for path in sorted(paths)}
    assert None not in found.values(), f"the directory must know all groups that callers have rights in: {found}"
    return [group for group in found.values() if group]


def _projects(known: KnownAuth) -> list[Project]:
    """Give every project that somebody has a right to, and all others in the groups of which that is so."""
    paths = {path for caller in _everybody(known).values() for path in caller.projects}
    paths |= {project.path for group in _groups(known) for project in known.directory.projects_in(group)}
    found = {path: known.directory.project(path) for path in sorted(paths)}
    assert None not in found.values(), f"the directory must know all projects that callers have rights to: {found}"
    return [project for project in found.values() if project]


def _places(known: KnownAuth) -> list[Project | Group]:
    return [*_projects(known), *_groups(known)]


def _answers(known: KnownAuth, principal: Principal) -> Mapping[str, frozenset[Ability]]:
    return {
        f"{type(place).__name__} {place.path}": frozenset(
            ability for ability in _abilities(place) if principal.can(ability, place)
        )
        for place in _places(known)
    }


def _expected(known: KnownAuth, caller: Caller) -> Mapping[str, frozenset[Ability]]:
    projects = {f"Project {place.path}": frozenset(caller.projects.get(place.path, ())) for place in _projects(known)}
    return projects | {
        f"Group {place.path}": frozenset(caller.groups.get(place.path, ())) & _abilities(place)
        for place in _groups(known)
    }


def _found_otherwise(known: KnownAuth, place: Project | Group) -> Iterator[Project | Group]:
    find = known.directory.project if isinstance(place, Project) else known.directory.group
    refs: list[Ref] = [place.id, *other_cases(place.path)]
    for ref in refs:
        found = find(ref)
        if found is not None:
            yield found


def _rights_to_names(known: KnownAuth, caller: Caller) -> Iterator[tuple[Project, Ability]]:
    for project in _projects(known):
        abilities = caller.projects.get(project.path, ())
        yield from ((project, ability) for ability in _OF_NAMES if ability in abilities)


def _credentials_of_nobody(known: KnownAuth) -> Iterator[Credentials]:
    """Give Basic credentials that nobody was given: any, none, and what is nearly somebody's."""
    real = {caller.credentials for caller in known.callers.values() if caller.credentials}
    secrets = {credentials.secret for credentials in real}
    for secret in ("", " ", "\0", ":", "é", "☃", "%", "*", "' OR '1'='1", "x" * 10_000):
        yield Credentials(AuthScheme.BASIC, secret)
    for user in {"", "ada", "é", "x" * 1000, *(credentials.user for credentials in real)} - {"gitlab-ci-token"}:
        yield Credentials(AuthScheme.BASIC, _NO_SECRET, user)
    for user, secret in {(credentials.user, credentials.secret) for credentials in real}:
        for near in {secret[:-1], f"{secret}x", f"{secret}\0", secret.swapcase(), user} - secrets:
            if user != "gitlab-ci-token":  # with which GitLab takes a wrong job token for a bad one
                yield Credentials(AuthScheme.BASIC, near, user)


def _text_of(known: KnownAuth, caller: Caller, method: str) -> str:
    try:
        principal = _who(known, caller, method)
    except (InvalidToken, InsufficientScope) as error:
        return f"{known.auth!r} {error!r} {error} {error.args!r}"
    return f"{known.auth!r} {principal!r} {principal}"
