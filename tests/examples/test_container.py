"""The image: its RUN and CMD lines, one by one, in a clean folder, as no container runs where the tests do."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients.served import PATIENCE, until
from tests.clients.wire import get, upload
from tests.examples.readme import EXAMPLES
from tests.ports import free_port

ROOT = EXAMPLES.parent
FOLDER = EXAMPLES / "container"
COMPOSE = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
PATHS = "/source", "/opt", "/data"
"""The folders of the image, which are folders of their own in a test."""


@dataclass(frozen=True)
class Instruction:
    name: str
    text: str


def instructions() -> list[Instruction]:
    """Read the Dockerfile; it continues no line."""
    lines = (FOLDER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert not any(line.endswith("\\") for line in lines)
    pairs = (line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    return [Instruction(name, text) for name, text in pairs]


def the(name: str) -> str:
    """Return the text of the only instruction with a name."""
    [found] = [each.text for each in instructions() if each.name == name]
    return found


class Image:
    """A folder instead of the file system of an image."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "HTTP"))
        } | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]), "HOME": str(root)}

    def here(self, text: str) -> str:
        """Return a text with the paths of this machine instead of those of the image."""
        for path in PATHS:
            text = re.sub(rf"(?<![\w.]){path}\b", f"{self.root}{path}", text)
        return text

    def run(self, text: str) -> None:
        line = self.here(text)
        if os.geteuid() != 0:  # only root may give a folder to another user
            line = re.sub(r" -o \d+ -g \d+", "", line)
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"

    def copy(self, text: str) -> None:
        """Copy the context of the build, as ``Dockerfile.dockerignore`` limits it."""
        if text.startswith("--from="):  # from the first stage, which is the same folder here
            source, target = text.split()[1:]
            assert source == target
            return
        assert text == ". /source"
        ignored = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        assert "*" in ignored
        for name in (line.removeprefix("!") for line in ignored if line.startswith("!")):
            path, copy = ROOT / name, self.root / "source" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, copy, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, copy)


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    """The image, built by the instructions of its file."""
    root = tmp_path / "image"
    root.mkdir()
    image = Image(root)
    for each in instructions():
        if each.name == "RUN":
            image.run(each.text)
        elif each.name == "COPY":
            image.copy(each.text)
    yield image
    shutil.rmtree(root)


@pytest.mark.slow
def test_each_line_of_the_image_runs_and_its_command_serves_a_registry(image: Image) -> None:
    port, data = free_port(), image.root / "data"
    assert data.stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        assert f"{data.stat().st_uid}:{data.stat().st_gid}" == the("USER")
        os.chown(data, 0, 0)  # the command runs as root here: the Python of this test may be in a folder of root
    serve, check = (
        [image.here(word).replace("8080", str(port)) for word in json.loads(text[text.index("[") :])]
        for text in (the("CMD"), the("HEALTHCHECK"))
    )
    out = image.root / "out"
    with out.open("wb") as stream:
        server = subprocess.Popen(serve, stdout=stream, stderr=stream, cwd=data, env=image.environment)
    try:
        until(lambda: "Serving on" in out.read_text() or server.poll() is not None)
        assert server.poll() is None, out.read_text()
        assert subprocess.run(check, env=image.environment).returncode == 0
        secret = next(word for word in out.read_text().split() if word.startswith("registry-"))
        project = f"http://127.0.0.1:{port}/api/v4/projects/1/packages/pypi"
        form, filename = {"name": "demo", "version": "1.0"}, "demo-1.0.tar.gz"
        assert upload(project, secret, form, filename, distribution(filename)).status == 201
        assert get(f"{project}/simple/demo/", secret).status == 200
        (data / "files").rename(data / "elsewhere")
        until(lambda: subprocess.run(check, env=image.environment, capture_output=True).returncode == 1)
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0


def test_the_parts_of_the_image_agree() -> None:
    words = json.loads(the("CMD"))
    assert words[words.index("--data") + 1] == the("VOLUME") == the("WORKDIR")
    assert words[words.index("--port") + 1] == the("EXPOSE")
    assert f"127.0.0.1:{the('EXPOSE')}/-/readiness" in the("HEALTHCHECK")
    assert f'"127.0.0.1:{the("EXPOSE")}:{the("EXPOSE")}"' in COMPOSE
    assert f"- data:{the('VOLUME')}\n" in COMPOSE
    assert "dockerfile: examples/container/Dockerfile\n" in COMPOSE


def test_the_readme_names_the_programs_of_the_image() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"/opt/\S+", readme)) == {json.loads(the("CMD"))[0]}
