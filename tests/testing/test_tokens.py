"""The tokens of the fake registry implement `Auth`."""

from pypi_registry._open_access import OpenDirectory
from pypi_registry.auth import Ability, AuthScheme, Credentials
from pypi_registry.testing import AuthContract, FakeRegistry
from pypi_registry.testing.contracts import UNKNOWN_TOKENS, Caller, KnownAuth

READING = {Ability.READ_PROJECT, Ability.READ_PACKAGE}
READING_GROUP = {Ability.READ_GROUP, Ability.READ_PACKAGE}
PATHS = ("acme/tools", "acme/libs/parser")
GROUPS = ("acme", "acme/libs")


def caller(credentials: Credentials, abilities: set[Ability], name: str) -> Caller:
    projects, groups = dict.fromkeys(PATHS, abilities), dict.fromkeys(GROUPS, READING_GROUP)
    return Caller(credentials, projects, groups, name=name)


class TestTokens(AuthContract):
    def make_auth(self) -> KnownAuth:
        registry = FakeRegistry()
        for path in PATHS:
            registry.project(path).add("demo")
        registry.tokens(read="r", write="w", expired="x")
        callers = {
            "reader": caller(Credentials(AuthScheme.BASIC, "r", "ada"), READING, "ada"),
            "writer": caller(
                Credentials(AuthScheme.PRIVATE_TOKEN, "w"), {*Ability} - {Ability.READ_GROUP}, "write token"
            ),
        }
        invalid = [*UNKNOWN_TOKENS, Credentials(AuthScheme.BASIC, "x", "ada")]
        engine = registry._engine
        return KnownAuth(engine.tokens, OpenDirectory(engine.catalogue), callers, invalid_tokens=invalid)
