"""`Requires-Python` and `Requires-Dist`: the verifier accepts what pip and uv both use, and the tables agree with both.

The answers are those of pip 26.3 and uv 0.13.9. The slow tests ask both about some rows, and with `--long` about all.
"""

import inspect
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from pypi_registry.distributions.limits import MAX_UNUSUAL
from pypi_registry.distributions.specifiers import (
    _USUAL,
    _USUAL_SPECIFIER,
    _compiled,
    _requirement_problem,
    requirement_problems,
    specifier_problem,
)
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


numbers = st.sampled_from(["0", "1", "20", "999999999"])
releases = st.lists(numbers, min_size=1, max_size=3).map(".".join)
suffixes = st.sampled_from(["", "a", "rc1", ".a.0", "b2", ".post1", "-1", "post3", ".dev0", "dev2", "a1.post2.dev3"])
clauses = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["==", "!=", "<=", ">=", "<", ">", "~=", "== ", ">= "]),
    st.sampled_from(["", "", "v"]),
    releases,
    suffixes,
    st.sampled_from(["", "", ".*"]),
)
versions = st.lists(clauses, max_size=3).map(", ".join)
urls = st.sampled_from(["https://host.example/x.zip", "git+ssh://git@host.example/a.git@v1#egg=x", "file:///x", "x"])
comparisons = st.builds(
    "{} {} {}".format,
    st.sampled_from(["python_version", "extra", "os_name", "platform_release", "implementation_version"]),
    st.sampled_from(["==", "!=", "<", ">=", "in", "not in", "~="]),
    st.sampled_from(["'3.8'", '"x"', "''", "'a_b-c'", "'3.*'", "'a b'"]),
)
markers = st.recursive(
    comparisons,
    lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
        lambda found: st.sampled_from(["({})", "( {} )"]).map(lambda form: form.format(" and ".join(found)))
    ),
)
dependencies = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["foo", "Foo.bar_baz-1", "foo[x]", "foo[x, y-z]", "1", "foo-"]),
    st.sampled_from(["", " "]),
    st.one_of(versions, versions.map("({})".format), urls.map("@ {}".format)),
    st.one_of(st.just(""), markers.map(" ; {}".format), markers.map("; {}".format)),
)


@given(dependencies)
@settings(max_examples=150, deadline=None)
def test_what_is_accepted_at_once_is_accepted_by_packaging_too(text: str) -> None:
    assume(_compiled(_USUAL).fullmatch(text))
    assert _requirement_problem(text) == ""


@given(versions)
@settings(max_examples=150, deadline=None)
def test_a_specifier_that_is_accepted_at_once_is_accepted_by_packaging_too(text: str) -> None:
    assume(_compiled(_USUAL_SPECIFIER).fullmatch(text))
    assert SpecifierSet(text)


def test_a_long_specifier_must_have_the_usual_form() -> None:
    assert specifier_problem(",".join([">=3.6.dev1"] * 300)) == ""
    assert specifier_problem(",".join([">=3.6c1"] * 60)) == ""
    assert specifier_problem(",".join([">=3.6c1"] * 300)).endswith("is not a version specifier, such as '>=3.9'")


USUAL = (
    "foo", "Foo.bar_baz-1", "foo>=1", "foo (>=1)", "foo[x]>=1,<2", "foo==1.*", "foo>=2.0a.0,<3.dev0", "foo==v1.0-1",
    "foo~=1.4.2", "foo @ https://host.example/x.zip", "foo[x] @ git+ssh://git@host.example/a/b.git@v1 ; os_name=='a'",
    "foo @ https://user:pass@host.example:8443/a.whl",
    "foo @ file:///a.whl", "foo; python_version in '2.7 3.0'", "foo; python_version not in '2.7'",
    "foo>=1; python_version<'3'", 'foo ; extra == "x" and ( os_name!="nt" or (os_name=="a") )',
)  # fmt: skip


@pytest.mark.parametrize("text", USUAL)
def test_the_usual_forms_are_accepted_at_once(text: str) -> None:
    assert _compiled(_USUAL).fullmatch(text) is not None


@pytest.mark.parametrize("url", ["http://[a", "http://a:x/b", "http://a:99999/b", "http://\uff41\u2100/x", "x"])
def test_a_dependency_with_an_invalid_url_is_a_problem(url: str) -> None:
    [problem] = requirement_problems([f"foo @ {url}"])
    assert problem.startswith(f"'foo @ {url}' is not a dependency specifier: ")


def test_dependencies_of_unusual_forms_are_limited() -> None:
    unusual = [f"foo{number}; os.name=='{'a' * 83}'" for number in range(MAX_UNUSUAL // 100)]
    assert len(unusual[0]) == 100
    usual = [f"foo{number}>=1" for number in range(2000)]
    assert [*requirement_problems([*usual, *unusual])] == []
    problem = f"dependencies of unusual forms have more than {MAX_UNUSUAL} characters together"
    assert [*requirement_problems([*unusual, *usual, unusual[0]])] == [problem]


def test_only_the_first_problems_of_many_requirements_are_named() -> None:
    assert len([*requirement_problems(f"foo {number}" for number in range(1000))]) == 3


def test_a_marker_may_be_nested_too_deeply_for_the_parser() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 150)
    try:
        [problem] = requirement_problems(["foo; " + "(" * 240 + "os_name=='a'" + ")" * 240])
    finally:
        sys.setrecursionlimit(limit)
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
