import io
import shlex

import pytest

from pypi_registry.serve import _announce

SECRET = "registry-of-the-first-start"


@pytest.mark.parametrize(
    ("host", "served", "reached"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::1", "[::1]", "[::1]"),
        pytest.param("0.0.0.0", "0.0.0.0", "127.0.0.1", id="every address"),
        pytest.param("::", "[::]", "[::1]", id="every address of version 6"),
    ],
)
def test_the_printed_lines_can_be_pasted_whatever_the_address(host: str, served: str, reached: str) -> None:
    stream = io.StringIO()
    _announce(stream, host, 8080, SECRET)
    lines = stream.getvalue().splitlines()
    [publish] = [shlex.split(line) for line in lines if line.startswith("twine ")]
    [install] = [shlex.split(line) for line in lines if line.startswith("pip ")]
    place = f"{reached}:8080/api/v4/projects/1/packages/pypi"
    login = ["--username", "owner", "--password", SECRET]
    assert publish == ["twine", "upload", "--repository-url", f"http://{place}", *login, "dist/*"]
    assert install == ["pip", "install", "--index-url", f"http://owner:{SECRET}@{place}/simple", "mypypipackage"]
    assert lines[-1] == f"Serving on http://{served}:8080/api/v4/"
    assert SECRET in stream.getvalue().split(), "the secret is a word of its own"


def test_without_a_new_secret_the_address_is_all_that_is_printed() -> None:
    stream = io.StringIO()
    _announce(stream, "127.0.0.1", 8080, None)
    assert stream.getvalue() == "Serving on http://127.0.0.1:8080/api/v4/\n"
