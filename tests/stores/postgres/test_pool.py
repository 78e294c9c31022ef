"""Lost connections, a database that is away, forks: what a catalogue promises whatever happens to its connections."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from pypi_registry.errors import FileTaken, OutcomeUnknown, StorageUnavailable
from pypi_registry.model import NameStatus, Status
from pypi_registry.storage import Catalogue
from pypi_registry.stores.postgres import PostgresCatalogue, pool
from pypi_registry.testing.contracts.catalogue.samples import (
    DEMO,
    IN_TOOLS,
    TOOLS,
    add,
    everything,
    files_of,
    statuses_of,
    upload,
)
from tests.clients.served import until
from tests.postgres import Cluster, Databases, running
from tests.tcp_proxy import Fault, Proxy, proxy_to

COMMIT = b"COMMIT\0"  # and not READ COMMITTED
DEPRECATED = NameStatus(Status.DEPRECATED, "old")


@pytest.fixture
def proxy(postgres: Cluster) -> Iterator[Proxy]:
    with proxy_to(postgres.port) as proxy:
        yield proxy


@pytest.fixture
def through_proxy(database: str, postgres: Cluster, proxy: Proxy) -> Iterator[PostgresCatalogue]:
    """A catalogue whose connections a test can cut."""
    with closing(PostgresCatalogue(postgres.url("catalogue", proxy.port), min_size=0)) as opened:
        yield opened


def change_everything(catalogue: Catalogue) -> list[tuple[str, Callable[[], object]]]:
    """Publish, and return one change of each kind, each of which can succeed once."""
    one, two = (add(catalogue, TOOLS, upload(f"{n}.zip", version=n)) for n in ("1", "2"))
    return [
        ("add", lambda: add(catalogue, TOOLS, upload("3.zip", version="3"))),
        ("yank", lambda: catalogue.yank(TOOLS, one.package.id, "broken", "")),
        ("set_status", lambda: catalogue.set_status(TOOLS, DEMO, DEPRECATED, "")),
        ("delete_file", lambda: catalogue.delete_file(TOOLS, one.id, "")),
        ("delete_package", lambda: catalogue.delete_package(TOOLS, two.package.id, "")),
    ]


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.LOSE_CLIENT])
def test_a_connection_that_breaks_in_commit_changes_nothing_about_the_result(
    through_proxy: PostgresCatalogue, catalogue: PostgresCatalogue, proxy: Proxy, fault: Fault
) -> None:
    for number, (name, change) in enumerate(change_everything(through_proxy), start=1):
        proxy.fail_once_at(COMMIT, fault)
        result = change()
        assert proxy.faults == number
        assert (result is None) == (name == "set_status"), name
    [last] = files_of(catalogue, IN_TOOLS)
    assert last.filename == "3.zip"
    assert statuses_of(catalogue, IN_TOOLS) == {TOOLS.id: DEPRECATED}
    with pytest.raises(FileTaken):
        add(catalogue, TOOLS, "3.zip")


def test_a_change_that_was_not_committed_is_made_once(
    through_proxy: PostgresCatalogue, catalogue: PostgresCatalogue, proxy: Proxy
) -> None:
    for number, fault in enumerate((Fault.LOSE_ANSWER, Fault.LOSE_REQUEST, Fault.LOSE_CLIENT)):
        proxy.fail_once_at(COMMIT, fault)
        added = add(through_proxy, TOOLS, upload(f"{number}.zip", core_metadata=b"Name: demo\n"))
        assert files_of(catalogue, IN_TOOLS)[number:] == [added]


def test_a_connection_that_breaks_before_commit_is_replaced(
    through_proxy: PostgresCatalogue, catalogue: PostgresCatalogue, proxy: Proxy
) -> None:
    faults = (
        (b"pg_advisory", Fault.LOSE_REQUEST),
        (b"INTO packages", Fault.LOSE_ANSWER),
        (b"INTO files", Fault.LOSE_CLIENT),
    )
    for number, (sent, fault) in enumerate(faults):
        proxy.fail_once_at(sent, fault)
        added = add(through_proxy, TOOLS, upload(f"{number}.zip", f"name{number}"))
        assert proxy.faults == number + 1, sent
        assert files_of(catalogue, IN_TOOLS, added.package.normalized_name) == [added]


def test_a_reader_whose_connection_breaks_reads_again(through_proxy: PostgresCatalogue, proxy: Proxy) -> None:
    add(through_proxy, TOOLS, "demo.zip")
    expected = everything(through_proxy)
    proxy.end_connections()
    assert everything(through_proxy) == expected


@pytest.mark.parametrize(("fault", "files"), [(Fault.LOSE_ANSWER, 1), (Fault.LOSE_REQUEST, 0)])
def test_an_outcome_that_cannot_be_known_is_reported(
    through_proxy: PostgresCatalogue,
    catalogue: PostgresCatalogue,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    files: int,
) -> None:
    through_proxy.check_schema()
    monkeypatch.setattr(pool, "_TIME_LIMIT", 3)  # of which a loaded machine may need one until the COMMIT
    proxy.fail_once_at(COMMIT, fault, then=proxy.refuse_new_connections)
    with pytest.raises(OutcomeUnknown, match="not known"):
        add(through_proxy, TOOLS, "demo.zip")
    assert len(files_of(catalogue, IN_TOOLS)) == files


def test_a_database_that_never_answers_is_unavailable(
    through_proxy: PostgresCatalogue, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = add(through_proxy, TOOLS, "demo.zip")
    monkeypatch.setattr(pool, "_TIME_LIMIT", 1)
    calls: list[tuple[bytes, Callable[[], object]]] = [
        (b"revision", lambda: through_proxy.revision(IN_TOOLS, DEMO)),
        (b"pg_advisory", lambda: through_proxy.yank(TOOLS, file.package.id, "broken", "")),
        (b"REPEATABLE", lambda: through_proxy.names(IN_TOOLS)),
    ]
    for sent, call in calls:
        proxy.fail_once_at(sent, Fault.FREEZE)
        with pytest.raises(StorageUnavailable):
            call()
    monkeypatch.undo()
    assert files_of(through_proxy, IN_TOOLS) == [file]


def test_a_commit_that_never_returns_is_looked_up(
    through_proxy: PostgresCatalogue, catalogue: PostgresCatalogue, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_TIME_LIMIT", 3)
    monkeypatch.setattr(pool, "_FOR_OUTCOME", 2)
    proxy.fail_once_at(COMMIT, Fault.FREEZE)
    assert files_of(catalogue, IN_TOOLS) == []
    added = add(through_proxy, TOOLS, "demo.zip")
    assert files_of(catalogue, IN_TOOLS) == [added]


def test_sessions_that_an_administrator_ends_are_replaced(catalogue: PostgresCatalogue, postgres: Cluster) -> None:
    add(catalogue, TOOLS, "demo-0.zip")
    for number in range(1, 4):
        postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'catalogue'")
        add(catalogue, TOOLS, f"demo-{number}.zip")
    assert len(files_of(catalogue, IN_TOOLS)) == 4


def test_a_deadlock_is_tried_again(catalogue: PostgresCatalogue, postgres: Cluster) -> None:
    add(catalogue, TOOLS, "demo.zip")
    fails_once = """
        CREATE SEQUENCE tries;
        CREATE FUNCTION fail_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') < 3 THEN RAISE 'a rival' USING ERRCODE = 'deadlock_detected'; END IF; RETURN NEW;
        END $$;
        CREATE TRIGGER fail_once BEFORE INSERT ON files FOR EACH ROW EXECUTE FUNCTION fail_once()
    """
    postgres.execute(fails_once, "catalogue")
    try:
        add(catalogue, TOOLS, "demo-2.zip")
        assert postgres.execute("SELECT last_value FROM tries", "catalogue") == [(3,)]
    finally:
        postgres.execute("DROP FUNCTION fail_once CASCADE; DROP SEQUENCE tries", "catalogue")


@pytest.mark.parametrize("uses_parent_first", [False, True])
def test_a_child_has_connections_of_its_own(
    catalogue: PostgresCatalogue, postgres: Cluster, uses_parent_first: bool
) -> None:
    if uses_parent_first:
        add(catalogue, TOOLS, "before.zip")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            add(catalogue, TOOLS, "child.zip")
            catalogue.close()
            status = 0
        finally:
            os._exit(status)
    add(catalogue, TOOLS, "parent.zip")
    assert os.waitpid(child, 0)[1] == 0
    add(catalogue, TOOLS, "after.zip")
    names = sorted(file.filename for file in files_of(catalogue, IN_TOOLS))
    assert names == ["after.zip", *(["before.zip"] if uses_parent_first else []), "child.zip", "parent.zip"]


def test_a_catalogue_connects_when_it_is_used(postgres: Cluster, database: str) -> None:
    def sessions() -> set[int]:
        found = postgres.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'pypi_registry'")
        return {pid for (pid,) in found}

    earlier = sessions()  # PostgreSQL may still be ending those of the test before
    with closing(PostgresCatalogue(database, max_size=2)) as catalogue:
        assert sessions() <= earlier
        add(catalogue, TOOLS, "demo.zip")
        assert 0 < len(sessions() - earlier) <= 2
        catalogue.close()
        assert files_of(catalogue, IN_TOOLS)  # it connects again


@pytest.mark.slow
def test_a_catalogue_that_lost_its_database_works_again_when_it_is_back() -> None:
    assert pool._TIME_LIMIT < 5  # seconds: what the documentation promises
    with running({}) as cluster, closing(PostgresCatalogue(Databases(cluster).empty("catalogue"))) as catalogue:
        file = add(catalogue, TOOLS, "demo.zip")
        cluster.stop("fast")
        with pytest.raises(StorageUnavailable):
            catalogue.revision(IN_TOOLS, DEMO)
        cluster.start()
        _wait_until_available(catalogue)
        cluster.stop("immediate")
        with pytest.raises(StorageUnavailable):
            add(catalogue, TOOLS, "other.zip")
        cluster.start()
        _wait_until_available(catalogue)
        frozen = _processes(cluster)
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(StorageUnavailable):
            catalogue.yank(TOOLS, file.package.id, None, "")
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        _wait_until_available(catalogue)
        assert files_of(catalogue, IN_TOOLS) == [file]


@pytest.mark.slow
@pytest.mark.parametrize("crash", ["of the server", "of a session"])
def test_a_transaction_id_that_is_assigned_again_after_a_crash_is_no_commit(
    crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the transaction is on the disk, so after the recovery another one gets its id, and commits."""
    monkeypatch.setattr(pool, "_TIME_LIMIT", 60.0)  # the server needs some seconds to recover
    execute: Any = pool.Connection.execute
    with running({"fsync": "off"}) as cluster, closing(PostgresCatalogue(Databases(cluster).empty("c"))) as catalogue:
        changes = change_everything(catalogue)
        crashes: list[bool] = []

        def crashing(self: pool.Connection, query: str, *arguments: Any, **options: Any) -> Any:
            if query == "COMMIT" and not crashes:
                crashes.append(True)
                cluster.restart("immediate") if crash == "of the server" else _crash_a_session(cluster)
                for _ in range(10):
                    cluster.execute("SELECT pg_current_xact_id()")
            return execute(self, query, *arguments, **options)

        monkeypatch.setattr(pool.Connection, "execute", crashing)
        for name, change in changes:
            crashes.clear()
            result = change()
            assert crashes
            assert result is not None or name == "set_status"
        assert [file.filename for file in files_of(catalogue, IN_TOOLS)] == ["3.zip"]
        assert statuses_of(catalogue, IN_TOOLS) == {TOOLS.id: DEPRECATED}


def _crash_a_session(cluster: Cluster) -> None:
    """Kill a process of the server, which ends all other sessions and recovers; return when it has."""
    with psycopg.connect(cluster.url()) as victim, psycopg.connect(cluster.url(), autocommit=True) as witness:
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        until(lambda: not _answers(lambda: witness.execute("SELECT")))
    until(lambda: _answers(lambda: cluster.execute("SELECT")))


def _answers(call: Callable[[], object]) -> bool:
    try:
        call()
    except psycopg.OperationalError:
        return False
    return True


def _processes(cluster: Cluster) -> list[int]:
    """Return the ids of the server's main process and of its sessions."""
    main = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
    sessions = cluster.execute("SELECT pid FROM pg_stat_activity WHERE datname = 'catalogue'")
    return [main, *(pid for (pid,) in sessions)]


def _wait_until_available(catalogue: PostgresCatalogue) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            catalogue.check_schema()
            return
        except StorageUnavailable:
            assert time.monotonic() < until
