"""The application of docs/flask.md keeps the contracts: everyone who writes an auth begins with a copy of it."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from pypi_registry.auth import Ability, AuthScheme, Credentials
from pypi_registry.testing.contracts import AuthContract, Caller, DirectoryContract, KnownAuth, KnownDirectory

PAGE = Path(__file__).parents[2] / "docs" / "flask.md"


class TestTheFirstBlockOfThePage(DirectoryContract, AuthContract):
    @pytest.fixture(autouse=True)
    def copied(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        block = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        assert block
        program = tmp_path / "app.py"
        program.write_text(block[1], encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        self.app: dict[str, Any] = runpy.run_path(str(program))

    def make_directory(self) -> KnownDirectory:
        return KnownDirectory(
            self.app["OurProjects"](),
            projects={"acme/tools": 1, "acme/website": 2},
            groups={"acme": ["acme/tools", "acme/website"]},
            absent=["", "acme/none", 3],
        )

    def make_auth(self) -> KnownAuth:
        reads = {Ability.READ_PROJECT, Ability.READ_PACKAGE}
        writes = reads | {Ability.CREATE_PACKAGE, Ability.YANK_PACKAGE, Ability.DESTROY_PACKAGE}
        group = {Ability.READ_GROUP, Ability.READ_PACKAGE}
        return KnownAuth(
            self.app["OurUsers"](),
            self.app["OurProjects"](),
            {
                "Ada": Caller(
                    Credentials(AuthScheme.BASIC, "the secret of Ada", "any"),
                    {"acme/tools": writes, "acme/website": writes},
                    {"acme": group},
                    name="ada",
                ),
                "Bob": Caller(
                    Credentials(AuthScheme.PRIVATE_TOKEN, "the secret of Bob"),
                    {"acme/tools": reads},
                    {"acme": group},
                    name="bob",
                ),
            },
        )
