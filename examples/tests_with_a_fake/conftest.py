import os
from pathlib import Path

import pytest

pytest_plugins = ["pypi_registry.testing.fixtures"]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make pip, uv and twine use only the index of the test, whatever the developer has configured."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "TWINE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)  # no pip.conf
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")  # no packages from earlier tests
    monkeypatch.setenv("UV_NO_CONFIG", "1")  # no uv.toml
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("NETRC", os.devnull)  # no credentials of the developer
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
