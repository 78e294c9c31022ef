"""Headers, paths, parameters and forms as large as they may be: no 500, work in proportion, little that is kept."""

import functools
import gc
import importlib
import json
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from werkzeug.test import create_environ, run_wsgi_app

import pypi_registry
from pypi_registry import Registry
from pypi_registry._http.body import Body
from pypi_registry._http.multipart import MAX_PARTS, _Form, parts
from pypi_registry.accounts import Accounts, ProjectConfig
from pypi_registry.errors import InvalidRequest
from pypi_registry.model import Visibility
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue

LONG = 10**6
LONG_HEADER = 256 * 1024  # the most that a known server accepts
BASE = "/projects/acme%2Ftools/packages"
ACCOUNTS = Accounts(projects=[ProjectConfig(id=1, path="acme/tools", visibility=Visibility.PUBLIC)])


def registry() -> Registry:
    return ACCOUNTS.registry(catalogue=MemoryCatalogue(), blobs=MemoryBlobs())


def texts(size: int) -> Iterator[str]:
    yield from ("x" * size, "/" * size, "a/" * (size // 2), "9" * size, "." * size, "-" * size, "%" * size)
    yield from ("%25" * (size // 3), ',;="' * (size // 4), "*/*," * (size // 4), "\\" * size, " " * size, "\xff" * size)


PATHS = (
    "/projects/{}/packages/pypi/simple/demo",
    "/projects/1/packages/pypi/simple/{}",
    "/projects/1/packages/pypi/+simple/{}",
    "/projects/1/packages/pypi/files/{}/demo-1.0.tar.gz",
    "/projects/1/packages/pypi/files/0/{}",
    "/projects/1/packages/pypi/files/0/{}.metadata",
    "/projects/1/packages/{}",
    "/projects/1/packages/1/package_files/{}/download",
    "/groups/{}/-/packages/pypi/simple/demo",
    "/groups/{}/packages",
    "/{}",
)
HEADERS = (
    "HTTP_ACCEPT",
    "HTTP_ACCEPT_ENCODING",
    "HTTP_AUTHORIZATION",
    "HTTP_DEPLOY_TOKEN",
    "HTTP_HOST",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_JOB_TOKEN",
    "HTTP_ORIGIN",
    "HTTP_PRIVATE_TOKEN",
    "HTTP_RANGE",
    "HTTP_SEC_FETCH_SITE",
    "CONTENT_TYPE",
    "CONTENT_LENGTH",
)
PARAMETERS = (
    *("page", "per_page", "order_by", "sort", "package_name", "package_version", "package_type", "status", "format"),
    *("include_versionless", "exclude_subgroups", "unknown"),
)


def ask(app: Any, **environ: Any) -> tuple[str, list[tuple[str, str]], bytes]:
    body, status, headers = run_wsgi_app(app, create_environ() | environ)
    return status, [*headers], b"".join(body)


def assert_small(answer: tuple[str, list[tuple[str, str]], bytes]) -> None:
    status, headers, body = answer
    assert not status.startswith("5"), status
    assert sum(len(name) + len(value) for name, value in headers) < 4000, headers  # what nginx accepts
    assert len(body) < 10_000


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_path_of_a_megabyte_comes_back_nowhere(path: str, method: str) -> None:
    app = registry()
    for text in texts(LONG):
        assert_small(ask(app, PATH_INFO=path.replace("{}", text), REQUEST_METHOD=method))


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_of_a_megabyte_comes_back_nowhere(header: str) -> None:
    app = registry()
    for path in (f"{BASE}/pypi/simple/", BASE, f"{BASE}/1"):
        for text in texts(LONG_HEADER):
            values = (text, f"Basic {text}", f"Bearer {text}") if header == "HTTP_AUTHORIZATION" else (text,)
            for value in values:
                assert_small(ask(app, PATH_INFO=path, **{header: value}))


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_a_parameter_of_any_length_comes_back_in_no_header(parameter: str) -> None:
    app = registry()
    for path in (BASE, f"{BASE}/1/package_files", f"{BASE}/pypi/simple/", "/groups/acme/packages"):
        for size in (28, 86, 255, 256, 1000, 20_000):
            for text in ("x" * size, "%E2%98%83" * size, "+" * size, f"1&{parameter}=" * size):
                status, headers, _ = answer = ask(app, PATH_INFO=path, QUERY_STRING=f"{parameter}={text}")
                assert_small(answer)
                assert size < 1000 or "x" * size not in str(headers) + status


def test_many_parameters_and_values_are_read() -> None:
    app = registry()
    for query in ("package_name=a&" * 20_000, "&" * LONG, "=" * LONG, "&".join(f"a{n}=1" for n in range(20_000))):
        assert_small(ask(app, PATH_INFO=BASE, QUERY_STRING=query))


@pytest.mark.parametrize("ranges", [2, 10, 10_000])
def test_several_ranges_of_a_file_are_the_file_once(ranges: int) -> None:
    app = Registry(verify=None)
    form = (
        b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\ndemo\r\n'
        b'--b\r\nContent-Disposition: form-data; name="version"\r\n\r\n1.0\r\n'
        b'--b\r\nContent-Disposition: form-data; name="content"; filename="demo-1.0.tar.gz"\r\n\r\n'
        + bytes(100_000)
        + b"\r\n--b--\r\n"
    )
    environ = create_environ("/projects/a/packages/pypi", method="POST", data=form)
    _, status, _ = run_wsgi_app(app, environ | {"CONTENT_TYPE": "multipart/form-data; boundary=b"})
    assert status == "201 Created"
    page = json.loads(
        ask(app, PATH_INFO="/projects/a/packages/pypi/simple/demo/", HTTP_ACCEPT="application/vnd.pypi.simple.v1+json")[
            2
        ]
    )
    digest = page["files"][0]["hashes"]["sha256"]
    path = f"/projects/a/packages/pypi/files/{digest}/demo-1.0.tar.gz"
    for header in (",".join(["0-99999"] * ranges), ", ".join(f"{n}-" for n in range(ranges))):
        status, headers, data = ask(app, PATH_INFO=path, HTTP_RANGE=f"bytes={header}")
        assert (status, len(data)) == ("200 OK", 100_000)
        assert ("Content-Length", "100000") in headers


# Forms


class Drip:
    """A body that arrives in pieces of a few bytes, and counts them."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size, self.at, self.reads = data, size, 0, 0

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        piece = self.data[self.at : self.at + min(size, self.size)]
        self.at += len(piece)
        return piece


def head(name: str = "a", more: str = "") -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()


def read(form: bytes, size: int = 10**9) -> tuple[int, str]:
    """Return how many parts were read, and the problem of the form."""
    body = Body({"wsgi.input": Drip(form, size), "wsgi.input_terminated": True})
    count = 0
    try:
        for _, _, chunks in parts(body, "multipart/form-data; boundary=b"):
            count += 1
            for _ in chunks:
                pass
    except InvalidRequest as error:
        return count, str(error)
    return count, ""


def test_a_form_of_100_000_parts_is_refused_after_20_000() -> None:
    form = (head() + b"x\r\n") * 100_000 + b"--b--\r\n"
    body = Drip(form, 10**9)
    found = parts(Body({"wsgi.input": body, "wsgi.input_terminated": True}), "multipart/form-data; boundary=b")
    with pytest.raises(InvalidRequest, match="more than 20000 parts"):
        for _ in found:
            pass
    assert body.at < len(form) // 4
    assert MAX_PARTS == 20_000


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_form_that_drips_is_copied_in_proportion_to_its_length(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Counts the bytes that each refill copies, of heads and contents: if each read copied all, it would be the square.
    def copied(length: int) -> int:
        total = 0

        def counted(form: _Form) -> None:
            nonlocal total
            read_on(form)
            total += len(form._data)

        monkeypatch.setattr(_Form, "read_on", counted)
        form = head(more="; x=" + "y" * length) + b"x" + b"--b" * (length // 3) + b"\r\n--b--\r\n"
        assert read(form, size) == (1, "")
        return total

    read_on = _Form.read_on
    assert copied(40_000) < 3 * copied(20_000)
    assert copied(40_000) < 20 * 80_000


@pytest.mark.parametrize(
    "form",
    [
        head("x" * 60_000) + b"\r\n--b--\r\n",
        head(more=";a=b" * 15_000) + b"\r\n--b--\r\n",
        head(more=';a="' + '\\"' * 25_000) + b"\r\n--b--\r\n",
        head(more="; a*0*=" + "%41" * 15_000) + b"\r\n--b--\r\n",
        head(more="\r\n " * 20_000) + b"\r\n--b--\r\n",
        head(more="\r\nA: b" * 10_000) + b"\r\n--b--\r\n",
        (head("x" * 60_000) + b"\r\n") * 60 + b"--b--\r\n",
        head() + b"\r\n--bx" * 200_000 + b"\r\n--b--\r\n",
        head() + b"\r\n" * 500_000 + b"\r\n--b--\r\n",
        head() + b"\n" * LONG + b"\r\n--b--\r\n",
        head() + b"\r--bx" * 200_000 + b"\r\n--b--\r\n",
        head() + b"--b" * 300_000 + b"\r\n--b--\r\n",
        b"\r\n" * 400_000 + head() + b"\r\n--b--\r\n",
    ],
    ids=lambda form: repr(form[50:90]),
)
def test_a_form_at_its_limits_is_read_or_refused(form: bytes) -> None:
    count, problem = read(form)
    assert count or problem
    assert len(problem) < 500


# Caches


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(pypi_registry.__path__, "pypi_registry."):
        if not found.name.startswith(("pypi_registry.testing", "pypi_registry.__main__", "pypi_registry._cli")):
            yield importlib.import_module(found.name)


def lru_caches() -> dict[str, Any]:
    """Return the cached functions of all modules, by their names."""
    kind = type(functools.lru_cache(len))
    return {
        f"{module.__name__}.{name}": value
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, kind) and value.__module__ == module.__name__
    }


# What the keys of each are, and how long they may be. A new cache needs a line here, and thoughts about its keys.
CACHES = {
    "pypi_registry._filenames._canonical_version": "a text of at most 255 characters",
    "pypi_registry._filenames._parsed_version": "a version of at most 255 characters",
    "pypi_registry._api.negotiation._negotiate": "three headers, at most 1,000 characters each",
    "pypi_registry._api.packages._directly_in": "projects and a path of the directory",
    "pypi_registry._api.routes._cached_match": "a path of at most 200 characters",
    "pypi_registry._api.routes._pattern": "the paths of the routes",
    "pypi_registry._names._canonical_name": "a name of at most 255 characters",
    "pypi_registry._http.negotiation._prefers_html": "a header, at most 1,000 characters",
    "pypi_registry.distributions.filenames._parsed_wheel_filename": "a file name of at most 255 characters",
    "pypi_registry.distributions.specifiers._compiled": "two patterns of the module",
    "pypi_registry.stores.objects.bucket._process": "no keys: the id of one process",
}


def test_all_caches_are_known() -> None:
    found = lru_caches()
    assert {*found} == {*CACHES}
    unbounded = {name for name, cache in found.items() if cache.cache_parameters()["maxsize"] is None}
    assert unbounded == {
        "pypi_registry._api.routes._pattern",
        "pypi_registry.distributions.specifiers._compiled",
        "pypi_registry.stores.objects.bucket._process",
    }


def reachable_texts(root: object) -> Iterator[str | bytes]:
    """Yield all texts that an object keeps alive, except those of modules, classes and functions."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        holder = waiting.pop()
        # Python 3.13 stores attributes in the object, where the collector does not always find them.
        for found in (*gc.get_referents(holder), *getattr(holder, "__dict__", {}).values()):
            if isinstance(found, str | bytes):
                yield found
            elif id(found) not in seen and not isinstance(found, ModuleType | type) and not callable(found):
                seen.add(id(found))
                waiting.append(found)


def flood(app: Any) -> None:
    for number in range(3):
        for text in texts(10_000):
            text = f"{number}{text}"
            for path in PATHS:
                ask(app, PATH_INFO=path.replace("{}", text))
                ask(app, PATH_INFO=path.replace("{}", text[:190]))
            for path in (f"{BASE}/pypi/simple/", f"{BASE}/pypi/simple/demo", BASE, "/groups/acme/packages"):
                ask(app, PATH_INFO=path, HTTP_ACCEPT=text, HTTP_ACCEPT_ENCODING=text, QUERY_STRING=f"format={text}")
                ask(app, PATH_INFO=path, QUERY_STRING=f"package_name={text}&package_version={text}&order_by=name")


def test_no_cache_keeps_a_long_text_of_a_stranger() -> None:
    caches = lru_caches()
    before = {text for cache in caches.values() for text in reachable_texts(cache)}  # of other tests: long patterns
    app = registry()
    flood(app)
    for name, cache in caches.items():
        lengths = [len(text) for text in reachable_texts(cache) if text not in before]
        assert max(lengths, default=0) <= 1000, name
    # The registry with its page cache, its stores and the accounts
    assert max(len(text) for text in reachable_texts(app)) <= 10_000
    assert max(len(text) for text in reachable_texts(ACCOUNTS)) <= 1000


def test_the_search_for_long_texts_finds_them() -> None:
    cache = functools.lru_cache(lambda text: None)
    cache("x" * 5000)
    assert max(len(text) for text in reachable_texts(cache)) == 5000
