"""The clock of the machine goes back: times of uploads and the expiry of tokens follow it, and nothing else breaks."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest

import pypi_registry
from pypi_registry._publishing import publish
from pypi_registry.accounts import Accounts, Token, User, accounts, token_digest
from pypi_registry.auth import AuthScheme, Credentials
from pypi_registry.errors import InvalidToken, StorageUnavailable
from pypi_registry.stores.sqlite import writers
from pypi_registry.testing.archives import distribution
from tests.reliability.changes import SIMPLE, Client, Stored

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SECRET = "glpat-of-ada-0123456789"


class Wall(datetime):
    """A clock of the machine that a test sets."""

    moment = NOW

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Wall":
        return cls.fromtimestamp(cls.moment.timestamp(), tz)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> type[Wall]:
    for module in (publish, accounts):
        monkeypatch.setattr(module, "datetime", Wall)
    monkeypatch.setattr(Wall, "moment", NOW)
    return Wall


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    opened = Stored.open(tmp_path)
    with closing(opened):
        yield opened


def upload(client: Client, filename: str) -> None:
    assert client.upload(filename, distribution(filename)).status_int == 201


def test_pages_are_current_although_the_clock_goes_back(stored: Stored, wall: type[Wall]) -> None:
    client = Client(stored.registry)
    upload(client, "demo-1.0.tar.gz")
    before = client.get(f"{SIMPLE}/demo/")
    wall.moment = NOW - 365 * DAY
    upload(client, "demo-2.0.tar.gz")
    after = client.get(f"{SIMPLE}/demo/")
    assert before.headers["ETag"] != after.headers["ETag"]
    assert "Last-Modified" not in after.headers
    times = {file["filename"]: file["upload-time"][:10] for file in after.json["files"]}
    assert times == {"demo-1.0.tar.gz": "2026-06-01", "demo-2.0.tar.gz": "2025-06-01"}
    assert len(client.state()["demo"][1]) == 2
    assert client.delete(client.package("demo", "2.0")).status_int == 204
    assert client.get(f"{SIMPLE}/demo/").json == before.json


def test_a_token_is_valid_until_the_clock_shows_its_expiry(wall: type[Wall]) -> None:
    token = Token(sha256=token_digest(SECRET), user="ada", scopes=frozenset({"api"}), expires=NOW)
    known = Accounts(users=[User(name="ada")], tokens=[token])
    credentials = Credentials(secret=SECRET, scheme=AuthScheme.PRIVATE_TOKEN)
    with pytest.raises(InvalidToken, match="expired"):
        known.authenticate(credentials, None, {"REQUEST_METHOD": "GET"})
    wall.moment = NOW - DAY
    assert known.authenticate(credentials, None, {"REQUEST_METHOD": "GET"}).name == "ada"
    wall.moment = NOW + DAY
    with pytest.raises(InvalidToken, match="expired"):
        known.authenticate(credentials, None, {"REQUEST_METHOD": "GET"})


def test_a_writer_waits_no_longer_when_the_clock_goes_back(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(
        range(100_000, 0, -2_500)
    )  # 40 readings, so that a writer that uses this clock does not wait for ever
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))
    monkeypatch.setattr(writers, "BLOCKED", 0.0)
    monkeypatch.setattr(writers, "PATIENCE", 0.1)
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite3", isolation_level=None)) as another:
        another.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailable, match="busy"), stored.catalogue._pool.transaction():
            pass
    with stored.catalogue._pool.transaction():
        pass


# What reads the clock of the machine, and why it may.
READERS = {
    "_cli/access_log.py": "when a request came",
    "_cli/prune.py": "how old a version is",
    "_cli/token.py": "whether a token has expired, for people",
    "_maintenance/fsck.py": "the age of a blob that nothing lists",
    "_publishing/publish.py": "when a file was published, and when an event occurred",
    "_moving/pages.py": "an upload time in the future is none",
    "accounts/accounts.py": "whether a token has expired",
    "events.py": "the time of a line that is no event",
    "stores/files.py": "the age of an incomplete file",
    "stores/memory.py": "when a blob was stored",
    "stores/objects/blobs.py": "how long a signed URL is valid",
    "storage.py": "an example",
}


def test_nothing_else_reads_the_clock_of_the_machine() -> None:
    """What waits, or caches for a while, uses `time.monotonic`, which never goes back."""
    root = Path(pypi_registry.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"datetime\.(now|utcnow)\(|time\.time(_ns)?\(|localtime\(\)|gmtime\(\)", path.read_text("utf-8"))
    }
    assert {each for each in found if not each.startswith("testing/")} == {*READERS}
