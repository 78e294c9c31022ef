"""Markdown to safe HTML: markdown-it-py renders it, nh3 sanitizes the result. Only `descriptions` imports this module.

A description decides only about text, structure and the targets of links. Its HTML tags are dropped, and the text
between them is shown. If they were passed on, the HTML parser of the sanitizer could build far more elements than the
text has tags: it opens a tag that was never closed again in each later paragraph.

Each limit holds before the work that it limits. Together they bound the time for 100,000 characters.
"""

import re
from collections.abc import Iterator, Sequence
from html import escape, unescape
from typing import ClassVar

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

MAX_LINES = 10_000
MAX_BLOCKS = 20_000
"""Tokens of paragraphs, list items, table cells and the like. A table row may have many more cells than characters."""
MAX_DEPTH = 12
"""Levels of block quotes, lists and list items. The time for a line grows with them, and markdown-it-py silently drops
what is deeper than its own limit, `maxNesting`."""
MAX_BRACKETS = 5_000
"""The parser searches for the end of each ``[``, in up to `maxNesting` levels."""
MAX_ATTRIBUTES = 100_000
"""Characters of all targets and titles of links. Each reference repeats the target and the title of its definition."""

_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_INLINE = {"a", "br", "code", "em", "s", "strong"}
_BLOCKS = {"blockquote", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}
_TABLES = {"table", "tbody", "td", "th", "thead", "tr"}

_SHOWN_NOWHERE = re.compile(r"\s*<(?:script|style)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")  # without "<" inside, so that a run of "<" takes linear time
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


class TooComplex(Exception):
    """Rendering this Markdown could take too much time or memory."""


def render_markdown(text: str) -> str:
    """Render CommonMark, with GitHub's tables and strikethrough, to HTML that is safe inside any page.

    The HTML has no image, form, id, class or style, and nothing that a browser runs or loads.

    :raises TooComplex: if the text exceeds one of the limits of this module.
    """
    rendered: str = _Parser().render(text)
    return nh3.clean(
        rendered,
        tags=_INLINE | _BLOCKS | _TABLES,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",  # a browser would resolve it against the URL of the registry's page
        link_rel="nofollow noopener",
    )


class _Renderer(RendererHTML):
    """Renders an image as its alternative text, a heading two levels lower, and HTML as its text."""

    __output__: ClassVar[str] = "html"

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"<{_lower(tokens[idx].tag)}>"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return f"</{_lower(tokens[idx].tag)}>\n"

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return escape(self.renderInlineAsText(tokens[idx].children, options, env))

    def html_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        return "<br>" if _LINE_BREAK.fullmatch(tokens[idx].content) else ""

    def html_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        text = _text_of(tokens[idx].content).strip()
        return f"<p>{escape(text)}</p>\n" if text else ""


class _Parser(MarkdownIt):
    def __init__(self) -> None:
        super().__init__("commonmark", renderer_cls=_Renderer)
        self.enable(["table", "strikethrough"])
        self.core.ruler.before("block", "blocks", _limit_blocks)
        self.block.ruler.before("table", "depth", _limit_depth)
        self.core.ruler.push("attributes", _limit_attributes)

    def validateLink(self, url: str) -> bool:  # noqa: N802 - markdown-it-py calls it
        """Accept every target, so that a link is never shown as its source; nh3 removes targets that are not safe."""
        return True


def _lower(tag: str) -> str:
    """Return the tag of a heading two levels lower: the page itself has an ``h1`` and an ``h2`` above a description."""
    return f"h{min(int(tag[1]) + 2, 6)}"


def _text_of(block: str) -> str:
    """Return the text of a block of HTML.

    >>> _text_of('<p align="center"><b>Fast</b> &amp; small</p>'), _text_of("<!-- <b> --> a"), _text_of("<style>*{}")
    ('Fast & small', ' a', '')
    """
    if _SHOWN_NOWHERE.match(block):
        return ""
    if block.lstrip().startswith("<!--"):
        block = block.partition("-->")[2]
    return unescape(_TAG.sub("", block))


class _Blocks(list[Token]):
    """The tokens of all blocks. It raises an error at the first token too many: a table may have 65,536 cells."""

    def append(self, token: Token) -> None:
        if len(self) == MAX_BLOCKS:
            raise TooComplex
        super().append(token)


def _limit_blocks(state: StateCore) -> None:
    if state.src.count("\n") >= MAX_LINES or state.src.count("[") > MAX_BRACKETS:
        raise TooComplex
    state.tokens = _Blocks()


def _limit_depth(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if state.level > MAX_DEPTH:
        raise TooComplex
    return False  # the other rules parse this block


def _limit_attributes(state: StateCore) -> None:
    if sum(len(str(value)) for token in _flat(state.tokens) for value in token.attrs.values()) > MAX_ATTRIBUTES:
        raise TooComplex


def _flat(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()
