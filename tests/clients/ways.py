"""How each client publishes and installs: the command lines that a user types, and the files they need."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

PUBLISHING_PROJECT = """\
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "{name}"
version = "{version}"
description = "Made for a test"
requires-python = ">=3.11"

[tool.flit.module]
name = "{module}"
"""

PIPFILE = """\
[[source]]
name = "here"
url = "{url}"
verify_ssl = true

[packages]
{packages}
"""

POETRY_REPOSITORY = '[repositories.here]\nurl = "{address}"\n'

# pdm and pipenv fill in what is in the environment. For the index named "pypi" pdm would otherwise ask the public one.
INSTALLING_PROJECT = """\
[project]
name = "consumer"
version = "0"
requires-python = ">=3.11"
dependencies = [{dependencies}]

[[tool.uv.index]]
name = "here"
url = "{bare}"
default = true

[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "here"
url = "{bare}"
priority = "primary"

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
url = "{url}"
"""


@dataclass(frozen=True)
class Publisher:
    """A client that publishes what is in ``dist/``; flit builds it first."""

    client: str
    line: str
    """Takes an `address`, a `secret`, and `more` options."""
    skipping: str = ""
    """The options with which it skips files that are published already; takes an `index`."""


_TWINE = (
    "twine upload --disable-progress-bar --non-interactive --repository-url {address} -u any -p {secret} {more} dist/*"
)
_FLIT = (
    "FLIT_INDEX_URL={address} FLIT_USERNAME=any FLIT_PASSWORD={secret} "
    "FLIT_NO_NETWORK=1 "  # or it asks the public index which classifiers there are
    "flit publish --no-use-vcs {more}"
)


def uv_publish(client: str) -> Publisher:
    return Publisher(
        client, "uv publish --publish-url {address} -u any -p {secret} {more} dist/*", "--check-url {index}"
    )


PUBLISHERS = {
    publisher.client: publisher
    for publisher in [
        Publisher("twine", _TWINE, "--skip-existing"),
        Publisher("twine-6", _TWINE, "--skip-existing"),
        Publisher("twine-5", _TWINE, "--skip-existing"),
        uv_publish("uv"),
        Publisher("poetry", "poetry publish -n -r here -u any -p {secret} {more}", "--skip-existing"),
        Publisher("flit", _FLIT),
        Publisher("hatch", "hatch publish -n -r {address} -u any -a {secret} {more} dist"),
        Publisher("pdm", "pdm publish --no-build -r {address} -u any -P {secret} {more}", "--skip-existing"),
        Publisher(
            "maturin",
            "maturin upload --non-interactive --repository-url {address} -u any -p {secret} {more} dist/*",
            "--skip-existing",
        ),
    ]
}


def write_publishing_project(folder: Path, name: str, version: str, address: str) -> None:
    """Write what a publisher wants beside ``dist/``."""
    module = name.replace("-", "_").replace(".", "_").lower()
    (folder / "dist").mkdir(parents=True)
    text = PUBLISHING_PROJECT.format(name=name, version=version, module=module)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    (folder / f"{module}.py").write_text("", encoding="utf-8")
    (folder / "poetry.toml").write_text(POETRY_REPOSITORY.format(address=address), encoding="utf-8")


@dataclass(frozen=True)
class Way:
    """A way to install what ``requirements.in`` and ``pyproject.toml`` ask for into ``.venv``.

    The lines take an `index`, and all but `install_locked` take `more` options.
    """

    name: str
    client: str
    resolve: str
    install: str
    """Resolves and installs."""
    install_locked: str
    """Installs from the file that it has resolved into."""
    locked: str
    """That file; pip writes none, but reads one."""
    anew: str = ""
    """The options with which it resolves anew what it has resolved already."""


_REQUIREMENTS = "requirements.txt"
_PIP_LOCKED = f"pip --python .venv install --index-url {{index}} --require-hashes -r {_REQUIREMENTS}"
_PIP_COMPILE = "pip-compile --quiet --strip-extras --generate-hashes --index-url {index} {more} requirements.in"


def pip_way(client: str) -> Way:
    line = "pip --python .venv install --index-url {index} {more}"
    return Way(
        "pip", client, f"{line} --dry-run -r requirements.in", f"{line} -r requirements.in", _PIP_LOCKED, _REQUIREMENTS
    )


def uv_pip_way(client: str) -> Way:
    return Way(
        "uv pip",
        client,
        f"uv pip compile --generate-hashes --default-index {{index}} {{more}} requirements.in -o {_REQUIREMENTS}",
        "uv pip install --default-index {index} {more} -r requirements.in",
        f"uv pip install --default-index {{index}} --require-hashes -r {_REQUIREMENTS}",
        _REQUIREMENTS,
        "--upgrade",
    )


WAYS = {
    way.client if way.client != "uv" else way.name: way
    for way in [
        pip_way("pip"),
        pip_way("pip-23"),
        uv_pip_way("uv"),
        Way("uv lock", "uv", "uv lock {more}", "uv sync {more}", "uv sync --frozen", "uv.lock", "--upgrade"),
        Way(
            "poetry",
            "poetry",
            "poetry lock -n {more}",
            "poetry lock -n {more} && poetry install -n",
            "poetry install -n",
            "poetry.lock",
            "--regenerate",
        ),
        Way("pdm", "pdm", "pdm lock {more}", "pdm lock {more} && pdm sync", "pdm sync", "pdm.lock"),
        Way(
            "pip-tools",
            "pip-tools",
            _PIP_COMPILE,
            f"{_PIP_COMPILE} && {_PIP_LOCKED}",
            _PIP_LOCKED,
            _REQUIREMENTS,
            "--upgrade",
        ),
    ]
}

PIPENV = Way("pipenv", "pipenv", "pipenv lock {more}", "pipenv install {more}", "pipenv sync", "Pipfile.lock")
# A PEX file holds what was installed; this one can also write it into a virtual environment.
_PEX = "pex --no-pypi --index-url {index} --include-tools -o app.pex {more}"
_UNPACK = "PEX_TOOLS=1 .venv/bin/python app.pex venv --force .venv"
PEX = Way(
    "pex",
    "pex",
    "pex3 lock create --no-pypi --index-url {index} -o lock.json {more} -r requirements.in",
    f"{_PEX} -r requirements.in && {_UNPACK}",
    f"{_PEX} --lock lock.json && {_UNPACK}",
    "lock.json",
)

READER = "pypi-simple"
"""A library, which a script uses."""
READ_INDEX = Path(__file__).with_name("read_index.py")


def write_installing_project(folder: Path, requirements: list[str], bare_index: str, *, login: bool) -> None:
    """Write a project that needs something, for whatever client is run in it."""
    url = bare_index.replace("://", "://any:${SECRET}@") if login else bare_index
    dependencies = ", ".join(f'"{requirement}"' for requirement in requirements)
    text = INSTALLING_PROJECT.format(dependencies=dependencies, bare=bare_index, url=url)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    packages = "\n".join(f'"{each.name}" = "{each.specifier or "*"}"' for each in map(Requirement, requirements))
    (folder / "Pipfile").write_text(PIPFILE.format(url=url, packages=packages), encoding="utf-8")
    (folder / "requirements.in").write_text("".join(f"{line}\n" for line in requirements), encoding="utf-8")


def credentials(secret: str) -> Mapping[str, str]:
    """Return what those clients read that take no secret in an address which is written into a project."""
    return {
        "UV_INDEX_HERE_USERNAME": "any",
        "UV_INDEX_HERE_PASSWORD": secret,
        "POETRY_HTTP_BASIC_HERE_USERNAME": "any",
        "POETRY_HTTP_BASIC_HERE_PASSWORD": secret,
        "SECRET": secret,
    }


# What a machine of one's own has not: nothing asks for a newer version, or for a keyring that is not there.
SETTINGS = {
    "UV_NO_CONFIG": "false",  # so that uv reads the project's own table
    "PDM_CHECK_UPDATE": "0",
    "PIPENV_VENV_IN_PROJECT": "1",  # into .venv, as the others
    "PIPENV_NOSPIN": "1",
    "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
}
