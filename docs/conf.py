"""How the documentation is built: ``python -m sphinx -W -n -b html docs docs/_build/html``."""

import re

from sphinx.application import Sphinx

from pypi_registry import __version__

project = "pypi_registry"
project_copyright = "the pypi_registry maintainers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
default_role = "literal"  # in a docstring, single backticks hold a name: of this package, or of a parameter

html_theme = "furo"
html_title = "pypi_registry"

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_preserve_defaults = True  # a default is shown as it is written
maximum_signature_line_length = 90

# These are described by Python and by others. A link would need their inventories from the network, and the build
# does without one.
nitpick_ignore = [
    ("py:class", "CollectorRegistry"),
    ("py:class", "HTTPAdapter"),
    ("py:class", "WSGIApplication"),
    ("py:class", "WSGIEnvironment"),
    ("py:class", "collections.abc.Callable"),
    ("py:class", "collections.abc.Collection"),
    ("py:class", "collections.abc.Hashable"),
    ("py:class", "collections.abc.Iterable"),
    ("py:class", "collections.abc.Iterator"),
    ("py:class", "collections.abc.Mapping"),
    ("py:class", "collections.abc.Mapping[str"),  # Sphinx splits a mapping of mappings at its comma
    ("py:class", "collections.abc.Sequence"),
    ("py:class", "contextlib.AbstractContextManager"),
    ("py:class", "datetime.datetime"),
    ("py:class", "os.PathLike"),
    ("py:class", "packaging.utils.NormalizedName"),
    ("py:class", "pathlib.Path"),
    ("py:class", "prometheus_client.registry.CollectorRegistry"),
    ("py:class", "requests.adapters.HTTPAdapter"),
    ("py:class", "urllib3.PoolManager"),
    ("py:class", "urllib3.poolmanager.PoolManager"),
    ("py:class", "werkzeug.datastructures.headers.Headers"),
]


def setup(app: Sphinx) -> None:
    """Read what only Sphinx understands, and leave out the signature of a protocol: nobody calls it."""
    app.connect("source-read", _for_sphinx)
    app.connect("autodoc-process-signature", _signature)


def _for_sphinx(app: Sphinx, page: str, source: list[str]) -> None:
    """Uncomment the directives in ``<!-- sphinx … -->``: GitHub would show them as they are.

    In the reference they replace the generated tables, which are for readers without a build. A README or CHANGELOG
    outside of this folder is no page of the build, so a link to it becomes plain text.
    """
    text = re.sub(r"<!-- sphinx\n(.*?)\n-->", r"\1", source[0], flags=re.DOTALL)
    text = re.sub(r"\[([^]]+)\]\(\.\./(?:[\w/-]+/)?[A-Z]+\.md(?:#[\w-]+)?\)", r"\1", text)
    if page.startswith("reference/"):
        text = re.sub(r"<!-- generated from .*?<!-- end -->", "", text, flags=re.DOTALL)
    source[0] = text


def _signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    return ("", returns) if getattr(obj, "_is_protocol", False) else (signature, returns)
