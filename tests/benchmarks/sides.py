"""Two versions of the package as processes that `tests.benchmarks.side` runs, with equal data and requests."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pypi_registry.accounts import token_digest
from tests.benchmarks import forms
from tests.benchmarks.registry import GROUP, GROUP_SIMPLE, HTML, JSON, LOGIN, PROJECTS, SECRET, SIMPLE, Ask, project

ROOT = Path(__file__).parents[2]
TEN, SHARED, PRIVATE = "ten", "shared", "private"
ELSEWHERE = "https://mirror.example/simple/"

REGISTRY_TOML = f"""
forward_to = "{ELSEWHERE}"

[[users]]
name = "ada"
roles = {{ "{GROUP}" = "developer" }}

[[tokens]]
user = "ada"
kind = "personal"
scopes = ["api"]
sha256 = "{token_digest(SECRET)}"
"""


def _request(path: str, status: int = 200, *, page: str = "", accept: str = JSON, **headers: str) -> dict[str, Any]:
    sent = Ask(path, {**LOGIN, "Accept": accept, "Accept-Encoding": "identity", **headers}).headers
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items()}
    return {"path": path, "status": status, "page": page, "headers": environ}


REQUESTS = {
    "page": _request(f"{SIMPLE}/{TEN}/"),
    "page in HTML": _request(f"{SIMPLE}/{TEN}/", accept=HTML),
    "group page": _request(f"{GROUP_SIMPLE}/{SHARED}/"),
    "304": _request(f"{SIMPLE}/{TEN}/", 304, page=f"{SIMPLE}/{TEN}/", **{"If-None-Match": "*"}),
    "404 of a private name": _request(f"{SIMPLE}/{PRIVATE}/", 404),
    "forward": _request(f"{SIMPLE}/missing/", 302),
    "file of 10 KB": _request("", page=f"{SIMPLE}/{TEN}/"),
}


class Side:
    """A process that measures one version."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def call(self, name: str, *arguments: object) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([name, *arguments]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a side ended with status {self._process.wait()}")
        return json.loads(line)


@contextmanager
def new_and_old(old: Path, uploads: int) -> Iterator[tuple[Side, Side]]:
    """Start this version, and the one whose checkout is the folder `old`; each has so many uploads to send."""
    memory = Path("/dev/shm")  # waits for no disk
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name, ExitStack() as stack:
        folders = [Path(name) / side for side in ("new", "old")]
        _write(folders[0], uploads)
        _write(folders[1], uploads)
        new, other = (
            stack.enter_context(_started(checkout, folder))
            for checkout, folder in zip((ROOT, old), folders, strict=True)
        )
        yield new, other


@contextmanager
def _started(checkout: Path, folder: Path) -> Iterator[Side]:
    if not (checkout / "pypi_registry").is_dir():
        raise SystemExit(f"{checkout} is not a checkout: it has no folder pypi_registry")
    # -P: the folder of the program is not on the path, so the package is that of the checkout.
    command = [sys.executable, "-P", str(Path(__file__).with_name("side.py")), str(folder)]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield Side(process)
    finally:
        process.kill()
        process.communicate()


def _write(folder: Path, uploads: int) -> None:
    """Write the configuration, the requests, and the bodies of uploads."""
    for part in ("fill", "new"):
        (folder / part).mkdir(parents=True)
    projects = "".join(f'[[projects]]\nid = {each}\npath = "{project(each).path}"\n' for each in range(1, PROJECTS + 1))
    (folder / "registry.toml").write_text(REGISTRY_TOML + projects, encoding="utf-8")
    requests = {"requests": REQUESTS, "boundary": forms.BOUNDARY}
    (folder / "requests.json").write_text(json.dumps(requests), encoding="utf-8")
    filled = [
        *((1, TEN, f"1.{number}") for number in range(10)),
        *((number, SHARED, f"{number}.0") for number in range(1, 11)),
        (2, PRIVATE, "1.0"),
    ]
    for number, (project_id, name, version) in enumerate(filled):
        body = forms.upload_body(name, version)
        (folder / "fill" / f"{project_id}-{number:03}").write_bytes(body)
    for number in range(uploads):
        body = forms.upload_body(f"small-{number % 50}", f"1.{number}")
        (folder / "new" / f"{number:06}").write_bytes(body)
