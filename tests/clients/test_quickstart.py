"""The quickstart, followed to the letter in a clone."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.served import PATIENCE, until
from tests.clients.wire import get
from tests.servers.running import free_port
from tests.test_docs import PAGES, ROOT, blocks, text_of

pytestmark = pytest.mark.slow

PAGE = PAGES["quickstart.md"]
NOT_IN_A_CLONE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "_build", "pypi-registry-*")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT, tmp_path / "clone", ignore=NOT_IN_A_CLONE))


@dataclass(frozen=True)
class Terminal:
    """A terminal in which a port that is free stands for 8080, as the page advises."""

    folder: Path
    port: int

    def adapted(self, text: str) -> str:
        port = str(self.port)
        return text.replace("8080", port).replace("-m pypi_registry serve", f"-m pypi_registry serve --port {port}")

    def type(self, lines: str, environment: Mapping[str, str] | None = None) -> str:
        """Run lines, each of which must end well; return all that they print."""
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", self.adapted(lines)],
            cwd=self.folder,
            env={**os.environ, "COLUMNS": "1000", "NO_COLOR": "1", **(environment or {})},
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


def test_to_the_letter(clone: Path, home: Path, tmp_path: Path) -> None:
    start, make, token, publish, install, install_with_uv, uv_alone, delete, start_again = blocks(PAGE, "sh")
    printed, netrc = blocks(PAGE, "text")
    pypirc, pip_conf = blocks(PAGE, "ini")
    [make_a_token] = re.findall(r"`(\S+ -m pypi_registry token add)`", text_of(PAGE))
    port = free_port()
    first, second = Terminal(clone, port), Terminal(tmp_path / "quickstart", port)
    made = Terminal(tmp_path, port).type(f"{make}\nls dist")  # with the index that this machine has
    assert made.splitlines()[-2:] == ["mypypipackage-0.0.1-py3-none-any.whl", "mypypipackage-0.0.1.tar.gz"]

    with first.running(start) as log:
        expected = r"(registry-[^\s@]+)".join(map(re.escape, first.adapted(printed).split("registry-…")))
        shown = re.search(expected, text_of(log))
        assert shown, text_of(log)
        [secret] = {*shown.groups()}

    with first.running(start_again) as log:
        assert text_of(log) == first.adapted("Serving on http://127.0.0.1:8080/api/v4/\n")
        for name, text in ((".pypirc", pypirc), (".netrc", netrc), ("pip.conf", pip_conf)):
            (home / name).write_text(second.adapted(text.replace("registry-…", secret)))
        environment = {
            "HOME": str(home),
            "TERM": "dumb",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(home / "uv-cache"),
        }
        begin = f". .venv/bin/activate\n{token.replace('registry-…', secret)}"
        second.type(f"{begin}{publish}", environment)
        for again in (publish.strip(), "twine upload --repository gitlab dist/*"):
            refused = second.type(f"{begin}{again} || true", environment)
            assert "400 Bad Request" in refused and "File name has already been taken" in refused
        greeted = second.type(f"{begin}{install}{install_with_uv}", environment)
        assert greeted.splitlines().count("Hello from mypypipackage") == 2
        [briefly] = re.findall(r"`(pip install \S+)`", text_of(PAGE))
        environment["PIP_CONFIG_FILE"] = str(home / "pip.conf")
        assert "Successfully installed" in second.type(f"{begin}pip uninstall -y mypypipackage\n{briefly}", environment)
        greeting = "python -c 'import mypypipackage; mypypipackage.greet()'"
        greeted = second.type(f"{begin}uv pip uninstall mypypipackage\n{uv_alone}{greeting}", environment)
        assert "Hello from mypypipackage" in greeted

        listed, yanked, *_ = second.type(
            f"{begin}{delete}".replace("curl ", "curl --fail --silent --write-out '\\n' "), environment
        ).splitlines()
        assert '"version": "0.0.1"' in listed and '"yanked": "broken"' in yanked
        assert json.loads(second.type(f"{begin}{delete.splitlines()[0]}", environment).splitlines()[-1]) == []

        printed_token = first.type(make_a_token)
        [another] = re.findall(r"^registry-\S+$", printed_token, re.MULTILINE)
        index = first.adapted("http://127.0.0.1:8080/api/v4/projects/1/packages/pypi/simple/")
        until(lambda: get(index, another).status == 200)
