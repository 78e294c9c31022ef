"""A shared cache in front of a registry: nobody gets a response that was made for somebody else."""

import itertools
import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.api.test_secrecy import CALLERS, CASES, Caller
from tests.clients import wire
from tests.ports import free_port
from tests.servers.running import nginx, process

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("nginx") is None, reason="there is no nginx")]

SITE = """
proxy_cache_path {folder}/cache keys_zone=responses:1m;
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{target};
        proxy_set_header Host $http_host;
        proxy_cache responses;
        proxy_cache_valid any 10m;  # also what forbids it with no header at all
        add_header X-Cache $upstream_cache_status always;
    }}
}}
"""
NAMES = ("owner", "anonymous", "stranger", "deploy reads private", "owner", "expired", "anonymous", "unknown")
ASKING = [next(caller for caller in CALLERS if caller.name == name) for name in NAMES]
ACCEPTS = ("*/*", "text/html", "application/vnd.pypi.simple.v1+json")


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Run a registry with a package of each visibility; return its address, and that of the cache in front of it."""
    folder = tmp_path_factory.mktemp("cache")
    target, port = free_port(), free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{target}", "tests.api.test_secrecy:registry()"]
    site = SITE.format(folder=folder, port=port, target=target)
    with process(command, folder, target), nginx(site, folder, port):
        yield f"http://127.0.0.1:{target}", f"http://127.0.0.1:{port}"


def ask(address: str, path: str, caller: Caller, accept: str) -> tuple[wire.Answer, str]:
    """Return a response, and what the cache did."""
    answer = wire.request("GET", address + path, {**caller.headers, "Accept": accept, "Host": "registry.example"})
    return answer, answer.headers.get("X-Cache", "")


def test_each_caller_gets_from_the_cache_what_the_registry_itself_responds(addresses: tuple[str, str]) -> None:
    registry, cache = addresses
    hits = dict.fromkeys(NAMES, 0)
    paths = [case.path for case in CASES if case.method == "GET"]
    for path, accept, caller in itertools.product(paths, ACCEPTS, ASKING):
        expected, _ = ask(registry, path, caller, accept)
        found, did = ask(cache, path, caller, accept)
        assert (found.status, found.body) == (expected.status, expected.body), f"{caller}: {path}, {accept}, {did}"
        hits[caller.name] += did == "HIT"
    assert hits.pop("anonymous") > 0, "the cache stored nothing: this test shows nothing"
    assert hits.pop("unknown") >= 0  # an unknown token is an anonymous caller
    assert not any(hits.values()), hits
