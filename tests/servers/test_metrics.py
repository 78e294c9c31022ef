"""Metrics as Prometheus reads them: the port of ``serve``, and gunicorn with several workers."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pypi_registry._cli.main import main
from pypi_registry.testing.archives import distribution
from tests.clients.served import served, until
from tests.clients.wire import get, upload
from tests.examples.readme import Example
from tests.ports import free_port
from tests.servers.running import process

pytestmark = pytest.mark.slow


def samples(url: str) -> Mapping[str, float]:
    """Read metrics, and return the sum of each over its labels."""
    with urlopen(url, timeout=30) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        families = [*text_string_to_metric_families(response.read().decode())]
    found: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_serve_exposes_metrics_on_a_port_of_this_machine_only(tmp_path: Path) -> None:
    with served(tmp_path / "data", "--host", "0.0.0.0", "--metrics", "0") as server:
        url = server.line("Metrics on ").removeprefix("Metrics on ")
        assert url.startswith("http://127.0.0.1:")
        project, secret = f"http://127.0.0.1:{server.port}/api/v4/projects/1/packages/pypi", server.secret
        data = distribution("demo-1.0.tar.gz")
        assert upload(project, secret, {"name": "demo", "version": "1.0"}, "demo-1.0.tar.gz", data).status == 201
        for _ in range(2):
            assert get(f"{project}/simple/demo/", secret).status == 200
        assert get(f"{project}/simple/never-published/", secret).status == 302
        found = samples(url)
        assert found["pypi_registry_requests_total"] == 4
        assert found["pypi_registry_uploads_total"] == 1
        assert found["pypi_registry_uploaded_bytes_total"] == len(data)
        assert found["pypi_registry_upstream_redirects_total"] == 1
        assert (found["pypi_registry_page_cache_misses_total"], found["pypi_registry_page_cache_hits_total"]) == (1, 1)
        assert found["process_resident_memory_bytes"] > 10**6
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as stranger:
            stranger.sendall(
                b"POST /api/v4/projects/1/packages/pypi HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n"
            )
            assert stranger.recv(100).startswith(b"HTTP/1.1 401")
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as stranger:
            stranger.sendall(b"\x16\x03\x01 is TLS\r\n\r\n")
            assert stranger.recv(100).startswith(b"HTTP/1.0 400")
        until(lambda: len(server.access_lines) == 6)
        with urlopen(url, timeout=30) as response:
            exposed = response.read().decode().splitlines()
        assert 'pypi_registry_requests_total{method="POST",route="server",status="401"} 1.0' in exposed
        assert 'pypi_registry_requests_total{method="other",route="server",status="400"} 1.0' in exposed
        # A reload creates another registry, and goes on counting.
        config = server.data / "registry.toml"
        config.write_text(config.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        until(lambda: "reloaded" in server.err)
        form, filename = {"name": "demo", "version": "2.0"}, "demo-2.0.tar.gz"
        assert upload(project, secret, form, filename, distribution(filename)).status == 201
        assert samples(url)["pypi_registry_uploads_total"] == 2


def test_a_port_that_is_in_use_is_reported_before_anything_is_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(tmp_path / "data", "--metrics", "0") as server:
        port = server.line("Metrics on ").removesuffix("/metrics").rpartition(":")[2]
        assert main(["serve", "--port", "0", "--data", str(tmp_path / "other"), "--metrics", port]) == 2
    assert capsys.readouterr().err == f"pypi-registry: 127.0.0.1:{port}: Address already in use\n"
    assert not (tmp_path / "other").exists()


@pytest.fixture
def example(tmp_path: Path) -> Example:
    example = Example.copied("monitoring", tmp_path)
    (example.folder / "registry.toml").write_text(
        'forward_to = false\n[[projects]]\nid = 1\npath = "acme/tools"\nvisibility = "public"\n', encoding="utf-8"
    )
    return example


def test_gunicorn_counts_what_all_of_its_workers_do(example: Example) -> None:
    port, metrics_port, folder = free_port(), free_port(), example.folder
    environment = {"PROMETHEUS_MULTIPROC_DIR": "counts", "METRICS_PORT": str(metrics_port)}
    settings = folder / "gunicorn.conf.py"
    settings.write_text(settings.read_text(encoding="utf-8").replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
    gunicorn, expose = (
        [word for word in shlex.split(example.line("PROMETHEUS_MULTIPROC_DIR=counts " + program)) if "=" not in word]
        for program in ("gunicorn", "python3 expose.py")
    )
    expose[0] = sys.executable
    metrics = f"http://127.0.0.1:{metrics_port}"
    index = f"http://127.0.0.1:{port}/api/v4/projects/1/packages/pypi/simple/"
    (folder / "counts").mkdir()
    (folder / "counts" / "counter_1.db").write_bytes(b"of an earlier start")
    with (
        process([*gunicorn, "--pid", "pid"], folder, port, environment=environment),
        process(expose, folder, metrics_port, environment=environment),
    ):
        for _ in range(60):
            assert get(index).status == 200
        assert samples(metrics)["pypi_registry_requests_total"] == 60
        for worker in workers_of(folder):
            os.kill(worker, signal.SIGTERM)
        assert get(index).status == 200
        assert get(f"http://127.0.0.1:{port}/-/readiness").body == b'{"status": "ok"}'
        assert samples(metrics)["pypi_registry_requests_total"] == 62, "the counts of a worker that ended stay"
        # At HUP, gunicorn reads its configuration again and replaces its workers.
        before = re.findall(r"Booting worker with pid: (\d+)", (folder / f"{port}.log").read_text())
        os.kill(int((folder / "pid").read_text()), signal.SIGHUP)
        until(lambda: not any(exists(int(worker)) for worker in before))
        for _ in range(10):
            assert get(index).status == 200
        assert samples(metrics)["pypi_registry_requests_total"] == 72, "the counts stay at HUP"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool")
def test_prometheus_accepts_the_configuration_the_alerts_and_the_metrics(example: Example, tmp_path: Path) -> None:
    def promtool(*arguments: str, stdin: bytes = b"") -> None:
        done = subprocess.run(["promtool", *arguments], cwd=example.folder, input=stdin, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr

    promtool("check", "config", "prometheus.yml")
    with served(tmp_path / "data", "--metrics", "0") as server:
        get(server.site)
        with urlopen(server.line("Metrics on ").removeprefix("Metrics on "), timeout=30) as response:
            lines = response.read().splitlines(keepends=True)
    # promtool warns of the times of creation, which the library adds to each counter.
    promtool("check", "metrics", stdin=b"".join(line for line in lines if b"_created" not in line))
    (example.folder / "alerts_test.yml").write_text(ALERTS_TEST, encoding="utf-8")
    promtool("test", "rules", "alerts_test.yml")


ALERTS_TEST = """
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: 'pypi_registry_storage_errors_total{kind="full"}'
        values: '0 0 0 1 1 1'
      - series: 'up{job="pypi_registry"}'
        values: '1 1 0 0 0 0 0'
      - series: 'pypi_registry_request_seconds_bucket{method="GET",route="/",le="1"}'
        values: '0+1x30'
      - series: 'pypi_registry_request_seconds_bucket{method="GET",route="/",le="5"}'
        values: '0+2x30'
      - series: 'pypi_registry_request_seconds_bucket{method="GET",route="/",le="+Inf"}'
        values: '0+2x30'
    alert_rule_test:
      - eval_time: 2m
        alertname: RegistryStorageErrors
        exp_alerts: []
      - eval_time: 4m
        alertname: RegistryStorageErrors
        exp_alerts:
          - exp_labels: {kind: full}
            exp_annotations:
              summary: Requests failed because of a store (full). The log names the cause.
      - eval_time: 5m
        alertname: RegistryDown
        exp_alerts:
          - exp_labels: {job: pypi_registry}
            exp_annotations:
              summary: Prometheus cannot read the metrics of the registry, so it has probably stopped.
      - eval_time: 25m
        alertname: RegistrySlow
        exp_alerts:
          - exp_annotations:
              summary: At least one in twenty GET requests waits longer than a second for its response.
"""


def workers_of(folder: Path) -> list[int]:
    """Return the processes that have counted something and are running."""
    found = {int(path.stem.rpartition("_")[2]) for path in (folder / "counts").glob("counter_*.db")}
    return [pid for pid in found if exists(pid)]


def exists(pid: int) -> bool:
    return subprocess.run(["kill", "-0", str(pid)], capture_output=True).returncode == 0
