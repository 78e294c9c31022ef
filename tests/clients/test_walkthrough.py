"""GitLab's manual, word for word, and the two lines that a first start prints."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.clients.programs import Programs
from tests.clients.served import Served, served

pytestmark = pytest.mark.slow

SAY_HELLO = 'python -c "from mypypipackage import SayHello; SayHello()"'

SECRET = "glpat-of-the-walkthrough"
REGISTRY_TOML = f"""
forward_to = false
projects = [{{ id = 42, path = "group/project" }}, {{ id = 43, path = "acme/libs/tools" }}]
groups = [{{ id = 7, path = "acme/libs" }}]

[[users]]
name = "ada"
roles = {{ "group" = "developer", "acme" = "developer" }}

[[tokens]]
kind = "personal"
user = "ada"
scopes = ["api"]
sha256 = "{sha256(SECRET.encode()).hexdigest()}"
"""

EMPTY_TOML = """
forward_to = false
projects = [{ id = 1, path = "other/index", visibility = "public" }]
"""

PYPIRC = """\
[distutils]
index-servers =
    gitlab

[gitlab]
repository = {api}/projects/{project}/packages/pypi
username = my-token
password = {secret}
"""


@pytest.fixture
def server(serve: Callable[..., Served], tmp_path: Path) -> Served:
    config = tmp_path / "registry.toml"
    config.write_text(REGISTRY_TOML, encoding="utf-8")
    return serve("--config", str(config))


def test_the_printed_lines_publish_and_install_as_they_are(
    serve: Callable[..., Served], programs: Programs, installing: Programs, built_by_the_manual: Path
) -> None:
    server = serve()
    shown = programs.shell(server.line("twine upload "), built_by_the_manual)
    assert "mypypipackage-0.0.1-py3-none-any.whl" in shown and "mypypipackage-0.0.1.tar.gz" in shown
    assert "Successfully installed mypypipackage-0.0.1" in installing.shell(server.line("pip install "))
    assert installing.shell(SAY_HELLO) == "Hello from MyPyPiPackage\n"


PLACES = {
    "number": ("42", "projects/42"),
    "path": ("group%2Fproject", "projects/group%2Fproject"),
    "group": ("42", "groups/group/-"),
    "path of three segments": ("acme%2Flibs%2Ftools", "projects/acme%2Flibs%2Ftools"),
    "group of a nested group": ("43", "groups/acme/-"),
    "nested group by path": ("acme%2Flibs%2Ftools", "groups/acme%2Flibs/-"),
    "nested group by number": ("acme%2Flibs%2Ftools", "groups/7/-"),
}
ALWAYS = ["number", "path", "group of a nested group"]
"""The places that are used with --slow; the others take --long."""


@pytest.mark.parametrize(
    ("project", "index"),
    [
        pytest.param(*place, id=name, marks=[] if name in ALWAYS else [pytest.mark.long])
        for name, place in PLACES.items()
    ],
)
def test_the_manual_works_word_for_word(
    server: Served, programs: Programs, installing: Programs, built_by_the_manual: Path, project: str, index: str
) -> None:
    pypirc = PYPIRC.format(api=server.api, project=project, secret=SECRET)
    (programs.home / ".pypirc").write_text(pypirc, encoding="utf-8")
    programs.shell("twine upload --repository gitlab dist/*", built_by_the_manual)
    address = f"{server.api.replace('://', f'://my-token:{SECRET}@')}/{index}/packages/pypi/simple"
    shown = installing.shell(f"pip install --index-url {address} --no-deps mypypipackage")
    assert "Successfully installed mypypipackage-0.0.1" in shown
    assert SECRET not in shown
    assert installing.shell(SAY_HELLO) == "Hello from MyPyPiPackage\n"


def test_credentials_inline_and_an_extra_index_work_as_in_the_manual(
    server: Served, programs: Programs, installing: Programs, built_by_the_manual: Path, tmp_path: Path
) -> None:
    place = f"{server.api}/projects/group%2Fproject/packages/pypi"
    login = f"TWINE_PASSWORD={SECRET} TWINE_USERNAME=my-token"
    programs.shell(f"{login} python3 -m twine upload --repository-url {place} dist/*", built_by_the_manual)
    extra = f"{place.replace('://', f'://my-token:{SECRET}@')}/simple"
    config = tmp_path / "empty.toml"
    config.write_text(EMPTY_TOML, encoding="utf-8")
    with served(tmp_path / "empty", "--config", str(config)) as elsewhere:  # stands for the public PyPI
        empty = f"{elsewhere.api}/projects/1/packages/pypi/simple"
        line = f"pip install --index-url {empty} --extra-index-url {extra} --no-deps mypypipackage"
        assert "Successfully installed mypypipackage-0.0.1" in installing.shell(line)
    assert installing.shell(SAY_HELLO) == "Hello from MyPyPiPackage\n"


def test_what_was_published_is_there_after_a_restart_with_the_same_token(
    serve: Callable[..., Served], programs: Programs, installing: Programs, built_by_the_manual: Path
) -> None:
    first = serve()
    programs.shell(first.line("twine upload "), built_by_the_manual)
    secret = first.secret
    first.stop()
    second = serve()
    assert secret not in second.out and "registry-" not in second.out
    address = f"{second.api.replace('://', f'://owner:{secret}@')}/projects/1/packages/pypi/simple"
    installing.shell(f"pip install mypypipackage --no-deps --index-url {address}")
    assert installing.shell(SAY_HELLO) == "Hello from MyPyPiPackage\n"
