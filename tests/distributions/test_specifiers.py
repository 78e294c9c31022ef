"""`Requires-Python` and `Requires-Dist`: the verifier accepts what pip and uv both use, and the tables agree with both.

The answers are those of pip 26.3 and uv 0.13.9. The slow tests ask both about some rows, and with `--long` about all.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from pypi_registry.distributions.specifiers import requirement_problems, specifier_problem
from pypi_registry.testing.archives import Distribution, distribution
from tests.clients.toolbox import Tool, Toolbox

VALID = (
    "", ">=3.7", ">= 3.7", ">3", "==3.*", "!=3.5.*", ">=3.7.0rc1", ">=2.7, !=3.0.*, !=3.1.*",
    ">=v3.6", ">=3.6-dev", ">=3.6.dev", ">=3.7,", ">=3.7,<4.0,",
)  # fmt: skip
REPAIRED = (
    ">=3.5.*", "'>=3.6'", '">=3.6"', ">=3.6.*,<4.*", ">3.6.*", "<=3.11.*", "<4.*", "!=3.2*",
    ">=2.7,!=3.0,!=3.1.*,!=3.2*",
    ">=3.6.0.*", ">=2.7.*, !=3.0.*,", ">=2.7,>=3.4.*", "<3.99,>=3.6.*", ">=3.7,<=3.*", ">=3.6<4", "!=~3.5",
)  # fmt: skip
"""pip ignores them, with a warning, and uv reads what was meant: both install."""
REFUSED = (
    "3.6", "3", "~=3", "=>3.7", "=3.7", "~3.6", "^3.7", "≥3.7", "*", "any", "None", "==", ">=", ">=3.6,!=", ",>=3.7",
    ">=3.7,,<4", "~=3.7.*", ">=3.6;", ">=3.6.x", ">=3.6,<3.x", ">=3.6 <4", ">=3.6 and <4", ">=3.x", ">=python3",
    "python>=3.6", ">=3.6+", ">=3.7;python_version>'3'", "(>=3.7)", ">=3,5", "==3.*.*", ">=3.0*", "~=2.7*", ">=3.6||<2",
)  # fmt: skip
"""pip ignores them, with a warning, and uv does not find the version."""

# Requirement -> who uses it: pip ("p"), uv ("u")
REQUIREMENTS: Mapping[str, str] = {
    **dict.fromkeys((
        "foo", "foo>=1", "foo (>=1)", "foo(>=1)", "foo>=1,", "foo (>=1,)", "foo==1.*", "foo (==1.0)", "foo!=3",
        "foo (>=1.0.dev)", "foo>=1.0-dev", "foo===1.0", "foo[]", "foo>=1;python_version<'3'",
        "foo;python_version < '3.6.*'", "foo; extra == 'x'", "foo; extra == 'X_y'", "foo>=1 ; python_version>\"3\"",
        "foo; os.name=='posix'", "foo; python_implementation=='x'", "foo; python_version in '2.7 3.0'",
        "foo; python_version not in '2.7'", "foo;extra=='a' and (python_version<'3')", "foo; python_version~='3.0'",
        "foo ; platform.machine=='x'", "foo; python_version=='3.*'", "foo; extra in 'a b'",
    ), "pu"),
    **dict.fromkeys((
        "foo>=1.*", "foo>1.*", "foo!=~3.0", "foo<=2.*", "foo (>=1.0,<3.*)", "foo>=1.0.*,<3", "foo>=1'",
        "foo; implementation_name~='c'", "foo; 'a' in extras",
    ), "u"),
    **dict.fromkeys((
        "foo (1.0)", "foo 1.0", "foo~=1", "foo[x", "foo>=dev", "foo; python_version<3", "foo ; bad == 'x'",
        "foo>=1 ; sys_platform", "foo>=1.0.x", "foo==latest", "foo!=1.*.*", "foo>=1;;", "foo#x", "foo bar", "foo (>=1",
        "foo)", "-foo", "foo-", "_foo", "foo.", "föö", "foo >=1 <2", "foo (foo>=1)", "foo=1", "foo=>1", "foo>=1.0,>=",
        "foo[a,]", "foo[a b]", "foo;'x'", "foo;python_version>='3' or", "foo>=1.0~", "foo~=1.0.*", "foo>=1.0+local",
        "foo===latest", "foo @ x", "foo; variant_label=='x'", "foo; extra==x", "foo; dependency_groups=='x'",
    ), ""),
}  # fmt: skip


@pytest.mark.parametrize("text", [*VALID, *REPAIRED])
def test_a_specifier_that_both_use_is_no_problem(text: str) -> None:
    assert specifier_problem(text) == ""


@pytest.mark.parametrize("text", REFUSED)
def test_another_specifier_is_a_problem_that_shows_it(text: str) -> None:
    assert specifier_problem(text) == f"{text!r} is not a version specifier, such as '>=3.9'"


@pytest.mark.parametrize("text", REQUIREMENTS)
def test_a_requirement_is_no_problem_if_both_use_it(text: str) -> None:
    problems = [*requirement_problems([text])]
    assert (not problems) == (REQUIREMENTS[text] == "pu"), problems
    assert all(problem.startswith(f"{text!r} is not a dependency specifier: ") for problem in problems)


def test_only_the_first_problems_of_many_requirements_are_named() -> None:
    assert len([*requirement_problems(f"foo {number}" for number in range(1000))]) == 3


def test_a_marker_may_be_nested_too_deeply_for_the_parser() -> None:
    [problem] = requirement_problems(["foo; " + "(" * 1900 + "os_name=='a'" + ")" * 1900])
    assert problem.endswith(": its marker is nested too deeply")


# What the clients do

Installs = Callable[[str, Path], bool]


@pytest.fixture(scope="session")
def toolbox(request: pytest.FixtureRequest) -> Toolbox:
    assert request.config.cache is not None
    return Toolbox.fill(request.config.cache.mkdir("clients"))


@pytest.fixture
def installs(toolbox: Toolbox, tmp_path: Path) -> Installs:
    """Return a function that returns whether a client would install demo from a folder."""
    tools = {client: Tool(tmp_path, toolbox.scripts(client)) for client in ("pip", "uv")}
    options = ("install", "--dry-run", "--no-index", "--find-links", ".", "--target", "site", "demo")
    commands = {
        "pip": ["python", "-m", "pip", *options],
        "uv": ["uv", "pip", options[0], "--offline", "--no-cache", *options[1:]],
    }

    def installs(client: str, folder: Path) -> bool:
        environment = {**tools[client].environment, "UV_PYTHON": str(toolbox.scripts(client) / "python")}
        return not subprocess.run(commands[client], cwd=folder, env=environment, capture_output=True).returncode

    return installs


def answers(installs: Installs, folder: Path, data: bytes) -> str:
    """Return which clients install a wheel of demo beside wheels of what it needs."""
    folder.mkdir()
    for version in ("1.0", "2.0"):
        foo = f"foo-{version}-py3-none-any.whl"
        Distribution(foo, distribution(foo)).write_to(folder)
    Distribution("demo-1.0-py3-none-any.whl", data).write_to(folder)
    return "".join(client[0] for client in ("pip", "uv") if installs(client, folder))


def some_and_all(rows: Sequence[str], step: int) -> pytest.MarkDecorator:
    cases = [pytest.param(rows[::step], id="some"), pytest.param(rows, id="all", marks=pytest.mark.long)]
    return pytest.mark.parametrize("rows", cases)


@pytest.mark.slow
@some_and_all([*VALID, *REPAIRED, *REFUSED], 15)
def test_both_install_what_is_accepted_and_uv_nothing_else(
    rows: Sequence[str], installs: Installs, tmp_path: Path
) -> None:
    found = {
        text: answers(installs, tmp_path / f"{number}", distribution("demo-1.0-py3-none-any.whl", requires_python=text))
        for number, text in enumerate(rows)
    }
    assert found == {text: "p" if text in REFUSED else "pu" for text in rows}


@pytest.mark.slow
@some_and_all([*REQUIREMENTS], 15)
def test_a_requirement_is_used_by_the_clients_in_the_table(
    rows: Sequence[str], installs: Installs, tmp_path: Path
) -> None:
    wheels = {text: distribution("demo-1.0-py3-none-any.whl", headers=(("Requires-Dist", text),)) for text in rows}
    found = {text: answers(installs, tmp_path / f"{n}", wheel) for n, (text, wheel) in enumerate(wheels.items())}
    assert found == {text: REQUIREMENTS[text] for text in rows}
