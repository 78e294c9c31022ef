"""How PostgreSQL executes each statement of a request at 1,000,000 files: ``python -m tests.explain [FILES]``.

PostgreSQL's own extension ``auto_explain`` logs the plan that was executed, with what it has read, also of the
statements in triggers. A plan that reads a large table from its beginning to its end is printed, and is status 1.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from packaging.utils import canonicalize_name

from pypi_registry.model import NameStatus, PackageQuery, Project, Projects, Status
from pypi_registry.stores.postgres import PostgresCatalogue, migrate
from pypi_registry.testing.contracts.catalogue.samples import add, upload
from tests.postgres import UNSAFE, Cluster, running

FILES = 1_000_000
PROJECTS = 1_000
ROOTS = 20
FILES_PER_PACKAGE = 2
VERSIONS = 5

SETTINGS = UNSAFE | {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
    "logging_collector": "on",
    "log_destination": "jsonlog",
    "log_directory": "log",
    "log_filename": "plans",
    "log_rotation_size": "0",
    "max_wal_size": "4GB",
}

SMALL = 500
"""Rows of a table that may be read from its beginning to its end."""

EXCEPTIONS = {
    "SELECT id, path FROM projects WHERE path != ''": "all projects that ever published, for an open registry",
    "SELECT id, path FROM projects WHERE id = ANY": "most of all projects, for an open registry",
    "SELECT blob_key FROM files WHERE blob_key = ANY": "fsck, before it deletes a blob",
}
"""Statements that no request runs, by their beginning, with the reason."""

# Two files per package, five versions per name; names are spread over the projects, and 100 projects have "common".
_FILL = """
SET session_replication_role = replica;
CREATE TEMPORARY TABLE filled AS SELECT n AS id, n / {versions} AS name_id, n % {versions} AS version,
    CASE WHEN n / {versions} % 10 = 0 THEN 1 ELSE n / {versions} % {projects} + 1 END AS project_id
    FROM generate_series(1, {packages}) n;
INSERT INTO packages (id, project_id, name, normalized_name, version, canonical_version, metadata, created_at)
SELECT id, project_id, 'Lib_' || md5(name_id::text), 'lib-' || md5(name_id::text), version || '.0', version, '{{}}', id
FROM filled;
INSERT INTO packages (id, project_id, name, normalized_name, version, canonical_version, metadata, created_at)
SELECT {packages} + p, p, 'common', 'common', '1.0', '1', '{{}}', p FROM generate_series(1, {common}) p;
INSERT INTO files (package_id, project_id, filename, size, sha256, requires_python, uploaded_at, blob_key, uploaded_by)
SELECT p.id, p.project_id, p.name || '-' || p.version || '-' || n || '.zip', 1000,
    encode(sha256((p.id || '-' || n)::bytea), 'hex'), '>=3.8', p.id, md5((p.id || '-' || n)), 'ada'
FROM packages p, generate_series(1, {files_per_package}) n;
INSERT INTO core_metadata SELECT id, 'Name: demo' FROM files;
INSERT INTO projects (id, path, package_count)
SELECT project_id, 'root' || project_id % {roots} || '/project' || project_id, count(*)
FROM packages GROUP BY project_id;
INSERT INTO project_roots SELECT id, 'root' || id % {roots} FROM projects;
INSERT INTO publications SELECT DISTINCT normalized_name, 'root' || project_id % {roots}, project_id FROM packages;
INSERT INTO project_revisions (name, project_id) SELECT DISTINCT normalized_name, project_id FROM packages;
INSERT INTO project_revisions (name, project_id) SELECT '', id FROM projects;
INSERT INTO root_revisions SELECT name, root, gen_random_uuid()
FROM (SELECT DISTINCT name, root FROM project_revisions JOIN project_roots USING (project_id)) pages;
"""


@dataclass(slots=True)
class Plan:
    """What executing a statement did, once or several times."""

    statement: str
    scans: set[str] = field(default_factory=set)
    """Node type, table and index of each node that reads a table."""
    whole_tables: set[str] = field(default_factory=set)
    """Tables that were read from their beginning to their end."""
    most_rows: int = 0
    """The largest number of rows that a node has read."""
    executions: int = 0


@contextmanager
def filled(files: int, settings: Mapping[str, str] = SETTINGS) -> Iterator[Cluster]:
    """Run a server with a catalogue of so many files in the database ``catalogue``."""
    with running(settings) as cluster:
        migrate(cluster.create_database("catalogue"))
        fill = _FILL.format(
            versions=VERSIONS,
            projects=PROJECTS,
            packages=files // FILES_PER_PACKAGE,
            files_per_package=FILES_PER_PACKAGE,
            roots=ROOTS,
            common=150,
        )
        cluster.execute("ALTER SYSTEM SET maintenance_work_mem = '256MB'")
        cluster.execute(fill, "catalogue")
        cluster.execute("SELECT setval('packages_id_seq', max(id)) FROM packages", "catalogue")
        cluster.execute("VACUUM ANALYZE", "catalogue")
        yield cluster


def exercise(cluster: Cluster) -> None:
    """Call each method of a catalogue in each way that chooses other statements, with the log of plans switched on."""
    cluster.execute("ALTER DATABASE catalogue SET auto_explain.log_min_duration = 0")
    with closing(PostgresCatalogue(cluster.url("catalogue"))) as catalogue:
        for _ in range(7):  # after five executions psycopg prepares a statement, and the server may plan it once
            _read_pages(catalogue)
        for projects in _selections():
            _read_lists(catalogue, projects)
        _change(catalogue)


def plans(cluster: Cluster) -> list[Plan]:
    """Return the plans that the server logged, one per statement."""
    tables = cluster.execute("SELECT relname, reltuples FROM pg_class WHERE relkind = 'r'", "catalogue")
    large = {name for name, rows in tables if rows > SMALL and not name.startswith("pg_")}
    found: dict[str, Plan] = {}
    with (cluster.folder / "data" / "log" / "plans.json").open(encoding="utf-8") as log:
        for line in log:
            message = json.loads(line).get("message", "")
            if "plan:\n" in message:
                document = json.loads(message.partition("plan:\n")[2])
                statement = " ".join(document["Query Text"].split())
                plan = found.setdefault(statement, Plan(statement))
                plan.executions += 1
                for node in _nodes(document["Plan"]):
                    _add(plan, node, large)
    return [*found.values()]


def unexpected(found: list[Plan]) -> list[Plan]:
    """Return the plans that read a large table from its beginning to its end, without a reason."""
    return [plan for plan in found if plan.whole_tables and not plan.statement.startswith(tuple(EXCEPTIONS))]


def _add(plan: Plan, node: Mapping[str, Any], large: set[str]) -> None:
    table = node.get("Relation Name")
    index = node.get("Index Name")
    if table is None and index is None:
        return
    plan.scans.add(f"{node['Node Type']} {index or table}")
    if node["Node Type"] == "Seq Scan" and table in large:
        plan.whole_tables.add(table)
    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    plan.most_rows = max(plan.most_rows, int(read * node["Actual Loops"]))


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _selections() -> list[Projects]:
    """Return a small project, a large one, a group of few projects, and one of many."""
    everything = [Project(id_, f"root{id_ % ROOTS}/project{id_}") for id_ in range(1, PROJECTS + 1)]
    of_a_root = [project for project in everything if project.root == "root1"]
    many = [project for project in everything if project.root != "root1"]
    return [Projects(each) for each in (everything[4:5], everything[:1], of_a_root, many)]


def _read_pages(catalogue: PostgresCatalogue) -> None:
    for projects in _selections():
        [package, *_], _ = catalogue.packages(projects, PackageQuery(limit=1))
        details = catalogue.package(package.project_id, package.id)
        assert details is not None
        file = details.files[0]
        for name in (package.normalized_name, canonicalize_name("common")):
            catalogue.revision(projects, name)
            assert catalogue.listing(projects, name)
            catalogue.publications(name)
        catalogue.revision(projects, None)
        assert catalogue.file(projects, file.digests.sha256, file.filename)
        assert catalogue.core_metadata(file.id)
        catalogue.project_paths([*projects.ids])


def _read_lists(catalogue: PostgresCatalogue, projects: Projects) -> None:
    assert catalogue.names(projects)
    [package, *_], _ = catalogue.packages(projects, PackageQuery(limit=1))
    filters: list[dict[str, Any]] = [
        {},
        {"name": "lib"},
        {"name": package.name[:12]},
        {"name": "lib_ abc"},
        {"name": "ab"},
        {"name": "nothing-has-this"},
        {"normalized_name": package.normalized_name},
        {"normalized_name": "common"},
        {"version": "1.0"},
        {"version": "7.7"},
        {"name": "lib", "version": "1.0"},
    ]
    for order in ("created_at", "name", "version", "project_path"):
        for options in filters:
            for offset in (0, 5_000):
                catalogue.packages(projects, PackageQuery(order_by=order, offset=offset, limit=20, **options))


def _change(catalogue: PostgresCatalogue) -> None:
    project, at = Project(5, "root5/project5"), datetime.now(UTC)
    for _ in range(7):
        name, by = f"new-{token_hex(4)}", "ada"
        file = add(catalogue, project, upload(f"{name}-1.zip", name, core_metadata=b"Name: x"), at=at, by=by)
        other = add(catalogue, project, upload(f"{name}-2.zip", name, requires_python=">=3"), at=at, by=by)
        third = add(catalogue, project, upload(f"{name}-3.zip", name, version="2"), at=at, by=by)
        catalogue.yank(project, file.package.id, "broken", by)
        catalogue.set_status(project, file.package.normalized_name, NameStatus(Status.DEPRECATED), by)
        catalogue.delete_file(project, file.id, by)
        catalogue.delete_file(project, other.id, by)
        catalogue.delete_package(project, third.package.id, by)
        catalogue.correct_size(1, 1000)


def main() -> int:
    files = int(sys.argv[1]) if len(sys.argv) > 1 else FILES
    with filled(files) as cluster:
        exercise(cluster)
        found = plans(cluster)
    for plan in sorted(found, key=lambda plan: -plan.most_rows):
        print(f"{plan.most_rows:>9,} rows  {plan.executions:>5} times  {plan.statement[:200]}")
        print(f"{'':>29}{', '.join(sorted(plan.scans))}")
    wrong = unexpected(found)
    for plan in wrong:
        print(f"reads all of {', '.join(sorted(plan.whole_tables))}: {plan.statement}")
    print(f"{files:,} files: {len(found)} statements, {len(wrong)} of them read a whole table")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
