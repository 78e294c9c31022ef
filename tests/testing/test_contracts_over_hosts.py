"""The suites of a directory and an auth, over accounts and over the applications of other tests."""

from collections.abc import Mapping
from dataclasses import replace

from pypi_registry.accounts import Accounts
from pypi_registry.auth import Ability, Auth, AuthScheme, Credentials, Principal
from pypi_registry.model import Namespace
from pypi_registry.testing.contracts import AuthContract, Caller, DirectoryContract, KnownAuth, KnownDirectory
from tests.api import test_packages, test_pypi
from tests.testing.known import (
    DEVELOPS,
    KNOWS_GROUP,
    MAINTAINS,
    READS,
    READS_GROUP,
    accounts,
    known_auth,
    known_directory,
)


class TestAccounts(DirectoryContract, AuthContract):
    def make_directory(self) -> KnownDirectory:
        return known_directory(accounts(Accounts))

    def make_auth(self) -> KnownAuth:
        both = accounts(Accounts)
        return known_auth(both, both)


class WithSecrets:
    """An auth whose secrets are not the names of its callers, as they are in those tests."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth

    def authenticate(
        self, credentials: Credentials | None, namespace: Namespace | None, environ: Mapping[str, object]
    ) -> Principal:
        if credentials is not None:
            name = credentials.secret.removeprefix("secret of ")
            credentials = replace(credentials, secret="" if name == credentials.secret else name)
        return self.auth.authenticate(credentials, namespace, environ)


def basic(name: str) -> Credentials:
    return Credentials(AuthScheme.BASIC, f"secret of {name}", "__token__")


class TestTheApplicationOfTheSimplePages(DirectoryContract, AuthContract):
    def make_directory(self) -> KnownDirectory:
        return KnownDirectory(
            test_pypi.Host(),
            projects={"acme/open": 1, "vault/closed": 2, "acme/hidden": 3},
            groups={"acme": ["acme/open", "acme/hidden"], "vault": ["vault/closed"]},
            absent=["", "acme/none", 4],
            any_case=False,
        )

    def make_auth(self) -> KnownAuth:
        application = test_pypi.Host()
        publishes = READS | {Ability.CREATE_PACKAGE, Ability.ADMIN_PACKAGE}  # it has no other abilities
        names = ["acme/open", "vault/closed", "acme/hidden"]
        kept = {(path, "core-x"): frozenset(Ability) for path in names}
        return KnownAuth(
            WithSecrets(application),
            application,
            {
                "developer": Caller(
                    basic("developer"),
                    dict.fromkeys(names, publishes),
                    {"acme": READS_GROUP, "vault": READS_GROUP},
                    denied_names=kept,
                ),
                "guest": Caller(
                    basic("guest"),
                    dict.fromkeys(names, READS),
                    {"acme": READS_GROUP, "vault": READS_GROUP},
                    denied_names=kept,
                ),
                "insider": Caller(
                    basic("insider"),
                    {"acme/open": READS, "vault/closed": publishes},
                    {"acme": READS_GROUP, "vault": KNOWS_GROUP},
                    denied_names=kept,
                ),
                "stranger": Caller(basic("stranger"), {"acme/open": READS}, {"acme": READS_GROUP}, denied_names=kept),
            },
            anonymous=Caller(None, {"acme/open": READS}, {"acme": READS_GROUP}, denied_names=kept, anonymous=True),
        )


class TestTheApplicationOfThePackagesAPI(DirectoryContract, AuthContract):
    def make_directory(self) -> KnownDirectory:
        return KnownDirectory(
            test_packages.Host(),
            projects={project.path: project.id for project in test_packages.PROJECTS},
            groups={
                "pub": ["pub/tools", "pub/sub/deep", "pub/hidden"],
                "int": ["int/tools"],
                "priv": ["priv/tools"],
                "pub/sub": ["pub/sub/deep"],
            },
            absent=["", "pub/none", 7],
            any_case=False,
        )

    def make_auth(self) -> KnownAuth:
        application = test_packages.Host()
        projects = [project.path for project in test_packages.PROJECTS]
        at_home = [path for path in projects if path != "elsewhere/other"]
        groups = dict.fromkeys(["pub", "int", "priv", "pub/sub"], READS_GROUP)
        open_projects, open_groups = ["pub/tools", "pub/sub/deep"], {"pub": READS_GROUP, "pub/sub": READS_GROUP}
        kept = {(path, "core-x"): frozenset(Ability) for path in projects}
        return KnownAuth(
            WithSecrets(application),
            application,
            {
                "admin": Caller(basic("admin"), dict.fromkeys(projects, MAINTAINS), groups),
                "owner": Caller(basic("owner"), dict.fromkeys(at_home, MAINTAINS), groups),
                "maintainer": Caller(basic("maintainer"), dict.fromkeys(at_home, MAINTAINS), groups, denied_names=kept),
                "developer": Caller(basic("developer"), dict.fromkeys(at_home, DEVELOPS), groups, denied_names=kept),
                "guest": Caller(basic("guest"), dict.fromkeys(at_home, READS), groups),
                "stranger": Caller(
                    basic("stranger"),
                    dict.fromkeys([*open_projects, "int/tools"], READS),
                    open_groups | {"int": KNOWS_GROUP},
                ),
            },
            anonymous=Caller(None, dict.fromkeys(open_projects, READS), open_groups, anonymous=True),
        )
