"""The description of a package as safe HTML, where the extra `serve` is installed."""

from hashlib import sha256

from pypi_registry._pages.cache import PageCache

MAX_LENGTH = 100_000
"""Characters of a description that is rendered: about a second of work at worst. Longer ones are shown as text."""


def render_description(text: str, content_type: str, cache: PageCache) -> str | None:
    """Render Markdown to sanitized HTML; None if the description is to be shown as text.

    That is so if it is not Markdown, too long, without any text once it is rendered, or if it cannot be rendered:
    nothing that a stranger wrote may make a page fail. What was rendered is cached, also that it could not be: a view
    by anyone costs a look-up.
    """
    if not _is_markdown(content_type) or len(text) > MAX_LENGTH:
        return None
    key = "description", sha256(text.encode("utf-8", "surrogatepass")).digest()
    page = cache.get(key, None, lambda: (_rendered(text) or "").encode())
    return page.body.decode() if page and page.body else None


def _is_markdown(content_type: str) -> bool:
    """Return whether a ``Description-Content-Type`` is Markdown in any of its variants.

    >>> _is_markdown("Text/Markdown; variant=GFM"), _is_markdown("text/x-rst")
    (True, False)
    """
    return content_type.partition(";")[0].strip().lower() == "text/markdown"


def _rendered(text: str) -> str | None:
    try:
        from pypi_registry._pages.markdown import render_markdown
    except ImportError:  # the extra is not installed
        return None
    try:
        return render_markdown(text)
    except BaseException as error:
        # A panic in nh3, which is written in Rust, is no Exception: pyo3 derives PanicException from BaseException.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        return None
