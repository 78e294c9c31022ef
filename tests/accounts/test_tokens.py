import hashlib
import re
import shlex
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest

from pypi_registry.accounts import Accounts, Token, TokenKind, token_digest
from pypi_registry.accounts.tokens import new_secret, toml_table
from pypi_registry.accounts.toml import read_settings
from pypi_registry.auth import AuthScheme, Credentials

DIGEST = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"

# Secrets


def test_a_secret_needs_no_quoting_in_a_url_or_in_a_shell() -> None:
    for secret in [new_secret() for _ in range(50)]:
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]+", secret)
        assert quote(secret, safe="") == secret
        assert shlex.split(f"pip {secret}") == ["pip", secret]


def test_every_secret_is_new_and_has_240_bits() -> None:
    secrets = {new_secret().removeprefix("registry-") for _ in range(50)}
    assert len(secrets) == 50
    assert min(map(len, secrets)) >= 40  # characters of 6 bits each


@pytest.mark.parametrize(
    "secret", ["registry-abc", "with:colons", "pérsönàl-ß-日本", "", "x" * 10_000], ids=lambda secret: secret[:20]
)
def test_the_digest_of_a_secret_is_the_sha_256_of_its_utf_8(secret: str) -> None:
    assert token_digest(secret) == hashlib.sha256(secret.encode("utf-8")).hexdigest()


def test_texts_that_cannot_be_encoded_have_different_digests() -> None:
    digests = {token_digest(text) for text in ["a\udc80", "a\udc81", "a?", "a\ufffd", "a"]}
    assert len(digests) == 5
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


# Tables


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accounts") / "registry.toml"


ROUND_TRIPS = {
    "a personal token": Token(sha256=DIGEST, user="ada", scopes=frozenset({"api"})),
    "a token with everything": Token(
        sha256=DIGEST,
        kind=TokenKind.PERSONAL,
        name="ada's laptop",
        user="ada",
        scopes=frozenset({"api", "read_api"}),
        path="acme/tools",
        expires=datetime(2027, 1, 1, 12, 30, 15, 250_000, tzinfo=UTC),
    ),
    "a deploy token": Token(
        sha256=DIGEST, kind=TokenKind.DEPLOY, path="acme", scopes=frozenset({"write_package_registry"})
    ),
    "a job": Token(sha256=DIGEST, kind=TokenKind.JOB, user="ada", path="acme/tools"),
    "a token that expires, with an offset": Token(
        sha256=DIGEST, user="ada", expires=datetime(2027, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30)))
    ),
    # A revoked token that is copied to another file must stay revoked.
    "a revoked token": Token(sha256=DIGEST, user="ada", scopes=frozenset({"api"}), revoked=True),
    **{
        f"a name with {words}": Token(sha256=DIGEST, name=name, user="ada")
        for words, name in {
            "quotes": 'ada\'s "laptop" \'\'\'x\'\'\' """y"""',
            "backslashes": "C:\\users\\ada\\new",
            "a comment": "# not one",
            "an end of a table": '"]\n[[tokens]]\nkind = "personal"',
            "line breaks": "one\ntwo\r\nthree\rfour",
            "tabs": "a\tb",
            "control characters": "\x00\x01\x08\x0b\x0c\x1b\x1f",
            "DEL": "a\x7fb",
            "C1 controls": "a\x80\x85\x9fb",
            "line separators": "a\u2028b\u2029c",
            "letters beyond ASCII": "Ädäs Läptöp, 日本",
            "letters beyond the BMP": "🐍 \U0010ffff",
            "a byte order mark": "\ufeffa",
            "a slash": "a/b",
        }.items()
    },
}


@pytest.mark.parametrize("token", ROUND_TRIPS.values(), ids=ROUND_TRIPS)
def test_reading_a_table_returns_the_token_that_was_written(file: Path, token: Token) -> None:
    file.write_bytes(toml_table(token).encode())
    assert read_settings(file) == {"tokens": (token,)}


def test_tables_can_be_appended_to_each_other(file: Path) -> None:
    first, second = ROUND_TRIPS["a personal token"], ROUND_TRIPS["a deploy token"]
    file.write_text(toml_table(first) + toml_table(second), encoding="utf-8")
    assert read_settings(file) == {"tokens": (first, second)}


def test_a_table_has_no_keys_with_default_values() -> None:
    assert toml_table(Token(sha256=DIGEST, kind=TokenKind.JOB, user="ada", path="acme/tools")) == (
        f'[[tokens]]\nkind = "job"\nuser = "ada"\non = "acme/tools"\nsha256 = "{DIGEST}"\n'
    )


def test_scopes_are_sorted() -> None:
    token = Token(sha256=DIGEST, user="ada", scopes=frozenset("hgfedcba"))
    assert 'scopes = ["a", "b", "c", "d", "e", "f", "g", "h"]' in toml_table(token)


def test_a_new_token_is_accepted_and_its_secret_is_not_in_the_table(file: Path) -> None:
    secret = new_secret()
    table = toml_table(Token(sha256=token_digest(secret), user="ada", scopes=frozenset({"api"})))
    assert secret not in table
    file.write_text(f'[[users]]\nname = "ada"\n\n{table}', encoding="utf-8")
    accounts = Accounts.from_toml(file)
    environ = {"REQUEST_METHOD": "GET"}
    assert not accounts.authenticate(Credentials(AuthScheme.BASIC, secret), None, environ).anonymous
    assert accounts.authenticate(Credentials(AuthScheme.BASIC, new_secret()), None, environ).anonymous
