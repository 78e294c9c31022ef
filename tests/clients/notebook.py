"""A notebook: a page in Chromium, of another origin than the registry, in which micropip in Pyodide installs."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.clients.devtools import Browser, browser

MICROPIP = "micropip==0.11.1"
PYTHON_OF_PYODIDE = "3.14"
PATIENCE = 180.0
"""Seconds: Python in WebAssembly takes long to start on a machine that is busy."""

_INSTALL = """
(async () => {{
    const {{ loadPyodide }} = await import("/pyodide/pyodide.mjs");
    const python = await loadPyodide({{ indexURL: "/pyodide/" }});
    await python.loadPackage({wheels}, {{ checkIntegrity: false }});
    return await python.runPythonAsync({program});
}})()
"""
_PROGRAM = """
import json, micropip
before = set(micropip.list())
await micropip.install({requirement!r}, index_urls={indexes!r})
json.dumps({{name: found.version for name, found in micropip.list().items() if name not in before}})
"""


class _Quiet(SimpleHTTPRequestHandler):
    """Sends files, and prints nothing."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def notebook(root: Path, profile: Path, login: tuple[str, str] | None = None) -> Iterator[Browser]:
    """Run a browser with the notebook, which is created in the folder `root` of its origin.

    :param login: what its user would type if the registry asked for a password.
    """
    root.mkdir()
    (root / "index.html").write_text("<!DOCTYPE html><title>A notebook</title>", encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            with browser(profile, login=login, patience=PATIENCE) as window:
                window.visit(f"http://127.0.0.1:{server.server_port}/index.html")
                yield window
        finally:
            server.shutdown()
            thread.join()


def micropip_installs(
    window: Browser, root: Path, node_modules: Path, requirement: str, *indexes: str
) -> Mapping[str, str]:
    """Install from the first of several indexes that has a name; return the versions of what is installed, by name."""
    (root / "pyodide").symlink_to(node_modules / "pyodide")
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON_OF_PYODIDE)
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(root), MICROPIP, "packaging"]
    subprocess.run(command, check=True)
    wheels = [f"/{wheel.name}" for wheel in root.glob("*.whl")]
    program = _PROGRAM.format(requirement=requirement, indexes=[*indexes])
    printed = window.value_of(_INSTALL.format(wheels=json.dumps(wheels), program=json.dumps(program)))
    installed: Mapping[str, str] = json.loads(str(printed))
    return installed
