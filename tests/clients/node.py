"""The clients from npm: their versions, and those of all that they need, are in ``npm/package-lock.json``."""

import fcntl
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

_LOCKED = Path(__file__).with_name("npm")
NPM = shutil.which("npm")


def node_modules(cache: Path) -> Path:
    """Return the folder of the packages, which is created once in a cache folder."""
    lock = (_LOCKED / "package-lock.json").read_bytes()
    folder = cache / f"npm-{sha256(lock).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)  # pytest may run in several processes
        finished = folder / "finished"
        if not finished.exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_LOCKED / name, folder)
            assert NPM
            command = [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            finished.touch()
    return folder / "node_modules"
