"""Distributions to publish: made on the spot, or written by the manual."""

import io
import tarfile
import zipfile
from pathlib import Path

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Made for a test\n"
SETUP = "from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=[{module!r}])\n"


def make_wheel(folder: Path, name: str, version: str, *, stated: str | None = None) -> Path:
    """Make a wheel with one module, which says the version; `stated` is what the metadata says instead of it."""
    folder.mkdir(parents=True, exist_ok=True)
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{module}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": METADATA.format(name=name, version=version if stated is None else stated),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    wheel = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def make_sdist(folder: Path, name: str, version: str) -> Path:
    """Make an sdist with one module, which setuptools builds."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    files = {
        "PKG-INFO": METADATA.format(name=name, version=version),
        "setup.py": SETUP.format(name=name, version=version, module=module),
        f"{module}.py": f"VERSION = {version!r}\n",
    }
    sdist = folder / f"{module}-{version}.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"{module}-{version}/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return sdist


# GitLab's manual, "Build a PyPI package", to the letter.
MANUAL = {
    "mypypipackage/__init__.py": "from .greet import SayHello\n",
    "mypypipackage/greet.py": """\
def SayHello():
    print("Hello from MyPyPiPackage")
    return
""",
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=61.0"]
build-backend = "setuptools.build_meta"

[project]
name = "mypypipackage"
version = "0.0.1"
authors = [
    { name="Example Author", email="author@example.com" },
]
description = "A small example package"
requires-python = ">=3.7"
classifiers = [
   "Programming Language :: Python :: 3",
   "Operating System :: OS Independent",
]

[tool.setuptools.packages]
find = {}
""",
}


def write_manual_package(folder: Path) -> None:
    """Write the package that GitLab's manual builds and publishes."""
    for path, text in MANUAL.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
