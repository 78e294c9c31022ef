"""Auths that break one law each, and the test of the suite that must find it."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from typing import Any, TypeAlias, cast

from pypi_registry._http.errors import NotAuthenticated
from pypi_registry.auth import Ability, AuthScheme, Credentials, Principal, Subject
from pypi_registry.directory import Ref
from pypi_registry.errors import InsufficientScope, InvalidToken
from pypi_registry.model import PackageName, Project, Projects
from tests.testing.known import PRIVATE, PROJECTS, PUBLIC
from tests.testing.mutants.racing import Shared
from tests.testing.mutants.wrapping import AccountsWrapper, Override, PrincipalWrapper, before, on_error, returns, takes

W: TypeAlias = AccountsWrapper
P: TypeAlias = PrincipalWrapper
READ, CREATE, DESTROY = Ability.READ_PACKAGE, Ability.CREATE_PACKAGE, Ability.DESTROY_PACKAGE


def principals(**methods: Any) -> Override:
    """Return principals with other methods."""
    kind = type("Principal", (P,), methods)
    return returns("authenticate", lambda self, found, *args: kind(found, self, *args))


def can(allowed: Callable[[Any, Ability, Subject], bool]) -> Override:
    return principals(can=allowed)


# Principals


def for_any_project(self: P, ability: Ability, subject: Subject) -> bool:
    if not isinstance(subject, Project):
        return self.inner.can(ability, subject)
    return any(self.inner.can(ability, each) for each in all_projects(self) if each.root == subject.root)


def all_projects(self: P) -> list[Project]:
    return [project for path in PROJECTS if (project := self.accounts.inner.project(path))]


def in_one_case(self: P, ability: Ability, subject: Subject) -> bool:
    if isinstance(subject, Project) and subject.path != subject.path.lower() and ability is CREATE:
        return False
    return self.inner.can(ability, subject)


def without_knowing(self: P, ability: Ability, subject: Subject) -> bool:
    return ability not in (Ability.READ_PROJECT, Ability.READ_GROUP) and self.inner.can(ability, subject)


def anonymous_may_publish(self: P, ability: Ability, subject: Subject) -> bool:
    is_public = isinstance(subject, Project) and subject.path == PUBLIC
    return (self.anonymous and ability is CREATE and is_public) or self.inner.can(ability, subject)


def unless_denied(self: P, ability: Ability, subject: Subject) -> bool:
    return self.inner.can(ability if ability in Ability else READ, subject)


def names_unless_denied(self: P, ability: Ability, subject: Subject) -> bool:
    return self.inner.can(CREATE if isinstance(subject, PackageName) and ability not in Ability else ability, subject)


def no_names(self: P, ability: Ability, subject: Subject) -> bool:
    return not isinstance(subject, PackageName) and self.inner.can(ability, subject)


def no_rules(self: P, ability: Ability, subject: Subject) -> bool:
    return isinstance(subject, PackageName) or self.inner.can(ability, subject)


def one_rule(self: P, ability: Ability, subject: Subject) -> bool:
    return self.inner.can(CREATE if isinstance(subject, PackageName) else ability, subject)


def rules_of_all_projects(self: P, ability: Ability, subject: Subject) -> bool:
    if not isinstance(subject, PackageName):
        return self.inner.can(ability, subject)
    return all(self.inner.can(ability, PackageName(project, subject.name)) for project in all_projects(self))


def in_its_namespace(self: P, ability: Ability, subject: Subject) -> bool:
    namespace = subject.project if isinstance(subject, PackageName) else subject
    return namespace == self.args[1] and self.inner.can(ability, subject)


class NamesProjectsAsAskedFor(W):
    """Returns a project with the path as the caller wrote it, and compares it with another one."""

    def project(self, ref: Ref) -> Project | None:
        found = self.inner.project(ref)
        return replace(found, path=ref) if found and isinstance(ref, str) else found

    def authenticate(self, *args: Any) -> Any:
        return _LooksAtPaths(cast(Any, self.inner.authenticate(*args)), self, *args)


class _LooksAtPaths(P):
    def can(self, ability: Ability, subject: Subject) -> bool:
        if ability is READ and isinstance(subject, Project) and subject.id == 3 and subject.path != PRIVATE:
            return False
        return self.inner.can(ability, subject)


# Authentication


def bad_tokens(is_meant: Callable[[InvalidToken], bool], act: Callable[..., Any]) -> Override:
    """Do something else for some of the tokens that are invalid."""

    def handle(self: W, error: InvalidToken, *args: Any) -> Any:
        if is_meant(error):
            return act(self, *args)
        raise error

    return on_error("authenticate", InvalidToken, handle)


def as_anonymous(self: W, credentials: Credentials | None, *rest: Any) -> Principal:
    return self.inner.authenticate(None, *rest)


def raises(error: type[Exception]) -> Callable[..., Any]:
    def act(self: W, *args: Any) -> None:
        raise error from None

    return act


def refuses_unknown(self: W, principal: Principal, credentials: Credentials | None, *rest: Any) -> Principal:
    if credentials and principal.anonymous and credentials.scheme is AuthScheme.BASIC:
        raise InvalidToken
    return principal


def fails_for_unknown(self: W, principal: Principal, credentials: Credentials | None, *rest: Any) -> Principal:
    if credentials and principal.anonymous:
        raise LookupError("there is no such token")
    return principal


def hashes_72_bytes(self: W, credentials: Credentials | None, *rest: Any) -> None:
    if credentials and len(credentials.secret) > 72:
        raise ValueError("password cannot be longer than 72 bytes")


_SECRETS = ("secret of ada", "secret of bob", "secret of eve", "secret of root")


def accepts(
    matches: Callable[[Credentials, str], bool], schemes: Collection[AuthScheme] = tuple(AuthScheme)
) -> Override:
    """Take a secret for another one."""

    def authenticate(self: W, credentials: Credentials | None, *rest: Any) -> Principal:
        principal: Principal | None = None
        with suppress(InvalidToken):
            principal = self.inner.authenticate(credentials, *rest)
        if (principal is None or principal.anonymous) and credentials and credentials.scheme in schemes:
            for secret in _SECRETS:
                if matches(credentials, secret):
                    return self.inner.authenticate(Credentials(AuthScheme.PRIVATE_TOKEN, secret), *rest)
        return self.inner.authenticate(credentials, *rest) if principal is None else principal

    return {"authenticate": authenticate}


def with_method(change: Callable[[object], object]) -> Override:
    """Take the method of a request for another one."""
    return takes(
        "authenticate",
        lambda self, credentials, namespace, environ: (
            credentials,
            namespace,
            {**environ, "REQUEST_METHOD": change(environ["REQUEST_METHOD"])},
        ),
    )


def shows_the_secret(self: W, error: InvalidToken, credentials: Credentials, *rest: Any) -> Principal:
    raise InvalidToken(f"unknown: {credentials.secret}") from None


def writes_into_the_environ(self: W, credentials: Any, namespace: Any, environ: Any) -> None:
    environ["our.user"] = "somebody"


def reads_the_body(self: W, credentials: Any, namespace: Any, environ: Mapping[str, object]) -> None:
    cast(BytesIO, environ["wsgi.input"]).read()


class IsItsOwnPrincipal(W):
    """Keeps the caller on itself, as if there were one request at a time."""

    def authenticate(self, *args: Any) -> Any:
        self.principal = self.inner.authenticate(*args)
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.principal, name)


class SharesCredentials(W):
    """Keeps the credentials of a request on itself until it has looked them up."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.credentials = Shared(threads=8)

    def authenticate(self, credentials: Credentials | None, *rest: Any) -> Any:
        return self.inner.authenticate(self.credentials.exchange(credentials), *rest)


# By the test that must find it: what is broken, and the mutant, as a class or as its methods.
Mutant = type[W] | Override
MUTANTS: Mapping[str, Mapping[str, Mutant]] = {
    "test_a_request_without_credentials_is_anonymous": {
        "nobody is anonymous": principals(anonymous=False),
        "the anonymous caller has a name": principals(name=property(lambda self: self.inner.name or "anonymous")),
    },
    "test_a_known_caller_has_a_name_in_every_namespace": {
        "everybody is anonymous": principals(anonymous=True),
        "callers have no name": principals(name=""),
        "callers have the name of their token": principals(name=property(lambda self: self.inner.via)),
        "without a namespace there is no caller": returns(
            "authenticate",
            lambda self, found, credentials, *rest: found if rest[0] else as_anonymous(self, None, *rest),
        ),
    },
    "test_unknown_basic_credentials_are_anonymous": {
        "unknown Basic credentials are an invalid token": returns("authenticate", refuses_unknown),
        "the name of a user is enough": accepts(
            lambda sent, secret: bool(sent.user) and secret.endswith(f" {sent.user}")
        ),
        "the beginning of a secret is enough": accepts(
            lambda sent, secret: len(sent.secret) > 10 and secret.startswith(sent.secret)
        ),
        "a secret may go on": accepts(lambda sent, secret: sent.secret.startswith(secret)),
        "secrets ignore case": accepts(lambda sent, secret: sent.secret.lower() == secret),
        "a long secret is an error": before("authenticate", hashes_72_bytes),
    },
    "test_an_unknown_secret_authenticates_no_caller_in_any_scheme": {
        "an unknown secret is an error": returns("authenticate", fails_for_unknown),
        "a secret in a header of its own is not compared to its end": accepts(
            lambda sent, secret: sent.secret.startswith(secret), [AuthScheme.JOB_TOKEN]
        ),
        "an unknown token is a KeyError": bad_tokens(lambda bad: not bad.reason, raises(KeyError)),
    },
    "test_an_invalid_token_raises_invalid_token_whatever_the_request": {
        "a revoked token is anonymous": bad_tokens(lambda bad: bad.reason == "revoked", as_anonymous),
        "an unknown token is anonymous": bad_tokens(lambda bad: not bad.reason, as_anonymous),
        "a revoked token is not authenticated": bad_tokens(
            lambda bad: bad.reason == "revoked", raises(NotAuthenticated)
        ),
    },
    "test_a_scope_excludes_its_methods_and_no_others": {
        "scopes are ignored": with_method(lambda method: "GET"),
        "HEAD writes": with_method(lambda method: "POST" if method == "HEAD" else method),
        "an excluded method is an invalid token": on_error(
            "authenticate", InsufficientScope, lambda self, error, *args: raises(InvalidToken)(self)
        ),
    },
    "test_every_caller_has_exactly_its_abilities": {
        "abilities in one project are abilities in another": can(for_any_project),
        "anonymous callers may publish": can(anonymous_may_publish),
        "a path is case-sensitive": can(in_one_case),
    },
    "test_the_principals_of_several_requests_do_not_mix": {
        "the caller is kept for all requests": IsItsOwnPrincipal,
    },
    "test_an_answer_does_not_depend_on_how_the_namespace_was_found": {
        "abilities depend on the spelling": NamesProjectsAsAskedFor,
    },
    "test_a_caller_with_any_ability_has_the_ability_to_read_the_namespace": {
        "packages are read by callers that must not know the project": can(without_knowing),
    },
    "test_an_unknown_ability_is_refused_to_callers_that_lack_any": {
        "what is not denied is allowed": can(unless_denied),
        "what is not denied is allowed for a name": can(names_unless_denied),
    },
    "test_an_unprotected_name_is_free_to_all_who_may_use_its_project": {
        "names are never free": can(no_names),
    },
    "test_a_protection_rule_denies_its_name_in_its_project_to_its_callers": {
        "names are never protected": can(no_rules),
        "names are protected from publishing only": can(one_rule),
        "names are protected in all projects": can(rules_of_all_projects),
    },
    "test_a_project_is_readable_in_its_group_if_it_is_readable_alone": {
        "a group does not know its projects": can(in_its_namespace),
    },
    "test_readable_returns_the_projects_that_can_allows": {
        "all projects of a group are readable": principals(readable=lambda self, projects: projects),
        "public projects of a group are not readable": principals(
            readable=lambda self, projects: self.inner.readable(projects).only(lambda each: each.visibility != "public")
        ),
        "readable returns a list": principals(readable=lambda self, projects: [*self.inner.readable(projects)]),
        "readable copies all projects": principals(
            readable=lambda self, projects: Projects(self.inner.readable(projects))
        ),
    },
    "test_no_secret_is_in_a_repr_in_a_name_or_in_an_error": {
        "a principal shows its secret": principals(
            __repr__=lambda self: f"<principal of {self.args[0] and self.args[0].secret}>"
        ),
        "the name of the token is its secret": principals(
            via=property(lambda self: f"token {self.args[0] and self.args[0].secret}")
        ),
        "an error shows the secret": on_error("authenticate", InvalidToken, shows_the_secret),
    },
    "test_the_environ_and_the_body_of_a_request_stay_as_they_are": {
        "the environ is changed": before("authenticate", writes_into_the_environ),
        "the body is read": before("authenticate", reads_the_body),
    },
    "test_many_threads_get_their_own_answers": {
        "threads share credentials": SharesCredentials,
    },
}
