"""The fake registry: its URLs, its packages, its tokens, and how it starts and stops."""

import gc
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from webtest import TestApp

from pypi_registry._pages.simple import MediaType
from pypi_registry.errors import FileTaken, InvalidUpload, VariantConflict
from pypi_registry.testing import FakeProject, FakeRegistry, Variant, faults, make_sdist, make_wheel, with_credentials
from pypi_registry.testing.archives import Distribution
from pypi_registry.testing.projects import PublishedFile

PROJECT_PATH = "/api/v4/projects/fake%2Fpackages/packages/pypi"


@pytest.fixture
def registry(fake_registry: FakeRegistry) -> FakeRegistry:
    return fake_registry


def page_of(registry: FakeRegistry, name: str, path: str = PROJECT_PATH) -> dict[str, object]:
    response = TestApp(registry.app).get(f"{path}/simple/{name}/", headers={"Accept": MediaType.JSON.value})
    found: dict[str, object] = json.loads(response.text)
    return found


def only(files: object) -> dict[str, object]:
    assert isinstance(files, list)
    [file] = files
    assert isinstance(file, dict)
    return file


# URLs


def test_a_started_registry_responds_at_its_urls(registry: FakeRegistry) -> None:
    registry.add("demo", "1.2")
    for url in (registry.index_url, registry.group_index_url):
        assert url.startswith(registry.api_url)
        with urlopen(f"{url}/demo/") as response:
            assert "demo-1.2-py3-none-any.whl" in response.read().decode()


def test_urls_are_those_of_gitlab() -> None:
    registry = FakeRegistry("acme/libs/tools")
    assert registry.url == "http://registry.invalid"
    assert registry.api_url == "http://registry.invalid/api/v4"
    assert registry.upload_url == f"{registry.api_url}/projects/acme%2Flibs%2Ftools/packages/pypi"
    assert registry.index_url == f"{registry.upload_url}/simple"
    assert registry.group_index_url == f"{registry.api_url}/groups/acme%2Flibs/-/packages/pypi/simple"


def test_a_project_without_a_group_has_no_group_index_url() -> None:
    with pytest.raises(ValueError, match="'tools' is not in a group"):
        _ = FakeRegistry("tools").group_index_url


@pytest.mark.parametrize("path", ["", "/acme", "acme//tools", "acme/ tools", "acme/.."])
def test_an_invalid_path_is_rejected(path: str) -> None:
    with pytest.raises(ValueError, match="not the path of a project"):
        FakeRegistry(path)
    with pytest.raises(ValueError, match="not the path of a project"):
        FakeRegistry().project(path)


def test_credentials_in_a_url_are_quoted() -> None:
    url = with_credentials("http://127.0.0.1:80/simple", "p@ss:w/rd", user="ä")
    parts = urlsplit(url)
    assert (parts.hostname, parts.port, parts.path) == ("127.0.0.1", 80, "/simple")
    assert (parts.username, parts.password) == ("%C3%A4", "p%40ss%3Aw%2Frd")


def test_the_repr_of_a_registry_and_of_a_project_has_the_url() -> None:
    registry = FakeRegistry()
    assert repr(registry) == "<FakeRegistry 'fake/packages' at http://registry.invalid>"
    assert repr(registry.project("acme/tools")) == "<FakeProject 'acme/tools' at http://registry.invalid>"


# Starting and stopping


@pytest.fixture
def threads() -> Callable[[], set[threading.Thread]]:
    """Return a function that returns the threads of registries that were started since."""
    before = {*threading.enumerate()}
    return lambda: {thread for thread in threading.enumerate() if "fake registry" in thread.name} - before


Threads = Callable[[], set[threading.Thread]]


def test_stopping_ends_all_threads_and_closes_the_port(threads: Threads) -> None:
    with FakeRegistry() as registry:
        port = urlsplit(registry.url).port
        connection = HTTPConnection("127.0.0.1", port or 0)
        connection.request("GET", f"{PROJECT_PATH}/simple/")
        connection.getresponse().read()  # keep-alive: the connection stays open
        assert len(threads()) == 2
    assert not threads()
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection("127.0.0.1", port or 0).connect()
    connection.close()
    gc.collect()  # a socket that is not closed would warn, and warnings are errors


def test_a_registry_can_be_started_and_stopped_several_times(threads: Threads) -> None:
    registry = FakeRegistry()
    registry.stop()
    for _ in range(3):
        assert registry.start() is registry
        url = registry.url
        assert registry.start().url == url
        urlopen(registry.index_url).close()
        registry.stop()
        registry.stop()
        assert registry.url == "http://registry.invalid"
    assert not threads()
    assert len(registry.requests) == 3


def test_packages_and_requests_stay_after_the_block() -> None:
    with FakeRegistry() as registry:
        registry.add("demo")
        urlopen(registry.index_url).close()
    assert [*registry.packages] == ["demo"]
    assert len(registry.requests) == 1


def test_registries_are_independent() -> None:
    with FakeRegistry() as one, FakeRegistry() as other:
        one.add("demo")
        assert one.url != other.url
        assert urlopen(f"{one.index_url}/demo/").status == 200
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{other.index_url}/demo/")
        assert [len(each.requests) for each in (one, other)] == [1, 1]


def start_request(registry: FakeRegistry) -> threading.Thread:
    """Send a request that hangs, in a thread, and wait until the registry has received it."""

    def request() -> None:
        with (
            pytest.raises((URLError, ConnectionError, IncompleteRead)),
            closing(urlopen(registry.index_url)) as response,
        ):
            response.read()

    thread = threading.Thread(target=request, name="client")
    thread.start()
    while not registry.requests:
        time.sleep(0.001)
    return thread


@pytest.mark.parametrize("fault", [faults.Hang(), faults.Delay(1000), faults.SlowBody(1, 1000)], ids=str)
def test_a_registry_stops_while_a_fault_waits(fault: faults.Fault, threads: Threads) -> None:
    with FakeRegistry() as registry:
        registry.fault("*", fault)
        client = start_request(registry)
    assert not threads()
    client.join(60)
    assert not client.is_alive()


def test_clearing_ends_the_waits_of_faults(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Hang())
    client = start_request(registry)
    registry.clear()
    client.join(60)
    assert not client.is_alive()


def test_faults_wait_again_after_a_stop() -> None:
    registry = FakeRegistry()
    registry.start().stop()
    registry.fault("*", faults.Delay(0.01))
    TestApp(registry.app).get(f"{PROJECT_PATH}/simple/", status=200)


def test_clearing_deletes_everything_but_the_url(registry: FakeRegistry) -> None:
    registry.add("demo")
    registry.tokens(read="secret")
    registry.fault("*", faults.Status(503))
    url = registry.index_url
    with pytest.raises(HTTPError, match="503"):
        urlopen(url)
    project = registry.project("acme/tools")
    registry.clear()
    assert registry.index_url == url
    assert (registry.requests, registry.packages) == ([], {})
    assert urlopen(url).status == 200
    assert [request.number for request in registry.requests] == [1]
    project.add("demo")
    assert [*project.packages] == ["demo"]


def test_app_is_a_wsgi_application_without_a_socket(threads: Threads) -> None:
    registry = FakeRegistry()
    [file] = registry.add("demo")
    client = TestApp(registry.app, lint=True)
    assert client.get(f"{PROJECT_PATH}/simple/demo/").click(file.filename).body == file.data
    assert client.head(f"{PROJECT_PATH}/simple/demo/").body == b""
    assert not threads()


def test_no_name_is_forwarded() -> None:
    TestApp(FakeRegistry().app).get(f"{PROJECT_PATH}/simple/absent/", status=404)


# Packages


def test_an_added_package_is_listed_with_the_given_properties() -> None:
    registry = FakeRegistry()
    uploaded = datetime(2024, 5, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    [wheel] = registry.add("My.Demo", "1.2", requires_python=">=3.9", yanked="broken", uploaded=uploaded)
    file = only(page_of(registry, "my-demo")["files"])
    assert file["filename"] == "My_Demo-1.2-py3-none-any.whl"
    assert file["hashes"] == {"sha256": wheel.sha256}
    assert (file["requires-python"], file["yanked"]) == (">=3.9", "broken")
    assert file["upload-time"] == "2024-05-01T12:30:00.000000Z"
    assert (wheel.requires_python, wheel.yanked, wheel.uploaded) == (">=3.9", "broken", uploaded)


@pytest.mark.parametrize(
    ("yanked", "reason"), [(True, ""), ("", ""), ("broken", "broken"), (False, None), (None, None)]
)
def test_a_version_may_be_yanked_without_a_reason(yanked: str | bool | None, reason: str | None) -> None:
    registry = FakeRegistry()
    [wheel] = registry.add("demo", "1.2", yanked=yanked)
    shown = only(page_of(registry, "demo")["files"]).get("yanked", False)
    assert (wheel.yanked, shown) == (reason, reason or reason is not None)


def test_wheel_variants_are_listed_with_their_json(registry: FakeRegistry) -> None:
    registry.add("My.Demo", "1.2")
    registry.add("My.Demo", "1.2", variant=Variant("fast"))
    with pytest.raises(VariantConflict):
        registry.add("My.Demo", "1.2", build="7", variant=Variant("fast", {"test": {"label": ["other"]}}))
    files: Any = page_of(registry, "my-demo")["files"]
    plain, variant, variants = files
    assert variant["filename"] == plain["filename"].replace(".whl", "-fast.whl")
    url = f"{registry.upload_url}/files/{variants['hashes']['sha256']}/{variants['filename']}"
    with urlopen(url) as response:
        assert json.load(response)["variants"] == {"fast": {"test": {"label": ["fast"]}}}
    request = registry.requests[-1]
    assert (request.kind, request.package, request.filename) == ("variants", "my-demo", "my_demo-1.2-variants.json")


def test_a_file_has_its_url_and_its_data(registry: FakeRegistry) -> None:
    wheel, sdist = registry.add("demo", "1.0+local", sdist=True, requires=["other"])
    assert [wheel.filename, sdist.filename] == ["demo-1.0+local-py3-none-any.whl", "demo-1.0+local.tar.gz"]
    for file in (wheel, sdist):
        with urlopen(file.url) as response:
            assert response.read() == file.data
        with urlopen(f"{file.url}.metadata") as response:
            assert "Requires-Dist: other" in response.read().decode()
    assert "PK" not in repr(wheel)


@pytest.mark.parametrize(
    ("keywords", "endings"),
    [
        ({}, [".whl"]),
        ({"sdist": True}, [".whl", ".tar.gz"]),
        ({"sdist": True, "wheel": False}, [".tar.gz"]),
        ({"wheel": False}, []),
        ({"tags": "cp312-abi3-win32", "build": "3"}, ["-3-cp312-abi3-win32.whl"]),
    ],
    ids=str,
)
def test_keywords_choose_which_distributions_are_added(keywords: dict[str, bool], endings: list[str]) -> None:
    files = FakeRegistry().add("demo", "1.0", **keywords)  # type: ignore[arg-type]  # each has its own type
    assert len(files) == len(endings)
    assert all(file.filename.endswith(ending) for file, ending in zip(files, endings, strict=True))


def test_packages_are_mapped_by_name_and_version() -> None:
    registry = FakeRegistry()
    registry.add("My.Demo", "1.0", sdist=True)
    registry.add("my-demo", "2.0", yanked="")
    registry.add("other", "0.1")
    found = {
        name: {version: [file.filename for file in files] for version, files in versions.items()}
        for name, versions in registry.packages.items()
    }
    assert found == {
        "my-demo": {
            "1.0": ["My_Demo-1.0-py3-none-any.whl", "My_Demo-1.0.tar.gz"],
            "2.0": ["my_demo-2.0-py3-none-any.whl"],
        },
        "other": {"0.1": ["other-0.1-py3-none-any.whl"]},
    }
    assert [file.yanked for file in registry.packages["my-demo"]["2.0"]] == [""]


def test_packages_contain_what_a_client_publishes() -> None:
    registry = FakeRegistry()
    sdist = make_sdist("demo", "1.0")
    form = {"name": "demo", "version": "1.0"}
    TestApp(registry.app).post(PROJECT_PATH, form, upload_files=[("content", sdist.filename, sdist.data)], status=201)
    [[file]] = [files for versions in registry.packages.values() for files in versions.values()]
    assert (file.filename, file.data) == (sdist.filename, sdist.data)


def test_a_group_contains_the_projects_below_its_path() -> None:
    registry = FakeRegistry()
    tools = registry.project("fake/deep/tools")
    registry.add("demo", "1.0")
    tools.add("demo", "2.0")
    assert [*registry.packages["demo"]] == ["1.0"]
    assert [*tools.packages["demo"]] == ["2.0"]
    page = page_of(registry, "demo", "/api/v4/groups/fake/-/packages/pypi")
    assert page["versions"] == ["1.0", "2.0"]
    assert page_of(registry, "demo", "/api/v4/projects/fake%2Fdeep%2Ftools/packages/pypi")["versions"] == ["2.0"]


def test_existing_files_can_be_published(tmp_path: Path) -> None:
    registry = FakeRegistry()
    path = make_wheel("demo", "1.0").write_to(tmp_path)
    from_disk = registry.publish(path)
    registry.publish(make_sdist("demo", "1.0"))
    assert from_disk.data == path.read_bytes()
    assert len(registry.packages["demo"]["1.0"]) == 2


def test_a_test_may_publish_an_invalid_file_and_a_client_may_not() -> None:
    registry = FakeRegistry()
    broken = Distribution("demo-1.0-py3-none-any.whl", b"no wheel")
    form = {"name": "demo", "version": "1.0"}
    TestApp(registry.app).post(PROJECT_PATH, form, upload_files=[("content", broken.filename, broken.data)], status=400)
    assert registry.publish(broken).data == b"no wheel"


def test_verification_and_the_size_limit_are_configurable() -> None:
    trusting, small = FakeRegistry(verify=None), FakeRegistry(verify=None, max_file_size=8)
    form = {"name": "demo", "version": "1.0"}
    for registry, status in ((trusting, 201), (small, 400)):
        files = [("content", "demo-1.0.tar.gz", b"no sdist")]
        TestApp(registry.app).post(PROJECT_PATH, form, upload_files=files, status=status)


def test_a_file_name_can_be_added_only_once() -> None:
    registry = FakeRegistry()
    registry.add("demo")
    with pytest.raises(FileTaken):
        registry.add("demo")


def test_a_file_name_of_no_distribution_is_not_published() -> None:
    with pytest.raises(InvalidUpload, match="File name"):
        FakeRegistry().publish(Distribution("demo.txt", b""))


def test_a_naive_upload_time_is_rejected() -> None:
    with pytest.raises(ValueError, match="uploaded= must be aware"):
        FakeRegistry().add("demo", uploaded=datetime(2024, 5, 1))  # noqa: DTZ001  # naive on purpose


@pytest.mark.parametrize("uploaded", ["2024-01-01", 1704067200, date(2024, 1, 1)], ids=repr)
def test_an_upload_time_that_is_no_datetime_is_rejected(uploaded: Any) -> None:
    registry = FakeRegistry()
    with pytest.raises(TypeError, match=re.escape("uploaded= must be a datetime, such as datetime(2024, 5, 1, tzinfo")):
        registry.add("demo", sdist=True, uploaded=uploaded)
    assert registry.packages == {}


@pytest.mark.parametrize(
    ("file", "advice"),
    [("x.whl", "publish() needs a Path('x.whl') or a Distribution"), (b"PK", 'Path("dist/demo-1.0.tar.gz")')],
    ids=repr,
)
def test_what_is_no_file_is_not_published(file: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=re.escape(advice)):
        FakeRegistry().publish(file)


def test_the_upload_time_is_now_by_default() -> None:
    before = datetime.now(UTC)
    [file] = FakeRegistry().add("demo")
    assert before <= file.uploaded <= datetime.now(UTC)


# Tokens

READER, WRITER = ("any", "r"), ("any", "w")


def client_with(registry: FakeRegistry, user: tuple[str, str] | None) -> TestApp:
    client = TestApp(registry.app)
    if user:
        client.authorization = ("Basic", user)
    return client


def upload_as(registry: FakeRegistry, user: tuple[str, str] | None, status: int) -> None:
    sdist = make_sdist("demo", "1.0")
    files = [("content", sdist.filename, sdist.data)]
    client_with(registry, user).post(
        PROJECT_PATH, {"name": "demo", "version": "1.0"}, upload_files=files, status=status
    )


@pytest.mark.parametrize("user", [None, READER, ("", "anything")])
def test_without_tokens_everyone_may_do_anything(user: tuple[str, str] | None) -> None:
    registry = FakeRegistry()
    upload_as(registry, user, 201)
    client_with(registry, user).get(f"{PROJECT_PATH}/simple/demo/", status=200)


@pytest.mark.parametrize(
    ("user", "reading", "writing"),
    [(None, 401, 401), (("any", "wrong"), 401, 401), (READER, 200, 403), (WRITER, 200, 201), (("any", "x"), 401, 401)],
    ids=str,
)
def test_a_token_allows_what_it_was_set_for(user: tuple[str, str] | None, reading: int, writing: int) -> None:
    registry = FakeRegistry()
    registry.tokens(read="r", write="w", expired="x")
    client = client_with(registry, user)
    for path in (PROJECT_PATH, "/api/v4/groups/fake/-/packages/pypi"):
        client.get(f"{path}/simple/", status=reading)
    upload_as(registry, user, writing)
    shown = "demo" in client.get("/api/v4/groups/fake/-/packages/pypi/simple/", expect_errors=True)
    assert shown == (user == WRITER)


def test_an_expired_token_is_named_in_the_response() -> None:
    registry = FakeRegistry()
    registry.tokens(expired="x")
    response = client_with(registry, ("any", "x")).get(f"{PROJECT_PATH}/simple/", status=401)
    assert "Token is expired" in response.json["error_description"]


@pytest.mark.parametrize(("secret", "status"), [("r1", 200), ("r2", 200), ("wrong", 401), ("", 401)])
@pytest.mark.parametrize("header", ["PRIVATE-TOKEN", "Authorization"])
def test_tokens_are_accepted_in_headers(header: str, secret: str, status: int) -> None:
    registry = FakeRegistry()
    registry.tokens(read=["r1", "r2"])
    value = f"Bearer {secret}" if header == "Authorization" else secret
    TestApp(registry.app).get(f"{PROJECT_PATH}/simple/", headers={header: value}, status=status)


def test_new_tokens_replace_the_previous_ones() -> None:
    registry = FakeRegistry()
    registry.tokens(read="r")
    registry.tokens(write="w")
    client_with(registry, READER).get(f"{PROJECT_PATH}/simple/", status=401)
    client_with(registry, WRITER).get(f"{PROJECT_PATH}/simple/", status=200)
    registry.tokens()
    client_with(registry, WRITER).get(f"{PROJECT_PATH}/simple/", status=401)


# Dependencies


def test_the_package_imports_no_optional_dependency() -> None:
    others = {"pytest", "webtest", "urllib3", "requests", "httpx"}
    code = f"import sys, pypi_registry.testing; print(*{others} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == ""


def test_a_registry_is_its_own_default_project(registry: FakeRegistry) -> None:
    project: FakeProject = registry
    [file] = project.add("demo")
    assert isinstance(file, PublishedFile)
    assert registry.project("fake/packages").packages == registry.packages
