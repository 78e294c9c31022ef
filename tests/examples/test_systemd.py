"""The units of systemd: systemd accepts them, their commands run, and need no more than they are allowed."""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients.programs import SCRIPTS
from tests.clients.served import PATIENCE, until
from tests.clients.wire import get, login, request, upload
from tests.examples.readme import EXAMPLES
from tests.ports import free_port

UNITS = EXAMPLES / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
PROGRAM = "/opt/pypi-registry/bin/pypi-registry"
NEEDS_SYSTEMD = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")


def values(unit: Path, key: str) -> list[str]:
    """Return the values of a key in a unit."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)


def command(unit: Path, **replaced: str) -> list[str]:
    """Return the command of a unit, with paths and ports of this machine."""
    [line] = values(unit, "ExecStart")
    for example, here in {PROGRAM: str(SCRIPTS / "pypi-registry"), **replaced}.items():
        assert example in line
        line = line.replace(example, here)
    return shlex.split(line)


def test_the_units_are_found() -> None:
    assert [unit.name for unit in SERVICES] == ["pypi-registry-backup.service", "pypi-registry.service"]


@NEEDS_SYSTEMD
@pytest.mark.slow
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in UNITS.glob("pypi-registry*"):
        text = unit.read_text(encoding="utf-8").replace(PROGRAM, "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *tmp_path.iterdir()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert (done.returncode, [line for line in done.stdout.splitlines() if "pypi-registry" in line]) == (0, [])


@NEEDS_SYSTEMD
@pytest.mark.slow
@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_systemd_rates_the_exposure_of_each_service_as_low(unit: Path) -> None:
    """``OK`` is below 2.0 of 10."""
    threshold = ["--offline=true", "--threshold=20", str(unit)]
    done = subprocess.run(["systemd-analyze", "security", *threshold], capture_output=True, encoding="utf-8")
    if "Unknown option" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip("this systemd rates only units that are loaded")
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


@cache
def allowed_calls(unit: Path) -> frozenset[str]:
    """Return the calls of the system that a unit allows, as systemd itself knows its sets."""
    listing = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, encoding="utf-8", check=True)
    sets: dict[str, list[str]] = {}
    for line in listing.stdout.splitlines():
        if line.startswith("@"):
            members = sets[line.strip()] = []
        elif line.startswith(" ") and not line.strip().startswith("#"):
            members.append(line.strip())

    def expanded(name: str) -> Iterator[str]:
        for member in sets.get(name, [name]):
            yield from expanded(member) if member.startswith("@") else (member,)

    found: set[str] = set()
    for value in values(unit, "SystemCallFilter"):
        named = {call for name in value.removeprefix("~").split() for call in expanded(name)}
        found = found - named if value.startswith("~") else found | named
    return frozenset(found)


@pytest.mark.slow
def test_the_commands_run_and_make_no_call_that_their_units_refuse(tmp_path: Path) -> None:
    serve, backup = UNITS / "pypi-registry.service", UNITS / "pypi-registry-backup.service"
    data, target, port, metrics = tmp_path / "data", tmp_path / "backup", free_port(), free_port()
    folders = {"--data /var/lib/pypi-registry": f"--data {data}"}
    running = command(serve, **folders, **{"--port 8080": f"--port {port}", "--metrics 9100": f"--metrics {metrics}"})
    backing_up = command(backup, **folders, **{"/srv/backup/pypi-registry": str(target)})
    can_trace = bool(shutil.which("strace") and shutil.which("systemd-analyze"))
    # With -D the server is the child, and strace its child.
    trace = ["strace", "-D", "-f", "-qq", "-o", str(tmp_path / "calls")] if can_trace else []
    out = tmp_path / "out"
    with out.open("wb") as stream:
        server = subprocess.Popen([*trace, *running], stdout=stream, stderr=stream, cwd=tmp_path)
    try:
        until(lambda: "Serving on" in out.read_text() or server.poll() is not None)
        assert server.poll() is None, out.read_text()
        secret = next(word for word in out.read_text().split() if word.startswith("registry-"))
        project = f"http://127.0.0.1:{port}/api/v4/projects/1/packages"
        filename = "demo-1.0.tar.gz"
        form = {"name": "demo", "version": "1.0"}
        assert upload(f"{project}/pypi", secret, form, filename, distribution(filename)).status == 201
        assert get(f"{project}/pypi/simple/demo/", secret).status == 200
        assert get(f"http://127.0.0.1:{port}/-/readiness").status == 200
        assert b"pypi_registry_uploads_total 1.0" in get(f"http://127.0.0.1:{metrics}/metrics").body
        assert subprocess.run(backing_up, cwd=tmp_path).returncode == 0
        [package] = json.loads(get(project, secret).body)
        assert request("DELETE", f"{project}/{package['id']}", login(secret)).status == 204
    finally:
        server.terminate()
        assert server.wait(PATIENCE) == 0
    assert (target / "catalogue.sqlite3").exists()
    if can_trace:
        calls = set(re.findall(r"^\d+ +(\w+)\(", (tmp_path / "calls").read_text(errors="replace"), re.MULTILINE))
        assert {"openat", "fsync", "accept4"} <= calls
        # SQLite calls fchown() only for root, and the service has another user.
        assert calls - allowed_calls(serve) - {"fchown"} == set()
