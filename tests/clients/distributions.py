"""Distributions to publish: generated, or written by the manual."""

from pathlib import Path

from pypi_registry.testing import archives

SETUP = "from setuptools import setup\nsetup(name={name!r}, version={version!r}, py_modules=[{module!r}])\n"


def make_wheel(folder: Path, name: str, version: str, *, stated: str | None = None) -> Path:
    """Create a wheel with one module, which has the version; `stated` is the version in the metadata instead of it."""
    filename = archives.wheel_filename(name, version)
    data = archives.distribution(filename, name=name, version=version if stated is None else stated)
    return archives.Distribution(filename, data).write_to(folder)


def make_sdist(folder: Path, name: str, version: str) -> Path:
    """Create an sdist with one module, which setuptools builds."""
    module = name.replace("-", "_")
    files = {
        "setup.py": SETUP.format(name=name, version=version, module=module),
        f"{module}.py": f"VERSION = {version!r}\n",
    }
    return archives.make_sdist(name, version, files=files).write_to(folder)


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
