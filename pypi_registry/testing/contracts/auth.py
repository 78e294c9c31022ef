"""The suite of an `Auth`, and what a test states about its users."""

import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeAlias, cast
from unittest import SkipTest
from wsgiref.util import setup_testing_defaults

from packaging.utils import NormalizedName

from pypi_registry.auth import Ability, Auth, AuthScheme, Credentials, Principal, ReadsMany
from pypi_registry.directory import Directory, Ref
from pypi_registry.errors import InsufficientScope, InvalidToken
from pypi_registry.model import Group, Namespace, PackageName, Project, Projects
from pypi_registry.testing.contracts.directory import other_cases
from pypi_registry.testing.contracts.threads import Threads, raised

Abilities: TypeAlias = Collection[Ability]

_UNKNOWN_SECRET = "a-secret-that-does-not-exist"
_UNPROTECTED = NormalizedName("a-name-without-a-rule")
UNKNOWN_TOKENS = tuple(
    Credentials(scheme, _UNKNOWN_SECRET)
    for scheme in (AuthScheme.BEARER, AuthScheme.PRIVATE_TOKEN, AuthScheme.JOB_TOKEN)
)
"""Unknown tokens, sent in the ways for which GitLab returns 401."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller, and everything that it may do."""

    credentials: Credentials | None
    """None for a caller that is known by the environ alone, such as by the cookie of a session."""
    projects: Mapping[str, Abilities] = field(default_factory=dict)
    """Full path of a project -> all abilities of the caller there; a missing project stands for none."""
    groups: Mapping[str, Abilities] = field(default_factory=dict)
    """Full path of a group -> `READ_GROUP`, `READ_PACKAGE` or both; a missing group stands for none."""
    denied_names: Mapping[tuple[str, str], Abilities] = field(default_factory=dict)
    """Full path of a project and a normalized name -> the abilities that a protection rule denies the caller there.

    The suite asks about each of these names for every caller and in every project.
    """
    environ: Mapping[str, object] = field(default_factory=dict)
    """Keys that are added to the environ of the requests of this caller."""
    excluded_methods: Collection[str] = ()
    """The HTTP methods that the scopes of the token exclude."""
    anonymous: bool = False
    name: str | None = None
    """The name of the principal; None if the suite must not compare it."""


@dataclass(frozen=True, slots=True)
class KnownAuth:
    """An `Auth`, its directory, and who may do what.

    The suite finds most if each caller may do something that no other may.
    """

    auth: Auth
    directory: Directory
    callers: Mapping[str, Caller]
    """By the name that a failed test shows."""
    anonymous: Caller = Caller(None, anonymous=True)
    """The caller without credentials, or with unknown Basic credentials."""
    invalid_tokens: Collection[Credentials] = UNKNOWN_TOKENS
    """Credentials that raise `InvalidToken`; add tokens that are expired or revoked."""
    unprotected_name: NormalizedName = _UNPROTECTED
    """A name to which no protection rule applies."""


class AuthContract(Threads):
    """Tests an `Auth` and its principals: subclass it in your tests, and override `make_auth`."""

    def make_auth(self) -> KnownAuth:
        """Return an auth with its callers; called once per test."""
        raise NotImplementedError(f"{type(self).__name__} must override make_auth()")

    # Who the caller is

    def test_a_request_without_credentials_is_anonymous(self) -> None:
        known = self.make_auth()
        for namespace in (*_namespaces(known), None):
            for method in _METHODS:
                principal = _ask(known, None, namespace, method)
                assert (principal.anonymous, principal.name) == (True, ""), (namespace, method)

    def test_a_known_caller_has_a_name_in_every_namespace(self) -> None:
        known = self.make_auth()
        for label, caller in known.callers.items():
            names = set()
            for namespace in (*_namespaces(known), None):
                principal = _principal(known, caller, namespace)
                assert principal.anonymous == caller.anonymous, (label, namespace)
                assert isinstance(principal.via, str), label
                names.add(principal.name)
            [name] = names
            assert bool(name) != caller.anonymous, label
            assert caller.name in (None, name), label

    def test_unknown_basic_credentials_are_anonymous(self) -> None:
        known = self.make_auth()
        for credentials in _unknown_credentials(known):
            caller = replace(known.anonymous, credentials=credentials)
            assert _principal(known, caller, None).anonymous, credentials
            assert _answers(known, caller) == _expected(known, known.anonymous), credentials

    def test_an_unknown_secret_authenticates_no_caller_in_any_scheme(self) -> None:
        known = self.make_auth()
        for credentials in _unknown_credentials(known):
            for scheme in AuthScheme:
                caller = replace(known.anonymous, credentials=replace(credentials, scheme=scheme))
                try:
                    assert _principal(known, caller, None).anonymous, scheme
                except InvalidToken:
                    continue
                assert _answers(known, caller) == _expected(known, known.anonymous), scheme

    def test_an_invalid_token_raises_invalid_token_whatever_the_request(self) -> None:
        known = self.make_auth()
        if not known.invalid_tokens:
            raise SkipTest("KnownAuth.invalid_tokens is empty: this auth knows no invalid tokens")
        for credentials in known.invalid_tokens:
            for namespace in (*_namespaces(known), None):
                for method in _METHODS:
                    raised(InvalidToken, _ask, known, credentials, namespace, method)

    def test_a_scope_excludes_its_methods_and_no_others(self) -> None:
        known = self.make_auth()
        for label, caller in known.callers.items():
            for namespace in _namespaces(known):
                for method in _METHODS:
                    if method in caller.excluded_methods:
                        raised(InsufficientScope, _principal, known, caller, namespace, method)
                    else:
                        assert _principal(known, caller, namespace, method).anonymous == caller.anonymous, label

    # What the caller may do

    def test_every_caller_has_exactly_its_abilities(self) -> None:
        known = self.make_auth()
        for label, caller in _callers(known).items():
            assert _answers(known, caller) == _expected(known, caller), label

    def test_the_principals_of_several_requests_do_not_mix(self) -> None:
        known = self.make_auth()
        principals = [
            (label, caller, namespace, _principal(known, caller, namespace))
            for label, caller in _callers(known).items()
            for namespace in _namespaces(known)
        ]
        for label, caller, namespace, principal in principals:
            assert principal.anonymous == caller.anonymous, label
            expected = _expected(known, caller)[_title(namespace)]
            assert _abilities_of(principal, namespace) == expected, (label, namespace)

    def test_an_answer_does_not_depend_on_how_the_namespace_was_found(self) -> None:
        known = self.make_auth()
        for label, caller in _callers(known).items():
            for namespace in _namespaces(known):
                expected = _abilities_of(_principal(known, caller, namespace), namespace)
                for same in _found_otherwise(known, namespace):
                    assert _abilities_of(_principal(known, caller, same), same) == expected, (label, same)

    def test_a_caller_with_any_ability_has_the_ability_to_read_the_namespace(self) -> None:
        known = self.make_auth()
        for label, principal, namespace in _principals(known):
            read = Ability.READ_PROJECT if isinstance(namespace, Project) else Ability.READ_GROUP
            abilities = _abilities_of(principal, namespace)
            assert not abilities or read in abilities, (label, namespace)

    def test_an_unknown_ability_is_refused_to_callers_that_lack_any(self) -> None:
        # A later version may add an ability.
        known = self.make_auth()
        for label, principal, namespace in _principals(known):
            if _abilities_of(principal, namespace) != _asked(namespace):
                assert not principal.can(cast(Ability, _Later.ABILITY), namespace), (label, namespace)
                if isinstance(namespace, Project):
                    name = PackageName(namespace, known.unprotected_name)
                    assert not principal.can(cast(Ability, _Later.ABILITY), name), (label, name)

    # Names

    def test_an_unprotected_name_is_free_to_all_who_may_use_its_project(self) -> None:
        known = self.make_auth()
        for label, caller in _callers(known).items():
            for project, ability in _name_abilities(known, caller):
                principal = _principal(known, caller, project)
                assert principal.can(ability, PackageName(project, known.unprotected_name)), (label, project, ability)

    def test_a_protection_rule_denies_its_name_in_its_project_to_its_callers(self) -> None:
        known = self.make_auth()
        protected = {name for caller in _callers(known).values() for _, name in caller.denied_names}
        for label, caller in _callers(known).items():
            for project, ability in _name_abilities(known, caller):
                principal = _principal(known, caller, project)
                for name in protected:
                    allowed = ability not in caller.denied_names.get((project.path, name), ())
                    subject = PackageName(project, NormalizedName(name))
                    assert principal.can(ability, subject) == allowed, (label, ability, project.path, name)

    # Groups

    def test_a_project_is_readable_in_its_group_if_it_is_readable_alone(self) -> None:
        known = self.make_auth()
        for label, caller in _callers(known).items():
            for group in _groups(known):
                principal = _principal(known, caller, group)
                for project in known.directory.projects_in(group):
                    expected = Ability.READ_PACKAGE in caller.projects.get(project.path, ())
                    assert principal.can(Ability.READ_PACKAGE, project) == expected, (label, group, project)

    def test_readable_returns_the_projects_that_can_allows(self) -> None:
        known = self.make_auth()
        for label, principal, namespace in _principals(known):
            if not isinstance(principal, ReadsMany):
                raise SkipTest(f"{type(principal).__name__} does not implement ReadsMany")
            if isinstance(namespace, Group):
                for projects in (known.directory.projects_in(namespace), Projects()):
                    expected = projects.only(lambda project: principal.can(Ability.READ_PACKAGE, project))  # noqa: B023
                    found = principal.readable(projects)
                    assert isinstance(found, Projects), label
                    assert found == expected, (label, namespace)
                    assert found is projects or expected is not projects, (label, namespace)

    # What must not happen

    def test_no_secret_is_in_a_repr_in_a_name_or_in_an_error(self) -> None:
        known = self.make_auth()
        for caller in (*map(Caller, known.invalid_tokens), *known.callers.values()):
            secret = caller.credentials.secret if caller.credentials else ""
            if len(secret) > 5:  # a shorter one may be a part of any text
                shown = [method for method in _METHODS if secret in _text_of(known, caller, method)]
                assert shown == [], "a secret is shown"  # a failed test must not show it, too

    def test_the_environ_and_the_body_of_a_request_stay_as_they_are(self) -> None:
        known = self.make_auth()
        for label, caller in _callers(known).items():
            environ = _environ(_method(caller), caller.environ)
            before, body = dict(environ), cast(io.BytesIO, environ["wsgi.input"])
            known.auth.authenticate(caller.credentials, _namespaces(known)[0], environ)
            assert environ == before, label
            assert (body.closed, body.tell()) == (False, 0), label

    # Many threads

    def test_many_threads_get_their_own_answers(self) -> None:
        known = self.make_auth()
        callers = [*_callers(known).items()]

        def ask_in_another_order(number: int) -> list[str]:
            some = [callers[(number + count) % len(callers)] for count in range(2 * len(callers))]
            return [label for label, caller in some if _answers(known, caller) != _expected(known, caller)]

        assert [label for labels in self._in_threads(ask_in_another_order) for label in labels] == []


class _Later(Enum):
    ABILITY = "an_ability_of_a_later_version"


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OF_NAMES = (Ability.CREATE_PACKAGE, Ability.DESTROY_PACKAGE)
_OF_GROUPS = frozenset({Ability.READ_GROUP, Ability.READ_PACKAGE})
_OF_PROJECTS = frozenset(Ability) - {Ability.READ_GROUP}


def _asked(namespace: Namespace) -> frozenset[Ability]:
    """Return the abilities that exist for a namespace."""
    return _OF_GROUPS if isinstance(namespace, Group) else _OF_PROJECTS


# Requests


def _environ(method: str, more: Mapping[str, object]) -> dict[str, object]:
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "CONTENT_TYPE": "application/x-www-form-urlencoded"}
    environ |= {"CONTENT_LENGTH": "9", "wsgi.input": io.BytesIO(b"name=demo")}
    setup_testing_defaults(environ)
    return environ | dict(more)


def _ask(
    known: KnownAuth,
    credentials: Credentials | None,
    namespace: Namespace | None,
    method: str,
    environ: Mapping[str, object] = {},
) -> Principal:
    return known.auth.authenticate(credentials, namespace, _environ(method, environ))


def _method(caller: Caller) -> str:
    return next(method for method in _METHODS if method not in caller.excluded_methods)


def _principal(known: KnownAuth, caller: Caller, namespace: Namespace | None, method: str = "") -> Principal:
    return _ask(known, caller.credentials, namespace, method or _method(caller), caller.environ)


def _callers(known: KnownAuth) -> Mapping[str, Caller]:
    return {"anonymous": known.anonymous, **known.callers}


def _principals(known: KnownAuth) -> Iterator[tuple[str, Principal, Namespace]]:
    for label, caller in _callers(known).items():
        for namespace in _namespaces(known):
            yield label, _principal(known, caller, namespace), namespace


# Projects and groups


def _groups(known: KnownAuth) -> list[Group]:
    paths = {path for caller in _callers(known).values() for path in caller.groups}
    found = {path: known.directory.group(path) for path in sorted(paths)}
    assert None not in found.values(), f"the directory must have every group in which a caller has abilities: {found}"
    return [group for group in found.values() if group]


def _projects(known: KnownAuth) -> list[Project]:
    """Return every project in which a caller has abilities, and all others in their groups."""
    paths = {path for caller in _callers(known).values() for path in caller.projects}
    paths |= {project.path for group in _groups(known) for project in known.directory.projects_in(group)}
    found = {path: known.directory.project(path) for path in sorted(paths)}
    assert None not in found.values(), f"the directory must have every project in which a caller has abilities: {found}"
    return [project for project in found.values() if project]


def _namespaces(known: KnownAuth) -> list[Namespace]:
    return [*_projects(known), *_groups(known)]


def _found_otherwise(known: KnownAuth, namespace: Namespace) -> Iterator[Namespace]:
    find = known.directory.project if isinstance(namespace, Project) else known.directory.group
    refs: list[Ref] = [namespace.id, *other_cases(namespace.path)]
    yield from filter(None, map(find, refs))


# Abilities


def _title(namespace: Namespace) -> str:
    return f"{type(namespace).__name__} {namespace.path}"


def _abilities_of(principal: Principal, namespace: Namespace) -> frozenset[Ability]:
    return frozenset(ability for ability in _asked(namespace) if principal.can(ability, namespace))


def _answers(known: KnownAuth, caller: Caller) -> Mapping[str, frozenset[Ability]]:
    """Return the abilities of a caller in each namespace, each found out by a request for this namespace."""
    return {
        _title(namespace): _abilities_of(_principal(known, caller, namespace), namespace)
        for namespace in _namespaces(known)
    }


def _expected(known: KnownAuth, caller: Caller) -> Mapping[str, frozenset[Ability]]:
    projects = {_title(project): frozenset(caller.projects.get(project.path, ())) for project in _projects(known)}
    return projects | {
        _title(group): frozenset(caller.groups.get(group.path, ())) & _OF_GROUPS for group in _groups(known)
    }


def _name_abilities(known: KnownAuth, caller: Caller) -> Iterator[tuple[Project, Ability]]:
    for project in _projects(known):
        abilities = caller.projects.get(project.path, ())
        yield from ((project, ability) for ability in _OF_NAMES if ability in abilities)


# Secrets


def _unknown_credentials(known: KnownAuth) -> Iterator[Credentials]:
    """Return unknown Basic credentials: arbitrary ones, none, and those that are nearly known."""
    real = {caller.credentials for caller in known.callers.values() if caller.credentials}
    secrets = {credentials.secret for credentials in real}
    for secret in ("", " ", "\0", ":", "é", "☃", "%", "*", "' OR '1'='1", "x" * 10_000):
        yield Credentials(AuthScheme.BASIC, secret)
    for user in {"", "ada", "é", "x" * 1000, *(credentials.user for credentials in real)} - {"gitlab-ci-token"}:
        yield Credentials(AuthScheme.BASIC, _UNKNOWN_SECRET, user)
    for user, secret in {(credentials.user, credentials.secret) for credentials in real}:
        for near in {secret[:-1], f"{secret}x", f"{secret}\0", secret.swapcase(), user} - secrets:
            if user != "gitlab-ci-token":  # for this user GitLab returns 401, as for a wrong job token
                yield Credentials(AuthScheme.BASIC, near, user)


def _text_of(known: KnownAuth, caller: Caller, method: str) -> str:
    try:
        principal = _principal(known, caller, _namespaces(known)[0], method)
    except (InvalidToken, InsufficientScope) as error:
        return f"{known.auth!r} {error!r} {error} {error.args!r}"
    return f"{known.auth!r} {principal!r} {principal} {principal.name} {principal.via}"
