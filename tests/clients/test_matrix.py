"""The clients, really: what each of them does with a private project on a real port, as a table.

Each row is a function below. Its words say how it turns out for each client; a function reads its word where clients
differ, so a word cannot be wrong. ``docs/clients.md`` shows the table, which
``python -m tests.clients.test_matrix`` writes.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from pypi_registry.testing import archives
from tests.clients import matrix
from tests.clients.bench import DEVELOPER, REPORTER, Bench, Done, Installing, Publishing, Team, configuration
from tests.clients.cutting import cutter
from tests.clients.matrix import Check, Row, Table, one_client_for_each_outcome
from tests.clients.reporting import CELL
from tests.clients.served import Served, served
from tests.clients.toolbox import CLIENTS, Toolbox
from tests.clients.tree import (
    ROOT,
    VERSIONS,
    Tree,
    public_index,
    public_settings,
    read_lock,
    read_requirements,
)
from tests.clients.ways import PUBLISHERS, READER, WAYS

PUBLISHING: list[Row] = []
INSTALLING: list[Row] = []
TABLES = [
    Table({client: CLIENTS[client].title for client in PUBLISHERS}, PUBLISHING),
    Table(
        {title: f"{way.name} {CLIENTS[way.client].version}" for title, way in WAYS.items()}
        | {READER: CLIENTS[READER].title},
        INSTALLING,
    ),
]


def row(rows: list[Row], title: str, words: Mapping[str, str]) -> Callable[[Check], Check]:
    """Put a check into a table."""

    def put(check: Check) -> Check:
        rows.append(Row(title, words, check))
        return check

    return put


# What is published and installed

NAME, VERSION = "My.Pkg_demo", "1.0.0rc1+local.1"
SPELLED_WELL = "my_pkg_demo-1.0.0rc1+local.1"
FILES = {
    filename: archives.distribution(filename, name=NAME, version=VERSION, files=files)
    for filename, files in {
        f"{SPELLED_WELL}-py3-none-any.whl": None,
        f"{SPELLED_WELL}.tar.gz": {"pyproject.toml": ""},
    }.items()
}
DEMO = "demo-2.0-py3-none-any.whl"
LEAF = "leaf-1.0-py3-none-any.whl"
APP_1, APP_2 = "app-1.0-py3-none-any.whl", "app-2.0-py3-none-any.whl"
BACKEND = """
import shutil

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return shutil.copy("lib-1.0-py3-none-any.whl", wheel_directory).rpartition("/")[2]
"""
# An sdist that any client can build without an index: its backend lies in it, and so does the wheel.
LIB = archives.make_sdist(
    "lib",
    "1.0",
    metadata_version="2.2",
    requires=("leaf",),
    files={
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": BACKEND,
        "lib-1.0-py3-none-any.whl": archives.make_wheel("lib", "1.0", requires=("leaf",)).data,
    },
).data


def wheel_with_a_wrong_record(filename: str) -> bytes:
    """Create a wheel that every client can read, and in which a file does not have its digest in RECORD."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archives.distribution(filename))) as good, zipfile.ZipFile(stream, "w") as bad:
        for member in good.infolist():
            data = good.read(member)
            bad.writestr(member, data + b"# more\n" if member.filename.endswith(".py") else data)
    return stream.getvalue()


# Publishing

SAYS_WHY = "fails, shows the reason"
LOGS_WHY = "fails, shows the reason in its log"
BLAMES = "fails, blames the credentials"
SKIPS = "skips"


def assert_it_failed(bench: Bench, done: Done, word: str, reason: str) -> None:
    """Assert that nothing was published, and that the client or its log shows the reason."""
    assert done.status != 0 and 201 not in done.asked("", "POST"), str(done)
    if word == LOGS_WHY:
        logged = "".join(log.read_text(encoding="utf-8") for log in bench.folder.glob("home/.local/state/pdm/log/*"))
        assert reason in logged, logged
        assert "for detailed debug log" in done.out, str(done)
    elif word == BLAMES:
        assert "Username and/or password are wrong" in done.out and reason not in done.out, str(done)
    else:
        assert word == SAYS_WHY
        assert reason in done.out, str(done)


ALL_SAY_WHY = {**dict.fromkeys(PUBLISHERS, SAYS_WHY), "pdm": LOGS_WHY}
WITHOUT_FLIT = {client: word for client, word in ALL_SAY_WHY.items() if client != "flit"}  # it builds what it publishes


@row(PUBLISHING, f"a wheel and an sdist of `{NAME}` {VERSION}", dict.fromkeys(PUBLISHERS, "publishes"))
def wheel_and_sdist(bench: Bench, client: str, word: str) -> None:
    project = bench.publishing(client, NAME, VERSION, *FILES.items())
    done = project.publish()
    assert done.status == 0 and done.asked("", "POST") == [201, 201], str(done)
    assert project.files.keys() == FILES.keys()
    assert_published(bench, project)


def assert_published(bench: Bench, project: Publishing) -> None:
    """Assert that the registry has what was to be published, to the byte."""
    listed = {str(file["filename"]): file for file in bench.listed("my-pkg-demo")}
    assert listed.keys() == project.files.keys()
    for filename, data in project.files.items():
        assert listed[filename]["hashes"] == {"sha256": sha256(data).hexdigest()}
        assert bench.download("my-pkg-demo", listed[filename]) == data


@row(PUBLISHING, "the same files again", ALL_SAY_WHY | {"hatch": SKIPS})
def the_same_again(bench: Bench, client: str, word: str) -> None:
    project = bench.publishing(client, NAME, VERSION, *FILES.items())
    assert project.publish().status == 0
    done = project.publish()
    if word == SKIPS:
        assert done.status == 0 and done.asked("", "POST") == [], str(done)
        assert done.asked("/+simple/my-pkg-demo/") == [200], str(done)
    else:
        assert_it_failed(bench, done, word, "File name has already been taken")


@row(
    PUBLISHING,
    "the same files again, with `--skip-existing` or uv's `--check-url`",
    {
        "twine": "refuses the option",
        **dict.fromkeys(["twine-6", "twine-5", "uv", "poetry", "pdm", "maturin"], SKIPS),
    },
)
def told_to_skip(bench: Bench, client: str, word: str) -> None:
    project = bench.publishing(client, NAME, VERSION, *FILES.items())
    assert project.publish().status == 0
    done = project.publish_skipping()
    if word == SKIPS:
        asked_first = client == "uv"
        assert done.status == 0 and done.asked("", "POST") == ([] if asked_first else [400, 400]), str(done)
        assert [line for line in done.out.splitlines() if re.search("already exist|File exists", line)], str(done)
    else:
        assert done.status != 0 and not done.requests, str(done)
        assert "does not have support for the following features: --skip-existing" in done.out


@row(PUBLISHING, "different contents under the same name, with `--check-url`", {"uv": SAYS_WHY})
def other_bytes(bench: Bench, client: str, word: str) -> None:
    assert bench.publishing(client, "demo", "2.0", (DEMO, archives.distribution(DEMO))).publish().status == 0
    other = archives.distribution(DEMO, payload=b"other")
    done = bench.publishing(client, "demo", "2.0", (DEMO, other)).publish_skipping()
    assert_it_failed(bench, done, word, "Local file and index file do not match")


@row(PUBLISHING, "the file name has version 2.0, the metadata 1.0", WITHOUT_FLIT)
def another_version(bench: Bench, client: str, word: str) -> None:
    done = bench.publishing(client, "demo", "2.0", (DEMO, archives.distribution(DEMO, version="1.0"))).publish()
    assert_it_failed(bench, done, word, "does not match the name demo and the version")


@row(PUBLISHING, "a wheel that differs from its RECORD", WITHOUT_FLIT)
def wrong_record(bench: Bench, client: str, word: str) -> None:
    done = bench.publishing(client, "demo", "2.0", (DEMO, wheel_with_a_wrong_record(DEMO))).publish()
    assert_it_failed(bench, done, word, "RECORD has a different digest for")


@row(PUBLISHING, "a protected name", ALL_SAY_WHY | {"maturin": BLAMES})
def protected_name(bench: Bench, client: str, word: str) -> None:
    filename = "core_demo-2.0-py3-none-any.whl"
    done = bench.publishing(client, "core-demo", "2.0", (filename, archives.distribution(filename))).publish()
    assert done.asked("", "POST") == [403]
    assert_it_failed(bench, done, word, "Package protected")


@row(PUBLISHING, "no right to publish", {**dict.fromkeys(PUBLISHERS, SAYS_WHY), "maturin": BLAMES})
def no_right(bench: Bench, client: str, word: str) -> None:
    done = bench.publishing(client, "demo", "2.0", (DEMO, archives.distribution(DEMO))).publish(secret=REPORTER)
    assert done.asked("", "POST") == [403]
    assert_it_failed(bench, done, word, "Forbidden")


# Installing

INSTALLS = "installs"
READS = "reads and downloads"
NO_OLD_PIP = [way for way in WAYS if way != "pip-23"]


def assert_installed(project: Installing, done: Done, *expected: str) -> None:
    assert done.status == 0, str(done)
    assert project.installed == {*expected}, str(done)


def upload_app_lib_and_leaf(bench: Bench) -> None:
    bench.upload(APP_1, archives.distribution(APP_1, requires=("lib>=1",)))
    bench.upload("lib-1.0.tar.gz", LIB)
    bench.upload(LEAF, archives.distribution(LEAF))


def installs_from(bench: Bench, way: str, bare_index: str) -> None:
    upload_app_lib_and_leaf(bench)
    if way == READER:
        done, folder = bench.read(bare_index, "app", "lib", "leaf")
        assert done.status == 0, str(done)
        assert (folder / "lib-1.0.tar.gz").read_bytes() == LIB
        assert [file["filename"] for file in json.loads(done.out)] == [APP_1, "lib-1.0.tar.gz", LEAF]
    else:
        project = bench.installing(way, "app>=1", bare_index=bare_index)
        assert_installed(project, project.install(), "app-1.0", "lib-1.0", "leaf-1.0")


@row(
    INSTALLING,
    "a wheel that needs an sdist that needs a wheel, from a project's index",
    {**dict.fromkeys(WAYS, INSTALLS), READER: READS},
)
def from_a_project(bench: Bench, way: str, word: str) -> None:
    installs_from(bench, way, bench.team.bare_index)


@row(INSTALLING, "the same wheel from a group's index", {**dict.fromkeys(WAYS, INSTALLS), READER: READS})
def from_a_group(bench: Bench, way: str, word: str) -> None:
    installs_from(bench, way, bench.team.bare_group_index)


@row(INSTALLING, f"another spelling of the name: `My..Pkg__DEMO=={VERSION}`", dict.fromkeys(WAYS, INSTALLS))
def another_spelling(bench: Bench, way: str, word: str) -> None:
    for filename, data in FILES.items():
        bench.upload(filename, data, name=NAME)
    project = bench.installing(way, f"My..Pkg__DEMO=={VERSION}")
    assert_installed(project, project.install(), SPELLED_WELL)


AT_ONCE = "sent at once"
WHEN_ASKED = "sent after a 401"


@row(
    INSTALLING,
    "credentials in `.netrc`",
    {**dict.fromkeys(WAYS, AT_ONCE), "uv pip": WHEN_ASKED, "uv lock": WHEN_ASKED},
)
def netrc(bench: Bench, way: str, word: str) -> None:
    bench.upload(APP_1, archives.distribution(APP_1))
    project = bench.installing(way, "app", login=False)
    file = project.tool.home / ".netrc"
    file.write_text(f"machine 127.0.0.1 login any password {DEVELOPER}\n", encoding="utf-8")
    file.chmod(0o600)
    done = project.install()
    assert_installed(project, done, "app-1.0")
    if word == WHEN_ASKED:
        assert done.asked("/simple/app/")[:2] == [401, 200], str(done)
    else:
        assert 401 not in {request.status for request in done.requests}, str(done)


@row(INSTALLING, "no credentials", dict.fromkeys(WAYS, "installs nothing"))
def no_credentials(bench: Bench, way: str, word: str) -> None:
    bench.upload(APP_1, archives.distribution(APP_1))
    for name in (
        "app",
        "published-by-nobody",
    ):  # only a caller who may read the project is redirected for the second one
        project = bench.installing(way, name, login=False)
        done = project.install()
        assert done.status != 0 and not project.installed, str(done)
        assert {request.status for request in done.requests} == {401}, str(done)


UP_TO = {
    "pip": "--uploaded-prior-to",
    "uv pip": "--exclude-newer",
    "uv lock": "--exclude-newer",
    "pdm": "--exclude-newer",
    "pip-tools": "--uploaded-prior-to",
}


@row(
    INSTALLING,
    "only files that were uploaded before a certain time",
    {way: f"`{option}`" for way, option in UP_TO.items()},
)
def no_upload_after_a_time(bench: Bench, way: str, word: str) -> None:
    bench.upload(APP_1, archives.distribution(APP_1))
    between = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
    bench.upload(APP_2, archives.distribution(APP_2))
    for time, chosen in ((between, "app-1.0"), ("2100-01-01T00:00:00Z", "app-2.0")):
        option = f"{UP_TO[way]} {time}"
        project = bench.installing(way, "app")
        done = project.install(f"--pip-args '{option}'" if way == "pip-tools" else option)
        assert_installed(project, done, chosen)


PASSED_OVER = "only with `==`"
AND_SAYS_WHY = "only with `==`, shows the reason"


@row(
    INSTALLING,
    "a yanked version",
    {**dict.fromkeys(WAYS, AND_SAYS_WHY), "pdm": PASSED_OVER, READER: "reports the yank"},
)
def yanked(bench: Bench, way: str, word: str) -> None:
    bench.upload(APP_1, archives.distribution(APP_1))
    bench.upload(APP_2, archives.distribution(APP_2))
    bench.yank("app", "2.0", "it loses data")
    if way == READER:
        done, _ = bench.read(bench.team.bare_index, "app")
        assert [file["yanked"] for file in json.loads(done.out)] == [None, "it loses data"], str(done)
        return
    project = bench.installing(way, "app>=1")
    assert_installed(project, project.install(), "app-1.0")
    project = bench.installing(way, "app==2.0")
    done = project.install()
    assert_installed(project, done, "app-2.0")
    assert ("it loses data" in done.out) == (word == AND_SAYS_WHY), str(done)


YES = "yes"


@row(
    INSTALLING,
    "resolves a wheel from its `.metadata`, without the wheel",
    {
        **dict.fromkeys(WAYS, YES),
        "pip-23": "yes, and downloads it at the end",
        "pip-tools": "yes, except with `--generate-hashes`",
        READER: "reads it, verifies its digest",
    },
)
def wheel_metadata(bench: Bench, way: str, word: str) -> None:
    bench.upload(APP_1, archives.distribution(APP_1, requires=("leaf",)))
    bench.upload(LEAF, archives.distribution(LEAF))
    if way == READER:
        done, folder = bench.read(bench.team.bare_index, "app", "leaf")
        assert [file["has_metadata"] for file in json.loads(done.out)] == [True, True], str(done)
        assert b"Requires-Dist: leaf\n" in (folder / f"{APP_1}.metadata").read_bytes()
        return
    project = bench.installing(way, "app")
    line = project.way.resolve.replace("--generate-hashes ", "") if way == "pip-tools" else project.way.resolve
    done = project.run(line.format(index=project.index, more=""))
    assert done.status == 0, str(done)
    files = [request.path.removeprefix("/files/") for request in done.requests if request.path.startswith("/files/")]
    metadata, wheels = [f"{APP_1}.metadata", f"{LEAF}.metadata"], [APP_1, LEAF]
    assert files == (metadata + wheels if way == "pip-23" else metadata), str(done)


@row(
    INSTALLING,
    "resolves an sdist with metadata 2.2 from its `.metadata`, without the sdist",
    {
        **dict.fromkeys(["pip", "poetry", "pdm"], YES),
        "pip-tools": "yes, except with `--generate-hashes`",
        **dict.fromkeys(["uv pip", "uv lock"], "reads the sdist, builds nothing"),
    },
)
def sdist_metadata(bench: Bench, way: str, word: str) -> None:
    filename = "app-1.0.tar.gz"
    nobody = {"pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "nobody"\n'}  # to build it would fail
    sdist = archives.distribution(filename, metadata_version="2.2", requires=("leaf",), files=nobody)
    bench.upload(filename, sdist)
    bench.upload(LEAF, archives.distribution(LEAF))
    project = bench.installing(way, "app")
    done = project.resolve()
    assert done.status == 0, str(done)
    assert re.search("leaf", done.out if way == "pip" else project.locked.read_text(encoding="utf-8")), str(done)
    files = [request.path.removeprefix("/files/") for request in done.requests if request.path.startswith("/files/")]
    assert files[:2] == [filename if project.way.client == "uv" else f"{filename}.metadata", f"{LEAF}.metadata"]
    assert (filename in files) == (word != YES), str(done)


BY_THE_PAGE = "skips it after reading the page"
BY_ITS_METADATA = "skips it after reading its `.metadata`"


@row(
    INSTALLING,
    "a version that requires a different Python version, if the upload form has no `requires_python`",
    {**dict.fromkeys(WAYS, BY_THE_PAGE), **dict.fromkeys(["uv lock", "poetry"], BY_ITS_METADATA)},
)
def requires_python(bench: Bench, way: str, word: str) -> None:
    bench.upload(APP_1, archives.distribution(APP_1))
    bench.upload(APP_2, archives.distribution(APP_2, requires_python=">=4"))
    assert [file.get("requires-python") for file in bench.listed("app")] == [None, ">=4"]
    project = bench.installing(way, "app")
    done = project.install()
    assert_installed(project, done, "app-1.0")
    looked_at = [request.path for request in done.requests if APP_2 in request.path]
    assert looked_at == ([f"/files/{APP_2}.metadata"] if word == BY_ITS_METADATA else []), str(done)


ON = "resumes it"
ANEW = "downloads it again from the start"
REFUSES_HALF = "refuses the incomplete file"
RETRIES = {"PIP_RESUME_RETRIES": "3", "POETRY_REQUESTS_MAX_RETRIES": "3"}


@row(
    INSTALLING,
    "a connection that is lost during a download",
    {"pip": ON, "poetry": ON, **dict.fromkeys(["uv pip", "uv lock", "pdm"], ANEW), "pip-23": REFUSES_HALF},
)
def cut_connection(bench: Bench, way: str, word: str) -> None:
    bench.upload(APP_1, archives.distribution(APP_1, size=1_000_000))
    port = bench.team.server.port
    with cutter(port, b".whl", 300_000) as proxy:
        bare_index = bench.team.bare_index.replace(f":{port}/", f":{proxy.port}/")
        project = bench.installing(way, "app", bare_index=bare_index, settings=RETRIES)
        done = project.install()
        assert proxy.has_cut
    if word == REFUSES_HALF:
        assert done.status != 0 and not project.installed, str(done)
        assert "DO NOT MATCH THE HASHES" in done.out, str(done)
        return
    assert_installed(project, done, "app-1.0")
    assert done.asked(f"/{APP_1}")[-2:] == ([200, 206] if word == ON else [200, 200]), str(done)


REFUSES = "refuses the file"


@row(INSTALLING, "a wrong digest in a requirements file or a lock file", dict.fromkeys(WAYS, REFUSES))
def pinned_digests(bench: Bench, way: str, word: str) -> None:
    data = archives.distribution(APP_1)
    digest, wrong = sha256(data).hexdigest(), "0" * 64
    bench.upload(APP_1, data)
    project = bench.installing(way, "app==1.0")
    if project.way.client in ("pip", "pip-23"):
        project.locked.write_text(f"app==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    else:
        assert project.resolve().status == 0
    right = project.locked.read_text(encoding="utf-8")
    assert digest in right
    project.locked.write_text(right.replace(f"sha256:{digest}", f"sha256:{wrong}"), encoding="utf-8")
    done = project.install_locked()
    assert done.status != 0 and not project.installed, str(done)
    assert re.search("hash|checksum", done.out, re.IGNORECASE), str(done)
    project.locked.write_text(right, encoding="utf-8")
    assert_installed(project, project.install_locked(), "app-1.0")


REVALIDATES = "a 304; the new version"
# It minds that a page is private, which is not to be kept by a cache that several people share.
KEEPS_NONE = "caches none; the new version"


@row(
    INSTALLING,
    "a cached page, before and after an upload",
    {**dict.fromkeys(WAYS, REVALIDATES), "pdm": KEEPS_NONE},
)
def kept_page(bench: Bench, way: str, word: str) -> None:
    bench.upload(APP_1, archives.distribution(APP_1))
    # pip caches nothing that came over plain HTTP, except from a trusted host.
    trusting = {"PIP_TRUSTED_HOST": f"127.0.0.1:{bench.team.server.port}", "PIP_NO_CACHE_DIR": ""}
    project = bench.installing(way, "app", settings=trusting)
    assert project.resolve().asked("/simple/app/")[0] == 200
    done = project.resolve(project.way.anew)
    assert {*done.asked("/simple/app/")} == {304 if word == REVALIDATES else 200}, str(done)
    bench.upload(APP_2, archives.distribution(APP_2))
    done = project.resolve(project.way.anew)
    assert done.asked("/simple/app/")[0] == 200, str(done)
    resolved = done.out if project.way.client in ("pip", "pip-23") else project.locked.read_text(encoding="utf-8")
    assert re.search(r"""app-2\.0|app==2\.0|version = "2\.0""", resolved), resolved


def publish_the_tree(bench: Bench) -> Tree:
    """Publish each file of each version of a real program's dependencies, and of the program."""
    tree = Tree.fetch(bench.toolbox, bench.folder)
    # The newest twine takes no metadata of version 2.0, which an old package has.
    done = bench.publishing("twine-6", "tree", "0", *tree.files.items()).publish()
    assert done.status == 0 and done.asked("", "POST") == [201] * len(tree.files), str(done)
    return tree


@row(
    INSTALLING,
    f"resolves a tree of {len(VERSIONS)} packages, from this registry and from PyPI",
    dict.fromkeys(["uv pip", "uv lock"], "the same files"),
)
def resolves_a_tree(bench: Bench, way: str, word: str) -> None:
    publish_the_tree(bench)
    ours = bench.installing(way, ROOT)
    theirs = bench.installing(way, ROOT, bare_index=public_index(), login=False, settings=public_settings())
    for project in (ours, theirs):
        with (project.path / "pyproject.toml").open("a", encoding="utf-8") as file:
            file.write(f"[tool.uv]\nconstraint-dependencies = {json.dumps(VERSIONS)}\n")
        done = project.resolve()
        assert done.status == 0, str(done)
    texts = [project.locked.read_text(encoding="utf-8") for project in (ours, theirs)]
    read: Callable[[str], Mapping[str, object]] = read_lock if way == "uv lock" else read_requirements
    here, there = map(read, texts)
    assert here == there and len(here) >= 20


def facts(file: Mapping[str, Any]) -> tuple[object, ...]:
    requires_python = SpecifierSet(file["requires_python"] or "")  # the metadata's, or a form's, in another order
    return file["version"], file["digests"], file["size"], requires_python, file["yanked"]


@row(
    INSTALLING,
    f"reads pages, files and `.metadata` of {len(VERSIONS)} packages, from this registry and from PyPI",
    {READER: "the same"},
)
def tells_a_tree(bench: Bench, way: str, word: str) -> None:
    tree = publish_the_tree(bench)
    done, folder = bench.read(bench.team.bare_index, *VERSIONS)
    assert done.status == 0, str(done)
    here, there = ({file["filename"]: facts(file) for file in said} for said in (json.loads(done.out), tree.said))
    assert here == there
    metadata = {path.name.removesuffix(".metadata"): path.read_bytes() for path in folder.glob("*.metadata")}
    assert {filename for filename in here if filename.endswith(".whl")} <= metadata.keys()
    assert {name: metadata.get(name) for name in tree.metadata} == tree.metadata


# The tests

ALWAYS = one_client_for_each_outcome(TABLES)
"""The cells that run with --slow; the others take --long."""
CASES = [
    pytest.param(row, client, id=row.cell(client), marks=[] if row.cell(client) in ALWAYS else [pytest.mark.long])
    for table in TABLES
    for row in table.rows
    for client in row.words
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("matrix")
    config = folder / "registry.toml"
    config.write_text(configuration(), encoding="utf-8")
    with served(folder / "data", "--config", str(config)) as running:
        yield running
        assert DEVELOPER not in running.out + running.err


@pytest.fixture(scope="module")
def numbers() -> "count[int]":
    """Number the teams: a private group and project for each case."""
    return count(1)


@pytest.fixture
def bench(server: Served, toolbox: Toolbox, numbers: "count[int]", tmp_path: Path) -> Bench:
    return Bench(Team(server, next(numbers)), toolbox, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("row", "client"), CASES)
def test_matrix(row: Row, client: str, bench: Bench, record_property: Callable[[str, object], None]) -> None:
    record_property(CELL, row.cell(client))
    row.check(bench, client, row.words[client])
    assert 302 not in {request.status for request in bench.team.requests}, "a private name was sent elsewhere"


def test_every_client_and_every_row_has_a_cell_that_is_not_long() -> None:
    assert {client for row in PUBLISHING for client in row.words if row.cell(client) in ALWAYS} == PUBLISHERS.keys()
    assert {client for row in INSTALLING for client in row.words if row.cell(client) in ALWAYS} == {*WAYS, READER}
    assert all(any(row.cell(client) in ALWAYS for client in row.words) for row in [*PUBLISHING, *INSTALLING])


def test_the_page_shows_the_matrix() -> None:
    hint = "run `python -m tests.clients.test_matrix` to write it anew"
    assert matrix.on_the_page() == matrix.markdown(TABLES), hint


if __name__ == "__main__":
    matrix.write_to_the_page(matrix.markdown(TABLES))
