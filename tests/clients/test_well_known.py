"""Well-known distributions: published with twine, downloaded with pip and uv, byte for byte."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from tests.clients import wire
from tests.clients.distributions import make_sdist, make_wheel
from tests.clients.programs import Programs, with_login
from tests.clients.served import Served, served
from tests.clients.toolbox import alone_in

pytestmark = pytest.mark.slow

# A fixed platform, so that every machine gets the same files.
PLATFORM = ["--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_28_x86_64", "--python-version", "3.12"]
UV_PLATFORM = ["--python-platform", "x86_64-manylinux_2_28", "--python-version", "3.12"]
WHEELS = [
    "backports.tarfile==1.2.0",
    "cryptography==45.0.5",
    "jaraco.functools==4.1.0",
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.2",
    "numpy==2.2.6",
    "pydantic-core==2.33.2",
    "PyYAML==6.0.2",
    "ruamel.yaml==0.18.14",
    "setuptools==80.9.0",
    "SQLAlchemy==2.0.41",
    "typing_extensions==4.14.0",
    "zope.interface==7.2",
]
SDISTS = [
    "antlr4-python3-runtime==4.9.3",
    "colorama==0.3.2",  # a .zip
    "docopt==0.6.2",
    "Flask-Script==2.0.6",
    "PyJWT==1.7.1",
    "python-dateutil==2.6.1",
    "zope.event==4.5.0",
]
MADE_WHEELS = ["local-build==1.0+local.1", "epochal==1!2.0"]
MADE_SDISTS = ["local-source==2.0+ubuntu.1"]
EVERYTHING = [*WHEELS, *SDISTS, *MADE_WHEELS, *MADE_SDISTS]

CONFIG = """
forward_to = false
projects = [{{ id = 1, path = "main/packages" }}]
users = [{{ name = "ada", roles = {{ "main" = "owner" }} }}]
tokens = [{{ kind = "personal", user = "ada", scopes = ["api"], sha256 = "{sha256}" }}]
"""
SECRET = "glpat-of-the-well-known"


@pytest.fixture(scope="module")
def originals(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the distributions: made, or fetched once from wherever pip finds packages and kept."""
    assert request.config.cache is not None
    kept = request.config.cache.mkdir("distributions")
    key = sha256("\n".join([*PLATFORM, *WHEELS, *SDISTS]).encode()).hexdigest()[:16]
    with alone_in(kept):
        if not (kept / key).exists():
            with TemporaryDirectory(dir=kept) as unfinished:
                fetch(Path(unfinished) / "all")
                (Path(unfinished) / "all").rename(kept / key)
    folder = tmp_path_factory.mktemp("originals") / "all"
    shutil.copytree(kept / key, folder)
    make_wheel(folder, "local-build", "1.0+local.1")
    make_sdist(folder, "local-source", "2.0+ubuntu.1")
    make_wheel(folder, "epochal", "1!2.0")
    return folder


def fetch(folder: Path) -> None:
    def pip(*arguments: str | Path, **settings: str) -> None:
        subprocess.run([sys.executable, "-m", "pip", *arguments, "--quiet"], check=True, env={**os.environ, **settings})

    pip("download", "--no-deps", "--only-binary", ":all:", *PLATFORM, "--dest", folder, *WHEELS)
    # pip builds the metadata of an sdist; old ones need a setuptools that is not too new.
    tools = folder.with_name("tools")
    pip("install", "--no-deps", "--target", tools, *folder.glob("setuptools-*.whl"))
    options = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    pip("download", *options, "--dest", folder, *SDISTS, PYTHONPATH=str(tools))


@pytest.fixture(scope="module")
def published(originals: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server to which twine has published all of them."""
    folder = tmp_path_factory.mktemp("published")
    config = folder / "registry.toml"
    config.write_text(CONFIG.format(sha256=sha256(SECRET.encode()).hexdigest()), encoding="utf-8")
    with served(folder / "data", "--config", str(config)) as server:
        Programs(folder).twine_upload(address(server), SECRET, *sorted(originals.iterdir()))
        yield server


def address(server: Served) -> str:
    return f"{server.api}/projects/1/packages/pypi"


def index(server: Served) -> str:
    return f"{with_login(address(server), SECRET)}/simple"


def digests(folder: Path) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def requirement(original: Path) -> str:
    """Name what a file holds, to be taken only with the bytes of the original."""
    wheel = original.suffix == ".whl"
    name, version = parse_wheel_filename(original.name)[:2] if wheel else parse_sdist_filename(original.name)
    return f"{name}=={version} --hash=sha256:{sha256(original.read_bytes()).hexdigest()}"


def is_wheel(filename: str) -> bool:
    return filename.endswith(".whl")


def test_there_are_twenty_of_all_kinds(originals: Path) -> None:
    names = [file.name for file in originals.iterdir()]
    assert len(names) == len(EVERYTHING) == 23
    assert sum("manylinux" in name for name in names) >= 6
    assert any(name.endswith(".zip") for name in names)


@pytest.mark.long
def test_pip_gets_every_wheel_byte_for_byte(published: Served, originals: Path, programs: Programs) -> None:
    options = ["--no-deps", "--only-binary", ":all:", *PLATFORM, "--dest", "got", "--index-url", index(published)]
    programs.run("python", "-m", "pip", "download", *options, *WHEELS, *MADE_WHEELS)
    expected = {name: digest for name, digest in digests(originals).items() if is_wheel(name)}
    assert digests(programs.home / "got") == expected


def test_pip_gets_every_sdist_byte_for_byte(published: Served, originals: Path, programs: Programs) -> None:
    # pip builds the metadata of each, with the setuptools that was published here.
    programs.run("python", "-m", "pip", "install", "--target", "tools", "--index-url", index(published), "setuptools")
    options = ["--no-deps", "--no-build-isolation", "--dest", "got", "--index-url", index(published)]
    line = shlex.join(["python", "-m", "pip", "download", *options, *SDISTS, *MADE_SDISTS])
    programs.shell(f"PYTHONPATH=$PWD/tools {line}")
    expected = {name: digest for name, digest in digests(originals).items() if not is_wheel(name)}
    assert digests(programs.home / "got") == expected


@pytest.mark.parametrize("kind", ["wheels", pytest.param("sdists", marks=pytest.mark.long)])
def test_uv_installs_every_distribution_and_finds_its_bytes_unchanged(
    published: Served, originals: Path, programs: Programs, kind: str
) -> None:
    wanted = [file for file in sorted(originals.iterdir()) if is_wheel(file.name) == (kind == "wheels")]
    (programs.home / "wanted.txt").write_text("\n".join(map(requirement, wanted)), encoding="utf-8")
    options = ["--no-deps", "--require-hashes", "--default-index", index(published), "--target", "got"]
    options += [*UV_PLATFORM, "--no-build"] if kind == "wheels" else ["--python", sys.executable]
    before = len(published.access_lines)
    programs.run("uv", "pip", "install", *options, "--requirement", "wanted.txt")
    assert len([*(programs.home / "got").glob("*.dist-info")]) == len(wanted)
    fetched = [line for line in published.access_lines[before:] if '"GET ' in line]
    for original in wanted:  # whole, and not from a cache
        path = f"/files/{sha256(original.read_bytes()).hexdigest()}/{quote(original.name, safe='+!')}"
        assert any(f'{path}" 200 {original.stat().st_size} ' in line for line in fetched), original.name


def test_what_is_served_is_what_was_published(published: Served, originals: Path) -> None:
    for name, digest in digests(originals).items():
        answer = wire.get(f"{address(published)}/files/{digest}/{quote(name)}", SECRET)
        assert answer.status == 200
        assert sha256(answer.body).hexdigest() == digest, name
