"""The variants JSON of each version on a page (PEP 825)."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from packaging.utils import NormalizedName

from pypi_registry._pages.simple import MediaType, render_package
from pypi_registry._pages.variants import variants_files
from pypi_registry.model import Digests, Package, PackageFile
from pypi_registry.testing.contracts.catalogue.samples import variant

NAME = NormalizedName("my-demo")
AT = datetime(2026, 1, 2, tzinfo=UTC)
FAST, SLOW = variant("fast", "v3"), variant("slow", "v1")


def file(text: str | None, version: str = "1.0", package: int = 1) -> PackageFile:
    of = Package(package, package, "My.Demo", NAME, version, AT)
    return PackageFile(1, of, "my_demo.whl", 4, Digests("a" * 64), "", AT, "key", variant=text)


def labels(files: Sequence[PackageFile]) -> list[tuple[str, set[str]]]:
    return [(each.filename, {*json.loads(each.content)["variants"]}) for each in variants_files(NAME, files)]


def test_without_variants_there_is_none() -> None:
    assert variants_files(NAME, [file(None), file(None, "2.0")]) == []
    assert variants_files(NAME, []) == []


def test_each_version_with_a_variant_has_one_in_whichever_spelling() -> None:
    files = [file(FAST), file(None, "3.0"), file(SLOW, "v2.0"), file(SLOW, "1.0.0", package=2), file(None)]
    assert labels(files) == [
        ("my_demo-1.0-variants.json", {"fast", "slow"}),
        ("my_demo-2.0-variants.json", {"slow"}),
    ]
    for each in variants_files(NAME, files):
        assert each.sha256 == sha256(each.content).hexdigest()


def test_the_older_package_counts_whatever_the_order_of_the_files() -> None:
    older, newer = file(FAST, package=1), file(variant("new", "v1", namespaces=["gpu", "cpu"]), package=2)
    for files in ([older, newer], [newer, older]):
        assert labels(files) == [("my_demo-1.0-variants.json", {"fast"})]


@pytest.mark.parametrize("trailing_slash", [True, False])
@pytest.mark.parametrize("files_url", ["", "https://packages.example/api/v4/projects/1/packages/pypi/files"])
def test_pages_link_to_it_after_the_files(trailing_slash: bool, files_url: str) -> None:
    files = [file(FAST, "1!2.0+cu.12"), replace(file(None, "1.0"), filename="my_demo-1.0.zip")]
    [expected] = variants_files(NAME, files)
    base = files_url or ("../../files" if trailing_slash else "../files")
    url = f"{base}/{expected.sha256}/my_demo-1!2.0+cu.12-variants.json"
    html, page = (
        render_package(NAME, files, form, trailing_slash=trailing_slash, files_url=files_url).decode()
        for form in (MediaType.TEXT_HTML, MediaType.JSON)
    )
    assert f'<a href="{url}#sha256={expected.sha256}">my_demo-1!2.0+cu.12-variants.json</a>\n' in html
    assert json.loads(page)["files"][-1] == {
        "filename": "my_demo-1!2.0+cu.12-variants.json",
        "url": url,
        "hashes": {"sha256": expected.sha256},
        "size": len(expected.content),
    }
    assert json.loads(page)["versions"] == ["1.0", "1!2.0+cu.12"]
