"""Where installers put the files of a wheel: each in one place, by all of them, and beside no second metadata."""

import pytest

from pypi_registry.distributions.schemes import scheme_problems

FOLDER = "demo-1.0.data"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param([], id="nothing"),
        pytest.param(["demo.py", "demo/x.py", "demo-1.0.dist-info/METADATA"], id="no data folder"),
        pytest.param(
            ["a/x.dist-info", "x.dist-info.py", "demo.data.py", "demo/x.data", "demo/y.data/purelib/x", "x.DATA/y"],
            id="names alike",
        ),
        pytest.param(
            ["demo/x.py", f"{FOLDER}/purelib/demo/y.py", f"{FOLDER}/platlib/demo/z.so"], id="three parts of a library"
        ),
        pytest.param([f"{FOLDER}/scripts/demo", f"{FOLDER}/data/demo", f"{FOLDER}/headers/demo", "demo"], id="schemes"),
        pytest.param([f"{FOLDER}/data/x.dist-info/METADATA", f"{FOLDER}/scripts/x.dist-info"], id="elsewhere"),
        pytest.param([f"{FOLDER}/purelib/demo/x.dist-info/METADATA"], id="deeper"),
        pytest.param([f"{FOLDER}/data/a/b/c", f"{FOLDER}/headers/a/b"], id="folders in schemes"),
    ],
)
def test_what_every_installer_puts_in_one_place_has_no_problem(files: list[str]) -> None:
    assert [*scheme_problems(files, FOLDER)] == []


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        (
            [f"{FOLDER}/purelib/x-1.dist-info/RECORD"],
            [f"the path '{FOLDER}/purelib/x-1.dist-info/RECORD' would be installed as metadata"],
        ),
        (
            [f"{FOLDER}/platlib/x-1.DIST-INFO"],
            [f"the path '{FOLDER}/platlib/x-1.DIST-INFO' would be installed as metadata"],
        ),
        (["x.dist-info"], ["the path 'x.dist-info' is a file, and pip treats it as a second .dist-info folder"]),
        (["a/x", f"{FOLDER}/purelib/a/x"], ["the path 'a/x' occurs more than once"]),
        ([f"{FOLDER}/platlib/a/x", f"{FOLDER}/purelib/a/x"], ["the path 'a/x' occurs more than once"]),
        (["a/x", f"{FOLDER}/purelib/a"], ["the path 'a' occurs more than once"]),
        (["x.data"], [f"the path 'x.data' is in a data folder that is not named '{FOLDER}'"]),
        (["x.data/purelib/y"], [f"the path 'x.data/purelib/y' is in a data folder that is not named '{FOLDER}'"]),
        (
            [f"{FOLDER}/scripts/a/b"],
            [f"the path '{FOLDER}/scripts/a/b' is in a folder of scripts, which some installers cannot install"],
        ),
        *(
            (
                [path],
                [f"the path '{path}' is in a data folder, but not in one of purelib, platlib, headers, scripts, data"],
            )
            for path in (FOLDER, f"{FOLDER}/x", f"{FOLDER}/purelib", f"{FOLDER}/Purelib/x")
        ),
    ],
)
def test_what_they_would_put_elsewhere_or_over_another_file_is_named(files: list[str], problems: list[str]) -> None:
    assert [*scheme_problems(files, FOLDER)] == problems
