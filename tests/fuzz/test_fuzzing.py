"""The fuzzer itself, for a bounded time."""

from importlib.util import find_spec

import pytest

from tests.fuzz.__main__ import main


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is only in the dependency group fuzz")
def test_no_target_crashes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "300"]) == 0, capsys.readouterr().out
