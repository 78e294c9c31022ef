"""Check what was built: the wheel holds the package and nothing else, and both install and work on their own.

Usage: python .ci/check_distributions.py DIST
"""

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
installed = {d.name.lower() for d in importlib.metadata.distributions()} - {"pip", "setuptools"}
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


def main(folder: Path) -> None:
    """Check the one wheel and the one sdist in a folder."""
    [wheel], [sdist] = [*folder.glob("*.whl")], [*folder.glob("*.tar.gz")]
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.split("\n")
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
            subprocess.run([python, "-m", "pip", "install", "--quiet", distribution.resolve()], check=True)
            subprocess.run([python, "-W", "error", "-c", SMOKE], check=True, cwd=empty)
            subprocess.run([f"{empty}/venv/bin/pypi-registry", "--version"], check=True, cwd=empty)
        print(f"{distribution.name}: installs, imports, answers")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
