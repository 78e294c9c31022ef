from pathlib import Path
from urllib.parse import urlsplit

import pytest
from packaging.utils import canonicalize_name

from pypi_registry import PYPI, forwarding
from pypi_registry.forwarding import Forward, forward_url


@pytest.mark.parametrize(
    "index",
    [
        "https://mirror.example/root/simple",
        "https://mirror.example/root/simple/",
        "https://mirror.example/root/simple///",
        Forward("https://mirror.example/root/simple"),
    ],
)
def test_an_index_and_a_name_have_one_slash_between_and_one_at_the_end(index: str) -> None:
    assert forward_url(index, canonicalize_name("My.Pkg")) == "https://mirror.example/root/simple/my-pkg/"


def test_a_released_index_is_its_url_and_can_be_told_from_one_that_is_not() -> None:
    released = Forward("https://mirror.example/simple/")
    assert released == "https://mirror.example/simple/"
    assert isinstance(released, Forward)
    assert not isinstance("https://mirror.example/simple/", Forward)


def test_the_public_index_is_asked_over_tls() -> None:
    assert urlsplit(PYPI).scheme == "https"
    assert urlsplit(PYPI).path == "/simple/"
    assert urlsplit(PYPI).hostname is not None


def test_the_host_of_the_public_index_is_written_in_one_place() -> None:
    # Whoever replaces it for a whole installation must not miss a second one.
    host = str(urlsplit(PYPI).hostname)
    package = Path(forwarding.__file__).parent
    sources = [*package.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]
    assert [path for path in sources if host in path.read_text("utf-8")] == [Path(forwarding.__file__)]
