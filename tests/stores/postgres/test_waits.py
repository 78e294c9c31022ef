"""Which uploads wait for which: eight writers into eight root groups, against eight into one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Event, Thread

import psycopg
import pytest

from pypi_registry.model import Project
from pypi_registry.stores.postgres import PostgresCatalogue
from pypi_registry.testing.contracts.catalogue.samples import add, upload
from tests.postgres import Cluster

WRITERS = 8
UPLOADS = 12  # by each writer

# Of a lock on a row, a transaction, or a name. Who makes a table or an index longer holds a lock on that for a moment.
_WAITS = """
SELECT locktype, count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE NOT granted AND a.wait_event_type = 'Lock' AND a.datname = 'catalogue' AND locktype <> 'extend'
GROUP BY locktype
"""


@contextmanager
def watched(cluster: Cluster) -> Iterator[dict[str, int]]:
    """Count how often a session waits for a lock, in the moments at which a thread looks."""
    found: dict[str, int] = {"looks": 0}
    ended = Event()

    def watch() -> None:
        with psycopg.connect(cluster.url(), autocommit=True) as connection:
            while not ended.is_set():
                found["looks"] += 1
                for kind, number in connection.execute(_WAITS):
                    found[kind] = found.get(kind, 0) + number

    thread = Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def publish(catalogue: PostgresCatalogue, project: Project) -> None:
    """Publish the same names as the other writers: new names, new versions, and more files of a version."""
    for number in range(UPLOADS):
        name = f"name{number // 4}"
        add(catalogue, project, upload(f"{name}-{number}.zip", name, version=str(number // 2), core_metadata=b"x"))


@pytest.fixture
def slow_commits(postgres: Cluster, catalogue: PostgresCatalogue) -> Iterator[None]:
    """Let each transaction hold its locks for 10 ms before it commits, as on a slow disk; so each wait is seen."""
    waiting = """
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON files DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION wait()
    """
    postgres.execute(waiting, "catalogue")
    yield
    postgres.execute("DROP FUNCTION wait CASCADE", "catalogue")


@pytest.mark.usefixtures("slow_commits")
@pytest.mark.parametrize("roots", [WRITERS, 1], ids=["of its own", "together"])
def test_uploads_into_different_root_groups_never_wait(database: str, postgres: Cluster, roots: int) -> None:
    projects = [Project(number + 1, f"root{number % roots}/project{number}") for number in range(WRITERS)]
    with closing(PostgresCatalogue(database, max_size=WRITERS)) as catalogue:
        catalogue.check_schema()
        with watched(postgres) as waits, ThreadPoolExecutor(WRITERS) as threads:
            for done in [threads.submit(publish, catalogue, project) for project in projects]:
                done.result()
    assert postgres.execute("SELECT count(*) FROM files", "catalogue") == [(WRITERS * UPLOADS,)]
    looks = waits.pop("looks")
    assert looks > UPLOADS
    assert bool(waits) == (roots == 1), waits
