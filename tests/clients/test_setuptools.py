"""``setup.py upload``, which setuptools had until version 71, and which old build scripts still call."""

import base64
import hashlib
import json
import sys
import textwrap
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.distributions import SETUP
from tests.clients.served import Served
from tests.clients.toolbox import Tool, Toolbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="setuptools 65 does not run on Python 3.12 and later"),
]


def test_setup_py_upload_publishes_an_sdist(
    serve: Callable[..., Served], home: Path, toolbox: Toolbox, tmp_path: Path
) -> None:
    server = serve()
    address = f"{server.api}/projects/1/packages/pypi"
    (home / ".pypirc").write_text(
        textwrap.dedent(f"""\
            [distutils]
            index-servers = here
            [here]
            repository = {address}
            username = any
            password = {server.secret}
        """)
    )
    project = tmp_path / "project"
    project.mkdir()
    (project / "setup.py").write_text(SETUP.format(name="demo", version="1.0", module="demo"))
    (project / "demo.py").write_text("VERSION = '1.0'\n")
    tool = Tool(home, toolbox.scripts("setuptools-65"))

    shown = tool.run("python", "setup.py", "sdist", "upload", "--repository", "here", cwd=project, status=1)

    # setuptools knows no other success than 200. GitLab answers 201, and so do we; the file is published.
    assert "Upload failed (201): Created" in shown
    login = base64.b64encode(f"any:{server.secret}".encode()).decode()
    accept = "application/vnd.pypi.simple.v1+json"
    page = urllib.request.Request(
        f"{address}/simple/demo", headers={"Accept": accept, "Authorization": f"Basic {login}"}
    )
    with urllib.request.urlopen(page) as response:
        [file] = json.load(response)["files"]
    sent = (project / "dist" / "demo-1.0.tar.gz").read_bytes()
    assert (file["filename"], file["hashes"]["sha256"]) == ("demo-1.0.tar.gz", hashlib.sha256(sent).hexdigest())


def test_it_sends_a_blake2_digest_of_64_bytes(toolbox: Toolbox, home: Path) -> None:
    tool = Tool(home, toolbox.scripts("setuptools-65"))
    code = (
        "import setuptools, distutils.command.upload as upload; "
        "print(upload._FILE_CONTENT_DIGESTS['blake2_256_digest']().digest_size)"
    )
    assert tool.run("python", "-c", code).strip() == str(hashlib.blake2b().digest_size) == "64"
