"""The contracts of a directory and an auth, over the package's own accounts and over hosts that tests have written."""

from pypi_registry.accounts import Accounts
from pypi_registry.auth import Ability, AuthScheme, Credentials
from pypi_registry.testing.contracts import AuthContract, Caller, DirectoryContract, KnownAuth, KnownDirectory
from tests import test_packages_api, test_pypi_api
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


def basic(secret: str) -> Credentials:
    return Credentials(AuthScheme.BASIC, secret, "__token__")


class TestTheHostOfTheSimplePages(DirectoryContract, AuthContract):
    def make_directory(self) -> KnownDirectory:
        return KnownDirectory(
            test_pypi_api.Host(),
            projects={"acme/open": 1, "vault/closed": 2, "acme/hidden": 3},
            groups={"acme": ["acme/open", "acme/hidden"], "vault": ["vault/closed"]},
            absent=["", "acme/none", 4],
            any_case=False,
        )

    def make_auth(self) -> KnownAuth:
        host = test_pypi_api.Host()
        publishes = READS | {Ability.CREATE_PACKAGE, Ability.ADMIN_PACKAGE}  # it knows of no more
        names = ["acme/open", "vault/closed", "acme/hidden"]
        kept = {(path, "core-x"): frozenset(Ability) for path in names}
        return KnownAuth(
            host,
            host,
            {
                "developer": Caller(
                    basic("developer"),
                    dict.fromkeys(names, publishes),
                    {"acme": READS_GROUP, "vault": READS_GROUP},
                    kept_from=kept,
                ),
                "guest": Caller(
                    basic("guest"),
                    dict.fromkeys(names, READS),
                    {"acme": READS_GROUP, "vault": READS_GROUP},
                    kept_from=kept,
                ),
                "insider": Caller(
                    basic("insider"),
                    {"acme/open": READS, "vault/closed": publishes},
                    {"acme": READS_GROUP, "vault": KNOWS_GROUP},
                    kept_from=kept,
                ),
                "stranger": Caller(basic("stranger"), {"acme/open": READS}, {"acme": READS_GROUP}, kept_from=kept),
            },
            nobody=Caller(None, {"acme/open": READS}, {"acme": READS_GROUP}, kept_from=kept, anonymous=True),
        )


class TestTheHostOfThePackagesAPI(DirectoryContract, AuthContract):
    def make_directory(self) -> KnownDirectory:
        return KnownDirectory(
            test_packages_api.Host(),
            projects={project.path: project.id for project in test_packages_api.PROJECTS},
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
        host = test_packages_api.Host()
        projects = [project.path for project in test_packages_api.PROJECTS]
        at_home = [path for path in projects if path != "elsewhere/other"]
        groups = dict.fromkeys(["pub", "int", "priv", "pub/sub"], READS_GROUP)
        open_projects, open_groups = ["pub/tools", "pub/sub/deep"], {"pub": READS_GROUP, "pub/sub": READS_GROUP}
        kept = {(path, "core-x"): frozenset(Ability) for path in projects}
        return KnownAuth(
            host,
            host,
            {
                "admin": Caller(basic("admin"), dict.fromkeys(projects, MAINTAINS), groups),
                "owner": Caller(basic("owner"), dict.fromkeys(at_home, MAINTAINS), groups),
                "maintainer": Caller(basic("maintainer"), dict.fromkeys(at_home, MAINTAINS), groups, kept_from=kept),
                "developer": Caller(basic("developer"), dict.fromkeys(at_home, DEVELOPS), groups, kept_from=kept),
                "guest": Caller(basic("guest"), dict.fromkeys(at_home, READS), groups),
                "stranger": Caller(
                    basic("stranger"),
                    dict.fromkeys([*open_projects, "int/tools"], READS),
                    open_groups | {"int": KNOWS_GROUP},
                ),
            },
            nobody=Caller(None, dict.fromkeys(open_projects, READS), open_groups, anonymous=True),
        )
