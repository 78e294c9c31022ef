"""Build sdist and wheel, and check them.

Two builds have the same bytes, the wheel holds the package and nothing else, and both install and work on their own.

Usage: SOURCE_DATE_EPOCH=SECONDS python .ci/check_distributions.py DIST
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

METADATA = ("METADATA", "RECORD", "WHEEL", "LICENSE", "entry_points.txt")

SMOKE = """
import importlib.metadata, sys
import pypi_registry
from pypi_registry.__main__ import main
assert "site-packages" in pypi_registry.__file__, pypi_registry.__file__
assert pypi_registry.is_valid_version("1.0rc1") and not pypi_registry.is_valid_version("latest")
installed = {d.name.lower() for d in importlib.metadata.distributions()} - {"pip", "setuptools", "flit_core"}
assert installed == {"pypi-registry", "werkzeug", "packaging", "markupsafe"}, installed
statuses = []
def start_response(status, headers, exc_info=None):
    statuses.append(status)
environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/projects/1/packages/pypi/simple/", "wsgi.input": sys.stdin.buffer}
body = b"".join(pypi_registry.Registry()(environ, start_response))
assert statuses == ["200 OK"] and b"Links for 1" in body, (statuses, body)
assert main(["token"]) == 0
assert main(["serve"]) == 2  # it needs the extra, and says so
"""


def build(tracked: list[str], source: Path, umask: int, modified: int) -> dict[str, bytes]:
    """Build in a copy of the tracked files, whose modes and times differ from those of other copies."""
    before = os.umask(umask)
    try:
        for name in tracked:
            copy = source / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(Path(name).read_bytes())
            os.utime(copy, (modified, modified))
        subprocess.run([sys.executable, "-m", "build", "--quiet", "--no-isolation", source], check=True)
    finally:
        os.umask(before)
    return {path.name: path.read_bytes() for path in (source / "dist").iterdir()}


def build_twice(tracked: list[str], folder: Path) -> None:
    """Build sdist and wheel into a folder, and require that a second build elsewhere has the same bytes."""
    assert "SOURCE_DATE_EPOCH" in os.environ
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        built = build(tracked, Path(first, "a"), 0o022, 1_000_000_000)
        assert built == build(tracked, Path(second, "another folder"), 0o077, 1_700_000_000), "not reproducible"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in built.items():
        (folder / name).write_bytes(content)
        print(f"{name}: built twice, the same bytes")


def main(folder: Path) -> None:
    """Build and check the one wheel and the one sdist of a folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    tracked = [name for name in listed.split("\0") if name]
    build_twice(tracked, folder)
    [wheel], [sdist] = [*folder.glob("*.whl")], [*folder.glob("*.tar.gz")]
    package = {name for name in tracked if name.startswith("pypi_registry/")}
    names = set(zipfile.ZipFile(wheel).namelist())
    metadata = {name for name in names if ".dist-info/" in name}
    assert names - metadata == package, (names - metadata) ^ package
    assert "pypi_registry/py.typed" in package
    assert {Path(name).name for name in metadata} == set(METADATA), metadata
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert package | {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= inside, package - inside
    for distribution in (wheel, sdist):
        with tempfile.TemporaryDirectory() as empty:
            subprocess.run([sys.executable, "-m", "venv", f"{empty}/venv"], check=True)
            python = f"{empty}/venv/bin/python"
            pip = [python, "-m", "pip", "install", "--quiet"]
            subprocess.run([*pip, "--require-hashes", "-r", ".ci/requirements/base.txt"], check=True)
            subprocess.run([*pip, "--no-deps", "--no-build-isolation", distribution.resolve()], check=True)
            subprocess.run([python, "-m", "pip", "check"], check=True, stdout=subprocess.DEVNULL)
            subprocess.run([python, "-W", "error", "-c", SMOKE], check=True, cwd=empty)
            subprocess.run([f"{empty}/venv/bin/pypi-registry", "--version"], check=True, cwd=empty)
        print(f"{distribution.name}: installs, imports, answers")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
