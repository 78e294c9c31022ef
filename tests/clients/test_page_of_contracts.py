"""The module of docs/contracts.md that sends a chat message for each published file, under gunicorn as shown."""

import json
import queue
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pypi_registry.testing.archives import distribution
from tests.clients.served import PATIENCE
from tests.clients.test_page_of_serve import REGISTRY_TOML, SECRET
from tests.clients.wire import upload
from tests.ports import free_port
from tests.servers.running import process
from tests.test_docs import PAGES, blocks

pytestmark = pytest.mark.slow

PAGE = PAGES["contracts.md"]
WEBHOOK = "https://chat.example/hooks/TOKEN"


@contextmanager
def chat(received: "queue.SimpleQueue[object]") -> Iterator[str]:
    """Run a server that puts each message which is posted to it into a queue; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hooks/TOKEN"
        finally:
            server.shutdown()
            thread.join()


def test_a_published_file_is_in_the_audit_log_and_in_the_chat(tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    [module] = [block for block in blocks(PAGE, "python") if WEBHOOK in block]
    [line] = [block for block in blocks(PAGE, "sh") if block.startswith("gunicorn ")]
    received: queue.SimpleQueue[object] = queue.SimpleQueue()
    (tmp_path / "registry.toml").write_text(REGISTRY_TOML, encoding="utf-8")
    port = free_port()
    with chat(received) as url:
        (tmp_path / "wsgi.py").write_text(module.replace(WEBHOOK, url), encoding="utf-8")
        with process([*shlex.split(line), "--bind", f"127.0.0.1:{port}"], tmp_path, port):
            address = f"http://127.0.0.1:{port}/api/v4/projects/acme%2Ftools/packages/pypi"
            fields = {"name": "demo", "version": "1.0"}
            files = ["demo-1.0.tar.gz", "demo-1.0-py3-none-any.whl"]
            for filename in files:
                assert upload(address, SECRET, fields, filename, distribution(filename)).status == 201
                message = {"text": f"ada published {filename} in acme/tools"}
                assert received.get(timeout=PATIENCE) == message
    lines = (tmp_path / "data" / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["files"][0]["name"] for line in lines] == files
