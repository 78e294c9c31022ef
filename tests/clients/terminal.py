"""A terminal, into which the blocks of a page are typed."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.served import PATIENCE, until
from tests.test_docs import text_of


@dataclass(frozen=True)
class Terminal:
    """A terminal in which a port that is free stands for 8080, as the pages advise."""

    folder: Path
    port: int
    instead: Mapping[str, str] = field(default_factory=dict)
    """What stands for other texts of a page, such as its folders."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def adapted(self, text: str) -> str:
        for shown, here in self.instead.items():
            text = text.replace(shown, here)
        for program in ("-m pypi_registry", "pypi-registry"):
            text = text.replace(f"{program} serve", f"{program} serve --port {self.port}")
        return text.replace("8080", str(self.port))

    def type(self, lines: str, environment: Mapping[str, str] | None = None) -> str:
        """Run lines, each of which must end well; return all that they print."""
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", self.adapted(lines)],
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "1000", "NO_COLOR": "1", **self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=20 * PATIENCE,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextmanager
    def running(self, line: str) -> Iterator[Path]:
        """Run a line that goes on until Ctrl-C; return the file with what it prints, once it serves."""
        log = self.folder / "terminal.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                ["/bin/sh", "-c", self.adapted(line)],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        try:
            until(lambda: "Serving on" in text_of(log) or process.poll() is not None, 20 * PATIENCE)
            assert process.poll() is None, text_of(log)
            yield log
            os.killpg(process.pid, signal.SIGINT)
            process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(PATIENCE)
        assert "Traceback" not in text_of(log), text_of(log)
