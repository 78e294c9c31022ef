import re
import shlex
from pathlib import Path

import pytest

from tests.clients.programs import Programs
from tests.clients.wire import get
from tests.examples.readme import Example
from tests.ports import free_port
from tests.servers.running import process

pytest.importorskip("a2wsgi")
pytestmark = pytest.mark.slow


def test_the_lines_of_the_readme_publish_and_install(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    programs, example, port = Programs(tmp_path / "home"), Example.copied("fastapi_app", tmp_path), free_port()
    printed = programs.shell(example.line("pypi-registry token"))
    [secret], [digest] = re.findall(r"^registry-\S+$", printed, re.MULTILINE), re.findall('sha256 = "(.*)"', printed)
    command = [*shlex.split(example.line("uvicorn ")), "--port", str(port)]
    with process(command, example.folder, port, environment={"TOKEN_SHA256": digest}):
        assert get(f"http://127.0.0.1:{port}/").body == b'{"team":"ours"}'
        assert get(f"http://127.0.0.1:{port}/api/v4/projects/1/packages/pypi/simple/").status == 401
        example.publish_and_install(programs, f"127.0.0.1:{port}", secret, shown="127.0.0.1:8000", says_why=False)
    assert (example.folder / "data" / "catalogue.sqlite3").is_file()


def test_without_a_token_every_request_is_unauthorized(tmp_path: Path) -> None:
    example, port = Example.copied("fastapi_app", tmp_path), free_port()
    command = [*shlex.split(example.line("uvicorn ")), "--port", str(port)]
    with process(command, example.folder, port):
        for secret in ("", "a guess"):
            assert get(f"http://127.0.0.1:{port}/api/v4/projects/1/packages/pypi/simple/", secret).status == 401
