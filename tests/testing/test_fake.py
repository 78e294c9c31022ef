"""The fake registry: where it is, what is in it, who is let in, how it ends."""

import gc
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from http.client import HTTPConnection, IncompleteRead
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from webtest import TestApp

from pypi_registry._pages.simple import MediaType
from pypi_registry.errors import FileTaken, InvalidUpload
from pypi_registry.testing import FakeProject, FakeRegistry, faults, make_sdist, make_wheel, with_credentials
from pypi_registry.testing.archives import Distribution
from pypi_registry.testing.projects import PublishedFile

PLACE = "/api/v4/projects/fake%2Fpackages/packages/pypi"


@pytest.fixture
def registry(fake_registry: FakeRegistry) -> FakeRegistry:
    return fake_registry


def page_of(registry: FakeRegistry, name: str, place: str = PLACE) -> dict[str, object]:
    answer = TestApp(registry.app).get(f"{place}/simple/{name}/", headers={"Accept": MediaType.JSON.value})
    found: dict[str, object] = json.loads(answer.text)
    return found


def only(files: object) -> dict[str, object]:
    assert isinstance(files, list)
    [file] = files
    assert isinstance(file, dict)
    return file


# Where it is


def test_a_started_registry_answers_at_its_addresses(registry: FakeRegistry) -> None:
    registry.add("demo", "1.2")
    for url in (registry.index_url, registry.group_index_url):
        assert url.startswith(registry.api_url)
        with urlopen(f"{url}/demo/") as answer:
            assert "demo-1.2-py3-none-any.whl" in answer.read().decode()


def test_addresses_are_those_of_gitlab() -> None:
    registry = FakeRegistry("acme/libs/tools")
    assert registry.url == "http://registry.invalid"
    assert registry.api_url == "http://registry.invalid/api/v4"
    assert registry.upload_url == f"{registry.api_url}/projects/acme%2Flibs%2Ftools/packages/pypi"
    assert registry.index_url == f"{registry.upload_url}/simple"
    assert registry.group_index_url == f"{registry.api_url}/groups/acme%2Flibs/-/packages/pypi/simple"


def test_a_project_outside_of_any_group_has_no_address_of_one() -> None:
    with pytest.raises(ValueError, match="'tools' lies in no group"):
        _ = FakeRegistry("tools").group_index_url


@pytest.mark.parametrize("path", ["", "/acme", "acme//tools", "acme/ tools", "acme/.."])
def test_what_is_no_path_is_no_project(path: str) -> None:
    with pytest.raises(ValueError, match="not the path of a project"):
        FakeRegistry(path)
    with pytest.raises(ValueError, match="not the path of a project"):
        FakeRegistry().project(path)


def test_a_login_is_put_into_an_address_whatever_it_holds() -> None:
    url = with_credentials("http://127.0.0.1:80/simple", "p@ss:w/rd", user="ä")
    place = urlsplit(url)
    assert (place.hostname, place.port, place.path) == ("127.0.0.1", 80, "/simple")
    assert (place.username, place.password) == ("%C3%A4", "p%40ss%3Aw%2Frd")


def test_a_registry_and_a_project_say_where_they_are() -> None:
    registry = FakeRegistry()
    assert repr(registry) == "<FakeRegistry 'fake/packages' at http://registry.invalid>"
    assert repr(registry.project("acme/tools")) == "<FakeProject 'acme/tools' at http://registry.invalid>"


# Starting and stopping


@pytest.fixture
def threads() -> Callable[[], set[threading.Thread]]:
    """Give a function that gives the threads of registries that were started since."""
    before = {*threading.enumerate()}
    return lambda: {thread for thread in threading.enumerate() if "fake registry" in thread.name} - before


Threads = Callable[[], set[threading.Thread]]


def test_nothing_is_left_of_a_registry_that_was_stopped(threads: Threads) -> None:
    with FakeRegistry() as registry:
        port = urlsplit(registry.url).port
        connection = HTTPConnection("127.0.0.1", port or 0)
        connection.request("GET", f"{PLACE}/simple/")
        connection.getresponse().read()  # and the connection stays open
        assert len(threads()) == 2
    assert not threads()
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection("127.0.0.1", port or 0).connect()
    connection.close()
    gc.collect()  # a socket that nobody closed would warn, and a warning is an error


def test_a_registry_is_started_and_stopped_without_a_block_again_and_again(threads: Threads) -> None:
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


def test_what_was_published_and_asked_is_there_after_the_block() -> None:
    with FakeRegistry() as registry:
        registry.add("demo")
        urlopen(registry.index_url).close()
    assert [*registry.packages] == ["demo"]
    assert len(registry.requests) == 1


def test_several_registries_know_nothing_of_each_other() -> None:
    with FakeRegistry() as one, FakeRegistry() as other:
        one.add("demo")
        assert one.url != other.url
        assert urlopen(f"{one.index_url}/demo/").status == 200
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{other.index_url}/demo/")
        assert [len(each.requests) for each in (one, other)] == [1, 1]


def asked_and_not_answered(registry: FakeRegistry) -> threading.Thread:
    """Ask for something that hangs, and wait until it does."""

    def ask() -> None:
        with pytest.raises((URLError, ConnectionError, IncompleteRead)), closing(urlopen(registry.index_url)) as answer:
            answer.read()

    thread = threading.Thread(target=ask, name="client")
    thread.start()
    while not registry.requests:
        time.sleep(0.001)
    return thread


@pytest.mark.parametrize("what", [faults.Hang(), faults.SlowStart(1000), faults.Drip(1, 1000)], ids=str)
def test_what_takes_for_ever_does_not_keep_a_registry_from_stopping(what: faults.Fault, threads: Threads) -> None:
    with FakeRegistry() as registry:
        registry.fault("*", what)
        client = asked_and_not_answered(registry)
    assert not threads()
    client.join(60)
    assert not client.is_alive()


def test_clearing_ends_what_takes_for_ever(registry: FakeRegistry) -> None:
    registry.fault("*", faults.Hang())
    client = asked_and_not_answered(registry)
    registry.clear()
    client.join(60)
    assert not client.is_alive()


def test_the_next_start_can_wait_again() -> None:
    registry = FakeRegistry()
    registry.start().stop()
    registry.fault("*", faults.SlowStart(0.01))
    TestApp(registry.app).get(f"{PLACE}/simple/", status=200)


def test_clearing_leaves_nothing_but_the_addresses(registry: FakeRegistry) -> None:
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


def test_without_a_socket_it_is_an_application_of_wsgi(threads: Threads) -> None:
    registry = FakeRegistry()
    [file] = registry.add("demo")
    client = TestApp(registry.app, lint=True)
    assert client.get(f"{PLACE}/simple/demo/").click(file.filename).body == file.data
    assert client.head(f"{PLACE}/simple/demo/").body == b""
    assert not threads()


def test_no_name_is_ever_forwarded() -> None:
    TestApp(FakeRegistry().app).get(f"{PLACE}/simple/absent/", status=404)


# What is in it


def test_an_added_package_is_shown_with_all_that_was_said_of_it() -> None:
    registry = FakeRegistry()
    uploaded = datetime(2024, 5, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    [wheel] = registry.add("My.Demo", "1.2", requires_python=">=3.9", yanked="broken", uploaded=uploaded)
    file = only(page_of(registry, "my-demo")["files"])
    assert file["filename"] == "My_Demo-1.2-py3-none-any.whl"
    assert file["hashes"] == {"sha256": wheel.sha256}
    assert (file["requires-python"], file["yanked"]) == (">=3.9", "broken")
    assert file["upload-time"] == "2024-05-01T12:30:00.000000Z"
    assert (wheel.requires_python, wheel.yanked, wheel.uploaded) == (">=3.9", "broken", uploaded)


@pytest.mark.parametrize(("said", "kept"), [(True, ""), ("", ""), ("broken", "broken"), (False, None), (None, None)])
def test_a_version_may_be_yanked_for_no_reason(said: str | bool | None, kept: str | None) -> None:
    registry = FakeRegistry()
    [wheel] = registry.add("demo", "1.2", yanked=said)
    shown = only(page_of(registry, "demo")["files"]).get("yanked", False)
    assert (wheel.yanked, shown) == (kept, kept or kept is not None)


def test_a_file_says_where_it_is_and_what_is_in_it(registry: FakeRegistry) -> None:
    wheel, sdist = registry.add("demo", "1.0+local", sdist=True, requires=["other"])
    assert [wheel.filename, sdist.filename] == ["demo-1.0+local-py3-none-any.whl", "demo-1.0+local.tar.gz"]
    for file in (wheel, sdist):
        with urlopen(file.url) as answer:
            assert answer.read() == file.data
        with urlopen(f"{file.url}.metadata") as answer:
            assert "Requires-Dist: other" in answer.read().decode()
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
def test_what_is_added_is_chosen_by_keywords(keywords: dict[str, bool], endings: list[str]) -> None:
    files = FakeRegistry().add("demo", "1.0", **keywords)  # type: ignore[arg-type]  # each has its own type
    assert len(files) == len(endings)
    assert all(file.filename.endswith(ending) for file, ending in zip(files, endings, strict=True))


def test_packages_are_names_with_versions_with_files() -> None:
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


def test_what_a_client_publishes_is_among_the_packages() -> None:
    registry = FakeRegistry()
    sdist = make_sdist("demo", "1.0")
    form = {"name": "demo", "version": "1.0"}
    TestApp(registry.app).post(PLACE, form, upload_files=[("content", sdist.filename, sdist.data)], status=201)
    [[file]] = [files for versions in registry.packages.values() for files in versions.values()]
    assert (file.filename, file.data) == (sdist.filename, sdist.data)


def test_each_path_is_a_project_and_a_group_shows_those_below_it() -> None:
    registry = FakeRegistry()
    tools = registry.project("fake/deep/tools")
    registry.add("demo", "1.0")
    tools.add("demo", "2.0")
    assert [*registry.packages["demo"]] == ["1.0"]
    assert [*tools.packages["demo"]] == ["2.0"]
    page = page_of(registry, "demo", "/api/v4/groups/fake/-/packages/pypi")
    assert page["versions"] == ["1.0", "2.0"]
    assert page_of(registry, "demo", "/api/v4/projects/fake%2Fdeep%2Ftools/packages/pypi")["versions"] == ["2.0"]


def test_files_that_were_made_elsewhere_are_published(tmp_path: Path) -> None:
    registry = FakeRegistry()
    path = make_wheel("demo", "1.0").write_to(tmp_path)
    from_disk = registry.publish(path)
    registry.publish(make_sdist("demo", "1.0"))
    assert from_disk.data == path.read_bytes()
    assert len(registry.packages["demo"]["1.0"]) == 2


def test_a_test_may_publish_what_no_client_may() -> None:
    registry = FakeRegistry()
    broken = Distribution("demo-1.0-py3-none-any.whl", b"no wheel")
    form = {"name": "demo", "version": "1.0"}
    TestApp(registry.app).post(PLACE, form, upload_files=[("content", broken.filename, broken.data)], status=400)
    assert registry.publish(broken).data == b"no wheel"


def test_it_can_be_told_what_to_take_from_clients() -> None:
    trusting, small = FakeRegistry(verify=None), FakeRegistry(verify=None, max_file_size=8)
    form = {"name": "demo", "version": "1.0"}
    for registry, status in ((trusting, 201), (small, 400)):
        files = [("content", "demo-1.0.tar.gz", b"no sdist")]
        TestApp(registry.app).post(PLACE, form, upload_files=files, status=status)


def test_a_file_is_added_once_only() -> None:
    registry = FakeRegistry()
    registry.add("demo")
    with pytest.raises(FileTaken):
        registry.add("demo")


def test_what_has_no_name_of_a_distribution_is_not_published() -> None:
    with pytest.raises((ValueError, InvalidUpload)):
        FakeRegistry().publish(Distribution("demo.txt", b""))


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="uploaded= must be aware"):
        FakeRegistry().add("demo", uploaded=datetime(2024, 5, 1))  # noqa: DTZ001  # it is wrong


def test_without_a_time_it_is_now() -> None:
    before = datetime.now(UTC)
    [file] = FakeRegistry().add("demo")
    assert before <= file.uploaded <= datetime.now(UTC)


# Who is let in


READER, WRITER = ("any", "r"), ("any", "w")


def client_with(registry: FakeRegistry, login: tuple[str, str] | None) -> TestApp:
    client = TestApp(registry.app)
    if login:
        client.authorization = ("Basic", login)
    return client


def upload_as(registry: FakeRegistry, login: tuple[str, str] | None, status: int) -> None:
    sdist = make_sdist("demo", "1.0")
    files = [("content", sdist.filename, sdist.data)]
    client_with(registry, login).post(PLACE, {"name": "demo", "version": "1.0"}, upload_files=files, status=status)


@pytest.mark.parametrize("login", [None, READER, ("", "anything")])
def test_anybody_may_do_anything_until_there_are_tokens(login: tuple[str, str] | None) -> None:
    registry = FakeRegistry()
    upload_as(registry, login, 201)
    client_with(registry, login).get(f"{PLACE}/simple/demo/", status=200)


@pytest.mark.parametrize(
    ("login", "reading", "writing"),
    [(None, 401, 401), (("any", "wrong"), 401, 401), (READER, 200, 403), (WRITER, 200, 201), (("any", "x"), 401, 401)],
    ids=str,
)
def test_with_tokens_each_may_do_what_they_say(login: tuple[str, str] | None, reading: int, writing: int) -> None:
    registry = FakeRegistry()
    registry.tokens(read="r", write="w", expired="x")
    client = client_with(registry, login)
    for place in (PLACE, "/api/v4/groups/fake/-/packages/pypi"):
        client.get(f"{place}/simple/", status=reading)
    upload_as(registry, login, writing)
    shown = "demo" in client.get("/api/v4/groups/fake/-/packages/pypi/simple/", expect_errors=True)
    assert shown == (login == WRITER)


def test_somebody_whose_token_has_expired_is_told_so() -> None:
    registry = FakeRegistry()
    registry.tokens(expired="x")
    answer = client_with(registry, ("any", "x")).get(f"{PLACE}/simple/", status=401)
    assert "Token is expired" in answer.json["error_description"]


@pytest.mark.parametrize(("secret", "status"), [("r1", 200), ("r2", 200), ("wrong", 401), ("", 401)])
@pytest.mark.parametrize("header", ["PRIVATE-TOKEN", "Authorization"])
def test_several_tokens_come_in_headers_of_all_kinds(header: str, secret: str, status: int) -> None:
    registry = FakeRegistry()
    registry.tokens(read=["r1", "r2"])
    value = f"Bearer {secret}" if header == "Authorization" else secret
    TestApp(registry.app).get(f"{PLACE}/simple/", headers={header: value}, status=status)


def test_new_tokens_replace_those_before() -> None:
    registry = FakeRegistry()
    registry.tokens(read="r")
    registry.tokens(write="w")
    client_with(registry, READER).get(f"{PLACE}/simple/", status=401)
    client_with(registry, WRITER).get(f"{PLACE}/simple/", status=200)
    registry.tokens()
    client_with(registry, WRITER).get(f"{PLACE}/simple/", status=401)


# What it needs


def test_it_needs_nothing_but_what_the_registry_needs() -> None:
    others = {"pytest", "webtest", "urllib3", "requests", "httpx"}
    code = f"import sys, pypi_registry.testing; print(*{others} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == ""


def test_a_registry_is_its_own_default_project(registry: FakeRegistry) -> None:
    project: FakeProject = registry
    [file] = project.add("demo")
    assert isinstance(file, PublishedFile)
    assert registry.project("fake/packages").packages == registry.packages
