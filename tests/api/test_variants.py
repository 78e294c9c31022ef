"""Wheel variants (PEP 825) over HTTP: the variants JSON of each version, its URLs, and who may read which content."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

import pytest
from packaging.utils import canonicalize_name

from pypi_registry import AllowAll, Project, Registry, Visibility
from pypi_registry.accounts import Accounts, GroupConfig, ProjectConfig, Role, Token, User, token_digest
from pypi_registry.model import NameStatus, Status
from pypi_registry.stores.memory import MemoryBlobs, MemoryCatalogue
from pypi_registry.testing.archives import Distribution, Variant, make_sdist, make_wheel

ClientOf = Callable[[Registry], Any]

TOOLS, LIBS, ACME = "/projects/1/packages/pypi", "/projects/2/packages/pypi", "/groups/acme/-/packages/pypi"
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
FAST, SLOW, NULL = (
    Variant("fast", {"cpu": {"level": ["v3"]}}),
    Variant("slow", {"cpu": {"level": ["v1"]}}),
    Variant("null", namespaces=["cpu"]),
)
ACCOUNTS = Accounts(
    projects=[ProjectConfig(id=1, path="acme/tools"), ProjectConfig(id=2, path="acme/libs")],
    groups=[GroupConfig(path="acme", visibility=Visibility.PUBLIC)],
    users=[
        User(name="both", roles={"acme": Role.MAINTAINER}),
        User(name="one", roles={"acme/tools": Role.MAINTAINER}),
    ],
    tokens=[Token(user=name, scopes=frozenset({"api"}), sha256=token_digest(name)) for name in ("both", "one")],
)


class Packages:
    """A registry with two projects in a group, and its index as a client reads it."""

    def __init__(self, client_of: ClientOf, catalogue: MemoryCatalogue | None = None) -> None:
        self.catalogue = catalogue or MemoryCatalogue()
        self.client = client_of(
            Registry(directory=ACCOUNTS, auth=ACCOUNTS, catalogue=self.catalogue, blobs=MemoryBlobs())
        )

    def publish(self, project: str, *files: Distribution | Variant, status: int = 201, version: str = "1.0") -> Any:
        for each in files:
            file = make_wheel("my.demo", version, variant=each) if isinstance(each, Variant) else each
            form = {"name": "my.demo", "version": version}
            content = [("content", file.filename, file.data)]
            answer = self.client.post(project, form, upload_files=content, headers=basic("both"), status=status)
        return answer

    def page(self, where: str, token: str = "both") -> Mapping[str, Any]:
        answer = self.client.get(f"{where}/simple/my-demo/", headers=JSON | basic(token), status=200)
        page: Mapping[str, Any] = answer.json
        return page

    def listed(self, where: str, token: str = "both") -> Sequence[Mapping[str, Any]]:
        """Return the entries of variants JSON on a page."""
        return [file for file in self.page(where, token)["files"] if file["filename"].endswith("-variants.json")]

    def url(self, where: str, token: str = "both") -> str:
        """Return the path of the only variants JSON on a page."""
        [entry] = self.listed(where, token)
        return urljoin(f"{where}/simple/my-demo/", str(entry["url"]))

    def variants(self, url: str, token: str = "both") -> Mapping[str, Any]:
        """Return the variants in a JSON whose content has the digest in its URL."""
        answer = self.client.get(url, headers=basic(token), status=200)
        assert hashlib.sha256(answer.body).hexdigest() == url.split("/")[-2]
        assert answer.headers["Content-Type"] == "application/json"
        variants: Mapping[str, Any] = answer.json["variants"]
        return variants

    def status_of(self, url: str, token: str = "both") -> int:
        status: int = self.client.get(url, headers=basic(token), status="*").status_int
        return status

    def delete(self, filename: str) -> None:
        [package] = self.client.get("/projects/1/packages", headers=basic("both")).json
        files = f"{self.client.prefix}/projects/1/packages/{package['id']}/package_files"
        found = self.client.app.get(files, headers=basic("both")).json
        [id_] = [file["id"] for file in found if file["file_name"] == filename]
        self.client.app.delete(f"{files}/{id_}", headers=basic("both"), status=204)

    def quarantine(self, number: int) -> None:
        status = NameStatus(Status.QUARANTINED)
        project = ACCOUNTS.project(number)
        assert isinstance(project, Project)
        self.catalogue.set_status(project, canonicalize_name("my-demo"), status, "")


def basic(token: str) -> dict[str, str]:
    return {"PRIVATE-TOKEN": token}


@pytest.fixture
def packages(client_of: ClientOf) -> Packages:
    return Packages(client_of)


# Listing


@pytest.mark.parametrize("where", [TOOLS, ACME])
def test_the_json_of_each_version_is_one_more_file(packages: Packages, where: str) -> None:
    packages.publish(TOOLS, make_wheel("my.demo", "1.0"), FAST, make_sdist("my.demo", "1.0"), SLOW, NULL)
    packages.publish(TOOLS, FAST, version="2.0")
    packages.publish(TOOLS, make_wheel("my.demo", "3.0"), version="3.0")
    page = packages.page(where)
    assert page["versions"] == ["1.0", "2.0", "3.0"]
    first, second = packages.listed(where)
    assert [file["filename"] for file in page["files"]][-2:] == [
        "my_demo-1.0-variants.json",
        "my_demo-2.0-variants.json",
    ]
    assert {*first} == {*second} == {"filename", "url", "hashes", "size"}
    content = packages.client.get(urljoin(f"{where}/simple/my-demo/", first["url"]), headers=basic("both")).body
    assert (len(content), hashlib.sha256(content).hexdigest()) == (first["size"], first["hashes"]["sha256"])
    assert json.loads(content) == {
        "$schema": "https://variants-schema.wheelnext.dev/peps/825/v0.1.1.json",
        "default-priorities": {"namespace": ["cpu"]},
        "variants": {"fast": {"cpu": {"level": ["v3"]}}, "null": {}, "slow": {"cpu": {"level": ["v1"]}}},
    }
    html = packages.client.get(f"{where}/simple/my-demo/", headers=basic("both")).text
    digest = first["hashes"]["sha256"]
    assert f'<a href="{first["url"]}#sha256={digest}">my_demo-1.0-variants.json</a>' in html


def test_a_wheel_variant_has_the_attributes_of_every_wheel(packages: Packages) -> None:
    wheel = make_wheel("my.demo", "1.0", variant=FAST, requires_python=">=3.9")
    packages.publish(TOOLS, wheel)
    file, variants = packages.page(TOOLS)["files"]
    assert file["requires-python"] == ">=3.9"
    url = urljoin(f"{TOOLS}/simple/my-demo/", f"{file['url']}.metadata")
    metadata = packages.client.get(url, headers=basic("both"), status=200).body
    assert hashlib.sha256(metadata).hexdigest() == file["core-metadata"]["sha256"]
    assert "core-metadata" not in variants
    package = packages.client.get("/projects/1/packages", headers=basic("both")).json[0]["id"]
    path = f"{packages.client.prefix}/projects/1/packages/{package}"
    packages.client.app.patch_json(path, {"yanked": True}, headers=basic("both"), status=200)
    file, variants = packages.page(TOOLS)["files"]
    assert file["yanked"] is True
    assert "yanked" not in variants


def test_the_json_depends_on_the_variants_and_not_on_the_order_of_uploads(client_of: ClientOf) -> None:
    one, other = Packages(client_of), Packages(client_of)
    one.publish(TOOLS, FAST, SLOW)
    other.publish(TOOLS, SLOW, make_wheel("my.demo", "1.0"), FAST)
    assert one.url(TOOLS) == other.url(TOOLS)


@pytest.mark.everywhere
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_link_is_right_below_every_prefix(packages: Packages, slash: str) -> None:
    packages.publish(TOOLS, FAST)
    page = packages.client.get(f"{TOOLS}/simple/my-demo{slash}", headers=JSON | basic("both")).json
    url = urljoin(f"{TOOLS}/simple/my-demo{slash}", page["files"][-1]["url"])
    assert {*packages.variants(url)} == {"fast"}


# Contents of before


def test_each_content_stays_at_its_url_as_long_as_the_version_exists(packages: Packages) -> None:
    urls: dict[str, set[str]] = {}
    packages.publish(TOOLS, make_wheel("my.demo", "1.0"))

    def note(*labels: str) -> None:
        urls.update({packages.url(where): {*labels} for where in (TOOLS, ACME)})

    packages.publish(TOOLS, FAST)
    note("fast")
    packages.publish(TOOLS, SLOW)
    note("fast", "slow")
    packages.delete("my_demo-1.0-py3-none-any-fast.whl")
    note("slow")
    packages.publish(TOOLS, NULL)
    note("null", "slow")
    packages.delete("my_demo-1.0-py3-none-any-slow.whl")
    packages.delete("my_demo-1.0-py3-none-any-null.whl")
    assert packages.listed(TOOLS) == packages.listed(ACME) == []
    assert len(urls) == 8
    assert {url: {*packages.variants(url)} for url in urls} == urls
    packages.delete("my_demo-1.0-py3-none-any.whl")
    assert {packages.status_of(url) for url in urls} == {404}


def test_a_content_stays_at_a_group_whichever_project_changes(packages: Packages) -> None:
    packages.publish(TOOLS, FAST)
    urls = {packages.url(ACME): {"fast"}}
    packages.publish(LIBS, SLOW)
    urls[packages.url(ACME)] = {"fast", "slow"}
    packages.publish(TOOLS, NULL)
    urls[packages.url(ACME)] = {"fast", "slow", "null"}
    packages.publish(LIBS, Variant("small", {"cpu": {"level": ["v2"]}}))
    urls[packages.url(ACME)] = {"fast", "slow", "null", "small"}
    packages.delete("my_demo-1.0-py3-none-any-fast.whl")
    urls[packages.url(ACME)] = {"slow", "null", "small"}
    assert len(urls) == 5
    assert {url: {*packages.variants(url)} for url in urls} == urls


class WithoutHistory(MemoryCatalogue):
    """A catalogue that does not implement `KeepsVariants`."""

    variants = None  # type: ignore[assignment]  # isinstance() with a protocol ignores a method that is None


def test_a_catalogue_that_keeps_nothing_has_the_present_content(client_of: ClientOf) -> None:
    packages = Packages(client_of, WithoutHistory())
    packages.publish(TOOLS, FAST)
    urls = [packages.url(TOOLS), packages.url(ACME)]
    assert [{*packages.variants(url)} for url in urls] == [{"fast"}, {"fast"}]
    packages.publish(TOOLS, SLOW)
    assert [packages.status_of(url) for url in urls] == [404, 404]
    assert [{*packages.variants(packages.url(where))} for where in (TOOLS, ACME)] == [{"fast", "slow"}] * 2
    packages.quarantine(1)
    assert packages.status_of(urls[0]) == 403


# Groups


def test_at_a_group_the_json_covers_the_projects_that_the_caller_may_read(packages: Packages) -> None:
    packages.publish(TOOLS, FAST)
    packages.publish(LIBS, SLOW)
    of_both, of_one = packages.url(ACME), packages.url(ACME, "one")
    assert {*packages.variants(of_both)} == {"fast", "slow"}
    assert {*packages.variants(of_one, "one")} == {"fast"}
    assert packages.status_of(of_both, "one") == 404
    of_libs = packages.url(LIBS).replace(LIBS, ACME)
    assert packages.status_of(of_libs) == 200
    assert packages.status_of(of_libs, "one") == 404


def test_at_a_group_a_label_with_two_meanings_is_left_out(packages: Packages) -> None:
    packages.publish(TOOLS, FAST, NULL)
    packages.publish(LIBS, Variant("fast", {"cpu": {"level": ["v4"]}}), SLOW)
    assert {*packages.variants(packages.url(ACME))} == {"null", "slow"}
    assert packages.variants(packages.url(TOOLS))["fast"] == {"cpu": {"level": ["v3"]}}
    assert packages.variants(packages.url(LIBS))["fast"] == {"cpu": {"level": ["v4"]}}
    assert packages.variants(packages.url(ACME, "one"), "one")["fast"] == {"cpu": {"level": ["v3"]}}


def test_at_a_group_the_older_package_decides_about_priorities(packages: Packages) -> None:
    packages.publish(TOOLS, FAST)
    packages.publish(LIBS, Variant("tuned", {"gpu": {"kind": ["a"]}}, namespaces=["gpu", "cpu"]))
    url = packages.url(ACME)
    assert {*packages.variants(url)} == {"fast"}
    assert packages.client.get(url, headers=basic("both")).json["default-priorities"] == {"namespace": ["cpu"]}


# Who may read it


def test_a_quarantined_name_shows_no_variants_to_anyone(packages: Packages) -> None:
    packages.publish(TOOLS, FAST)
    packages.publish(LIBS, SLOW)
    tools, libs, both = packages.url(TOOLS), packages.url(LIBS), packages.url(ACME)
    packages.quarantine(1)
    assert packages.page(TOOLS)["files"] == []
    assert packages.status_of(tools) == 403
    assert {*packages.variants(packages.url(ACME))} == {"slow"}
    assert [packages.status_of(url) for url in (both, tools.replace(TOOLS, ACME), libs.replace(LIBS, ACME))] == [
        404,
        404,
        200,
    ]
    packages.quarantine(2)
    assert packages.listed(ACME) == []
    assert [packages.status_of(url) for url in (both, libs)] == [403, 403]


@pytest.mark.parametrize(
    "path",
    [
        f"{'0' * 64}/my_demo-1.0-variants.json",
        "{sha256}/my_demo-1.1-variants.json",
        "{sha256}/other-1.0-variants.json",
        "{sha256}/my-demo-1.0-variants.json",
        "{sha256}/My_Demo-1.0-variants.json",
        "{sha256}/my_demo-latest-variants.json",
        "{sha256}/my_demo-variants.json",
        "{sha256}/my_demo-" + "1" * 5000 + "-variants.json",
        "x/my_demo-1.0-variants.json",
    ],
)
def test_another_url_has_no_content(packages: Packages, path: str) -> None:
    packages.publish(TOOLS, FAST)
    sha256 = packages.url(TOOLS).split("/")[-2]
    for where in (TOOLS, ACME):
        assert packages.status_of(f"{where}/files/{path.format(sha256=sha256)}") == 404
        assert packages.status_of(f"{where}/files/{sha256.upper()}/my_demo-1.0-variants.json") == 200


# Uploads


def test_a_wheel_that_contradicts_its_version_is_refused_with_what_contradicts(packages: Packages) -> None:
    provider = {"cpu": {"static-properties": {"level": ["v1", "v3"]}}}
    packages.publish(TOOLS, Variant("fast", {"cpu": {"level": ["v3"]}}, providers=provider))
    before = packages.page(TOOLS)
    other_provider = {"cpu": {"static-properties": {"level": ["v3", "v1"]}}}
    contradicting = Variant("fast", {"cpu": {"level": ["v4"], "extra": ["x"]}}, providers=other_provider)
    wheel = make_wheel("my.demo", "1.0", tags="py2-none-any", variant=contradicting)
    errors = packages.publish(TOOLS, wheel, status=400).json["errors"]
    start = "my_demo-1.0-py2-none-any-fast.whl contradicts other wheels: "
    assert errors == [
        f"{start}the provider of the namespace cpu differs from the one in other wheels of this version",
        f"{start}the label 'fast' has cpu :: extra :: [x] here and nothing in other wheels of this version",
        f"{start}the label 'fast' has cpu :: level :: [v4] here and [v3] in other wheels of this version",
    ]
    assert packages.page(TOOLS) == before
    packages.publish(LIBS, wheel)
    packages.publish(TOOLS, contradicting, version="1.1")


def test_of_many_contradictions_some_are_named(packages: Packages) -> None:
    for value, status in (("a", 201), ("b", 400)):
        features = {f"f{number}": [value] for number in range(500)}
        wheel = make_wheel("my.demo", "1.0", build=str(status), variant=Variant("fast", {"cpu": features}))
        answer = packages.publish(TOOLS, wheel, status=status)
    assert len(answer.json["errors"]) == 10


def test_a_refused_variant_leaves_no_bytes(client_of: ClientOf) -> None:
    blobs = MemoryBlobs()
    client = client_of(Registry(auth=AllowAll(), catalogue=MemoryCatalogue(), blobs=blobs))
    for number, variant in enumerate((FAST, Variant("fast", {"cpu": {"level": ["v4"]}}))):
        wheel = make_wheel("demo", "1.0", tags=f"py{number + 2}-none-any", variant=variant)
        form, content = {"name": "demo", "version": "1.0"}, [("content", wheel.filename, wheel.data)]
        path = "/projects/acme%2Ftools/packages/pypi"
        client.post(path, form, upload_files=content, status=(201, 400)[number])
    assert len([*blobs.keys()]) == 1


def test_without_verification_a_variant_that_is_not_valid_is_published_and_not_described(client_of: ClientOf) -> None:
    client = client_of(Registry(auth=AllowAll(), verify=None))
    path = "/projects/acme%2Ftools/packages/pypi"
    for label in ("fast", "slow"):
        wheel = make_wheel("demo", "1.0", variant=Variant("fast", {"cpu": {"level": ["v3"]}}))
        name = wheel.filename.replace("fast", label)
        form = {"name": "demo", "version": "1.0"}
        client.post(path, form, upload_files=[("content", name, wheel.data)], status=201)
    page = client.get(f"{path}/simple/demo/", headers=JSON).json
    content = client.get(urljoin(f"{path}/simple/demo/", page["files"][-1]["url"])).json
    assert len(page["files"]) == 3
    assert {*content["variants"]} == {"fast"}
