"""The description of a package as safe HTML, where the extra `serve` is installed."""

from hashlib import sha256

from pypi_registry._pages.cache import PageCache

MAX_LENGTH = 100_000
"""Characters of a description that is rendered: about a second of work at worst. Longer ones are shown as text."""


def render_description(text: str, content_type: str, cache: PageCache) -> str | None:
    """Render Markdown to sanitized HTML; None if the description must be shown as text.

    It is shown as text if it is not Markdown, is too long, has no text when it is rendered, or cannot be rendered: no
    description may make a page fail. Each result is cached, also a failure, so every later view costs only a look-up.
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
        # A panic in nh3, which is written in Rust, is not an Exception: pyo3 derives PanicException from BaseException.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        return None
