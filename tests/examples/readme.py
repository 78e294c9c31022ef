"""A copy of an example, run by the lines of its README."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.clients.distributions import make_wheel
from tests.clients.programs import Programs

EXAMPLES = Path(__file__).parents[2] / "examples"


@dataclass(frozen=True)
class Example:
    """A copy of an example, in a folder of its own."""

    folder: Path

    @classmethod
    def copied(cls, name: str, to: Path) -> "Example":
        shutil.copytree(EXAMPLES / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
        return cls(to / name)

    def line(self, beginning: str) -> str:
        """Return the only line of the README with this beginning."""
        lines = (self.folder / "README.md").read_text(encoding="utf-8").splitlines()
        [found] = [line for line in lines if line.startswith(beginning)]
        return found

    def publish_and_install(
        self, programs: Programs, host: str, secret: str, *, shown: str, says_why: bool = True
    ) -> None:
        """Follow the README's two lines, in which the host is `shown`; a second upload must be refused.

        `says_why` is whether the server sends the reason in the status line, which is all that twine shows.
        """
        make_wheel(programs.home / "dist", "mypypipackage", "0.0.1")
        twine, pip = (
            self.line(beginning).replace(shown, host).replace("TOKEN", secret)
            for beginning in ("twine upload ", "pip install --index-url ")
        )
        programs.shell(twine)
        site = programs.home / "site"
        programs.shell(f"PIP_TARGET={site} {pip}")
        printed = programs.run("python", "-c", "import mypypipackage; print(mypypipackage.VERSION)", cwd=site)
        assert printed == "0.0.1\n"
        assert ("already exists" if says_why else "400 Bad Request") in programs.shell(twine, status=1)
