"""twine, pip and uv, run as on a machine that knows nothing of the one that runs the tests."""

import os
import shlex
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(sysconfig.get_path("scripts"))
"""Where the programs of the tests' own environment are: twine, uv, flask."""


@dataclass(frozen=True)
class Programs:
    """Programs, with a home folder of their own and no settings from outside."""

    home: Path
    first: Path = SCRIPTS
    """The folder in which programs are looked for first."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join([str(self.first), str(SCRIPTS), os.defpath]),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "1000",  # twine breaks its lines to fit
            "NO_COLOR": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",  # it would ask our index for pip, and be forwarded
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(self.home / "uv-cache"),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    def shell(self, line: str, cwd: Path | None = None, *, status: int = 0) -> str:
        """Run a line as if it was pasted into a shell; return all that it prints."""
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            env=self.environment,
            cwd=cwd or self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=180,
        )
        assert done.returncode == status, f"{line}\n{done.stdout}"
        return done.stdout

    def run(self, *arguments: str | Path, cwd: Path | None = None, status: int = 0) -> str:
        """Run a program; return all that it prints."""
        return self.shell(shlex.join(map(str, arguments)), cwd, status=status)

    def twine_upload(self, address: str, secret: str, *files: Path, status: int = 0) -> str:
        """Publish files at ``…/projects/:id/packages/pypi``."""
        options = ("--disable-progress-bar", "--non-interactive", "--repository-url", address)
        return self.run("twine", "upload", *options, "--username", "any", "--password", secret, *files, status=status)


def with_login(address: str, secret: str, user: str = "any") -> str:
    """Put a user and a secret into an address, as pip and uv take them."""
    return address.replace("://", f"://{user}:{secret}@", 1)


@dataclass(frozen=True)
class VirtualEnvironment:
    """A virtual environment with the pip that Python brings, and nothing else."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "VirtualEnvironment":
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        return cls(folder)

    @property
    def scripts(self) -> Path:
        return Path(sysconfig.get_path("scripts", "venv", {"base": str(self.folder)}))

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))
