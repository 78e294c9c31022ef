"""``Requires-Python`` and ``Requires-Dist``: whether installers can parse them.

https://packaging.python.org/specifications/version-specifiers/ and dependency-specifiers/. pip ignores a
``Requires-Python`` that is invalid, with a warning; uv repairs some forms that were in use, and passes over a version
whose ``Requires-Python`` it cannot repair. An invalid ``Requires-Dist`` is an error for pip, which repairs nothing.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import urlsplit

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pypi_registry._excerpt import excerpt
from pypi_registry.versions import is_valid_version

_MAX_REPORTED = 3
# What a marker of core metadata may have and pip cannot evaluate: variables of lock files, which are not defined for
# wheels, and operators of versions between texts.
_PERHAPS_UNDEFINED = re.compile(r"extras|dependency_groups|~=|===")

# What uv 0.13.9 repairs, and how; `tests/distributions/test_specifiers.py` compares the table with pip and uv.
_REPAIRS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"['\"]", ""),  # '>=3.6'
        (r"(?<=[0-9])(?=[<>=~!])", ","),  # >=3.6<4
        (r"!=~\s*([0-9]+(?:\.[0-9]+)*)", r"!=\1.*"),  # !=~3.5
        (r"(<=|>=|<|>)(\s*[0-9]+(?:\.[0-9]+)*)\.\*", r"\1\2"),  # >=3.5.*
        (r"(?<=[0-9]\.[0-9])\*", ".*"),  # !=3.2*; after the one before, so that >=3.2* stays invalid
        (r">dev", ">0.dev0"),
    )
]


def specifier_problem(text: str) -> str:
    """Return why a text is no version specifier for one of the installers; empty if it is one, or both repair it.

    >>> specifier_problem(">=3.7, <4"), specifier_problem(">=3.5.*"), specifier_problem(">=3.7,")
    ('', '', '')
    >>> specifier_problem("3.6")
    "'3.6' is not a version specifier, such as '>=3.9'"
    """
    has_empty_item = not all(
        item.strip() for item in text.split(",")[:-1]
    )  # packaging ignores all, uv only the last one
    if not has_empty_item and (_is_specifier(text) or _is_specifier(_repaired(text))):
        return ""
    return f"{excerpt(text)} is not a version specifier, such as '>=3.9'"


def _is_specifier(text: str) -> bool:
    try:
        SpecifierSet(text)
    except ValueError:
        return False
    return True


def _repaired(text: str) -> str:
    for pattern, replacement in _REPAIRS:
        text = pattern.sub(replacement, text)
    return text


def requirement_problems(texts: Iterable[str]) -> Iterator[str]:
    """Yield why texts are no dependency specifiers, for the first few of them.

    >>> list(requirement_problems(["foo (>=1)", "foo[x]>=1; python_version < '3'"]))
    []
    """
    yield from islice(filter(None, map(_requirement_problem, texts)), _MAX_REPORTED)


def _requirement_problem(text: str) -> str:
    try:
        requirement = Requirement(text)
    except ValueError as error:
        reason = str(error).partition("\n")[0]
    except RecursionError:
        reason = "its marker is nested too deeply"
    else:
        reason = _reason_against(requirement)
        if not reason:
            return ""
    return f"{excerpt(text)} is not a dependency specifier: {excerpt(reason)[1:-1]}"


def _reason_against(requirement: Requirement) -> str:
    """Return why an installer cannot use a dependency that packaging parses; empty if both can."""
    if requirement.url is not None and not urlsplit(requirement.url).scheme:
        return "its URL has no scheme"
    for specifier in requirement.specifier:
        if specifier.operator == "===" and not is_valid_version(specifier.version):
            return "the text after '===' is not a version"
    if requirement.marker and _PERHAPS_UNDEFINED.search(str(requirement.marker)):
        try:
            requirement.marker.evaluate({"extra": ""})
        except (KeyError, UndefinedComparison, UndefinedEnvironmentName):
            return "its marker cannot be evaluated"
    return ""
