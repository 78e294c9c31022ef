"""Auths that break one thing each, and the test of the suite that finds it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from pypi_registry.accounts import Accounts
from pypi_registry.auth import Ability, AuthScheme, Credentials, Principal, Subject
from pypi_registry.errors import InsufficientScope, InvalidToken, NotAuthenticated
from pypi_registry.model import Group, PackageName, Project
from tests.testing.known import PRIVATE, PUBLIC, accounts
from tests.testing.mutants.racing import Meeting

READ, CREATE, DESTROY = Ability.READ_PACKAGE, Ability.CREATE_PACKAGE, Ability.DESTROY_PACKAGE

Environ = Mapping[str, object]


class Mutant(Accounts):
    """Accounts whose principals are changed before anybody sees them."""

    def authenticate(self, credentials: Credentials | None, environ: Environ) -> Principal:
        return self.changed(super().authenticate(credentials, environ), credentials)

    def changed(self, principal: Principal, credentials: Credentials | None) -> Principal:
        return principal


@dataclass
class Changed:
    """A principal that answers as another does, as far as nothing else is said."""

    other: Principal
    directory: Accounts
    credentials: Credentials | None

    @property
    def anonymous(self) -> bool:
        return self.other.anonymous

    def can(self, ability: Ability, subject: Subject) -> bool:
        return self.other.can(ability, subject)

    def readable(self, group: Group) -> Sequence[Project]:
        return self.other.readable(group)


def principals(base: type[Accounts] = Mutant, /, **methods: Any) -> Accounts:
    """Make an auth of whose principals these methods are others."""
    kind = type("Mutated", (Changed,), methods)
    changed = {"changed": lambda self, principal, credentials: kind(principal, self, credentials)}
    return accounts(type("Mutant", (base,), changed))


def can(allowed: Callable[[Any, Ability, Subject], bool]) -> Accounts:
    return principals(can=allowed)


def authenticates(act: Callable[[Accounts, Credentials | None, Environ], Principal]) -> Accounts:
    """Make an auth that finds out in another way who asks."""
    return accounts(type("Mutant", (Accounts,), {"authenticate": lambda self, *args: act(self, *args)}))


def _for_any_project(self: Changed, ability: Ability, subject: Subject) -> bool:
    if not isinstance(subject, Project):
        return self.other.can(ability, subject)
    return any(self.other.can(ability, project) for project in _beside(self, subject))


def _beside(self: Changed, project: Project) -> list[Project]:
    return [each for number in range(1, 6) if (each := self.directory.project(number)) and each.root == project.root]


def _more_than_may_be_read(self: Changed, group: Group) -> Sequence[Project]:
    return self.directory.projects_in(group)


def _more_than_is_in_it(self: Changed, group: Group) -> Sequence[Project]:
    root = self.directory.group(group.root)
    return [*self.other.readable(group), *(self.other.readable(root) if root else [])]


def _members_only(self: Changed, group: Group) -> Sequence[Project]:
    return [each for each in self.other.readable(group) if each.visibility == "private"]


def _in_one_case(self: Changed, ability: Ability, subject: Subject) -> bool:
    if isinstance(subject, Project) and subject.path != subject.path.lower() and ability is CREATE:
        return False
    return self.other.can(ability, subject)


class NamesProjectsAsAskedFor(Mutant):
    """A directory that gives the path back as it was written, with an auth that looks at just this path."""

    def project(self, ref: Any) -> Project | None:
        found = super().project(ref)
        return Project(found.id, ref, found.name, found.visibility) if found and isinstance(ref, str) else found

    def changed(self, principal: Principal, credentials: Credentials | None) -> Principal:
        return _LooksAtPaths(principal, self, credentials)


class _LooksAtPaths(Changed):
    def can(self, ability: Ability, subject: Subject) -> bool:
        if ability is READ and isinstance(subject, Project) and subject.id == 3 and subject.path != PRIVATE:
            return False
        return super().can(ability, subject)


def _without_knowing(self: Changed, ability: Ability, subject: Subject) -> bool:
    return ability not in (Ability.READ_PROJECT, Ability.READ_GROUP) and self.other.can(ability, subject)


def _anybody_publishes(self: Changed, ability: Ability, subject: Subject) -> bool:
    is_public = isinstance(subject, Project) and subject.path == PUBLIC
    return (self.anonymous and ability is CREATE and is_public) or self.other.can(ability, subject)


def _unless_forbidden(self: Changed, ability: Ability, subject: Subject) -> bool:
    return self.other.can(ability if ability in Ability else READ, subject)


def _of_names_unless_forbidden(self: Changed, ability: Ability, subject: Subject) -> bool:
    return self.other.can(CREATE if isinstance(subject, PackageName) and ability not in Ability else ability, subject)


def _knows_no_names(self: Changed, ability: Ability, subject: Subject) -> bool:
    return not isinstance(subject, PackageName) and self.other.can(ability, subject)


def _knows_no_rules(self: Changed, ability: Ability, subject: Subject) -> bool:
    return isinstance(subject, PackageName) or self.other.can(ability, subject)


def _one_rule_for_all(self: Changed, ability: Ability, subject: Subject) -> bool:
    return self.other.can(CREATE if isinstance(subject, PackageName) else ability, subject)


def _in_all_projects(self: Changed, ability: Ability, subject: Subject) -> bool:
    if not isinstance(subject, PackageName):
        return self.other.can(ability, subject)
    projects = [self.directory.project(number) for number in range(1, 6)]
    return all(self.other.can(ability, PackageName(project, subject.name)) for project in projects if project)


def _shows_its_secret(self: Changed) -> str:
    return f"<principal of {self.credentials and self.credentials.secret}>"


def _tells_the_secret(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    try:
        return Accounts.authenticate(self, credentials, environ)
    except InvalidToken:
        raise InvalidToken(f"unknown: {credentials and credentials.secret}") from None


def _as_other_error(error: type[Exception], found: Callable[[InvalidToken], bool]) -> Accounts:
    def authenticate(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
        try:
            return Accounts.authenticate(self, credentials, environ)
        except InvalidToken as bad:
            if found(bad):
                raise error from None
            raise

    return authenticates(authenticate)


def _as_nobody(found: Callable[[InvalidToken], bool]) -> Accounts:
    def authenticate(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
        try:
            return Accounts.authenticate(self, credentials, environ)
        except InvalidToken as bad:
            if found(bad):
                return Accounts.authenticate(self, None, environ)
            raise

    return authenticates(authenticate)


def _refuses_who_is_not_known(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    principal = Accounts.authenticate(self, credentials, environ)
    if credentials and principal.anonymous and credentials.presented is AuthScheme.BASIC:
        raise InvalidToken
    return principal


def _has_no_such_secret(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    principal = Accounts.authenticate(self, credentials, environ)
    if credentials and principal.anonymous:
        raise LookupError("there is no such token")
    return principal


def _hashes_72_bytes(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    if credentials and len(credentials.secret) > 72:
        raise ValueError("password cannot be longer than 72 bytes")
    return Accounts.authenticate(self, credentials, environ)


_SECRETS = ("secret of ada", "secret of bob", "secret of eve", "secret of root")


_ALL_WAYS = tuple(AuthScheme)


def _by_secrets(matches: Callable[[Credentials, str], bool], ways: Collection[AuthScheme] = _ALL_WAYS) -> Accounts:
    """Make an auth that takes a secret for another one."""

    def authenticate(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
        principal: Principal | None = None
        with suppress(InvalidToken):
            principal = Accounts.authenticate(self, credentials, environ)
        if (principal is None or principal.anonymous) and credentials and credentials.presented in ways:
            for secret in _SECRETS:
                if matches(credentials, secret):
                    shown = Credentials(AuthScheme.PRIVATE_TOKEN, secret)
                    return Accounts.authenticate(self, shown, environ)
        return Accounts.authenticate(self, credentials, environ) if principal is None else principal

    return authenticates(authenticate)


def _forgets_scopes(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    return Accounts.authenticate(self, credentials, {**environ, "REQUEST_METHOD": "GET"})


def _takes_head_for_writing(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    method = environ["REQUEST_METHOD"]
    return Accounts.authenticate(
        self, credentials, {**environ, "REQUEST_METHOD": "POST" if method == "HEAD" else method}
    )


def _refuses_by_invalid_token(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    try:
        return Accounts.authenticate(self, credentials, environ)
    except InsufficientScope:
        raise InvalidToken from None


def _writes_into_the_environ(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    cast(dict[str, object], environ)["our.user"] = "somebody"
    return Accounts.authenticate(self, credentials, environ)


def _reads_the_body(self: Accounts, credentials: Credentials | None, environ: Environ) -> Principal:
    cast(BytesIO, environ["wsgi.input"]).read()
    return Accounts.authenticate(self, credentials, environ)


class IsItsOwnPrincipal(Mutant):
    """Keeps on itself who asks, as if there were one request at a time."""

    def changed(self, principal: Principal, credentials: Credentials | None) -> Principal:
        self.principal = principal
        return cast(Principal, self)

    @property
    def anonymous(self) -> bool:
        return self.principal.anonymous

    def can(self, ability: Ability, subject: Subject) -> bool:
        return self.principal.can(ability, subject)

    def readable(self, group: Group) -> Sequence[Project]:
        return self.principal.readable(group)


class KeepsTheCredentials(Accounts):
    """Keeps on itself what a request shows until it has looked it up."""

    def __init__(self, **entries: Any) -> None:
        super().__init__(**entries)
        self._meeting = Meeting(threads=8)
        self._shown: Credentials | None = None

    def authenticate(self, credentials: Credentials | None, environ: Environ) -> Principal:
        self._shown = credentials
        self._meeting.wait()
        return super().authenticate(self._shown, environ)


# What is broken: the auth, and the test that finds it.
MUTANTS: dict[str, tuple[Accounts, str]] = {
    "nobody is somebody": (principals(anonymous=False), "test_whoever_shows_nothing_is_anonymous"),
    "everybody is nobody": (principals(anonymous=True), "test_whoever_is_known_is_not_anonymous"),
    "Basic credentials that are not known are a bad token": (
        authenticates(_refuses_who_is_not_known),
        "test_basic_credentials_that_are_not_known_are_nobodys",
    ),
    "a user's name is enough": (
        _by_secrets(lambda shown, secret: bool(shown.user) and secret.endswith(f" {shown.user}")),
        "test_basic_credentials_that_are_not_known_are_nobodys",
    ),
    "the beginning of a secret is enough": (
        _by_secrets(lambda shown, secret: len(shown.secret) > 10 and secret.startswith(shown.secret)),
        "test_basic_credentials_that_are_not_known_are_nobodys",
    ),
    "a secret may go on": (
        _by_secrets(lambda shown, secret: shown.secret.startswith(secret)),
        "test_basic_credentials_that_are_not_known_are_nobodys",
    ),
    "secrets have no case": (
        _by_secrets(lambda shown, secret: shown.secret.lower() == secret),
        "test_basic_credentials_that_are_not_known_are_nobodys",
    ),
    "a long secret is an error": (
        authenticates(_hashes_72_bytes),
        "test_basic_credentials_that_are_not_known_are_nobodys",
    ),
    "a secret that is not known is an error": (
        authenticates(_has_no_such_secret),
        "test_a_secret_that_is_not_known_makes_nobody_known_however_it_is_shown",
    ),
    "a secret in a header of its own is not compared to its end": (
        _by_secrets(lambda shown, secret: shown.secret.startswith(secret), [AuthScheme.JOB_TOKEN]),
        "test_a_secret_that_is_not_known_makes_nobody_known_however_it_is_shown",
    ),
    "a revoked token is nobody's": (
        _as_nobody(lambda bad: bad.reason == "revoked"),
        "test_a_token_that_is_known_to_be_bad_is_an_invalid_token_whatever_the_request",
    ),
    "a token that is not known is nobody's": (
        _as_nobody(lambda bad: not bad.reason),
        "test_a_token_that_is_known_to_be_bad_is_an_invalid_token_whatever_the_request",
    ),
    "a revoked token asks for another": (
        _as_other_error(NotAuthenticated, lambda bad: bad.reason == "revoked"),
        "test_a_token_that_is_known_to_be_bad_is_an_invalid_token_whatever_the_request",
    ),
    "a token that is not known is a KeyError": (
        _as_other_error(KeyError, lambda bad: not bad.reason),
        "test_a_secret_that_is_not_known_makes_nobody_known_however_it_is_shown",
    ),
    "scopes are forgotten": (
        authenticates(_forgets_scopes),
        "test_a_token_whose_scope_excludes_a_request_lets_others_pass",
    ),
    "HEAD is no reading": (
        authenticates(_takes_head_for_writing),
        "test_a_token_whose_scope_excludes_a_request_lets_others_pass",
    ),
    "a scope that excludes is a bad token": (
        authenticates(_refuses_by_invalid_token),
        "test_a_token_whose_scope_excludes_a_request_lets_others_pass",
    ),
    "a right to one project is one to another": (
        can(_for_any_project),
        "test_everybody_may_do_exactly_what_is_known_of_them",
    ),
    "nobody may publish": (can(_anybody_publishes), "test_everybody_may_do_exactly_what_is_known_of_them"),
    "a path has case": (can(_in_one_case), "test_everybody_may_do_exactly_what_is_known_of_them"),
    "who asks is kept for all requests": (
        accounts(IsItsOwnPrincipal),
        "test_the_principals_of_several_requests_do_not_mix",
    ),
    "a right goes with the spelling": (
        accounts(NamesProjectsAsAskedFor),
        "test_a_right_is_the_same_however_the_place_was_found",
    ),
    "packages are read by those who must not know the project": (
        can(_without_knowing),
        "test_whoever_may_do_anything_to_a_place_may_know_that_it_exists",
    ),
    "what is not forbidden is allowed": (
        can(_unless_forbidden),
        "test_an_ability_that_is_not_known_is_refused_to_all_who_may_not_do_everything",
    ),
    "what is not forbidden is allowed of a name": (
        can(_of_names_unless_forbidden),
        "test_an_ability_that_is_not_known_is_refused_to_all_who_may_not_do_everything",
    ),
    "names are never free": (
        can(_knows_no_names),
        "test_a_name_of_no_rule_may_be_used_by_whoever_may_use_its_project",
    ),
    "names are never protected": (
        can(_knows_no_rules),
        "test_a_protection_rule_keeps_its_name_from_whom_it_should_and_in_its_project_only",
    ),
    "names are protected from publishing only": (
        can(_one_rule_for_all),
        "test_a_protection_rule_keeps_its_name_from_whom_it_should_and_in_its_project_only",
    ),
    "names are protected in all projects": (
        can(_in_all_projects),
        "test_a_protection_rule_keeps_its_name_from_whom_it_should_and_in_its_project_only",
    ),
    "a group shows what is hidden": (
        principals(readable=_more_than_may_be_read),
        "test_what_is_readable_in_a_group_is_in_it_and_may_be_read",
    ),
    "a group shows what is beside it": (
        principals(readable=_more_than_is_in_it),
        "test_what_is_readable_in_a_group_is_in_it_and_may_be_read",
    ),
    "a group does not show what is public": (
        principals(readable=_members_only),
        "test_all_that_may_be_read_in_a_group_that_may_be_read_is_readable_each_once",
    ),
    "a group shows everything twice": (
        principals(readable=lambda self, group: [*self.other.readable(group), *self.other.readable(group)]),
        "test_all_that_may_be_read_in_a_group_that_may_be_read_is_readable_each_once",
    ),
    "a principal shows its secret": (
        principals(__repr__=_shows_its_secret),
        "test_no_secret_is_in_a_repr_or_in_an_error",
    ),
    "an error shows the secret": (authenticates(_tells_the_secret), "test_no_secret_is_in_a_repr_or_in_an_error"),
    "the environ is written to": (
        authenticates(_writes_into_the_environ),
        "test_the_environ_and_the_body_of_a_request_are_left_as_they_are",
    ),
    "the body is read": (
        authenticates(_reads_the_body),
        "test_the_environ_and_the_body_of_a_request_are_left_as_they_are",
    ),
    "threads share what a request shows": (
        accounts(KeepsTheCredentials),
        "test_many_threads_are_answered_each_for_itself",
    ),
}
