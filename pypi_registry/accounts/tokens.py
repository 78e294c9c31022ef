"""Secrets of tokens, their digests, and the table of ``registry.toml`` that stores a token."""

import hashlib
import json
import secrets
from datetime import UTC

from pypi_registry.accounts.config import SECRET_PREFIX, Token


def token_digest(secret: str) -> str:
    """Return the digest that is stored instead of a secret, 64 hexadecimal digits.

    >>> token_digest("registry-example")
    '93e02e726581063f52cb6ef66bff1aef10939868729dc240f69fc424b2a187ae'
    """
    # 240 random bits cannot be guessed, so a plain SHA-256 is safe to store, and it costs a request almost nothing.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """Return a new secret with 240 random bits, which needs no quoting in a URL or in a shell."""
    return f"{SECRET_PREFIX}{secrets.token_urlsafe(30)}"


def toml_table(token: Token) -> str:
    """Return the table that stores a token in ``registry.toml``.

    >>> print(toml_table(Token(sha256="5e88…", user="ada", scopes=frozenset({"api"}))), end="")
    [[tokens]]
    kind = "personal"
    user = "ada"
    scopes = ["api"]
    sha256 = "5e88…"
    """
    lines = ["[[tokens]]"]
    texts = {"name": token.name, "kind": str(token.kind), "user": token.user, "on": token.path}
    lines += [f"{key} = {toml_value(text)}" for key, text in texts.items() if text]
    if token.scopes:
        lines.append(f"scopes = {toml_value(sorted(token.scopes))}")
    lines.append(f"sha256 = {toml_value(token.sha256)}")
    if token.expires is not None:
        lines.append(f"expires = {token.expires.astimezone(UTC).replace(tzinfo=None).isoformat()}Z")
    if token.revoked:
        lines.append("revoked = true")
    return "\n".join(lines) + "\n"


def toml_value(value: str | list[str]) -> str:
    """Return a text, or a list of texts, as TOML writes it."""
    # TOML's basic strings have the escapes of JSON, and also forbid an unescaped DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
