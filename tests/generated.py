"""The generated parts of the documentation; ``python -m tests.generated`` writes them again, and a test compares them.

GitHub shows a page as it is in the repository. So what Sphinx could include at a build is written into the pages: the
source of the contracts, samples from ``examples/``, and the names of each public module.
"""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from posixpath import relpath

from tests.test_public_names import NAMES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"(<!-- generated from (?P<source>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def generate(page: Path) -> str:
    """Return the text of a page with all generated parts as they should be."""
    return _BLOCK.sub(
        lambda found: f"{found[1]}{_generated(page, found['source'])}{found[3]}", page.read_text(encoding="utf-8")
    )


def is_generated(page: Path) -> bool:
    return bool(_BLOCK.search(page.read_text(encoding="utf-8")))


def _generated(page: Path, source: str) -> str:
    path, _, names = source.partition(": ")
    if path in NAMES:
        return _names(path, page)
    text = (ROOT / path).read_text(encoding="utf-8")
    code = "\n\n\n".join(_definition(text, name) for name in names.split(", ")) if names else text.rstrip()
    language = "python3" if path.endswith(".py") else path.rpartition(".")[2]  # not "python": those blocks are run
    return f"\n```{language}\n{code}\n```\n\n"


def _definition(text: str, name: str) -> str:
    """Return the source of a class or function, with its decorators."""
    [node] = [each for each in ast.parse(text).body if getattr(each, "name", "") == name]
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


# The names of a public module


def _names(module: str, page: Path) -> str:
    rows = [
        f"| [`{name}`]({relpath(path.relative_to(ROOT), page.parent.relative_to(ROOT))}) | {_first_sentence(doc)} |"
        for name in sorted(NAMES[module], key=lambda name: (name.lower(), name))
        for path, doc in [_found(module, name)]
    ]
    return "\n".join(["", "| name | meaning |", "|---|---|", *rows, "", ""])


def _found(module: str, name: str) -> tuple[Path, str]:
    """Return the file in which a public name is defined, and its docstring."""
    path = _path(module)
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return path, ast.get_docstring(node) or ""
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node):
            is_text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            return path, str(following.value.value) if is_text else ""  # type: ignore[union-attr]  # is_text says so
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    submodule = f"{node.module}.{alias.name}"
                    if find_spec(node.module).submodule_search_locations and _is_module(submodule):  # type: ignore[union-attr]  # it was imported
                        path = _path(submodule)
                        return path, ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                    return _found(node.module, alias.name)
    raise LookupError(f"{module} does not define {name}")


def _targets(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        if isinstance(target, ast.Name):
            yield target.id


def _is_module(name: str) -> bool:
    return find_spec(name) is not None


def _path(module: str) -> Path:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin)


def _first_sentence(doc: str) -> str:
    text = " ".join(doc.split("\n\n")[0].split())
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text).replace("``", "`").replace("|", "\\|")
    return re.split(r"(?<=\.)\s", text)[0]


if __name__ == "__main__":
    for each in sorted(DOCS.rglob("*.md")):
        if is_generated(each):
            each.write_text(generate(each), encoding="utf-8")
