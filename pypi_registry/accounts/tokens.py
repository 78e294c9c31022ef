"""New secrets, and the table of ``registry.toml`` that a secret belongs to."""

import json
import secrets
from datetime import UTC

from pypi_registry.accounts.config import SECRET_PREFIX, Token


def new_secret() -> str:
    """Make a secret: one word, fit for a URL and for a shell. Its plain digest gives 240 random bits away to nobody."""
    return f"{SECRET_PREFIX}{secrets.token_urlsafe(30)}"


def toml_table(token: Token) -> str:
    """Write a token as the table to paste into a ``registry.toml``.

    >>> print(toml_table(Token(sha256="5e88…", user="ada", scopes=frozenset({"api"}))), end="")
    [[tokens]]
    kind = "personal"
    user = "ada"
    scopes = ["api"]
    sha256 = "5e88…"
    """
    lines = ["[[tokens]]"]
    texts = {"name": token.name, "kind": str(token.kind), "user": token.user, "on": token.on}
    lines += [f"{key} = {_toml(text)}" for key, text in texts.items() if text]
    if token.scopes:
        lines.append(f"scopes = {_toml(sorted(token.scopes))}")
    lines.append(f"sha256 = {_toml(token.sha256)}")
    if token.expires is not None:
        lines.append(f"expires = {token.expires.astimezone(UTC).replace(tzinfo=None).isoformat()}Z")
    if token.revoked:
        lines.append("revoked = true")
    return "\n".join(lines) + "\n"


def _toml(value: str | list[str]) -> str:
    # TOML's basic strings are JSON's, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
