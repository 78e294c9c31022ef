"""``Requires-Python`` and ``Requires-Dist``: whether installers can parse them.

https://packaging.python.org/specifications/version-specifiers/ and dependency-specifiers/. pip ignores a
``Requires-Python`` that is invalid, with a warning; uv repairs some forms that were in use, and passes over a version
whose ``Requires-Python`` it cannot repair. An invalid ``Requires-Dist`` is an error for pip, which repairs nothing.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from urllib.parse import urlsplit

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.limits import MAX_UNUSUAL
from pypi_registry.versions import is_valid_version

_MAX_REPORTED = 3
# Parts of a marker that core metadata may contain, and that pip cannot evaluate: variables of lock files, which are not
# defined for wheels, and operators of versions between texts.
_PERHAPS_UNDEFINED = re.compile(r"extras|dependency_groups|~=|===")

# Forms that uv 0.13.9 repairs, and how; `tests/distributions/test_specifiers.py` compares the table with pip and uv.
_REPAIRS = (
    (r"['\"]", ""),  # '>=3.6'
    (r"(?<=[0-9])(?=[<>=~!])", ","),  # >=3.6<4
    (r"!=~\s*([0-9]+(?:\.[0-9]+)*)", r"!=\1.*"),  # !=~3.5
    (r"(<=|>=|<|>)(\s*[0-9]+(?:\.[0-9]+)*)\.\*", r"\1\2"),  # >=3.5.*
    (r"(?<=[0-9]\.[0-9])\*", ".*"),  # !=3.2*; after the one before, so that >=3.2* stays invalid
    (r">dev", ">0.dev0"),
)

# Nearly all specifiers and dependencies, each as one regular expression: packaging takes a hundred times as long, and
# repeated text is compressed to nearly nothing. Every text that matches is valid for packaging and for uv. Possessive
# quantifiers ("++") never go back, so the time is linear.
_NUMBER = "[0-9]{1,9}+"  # larger numbers than uv reads do not match
_RELEASE = rf"{_NUMBER}(?:\.{_NUMBER})*+"
_SUFFIX = rf"(?:\.?+(?:a|b|rc)(?:\.?{_NUMBER})?+)?+(?:\.?post{_NUMBER}|-{_NUMBER})?+(?:\.?dev{_NUMBER})?+"
_CLAUSE = (
    rf"(?:[=!]= *+(?:v?+{_RELEASE}{_SUFFIX}(?!\.\*)|v?+{_RELEASE}\.\*)|[<>]=?+ *+v?+{_RELEASE}{_SUFFIX}"
    rf"|~= *+{_NUMBER}\.{_RELEASE}{_SUFFIX})"
)
_CLAUSES = rf"{_CLAUSE}(?: *+, *+{_CLAUSE})*+"
_USUAL_SPECIFIER = _CLAUSES
_IDENTIFIER = "[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?+"
_VARIABLE = (
    "(?:python_version|python_full_version|os_name|sys_platform|extra|implementation_(?:name|version)"
    "|platform_(?:machine|python_implementation|release|system|version))"
)
_COMPARISON = (
    rf"""{_VARIABLE}(?: *+(?:[=!<>]=|[<>]) *+(?:"[A-Za-z0-9_.-]*+"|'[A-Za-z0-9_.-]*+')"""
    r"""| ++(?:not ++)?+in ++(?:"[A-Za-z0-9_. -]*+"|'[A-Za-z0-9_. -]*+'))"""
)
_BOOLEAN = " ++(?:and|or) ++"
_MARKER = _COMPARISON
for _ in range(3):  # parentheses within parentheses
    _MARKER = rf"(?:{_COMPARISON}|\( *+{_MARKER}(?:{_BOOLEAN}{_MARKER})*+ *+\))"
_EXTRAS = rf"(?:\[{_IDENTIFIER}(?: *+, *+{_IDENTIFIER})*+\])?+"
_URL = "[a-z][a-z+]*+://(?:[A-Za-z0-9._%:-]++@)?+[A-Za-z0-9.-]*+(?::[0-9]{1,4})?+/[!-~]*+"
_USUAL = (
    rf"{_IDENTIFIER}{_EXTRAS} *+(?:@ *+{_URL}(?: ++(?=;)|$)|(?:{_CLAUSES}|\({_CLAUSES}\))?+ *+)"
    rf"(?:; *+{_MARKER}(?:{_BOOLEAN}{_MARKER})*+)?+"
)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern on its first use: compiling at import took a seventh of the time to import the package."""
    return re.compile(pattern)


def specifier_problem(text: str) -> str:
    """Return why a text is not a version specifier for one of the installers; empty if it is one, or both repair it.

    >>> specifier_problem(">=3.7, <4"), specifier_problem(">=3.5.*"), specifier_problem(">=3.7,")
    ('', '', '')
    >>> specifier_problem("3.6")
    "'3.6' is not a version specifier, such as '>=3.9'"
    """
    if not text or _compiled(_USUAL_SPECIFIER).fullmatch(text):
        return ""
    # packaging ignores every empty item, uv only the last one.
    has_empty_item = not all(item.strip() for item in text.split(",")[:-1])
    if len(text) <= MAX_UNUSUAL and not has_empty_item and (_is_specifier(text) or _is_specifier(_repaired(text))):
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
        text = re.sub(pattern, replacement, text)
    return text


def requirement_problems(texts: Iterable[str]) -> Iterator[str]:
    """Yield why texts are not dependency specifiers, for the first few of them.

    >>> list(requirement_problems(["foo (>=1)", "foo[x]>=1; python_version < '3'"]))
    []
    """
    yield from islice(_requirement_problems(texts), _MAX_REPORTED)


def _requirement_problems(texts: Iterable[str]) -> Iterator[str]:
    unusual = 0
    for text in texts:
        if _compiled(_USUAL).fullmatch(text) is None:
            unusual += len(text)
            if unusual > MAX_UNUSUAL:
                yield f"dependencies of unusual forms have more than {MAX_UNUSUAL} characters together"
                return
            if problem := _requirement_problem(text):
                yield problem


def _requirement_problem(text: str) -> str:
    try:
        reason = _reason_against(Requirement(text))
    except ValueError as error:  # of packaging, or of a URL
        reason = str(error).partition("\n")[0]
    except RecursionError:
        reason = "its marker is nested too deeply"
    return f"{excerpt(text)} is not a dependency specifier: {excerpt(reason)[1:-1]}" if reason else ""


def _reason_against(requirement: Requirement) -> str:
    """Return why an installer cannot use a dependency that packaging parses; empty if both can.

    :raises ValueError: if the host or the port of its URL is invalid.
    """
    if requirement.url is not None:
        parts = urlsplit(requirement.url)
        if not parts.scheme:
            return "its URL has no scheme"
        _ = parts.port  # it is parsed only now
    for specifier in requirement.specifier:
        if specifier.operator == "===" and not is_valid_version(specifier.version):
            return "the text after '===' is not a version"
    if requirement.marker and _PERHAPS_UNDEFINED.search(str(requirement.marker)):
        try:
            requirement.marker.evaluate({"extra": ""})
        except (KeyError, UndefinedComparison, UndefinedEnvironmentName):
            return "its marker cannot be evaluated"
    return ""
