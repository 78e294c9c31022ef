"""The description of a package as safe HTML, where readme_renderer is installed."""


def render_description(text: str, content_type: str) -> str | None:
    """Render Markdown or reStructuredText to sanitized HTML; None if it is neither, or cannot be rendered here."""
    try:
        match content_type.partition(";")[0].strip().lower():
            case "text/markdown":
                from readme_renderer import markdown

                rendered: str | None = markdown.render(text)
            case "text/x-rst":
                from readme_renderer import rst

                rendered = rst.render(text)
            case _:
                rendered = None
    except ImportError:  # of readme_renderer, or of what its Markdown needs
        return None
    return rendered
