"""A real program with a tree of dependencies: fetched from where pip finds packages, each file of each version."""

import json
import os
import re
import shlex
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pypi_registry.forwarding import PYPI
from tests.clients.toolbox import Tool, Toolbox, alone_in, as_pip_is_configured
from tests.clients.ways import READ_INDEX, READER

ROOT = "cruft==2.12.0"
VERSIONS = tuple(Path(__file__).with_name("tree.txt").read_text(encoding="utf-8").split())
"""All that it needs on any platform. The public index has more versions than ours, so either is held to these."""


def public_settings() -> dict[str, str]:
    """Return the settings with which a client reaches the index that pip is configured for, over TLS, too."""
    outside = {**as_pip_is_configured(), **os.environ}
    certificate = outside.get("SSL_CERT_FILE", "")
    found = {"SSL_CERT_FILE": certificate, "REQUESTS_CA_BUNDLE": certificate} if certificate else {}
    proxies = {name: value for name, value in outside.items() if name.lower().endswith("_proxy")}
    return {**found, **proxies}


def public_index() -> str:
    outside = {**as_pip_is_configured(), **os.environ}
    return outside.get("UV_DEFAULT_INDEX") or outside.get("UV_INDEX_URL") or PYPI


@dataclass(frozen=True)
class Tree:
    """The fetched files, and how the public index lists them."""

    folder: Path
    said: list[dict[str, Any]]

    @classmethod
    def fetch(cls, toolbox: Toolbox, home: Path) -> "Tree":
        """Fetch it, unless it has been fetched before."""
        key = sha256(" ".join(VERSIONS).encode()).hexdigest()[:16]
        folder = toolbox.folder / f"tree-{key}"
        listing = folder / "listing.json"
        with alone_in(toolbox.folder):
            if not listing.exists():
                tool = Tool(home, toolbox.scripts(READER), public_settings())
                line = ["python", str(READ_INDEX), public_index(), str(folder / "files"), *VERSIONS]
                printed = tool.shell(shlex.join(line))
                listing.write_text(printed, encoding="utf-8")
        return cls(folder / "files", json.loads(listing.read_text(encoding="utf-8")))

    @property
    def files(self) -> dict[str, bytes]:
        return {each["filename"]: (self.folder / each["filename"]).read_bytes() for each in self.said}

    @property
    def metadata(self) -> dict[str, bytes]:
        """Give, by file, the metadata that the public index serves beside it."""
        found = self.folder.glob("*.metadata")
        return {path.name.removesuffix(".metadata"): path.read_bytes() for path in found}


def read_lock(text: str) -> dict[str, tuple[str, frozenset[tuple[str, str, int]]]]:
    """Give, by name, the version and the files (name, digest, size) of all in a ``uv.lock`` that came from an index."""
    found = {}
    for package in tomllib.loads(text)["package"]:
        if "registry" in package["source"]:
            files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
            listed = frozenset((file["url"].rpartition("/")[2], file["hash"], file["size"]) for file in files)
            found[package["name"]] = package["version"], listed
    return found


def read_requirements(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Give, by name, the version and the digests of all in a file of requirements."""
    found = {}
    for each in re.findall(r"^\S.*==(?:.*\\\n)*.*$", text, re.MULTILINE):
        name, version = re.findall(r"^(\S+)==(\S+)", each)[0]
        found[name] = version, frozenset(re.findall(r"sha256:[0-9a-f]{64}", each))
    return found
