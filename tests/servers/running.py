"""The servers of the matrix: how each is started, and where each differs from the others."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pypi_registry._publishing.form import MAX_FIELDS
from tests.clients.programs import SCRIPTS
from tests.clients.served import PATIENCE, until
from tests.ports import free_port

SECRET = "the-secret-of-the-matrix"
MAX_FILE_SIZE = 1_000_000

ROOT = Path(__file__).parents[2]
APPLICATION = "tests.servers.target:application"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server, and the behaviour that WSGI does not define."""

    name: str
    module: str = ""
    """The module that must be installed."""
    command: tuple[str, ...]
    """Its arguments, with ``{port}`` in them; the first is a program, or an option of Python."""
    nginx: str = ""
    """The directives of nginx in front of it; empty if there is none."""
    takes_chunks: bool = True
    """Whether it passes on a body without a length. If not, 411: the application could not know where the body ends."""
    keeps_alive: bool = True
    """Whether it accepts a second request on the same connection."""
    says_why: bool = True
    """Whether it sends the reason for a refusal in the status line, which is all that twine shows."""

    def missing(self) -> str:
        """Return what is not installed; empty if all is."""
        if self.nginx and not shutil.which("nginx"):
            return "there is no nginx"
        return "" if not self.module or find_spec(self.module) else f"{self.module} is not installed"


def _in_python(statement: str) -> tuple[str, ...]:
    return ("-c", f"from tests.servers.target import application; {statement}")


_GTHREAD = ("-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "4", APPLICATION)
_UWSGI = ("uwsgi", "--master", "--lazy-apps", "--threads", "4", "--die-on-term", "--module", APPLICATION)

SERVERS = (
    Server(
        name="gunicorn sync",
        module="gunicorn",
        command=("-m", "gunicorn", "--bind", "127.0.0.1:{port}", APPLICATION),
        keeps_alive=False,
    ),
    Server(name="gunicorn gthread", module="gunicorn", command=_GTHREAD),
    Server(name="waitress", module="waitress", command=("-m", "waitress", "--listen", "127.0.0.1:{port}", APPLICATION)),
    Server(
        name="uwsgi",
        module="pyuwsgi",
        command=(*_UWSGI, "--http-socket", "127.0.0.1:{port}"),
        takes_chunks=False,
        keeps_alive=False,
    ),
    Server(name="cheroot", module="cheroot", command=("-m", "cheroot", "--bind", "127.0.0.1:{port}", APPLICATION)),
    Server(
        name="granian",
        module="granian",
        command=("-m", "granian", "--interface", "wsgi", "--port", "{port}", APPLICATION),
        says_why=False,
    ),
    Server(
        name="bjoern",
        module="bjoern",
        command=_in_python("import bjoern; bjoern.run(application, '127.0.0.1', {port})"),
    ),
    Server(
        name="wsgiref",
        command=_in_python(
            "from wsgiref import simple_server as s; s.make_server('127.0.0.1', {port}, application).serve_forever()"
        ),
        takes_chunks=False,
        keeps_alive=False,
    ),
    Server(
        name="werkzeug",
        command=_in_python("from werkzeug.serving import run_simple; run_simple('127.0.0.1', {port}, application)"),
        keeps_alive=False,
    ),
    Server(
        name="uvicorn with a2wsgi",
        module="a2wsgi",
        command=("-m", "uvicorn", "--port", "{port}", "--factory", "tests.servers.target:asgi"),
        takes_chunks=False,
        says_why=False,
    ),
    Server(
        name="nginx in front of gunicorn gthread",
        module="gunicorn",
        command=_GTHREAD,
        nginx="proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $http_host;",
    ),
    Server(
        name="nginx in front of uwsgi",
        module="pyuwsgi",
        command=(*_UWSGI, "--socket", "127.0.0.1:{port}"),
        nginx="include uwsgi_params; uwsgi_pass 127.0.0.1:{port};",
    ),
)


@contextmanager
def running(server: Server, folder: Path) -> Iterator[str]:
    """Run a server with its data in a folder; return its address, ``http://127.0.0.1:8080``."""
    port = free_port()
    with ExitStack() as stack:
        arguments = [argument.replace("{port}", str(port)) for argument in server.command]
        program = [sys.executable] if arguments[0].startswith("-") else []
        stack.enter_context(process([*program, *arguments], folder, port))
        if server.nginx:
            directives, port = server.nginx.replace("{port}", str(port)), free_port()
            site = _SERVER.format(port=port, directives=directives, longest=MAX_FILE_SIZE + MAX_FIELDS)
            stack.enter_context(nginx(site, folder, port))
        yield f"http://127.0.0.1:{port}"


@contextmanager
def process(
    command: list[str],
    folder: Path,
    port: int,
    *,
    environment: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> Iterator[None]:
    """Run a program in a folder; the block begins when it listens on a port."""
    log = folder / f"{port}.log"
    settings = {
        "PATH": os.pathsep.join([str(SCRIPTS), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
    }
    with log.open("wb") as stream:
        running = subprocess.Popen(
            command, cwd=folder, env={**settings, **(environment or {})}, stdout=stream, stderr=stream
        )
    try:
        until(lambda: listens(port) or running.poll() is not None, patience)
        assert running.poll() is None, log.read_text(errors="replace")
        yield
        assert running.poll() is None, log.read_text(errors="replace")
    finally:
        running.terminate()
        try:
            running.wait(PATIENCE)
        finally:
            running.kill()
        print(log.read_text(errors="replace"))  # pytest shows it if the test fails
    assert "Traceback" not in log.read_text(errors="replace"), log.read_text(errors="replace")


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


_SERVER = """
server {{
    listen 127.0.0.1:{port};
    client_max_body_size {longest};
    location / {{ {directives} }}
}}
"""

_NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-bodies;
    proxy_temp_path {folder}/nginx-proxy;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    scgi_temp_path {folder}/nginx-scgi;
    include {folder}/server.conf;
}}
"""


@contextmanager
def nginx(configuration: str, folder: Path, port: int) -> Iterator[None]:
    """Run nginx with a ``server`` block, which listens on a port."""
    shutil.copy("/etc/nginx/uwsgi_params", folder)
    (folder / "server.conf").write_text(configuration)
    user = (
        "user root;" if os.geteuid() == 0 else ""
    )  # otherwise the workers of root's nginx run as a user who may not enter the folder
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, user=user))
    with process(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], folder, port):
        yield
