"""What is counted, under which names, and that Prometheus can read it."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from webtest import TestApp
from werkzeug.test import create_environ, run_wsgi_app

from pypi_registry import AllowAll, Registry
from pypi_registry._cli.site import Site
from pypi_registry.errors import OutcomeUnknown, StorageFull, StorageUnavailable
from pypi_registry.metrics import Metrics
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import distribution

PYPI = "/projects/1/packages/pypi"
SIMPLE = "/projects/:project/packages/pypi/simple/:name"
FORM = {"name": "demo", "version": "1.0"}


class Counted:
    """A registry with metrics, and a client."""

    def __init__(self, **options: Any) -> None:
        self.collectors = CollectorRegistry()
        self.metrics = Metrics(self.collectors)
        registry = Registry(on_event=self.metrics.on_event, **options)
        self.application = self.metrics.middleware(registry)
        self.client = TestApp(self.application, lint=True)

    def __call__(self, name: str, **labels: str) -> float:
        return self.collectors.get_sample_value(f"pypi_registry_{name}", labels) or 0.0

    def upload(self, filename: str = "demo-1.0.tar.gz", status: int = 201) -> bytes:
        data = distribution(filename)
        self.client.post(PYPI, FORM, upload_files=[("content", filename, data)], status=status)
        return data

    @property
    def routes(self) -> set[tuple[str, str, str]]:
        return {
            (sample.labels["method"], sample.labels["route"], sample.labels["status"])
            for family in self.collectors.collect()
            for sample in family.samples
            if sample.name == "pypi_registry_requests_total"
        }


@pytest.fixture
def counted() -> Counted:
    return Counted(forward_to="https://mirror.example/simple")


def test_requests_are_counted_by_route_method_and_status(counted: Counted) -> None:
    counted.upload()
    counted.upload(status=400)
    counted.client.get(f"{PYPI}/simple/demo/")
    counted.client.head(f"{PYPI}/simple/demo")
    counted.client.options(f"{PYPI}/simple/demo/")
    counted.client.put(f"{PYPI}/simple/demo/", status=405)
    route = "/projects/:project/packages/pypi"
    assert counted.routes == {
        ("POST", route, "201"),
        ("POST", route, "400"),
        ("GET", SIMPLE, "200"),
        ("HEAD", SIMPLE, "200"),
        ("OPTIONS", SIMPLE, "204"),
        ("PUT", SIMPLE, "405"),
    }
    assert counted("requests_total", route=SIMPLE, method="GET", status="200") == 1
    assert counted("request_seconds_count", route=SIMPLE, method="GET") == 1
    assert counted("request_seconds_sum", route=SIMPLE, method="GET") > 0


def test_what_clients_choose_adds_no_labels(counted: Counted) -> None:
    for number in range(20):
        counted.client.get(f"/{number}/a", status=404)
        counted.client.get(f"/projects/{number}/packages/pypi/simple/name{number}/", status=302)
        run_wsgi_app(counted.application, create_environ("/x") | {"REQUEST_METHOD": f"M{number}"})
    assert counted.routes == {("GET", "other", "404"), ("GET", SIMPLE, "302"), ("other", "other", "404")}


def test_a_path_of_the_application_around_the_registry_is_another_route() -> None:
    def fallback(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("299 Mine", [("Content-Type", "text/plain")])
        return [b"x"]

    counted = Counted(fallback=fallback)
    counted.client.get("/projects/1/packages/readme", status=299)  # it matches a route, and no id of a package
    assert counted.routes == {("GET", "other", "299")}


def test_bytes_are_counted_in_both_directions(counted: Counted) -> None:
    data = counted.upload()
    assert counted("request_bytes_total") > len(data)
    assert (counted("uploads_total"), counted("uploaded_bytes_total")) == (1, len(data))
    before = counted("response_bytes_total")
    page = counted.client.get(f"{PYPI}/simple/demo/")
    file = page.click("demo-1.0.tar.gz")
    assert file.body == data
    assert counted("response_bytes_total") - before == len(page.body) + len(data)
    before = counted("response_bytes_total")
    counted.client.head(f"{PYPI}/simple/demo/")
    counted.client.get(f"{PYPI}/simple/demo/", headers={"If-None-Match": page.headers["ETag"]}, status=304)
    assert counted("response_bytes_total") == before
    before = counted("request_bytes_total")
    counted.client.post(f"{PYPI}/nothing", "the body of a refused request", status=404)
    assert counted("request_bytes_total") >= before


def test_pages_from_the_cache_and_redirects_are_counted(counted: Counted) -> None:
    counted.upload()
    for _ in range(3):
        counted.client.get(f"{PYPI}/simple/demo/")
    counted.client.get(f"{PYPI}/simple/")
    counted.client.get(f"{PYPI}/simple/", headers={"Accept-Encoding": "gzip"})
    counted.client.get(f"{PYPI}/simple/absent/", status=302)
    assert (counted("page_cache_misses_total"), counted("page_cache_hits_total")) == (2, 3)
    assert counted("upstream_redirects_total") == 1


def test_changes_are_counted() -> None:
    counted = Counted()
    counted.upload()
    [package] = counted.client.get("/projects/1/packages").json
    path = f"/projects/1/packages/{package['id']}"
    counted.client.patch_json(path, {"yanked": True})
    counted.client.patch_json(path, {"yanked": False})
    counted.client.patch_json(f"{PYPI}/simple/demo", {"status": "archived"})
    [file] = counted.client.get(f"{path}/package_files").json
    counted.client.delete(f"{path}/package_files/{file['id']}", status=204)
    for change in ("yanked", "unyanked", "status_changed", "file_deleted", "package_deleted"):
        assert counted("changes_total", change=change) == 1, change
    assert counted("uploads_total") == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [(StorageUnavailable("x"), "unavailable"), (StorageFull(), "full"), (OutcomeUnknown("x"), "unknown_outcome")],
)
def test_errors_of_stores_are_counted(error: Exception, kind: str) -> None:
    class Broken(MemoryCatalogue):
        def revision(self, *args: Any) -> Any:
            raise error

    counted = Counted(auth=AllowAll(), catalogue=Broken(), blobs=MemoryBlobs())
    counted.client.get(f"{PYPI}/simple/", status="*")
    assert counted("storage_errors_total", kind=kind) == 1
    counted.client.get("/nothing", status=404)
    assert sum(counted("storage_errors_total", kind=each) for each in ("full", "unavailable", "unknown_outcome")) == 1


def test_what_the_server_refuses_has_a_route_of_its_own(counted: Counted) -> None:
    for method, status in [("POST", "401"), ("POST", "413"), ("-", "408"), ("-", "400"), ("M\xfc", "400")]:
        counted.metrics.count_refusal(method, status)
    assert counted.routes == {
        ("POST", "server", "401"),
        ("POST", "server", "413"),
        ("other", "server", "408"),
        ("other", "server", "400"),
    }
    assert counted("requests_total", route="server", method="other", status="400") == 2
    assert counted("request_seconds_count", route="server", method="POST") == 0, "they took no time of the registry"


def test_an_exception_of_the_application_is_a_500() -> None:
    collectors = CollectorRegistry()

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise LookupError

    with pytest.raises(LookupError):
        TestApp(Metrics(collectors).middleware(application)).get("/")
    labels = {"route": "other", "method": "GET", "status": "500"}
    assert collectors.get_sample_value("pypi_registry_requests_total", labels) == 1


def test_the_server_receives_the_body_that_the_application_returned() -> None:
    body = [b"a file wrapper, say"]

    def application(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    def start_response(*_: object) -> Any:
        pass

    assert Metrics(CollectorRegistry()).middleware(application)(create_environ(), start_response) is body


def test_prometheus_can_read_them_all(counted: Counted) -> None:
    counted.upload()
    counted.client.get(f"{PYPI}/simple/demo/")
    families = {
        each.name: each for each in text_string_to_metric_families(generate_latest(counted.collectors).decode())
    }
    types = {name: family.type for name, family in families.items() if not name.endswith("_created")}
    assert types == {
        "pypi_registry_requests": "counter",
        "pypi_registry_request_seconds": "histogram",
        "pypi_registry_request_bytes": "counter",
        "pypi_registry_response_bytes": "counter",
        "pypi_registry_uploads": "counter",
        "pypi_registry_uploaded_bytes": "counter",
        "pypi_registry_changes": "counter",
        "pypi_registry_upstream_redirects": "counter",
        "pypi_registry_page_cache_hits": "counter",
        "pypi_registry_page_cache_misses": "counter",
        "pypi_registry_storage_errors": "counter",
    }
    assert all(families[name].documentation.endswith(".") for name in types)


def test_two_registries_of_one_process_have_their_own_metrics() -> None:
    first, second = Counted(), Counted()
    first.upload()
    assert (first("uploads_total"), second("uploads_total")) == (1, 0)


def test_the_package_needs_no_prometheus() -> None:
    program = "import sys, pypi_registry, pypi_registry._cli.main; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_web_pages_of_serve_have_routes_of_their_own() -> None:
    counted = Counted()
    client = TestApp(counted.metrics.middleware(Site(Registry())))
    client.get("/")
    client.post("/sign-in", status=405)
    client.get("/elsewhere", status=404)
    assert counted.routes == {("GET", "/", "200"), ("POST", "/sign-in", "405"), ("GET", "other", "404")}
