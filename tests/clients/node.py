"""The clients from npm: their versions, and those of all that they need, are in ``package-lock.json``.

GitLab's client and Pyodide are in the folder ``npm``; Renovate, which is large, has the folder ``renovate``.
"""

import fcntl
import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

SMALL = Path(__file__).with_name("npm")
RENOVATE = Path(__file__).with_name("renovate")
NPM = shutil.which("npm")


def version_of(package: str, locked: Path) -> str:
    """Return the version that is locked for one of the clients."""
    version: str = json.loads((locked / "package.json").read_text(encoding="utf-8"))["dependencies"][package]
    return version


def node_modules(cache: Path, locked: Path = SMALL) -> Path:
    """Return the folder of the packages, which is created once in a cache folder."""
    lock = (locked / "package-lock.json").read_bytes()
    folder = cache / f"npm-{sha256(lock).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)  # pytest may run in several processes
        finished = folder / "finished"
        if not finished.exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(locked / name, folder)
            assert NPM
            command = [NPM, "ci", "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            finished.touch()
    return folder / "node_modules"
