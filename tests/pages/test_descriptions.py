"""Descriptions: what is rendered and what is text, without anything that a browser runs or loads, in bounded work."""

import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from pypi_registry._pages.cache import PageCache
from pypi_registry._pages.descriptions import MAX_LENGTH, render_description
from tests.counting import calls_of

markdown = pytest.importorskip("pypi_registry._pages.markdown", reason="the extra `serve` is not installed")

MARKDOWN = "text/markdown"


def render(text: str, content_type: str = MARKDOWN) -> str | None:
    return render_description(text, content_type, PageCache())


def html_of(text: str) -> str:
    rendered = render(text)
    assert rendered is not None
    return rendered


class Elements(HTMLParser):
    """Collects the elements of a fragment, each with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


# What is rendered


@pytest.mark.parametrize(
    "content_type",
    ["text/markdown", "text/markdown; charset=UTF-8; variant=GFM", "Text/Markdown ; variant=CommonMark"],
)
def test_markdown_is_rendered(content_type: str) -> None:
    assert render("*a*", content_type) == "<p><em>a</em></p>\n"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/x-rst", "text/x-rst; charset=UTF-8", "text/plain", "text/html", "text/markdownish", "</pre>"],
)
def test_any_other_description_is_text(content_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "render_markdown", lambda text: pytest.fail("it is rendered"))
    assert render("*a*", content_type) is None


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# a\n\n###### b", "<h3>a</h3>\n<h6>b</h6>\n"),
        ("**a** ~~b~~ `c`", "<p><strong>a</strong> <s>b</s> <code>c</code></p>\n"),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n'),
        ("```python\na < b\n```", "<pre><code>a &lt; b\n</code></pre>\n"),
        ("> a", "<blockquote>\n<p>a</p>\n</blockquote>\n"),
        ("a  \nb<br/>c", "<p>a<br>\nb<br>c</p>\n"),
        (
            "|a|b|\n|-|:-|\n|1|2|",
            "<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n"
            "<tbody>\n<tr>\n<td>1</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>\n",
        ),
        ('[a](https://b.example "c")', '<p><a href="https://b.example" title="c" rel="nofollow noopener">a</a></p>\n'),
        ("[a]\n\n[a]: mailto:b@c.example", '<p><a href="mailto:b@c.example" rel="nofollow noopener">a</a></p>\n'),
        ("![a *b*](https://c.example/d.png)", "<p>a b</p>\n"),
        (
            "[![a](https://c.example/d.svg)](https://b.example)",
            '<p><a href="https://b.example" rel="nofollow noopener">a</a></p>\n',
        ),
        ('<p align="center">\n  <b>Fast</b> &amp; small\n</p>\n\na', "<p>Fast &amp; small</p>\n<p>a</p>\n"),
        ("<details>\n<summary>a</summary>\n\n*b*\n\n</details>", "<p>a</p>\n<p><em>b</em></p>\n"),
        ("a <sub>b</sub> <!-- c -->", "<p>a b </p>\n"),
        ("<!-- <b>a</b>\n-->\nb", "<p>b</p>\n"),
    ],
)
def test_a_description_in_markdown(text: str, html: str) -> None:
    assert render(text) == html


# What is safe

SCRIPT = "alert(1)"
HOSTILE = [
    f"<script>{SCRIPT}</script>",
    f"a <script>{SCRIPT}</script>",
    f"<scr<script>ipt>{SCRIPT}</scr</script>ipt>",
    f"<img src=x onerror={SCRIPT}>",
    f"a <img src=x onerror={SCRIPT}>",
    f"<svg onload={SCRIPT}>",
    f"<svg><style><img src=x onerror={SCRIPT}>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={SCRIPT}>",
    f"<noscript><p title='</noscript><img src=x onerror={SCRIPT}>'>",
    f"<iframe src='javascript:{SCRIPT}'></iframe>",
    f"<form action='javascript:{SCRIPT}'><button>a</button></form>",
    "<style>*{display:none}</style>",
    "a <style>*{display:none}</style>",
    "<link rel=stylesheet href=//b.example><base href=//b.example>",
    "<meta http-equiv=refresh content='0;url=//b.example'>",
    f"<a href='javascript:{SCRIPT}'>a</a>",
    f"[a](javascript:{SCRIPT})",
    f"[a](JaVaScRiPt:{SCRIPT})",
    f"[a](java&#115;cript:{SCRIPT})",
    f"[a](<java\tscript:{SCRIPT}>)",
    f"[a](vbscript:{SCRIPT})",
    f"[a](data:text/html,<script>{SCRIPT}</script>)",
    f"[a](data:image/svg+xml;base64,{SCRIPT})",
    "[a](file:///etc/passwd)",
    f"[a]\n\n[a]: javascript:{SCRIPT}",
    "[a](//b.example)",
    "[a](/api/v4/projects/1)",
    "[a](#main)",
    f"![a](javascript:{SCRIPT})",
    f"![<img src=x onerror={SCRIPT}>](b)",
    f'![a](b "><script>{SCRIPT}</script>")',
    f'[a](https://b.example/"onmouseover="{SCRIPT})',
    f"[a](https://b.example '\"><img src=x onerror={SCRIPT}>')",
    f'<https://b.example/"onmouseover={SCRIPT}>',
    f"```<img onerror={SCRIPT}>\n</code></pre><script>{SCRIPT}</script>\n```",
    f"`</code><script>{SCRIPT}</script>`",
    f"&lt;script&gt;{SCRIPT}&lt;/script&gt;",
    f"<p>&lt;script&gt;{SCRIPT}&lt;/script&gt;</p>",
    f"<?php {SCRIPT} ?>",
    f"<![CDATA[<script>{SCRIPT}</script>]]>",
    f"<!--><script>{SCRIPT}</script>-->",
    f"|<script>|\n|-|\n|{SCRIPT}|",
    "<p id=main class=notice style='position:fixed'>a</p>",
    "</article></main></body><script>",
    "<plaintext>",
    "a <textarea> <title> <select>",
    "\0<scr\0ipt>",
]
TEXT, TABLES = {"a", "br", "code", "em", "s", "strong"}, {"table", "tbody", "td", "th", "thead", "tr"}
SAFE = TEXT | TABLES | {"blockquote", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "ul"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_browser_runs_and_loads_nothing_of_a_description(text: str) -> None:
    for tag, attributes in Elements(render(text) or "").found:
        assert tag in SAFE
        assert attributes.keys() <= {"href", "title", "rel", "start"}
        assert (attributes.get("href") or "https://").partition(":")[0] in {"http", "https", "mailto"}
        assert tag != "a" or attributes["rel"] == "nofollow noopener"


def test_the_table_of_hostile_texts_would_find_what_is_unsafe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "nh3", SimpleNamespace(clean=lambda html, **options: html))
    with pytest.raises(AssertionError):
        test_a_browser_runs_and_loads_nothing_of_a_description(f"[a](javascript:{SCRIPT})")


# Bounded work

TOO_COMPLEX = {
    "nested quotes": ">" * 50_000,
    "nested lists": "- " * 40_000 + "a",
    "nested lists, line by line": "\n".join(f"{'  ' * depth}- a" for depth in range(300)),
    "quotes in lists": "> - " * 20_000 + "a",
    "lines": "b\n" * 40_000,
    "brackets": "[" * 90_000,
    "images in images": "![" * 45_000,
    "cells that no row has": "|" + "a|" * 9_000 + "\n|" + "-|" * 9_000 + "\n" + "b\n" * 9_000,
    "many tables": ("|" + "a|" * 300 + "\n|" + "-|" * 300 + "\n" + "b\n" * 200 + "\n") * 50,
    "items": "- a\n" * 9_000,
    "a long target, repeated": f"[a]: {'x' * 50_000}\n\n" + "[a]" * 4_000,
    "a long title, repeated": f"[a]: b '{'x' * 50_000}'\n\n" + "[a] " * 4_000,
}


@pytest.mark.parametrize("text", TOO_COMPLEX.values(), ids=TOO_COMPLEX)
def test_what_could_take_too_much_time_or_memory_is_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(text) <= MAX_LENGTH
    with monkeypatch.context() as patched:  # it is refused before the HTML exists
        patched.setattr(markdown, "nh3", SimpleNamespace(clean=lambda html, **options: pytest.fail("it is rendered")))
        with pytest.raises(markdown.TooComplex):
            markdown.render_markdown(text)
    assert render(text) is None


def test_lists_that_people_write_are_rendered() -> None:
    text = "".join(f"{'  ' * depth}- level {depth}\n" for depth in range(6))
    assert html_of(text).count("<ul>") == 6


def test_a_long_description_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert render(f"*a* {'b' * (MAX_LENGTH - 4)}")
    monkeypatch.setattr(markdown, "render_markdown", lambda text: pytest.fail("it is rendered"))
    assert render("a" * (MAX_LENGTH + 1)) is None


GROWING = {
    "emphasis": "*a **b _c",
    "closed emphasis": "*a_ ",
    "strikethrough": "~~a ~",
    "code": "`a``b```",
    "entities": "&amp;&#1234;&",
    "autolinks": "<https://a.example> <b@",
    "links": "[a](https://b.example)",
    "brackets": "[",
    "escapes": "\\*\\",
    "tags": "<b><p>",
    "comments": "<!-- a",
    "instructions": "<?",
    "blocks of HTML": "<div>\n\n<!--\n\n",
    "tags with attributes": "a <b c='d' ",
    "definitions": "[a]: b\n'",
    "lines": "a\n",
    "headings": "# a\n",
    "quotes": "> > a\n",
}


@pytest.mark.parametrize("unit", GROWING.values(), ids=GROWING)
def test_the_work_grows_with_the_length(unit: str) -> None:
    small, large = (unit * (size // len(unit)) for size in (800, 3_200))
    render(small)  # what is imported at first does not count
    assert calls_of(lambda: render(large)) < 8 * calls_of(lambda: render(small))


# Failures, and the cache


class PanicException(BaseException):
    """As pyo3 raises it."""


@pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError, PanicException])
def test_a_description_that_cannot_be_rendered_is_text(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str, **options: object) -> str:
        raise error

    monkeypatch.setattr(markdown, "nh3", SimpleNamespace(clean=fail))
    assert render("*a*") is None


def test_the_end_of_the_process_is_no_failure_of_a_description(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(text: str, **options: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(markdown, "nh3", SimpleNamespace(clean=stop))
    with pytest.raises(KeyboardInterrupt):
        render("*a*")


def test_a_lone_surrogate_is_text() -> None:
    assert render("*a* \udc80") is None


@pytest.mark.parametrize("module", ["markdown_it", "nh3"])
def test_without_the_extra_a_description_is_text(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "pypi_registry._pages.markdown")
    assert render("*a*") is None


def test_a_description_without_text_is_text() -> None:
    assert render("![](a.png)\n\n<!-- b -->") in (None, "<p></p>\n")
    assert render("<!-- b -->") is None


@pytest.mark.parametrize("text", ["*a*", "[" * 9_000], ids=["rendered", "too complex"])
def test_a_description_is_rendered_once(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = markdown.render_markdown

    def counting(text: str) -> str:
        calls.append(text)
        rendered: str = original(text)
        return rendered

    monkeypatch.setattr(markdown, "render_markdown", counting)
    cache = PageCache()
    first = render_description(text, MARKDOWN, cache)
    assert render_description(text, "text/markdown; variant=GFM", cache) == first
    assert calls == [text]
    render_description(f"{text} b", MARKDOWN, cache)
    assert len(calls) == 2
