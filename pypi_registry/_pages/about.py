"""What the core metadata of a package states for people: links, dependencies, licence, classifiers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pypi_registry.distributions.metadata import header_values, unfolded
from pypi_registry.distributions.report import InvalidArchive

_FIELDS = (
    "Author",
    "Author-email",
    "Maintainer",
    "Maintainer-email",
    "License-Expression",
    "Home-page",
    "Download-URL",
    "Project-URL",
    "Requires-Dist",
    "Classifier",
)
_UNKNOWN = "UNKNOWN"
"""Written by old versions of setuptools where a value is missing."""


@dataclass(frozen=True, slots=True)
class About:
    """Texts from the core metadata of a package; empty where it states nothing."""

    authors: Sequence[str] = ()
    licence: str = ""
    links: Sequence[tuple[str, str]] = ()
    """Each label with its ``http`` or ``https`` URL."""
    dependencies: Sequence[str] = ()
    classifiers: Sequence[str] = ()


def read_about(core_metadata: bytes) -> About:
    r"""Return what core metadata states; nothing if it is not valid core metadata.

    >>> about = read_about(b"License-Expression: MIT\nProject-URL: Source, https://example.org/demo\n\n")
    >>> about.licence, about.links
    ('MIT', [('Source', 'https://example.org/demo')])
    """
    values = _values(core_metadata, _FIELDS)
    # Apart from the others, because it may hold a whole licence, which is longer than a value may be.
    licence = _values(core_metadata, ("License",))
    return About(
        authors=_people(values),
        licence=next(iter([*values["License-Expression"], *licence["License"]]), "")[:100],
        links=_links(values),
        dependencies=values["Requires-Dist"],
        classifiers=values["Classifier"],
    )


def _values(core_metadata: bytes, fields: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return the different values of each field, on one line each; none if the metadata is invalid."""
    try:
        found = header_values(core_metadata, fields, "the metadata")
    except InvalidArchive:
        return {field: [] for field in fields}
    return {field: _known(map(unfolded, texts)) for field, texts in found.items()}


def _known(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text and text != _UNKNOWN]


def _people(values: Mapping[str, Sequence[str]]) -> list[str]:
    named = [*values["Author"], *values["Author-email"], *values["Maintainer"], *values["Maintainer-email"]]
    return [*dict.fromkeys(named)]


def _links(values: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    labelled = [("Homepage", url) for url in values["Home-page"]]
    labelled += [("Download", url) for url in values["Download-URL"]]
    for text in values["Project-URL"]:
        label, _, url = text.partition(",")
        labelled.append((label.strip(), url.strip()))
    return [(label, url) for label, url in dict.fromkeys(labelled) if label and _is_web_url(url)]


def _is_web_url(text: str) -> bool:
    r"""Return whether a browser may be sent to a URL; ``javascript:`` and the like are no web pages.

    >>> _is_web_url("https://example.org/"), _is_web_url("javascript:alert(1)"), _is_web_url("//example.org/")
    (True, False, False)
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return text.isprintable() and parts.scheme in ("http", "https") and bool(parts.netloc)
