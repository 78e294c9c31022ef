"""The quickstart, followed to the letter in a clone."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.clients.served import until
from tests.clients.terminal import Terminal
from tests.clients.wire import get
from tests.ports import free_port
from tests.test_docs import PAGES, ROOT, blocks, text_of

pytestmark = pytest.mark.slow

PAGE = PAGES["quickstart.md"]
NOT_IN_A_CLONE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "_build", "pypi-registry-*")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT, tmp_path / "clone", ignore=NOT_IN_A_CLONE))


def test_to_the_letter(clone: Path, home: Path, tmp_path: Path) -> None:
    start, make, token, publish, install, install_with_uv, uv_alone, delete, start_again = blocks(PAGE, "sh")
    printed, netrc = blocks(PAGE, "text")
    pypirc, pip_conf = blocks(PAGE, "ini")
    [make_a_token] = re.findall(r"`(\S+ -m pypi_registry token add)`", text_of(PAGE))
    port = free_port()
    first, second = Terminal(clone, port), Terminal(tmp_path / "quickstart", port)
    made = Terminal(tmp_path, port).type(f"{make}\nls dist")  # with the index that this machine has
    assert made.splitlines()[-2:] == ["mypypipackage-0.0.1-py3-none-any.whl", "mypypipackage-0.0.1.tar.gz"]

    with first.running(start) as log:
        expected = r"(registry-[^\s@]+)".join(map(re.escape, first.adapted(printed).split("registry-…")))
        shown = re.search(expected, text_of(log))
        assert shown, text_of(log)
        [secret] = {*shown.groups()}

    with first.running(start_again) as log:
        assert text_of(log) == first.adapted("Serving on http://127.0.0.1:8080/api/v4/\n")
        for name, text in ((".pypirc", pypirc), (".netrc", netrc), ("pip.conf", pip_conf)):
            (home / name).write_text(second.adapted(text.replace("registry-…", secret)))
        environment = {
            "HOME": str(home),
            "TERM": "dumb",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(home / "uv-cache"),
        }
        begin = f". .venv/bin/activate\n{token.replace('registry-…', secret)}"
        second.type(f"{begin}{publish}", environment)
        for again in (publish.strip(), "twine upload --repository gitlab dist/*"):
            refused = second.type(f"{begin}{again} || true", environment)
            assert "400 Bad Request" in refused and "File name has already been taken" in refused
        greeted = second.type(f"{begin}{install}{install_with_uv}", environment)
        assert greeted.splitlines().count("Hello from mypypipackage") == 2
        [briefly] = re.findall(r"`(pip install \S+)`", text_of(PAGE))
        environment["PIP_CONFIG_FILE"] = str(home / "pip.conf")
        assert "Successfully installed" in second.type(f"{begin}pip uninstall -y mypypipackage\n{briefly}", environment)
        greeting = "python -c 'import mypypipackage; mypypipackage.greet()'"
        greeted = second.type(f"{begin}uv pip uninstall mypypipackage\n{uv_alone}{greeting}", environment)
        assert "Hello from mypypipackage" in greeted

        listed, yanked, *_ = second.type(
            f"{begin}{delete}".replace("curl ", "curl --fail --silent --write-out '\\n' "), environment
        ).splitlines()
        assert '"version": "0.0.1"' in listed and '"yanked": "broken"' in yanked
        assert json.loads(second.type(f"{begin}{delete.splitlines()[0]}", environment).splitlines()[-1]) == []

        printed_token = first.type(make_a_token)
        [another] = re.findall(r"^registry-\S+$", printed_token, re.MULTILINE)
        index = first.adapted("http://127.0.0.1:8080/api/v4/projects/1/packages/pypi/simple/")
        until(lambda: get(index, another).status == 200)

    [upgrade, _] = blocks(PAGES["upgrading.md"], "sh")
    assert upgrade.startswith(blocks(PAGES["administration.md"], "sh")[-1])
    upgrade, serve_again = upgrade.strip().rsplit("\n", 1)
    path = os.pathsep.join([str(clone / ".venv" / "bin"), os.environ["PATH"]])
    third = Terminal(clone, port, {"/srv/": f"{tmp_path}/srv/"}, {"PATH": path})
    assert "Successfully installed" in third.type(upgrade)
    with third.running(serve_again):
        assert get(index, another).status == 200
