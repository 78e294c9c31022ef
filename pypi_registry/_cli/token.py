"""``pypi-registry token``: a new secret, and the table of ``registry.toml`` for it."""

from datetime import datetime

from pypi_registry.accounts import Token, TokenKind, token_digest
from pypi_registry.accounts.tokens import new_secret, toml_table

_WIDEST = {
    TokenKind.PERSONAL: frozenset({"api"}),
    TokenKind.DEPLOY: frozenset({"write_package_registry"}),
    TokenKind.JOB: frozenset[str](),
}


def token(
    kind: TokenKind, scopes: frozenset[str], *, user: str, path: str, name: str, expires: datetime | None
) -> None:
    """Create a token and print it.

    :param scopes: empty for the widest.
    :param user: ignored for a deploy token.
    :param path: of the group or project of a deploy or a job token.
    """
    secret = new_secret()
    created = Token(
        name=name,
        kind=kind,
        user="" if kind is TokenKind.DEPLOY else user,
        path=path,
        scopes=scopes or _WIDEST[kind],
        sha256=token_digest(secret),
        expires=expires,
    )
    print("The secret, shown only this once:", secret, "", "For registry.toml:", "", toml_table(created), sep="\n")
