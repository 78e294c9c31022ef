import base64
import json
from typing import Any

import pytest

from pypi_registry._api.early_refusal import refuse_unknown_caller
from pypi_registry.accounts import Accounts, ProjectConfig, Token, TokenKind, User, token_digest

PYPI = "/projects/1/packages/pypi"
PACKAGES = "/projects/1/packages/7"


def token(secret: str, **options: Any) -> Token:
    return Token(sha256=token_digest(secret), **options)


ACCOUNTS = Accounts(
    projects=[ProjectConfig(id=1, path="acme/tools")],
    users=[User(name="ada")],
    tokens=[
        token("personal", user="ada", scopes=frozenset({"api"})),
        token("reader", user="ada", scopes=frozenset({"read_api"})),
        token("revoked", user="ada", scopes=frozenset({"api"}), revoked=True),
        token("deploy", kind=TokenKind.DEPLOY, path="acme", scopes=frozenset({"write_package_registry"})),
        token("job", kind=TokenKind.JOB, user="ada", path="acme/tools"),
    ],
)


def basic(user: str, secret: str) -> dict[str, str]:
    return {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({}, PYPI, "401 Unauthorized"),
        ({}, PACKAGES, "401 Unauthorized"),
        ({}, "/no/such/route", "401 Unauthorized"),
        ({}, "", "401 Unauthorized"),
        (basic("ada", "unknown"), PYPI, "401 Unauthorized"),
        ({"HTTP_AUTHORIZATION": "Basic not-base64"}, PYPI, "401 Unauthorized"),
        ({"HTTP_PRIVATE_TOKEN": "unknown"}, PYPI, "401 Unauthorized"),
        ({"HTTP_DEPLOY_TOKEN": "unknown"}, PYPI, "401 Unauthorized"),
        ({"HTTP_AUTHORIZATION": "Bearer unknown"}, PYPI, "401 Unauthorized"),
        (basic("ada", "revoked"), PYPI, "401 Unauthorized - Token revoked"),
        (basic("ada", "job"), PYPI, "401 Unauthorized"),
        ({"HTTP_JOB_TOKEN": "job"}, PYPI, "401 Unauthorized"),
        ({"HTTP_JOB_TOKEN": "job"}, PACKAGES, None),
        (basic("gitlab-ci-token", "job"), PYPI, None),
        (basic("anyone", "personal"), PYPI, None),
        (basic("anyone", "deploy"), PYPI, None),
        ({"HTTP_PRIVATE_TOKEN": "personal"}, PYPI, None),
        ({"HTTP_DEPLOY_TOKEN": "deploy"}, PYPI, None),
        ({"HTTP_AUTHORIZATION": "Bearer personal"}, PYPI, None),
        (basic("ada", "reader"), PYPI, "403 Forbidden - insufficient_scope"),
    ],
)
def test_only_callers_whom_the_accounts_know_may_send_a_large_body(
    headers: dict[str, str], path: str, status: str | None
) -> None:
    response = refuse_unknown_caller(ACCOUNTS, {"REQUEST_METHOD": "POST", **headers}, path)
    assert (response and response.status[:3]) == (status and status[:3])
    if response is not None and status is not None and status[:3] == "401":
        assert response.status == status
        assert dict(response.headers)["WWW-Authenticate"]
        assert json.loads(b"".join(response.body))
