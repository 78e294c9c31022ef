"""HTML is read as browsers read it, and each character of it a few times at most."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_registry._moving import markup
from pypi_registry._moving.markup import EndTag, StartTag, Token, tokens, unescaped
from pypi_registry._pages.simple import MediaType, render_index

ATTRIBUTES = frozenset({"href", "x"})


def read(text: str) -> list[Token]:
    """Return the tokens, with the parts of each text joined."""
    found: list[Token] = []
    for token in tokens(text, ATTRIBUTES):
        if isinstance(token, str) and found and isinstance(found[-1], str):
            found[-1] += token
        else:
            found.append(token)
    return found


def a(**attributes: str) -> StartTag:
    return StartTag("a", attributes)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("text", ["text"]),
        ("1 < 2 <3 <", ["1 < 2 <3 <"]),
        ("<a>", [a()]),
        ("<A HREF=y>", [a(href="y")]),
        ("<a href>", [a(href="")]),
        ("<a href=>", [a(href="")]),
        ("<a href= y z>", [a(href="y")]),
        ("<a href\n=\t'y'>", [a(href="y")]),
        ("<a href='a>b'x=\"'\">", [a(href="a>b", x="'")]),
        ("<a href=a/b/>", [a(href="a/b/")]),
        ("<a/href=y/>", [a(href="y/")]),
        ("<a href=1 href=2>", [a(href="1")]),
        ("<a other=1 =href=2 x>", [a(x="")]),
        ("<a href='&lt;&amp;amp;&#65;'>", [a(href="<&amp;A")]),
        ("<a <b>", [a()]),
        ("</a href=x>1", [EndTag("a"), "1"]),
        ("</ a>1</>2<?php > 3<!DOCTYPE html>4<![CDATA[5>6", ["12 346"]),
        ("1<!-- <a> -- > -->2<!-->3<!--->4<!-- --!>5", ["12345"]),
        ("<script>1<a></script x>2", [StartTag("script", {}), "1<a>", EndTag("script"), "2"]),
        ("<TITLE>1<a></Title >2", [StartTag("title", {}), "1<a>", EndTag("title"), "2"]),
        ("<style>1</styles><a></style", [StartTag("style", {})]),
        ("<plaintext><a>", [StartTag("plaintext", {})]),
        ("1<a", ["1"]),
        ("1<a href='><a>", ["1"]),
        ("1<!-- <a>", ["1"]),
        ("1<! <a", ["1"]),
    ],
)
def test_tokens_are_those_of_a_browser(text: str, found: list[Token]) -> None:
    assert read(text) == found


class _Oracle(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Token] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(StartTag(tag, {name: value or "" for name, value in attrs if name in ATTRIBUTES}))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.found.append(EndTag(tag))

    def handle_data(self, data: str) -> None:
        if self.found and isinstance(self.found[-1], str):
            self.found[-1] += data
        else:
            self.found.append(data)


_words = st.text("ab&<>\"' =/;", max_size=8)
_quoted = _words.map(lambda word: word.replace("&", "&amp;").replace('"', "&quot;"))
_parts = st.one_of(
    _words.map(lambda word: word.replace("&", "&amp;").replace("<", "&lt;")),
    st.builds("<a {}=\"{}\" id='1'>".format, st.sampled_from(["href", "HREF", "y"]), _quoted),
    st.just("</a>"),
    st.just("<br/>"),
    _words.map(lambda word: f"<!--a{word}-->".replace("'", "")),
)


@given(st.lists(_parts, max_size=8).map("".join))
def test_a_valid_page_is_read_as_by_the_parser_of_python(text: str) -> None:
    oracle = _Oracle()
    oracle.feed(text)
    oracle.close()
    assert [unescaped(each) if isinstance(each, str) else each for each in read(text)] == oracle.found


def test_a_page_of_ours_is_read_as_by_the_parser_of_python() -> None:
    page = render_index("tools", [], MediaType.TEXT_HTML, trailing_slash=True).decode()
    oracle = _Oracle()
    oracle.feed(page)
    oracle.close()
    assert read(page) == oracle.found


# Work


@dataclass
class Work:
    """Counts the characters that were read."""

    done: int = 0

    class Text(str):
        """A page that counts what is searched in it."""

        work: "Work"

        def find(self, *args: object) -> int:
            sub, start = args[0], args[1]
            assert isinstance(sub, str)
            assert isinstance(start, int)
            found = super().find(sub, start)
            self.work.done += (len(self) if found < 0 else found) - start + 1
            return found

    @dataclass
    class Pattern:
        """A pattern that counts what it reads."""

        pattern: re.Pattern[str]
        work: "Work"

        def match(self, text: str, at: int) -> re.Match[str] | None:
            found = self.pattern.match(text, at)
            self.work.done += found.end() - at + 1 if found else 1
            return found

        def search(self, text: str, at: int) -> re.Match[str] | None:
            found = self.pattern.search(text, at)
            self.work.done += (found.end() if found else len(text)) - at + 1
            return found


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    for name, value in [*vars(markup).items()]:
        if isinstance(value, re.Pattern):
            monkeypatch.setattr(markup, name, Work.Pattern(value, work))
    monkeypatch.setattr(markup, "_RAW", {name: Work.Pattern(each, work) for name, each in markup._RAW.items()})
    return work


HOSTILE = [
    *(
        "<",
        "<a",
        "<a ",
        "</a ",
        "<a a=",
        '<a a="',
        "<a a='",
        "<a href='\" ",
        "a=1 ",
        "<a x=1 x=1>",
        "<a/",
        "<a =",
        "=",
        '"',
    ),
    *(
        "<!--",
        "<!-- -",
        "<!-->",
        "<!---",
        "<!",
        "<?",
        "</",
        "<![",
        "<![CDATA[",
        "<script>",
        "<script></script ",
        "<title>",
    ),
    *("<a>", "<a href=x>", "&", "&#", "&lt", "<a href='&#1", "<style></s", "<textarea><", "   ", "<a    ", "<a x =   "),
]


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize("before", ["", "<a ", "<a href='", "<!--", "<script>"])
def test_each_character_is_read_a_few_times_at_most(part: str, before: str, work: Work) -> None:
    text = Work.Text(before + part * 5_000)
    text.work = work
    for _ in tokens(text, ATTRIBUTES):
        pass
    assert len(text) <= work.done + len(before) <= 5 * len(text)


def test_no_attribute_is_kept_that_nobody_asked_for() -> None:
    text = "<a " + " ".join(f"x{number}" for number in range(10_000)) + " " + "y" * 10_000 + "=1>"
    assert read(text) == [a()]


@pytest.mark.parametrize("text", ["&#" + "1" * 10_000, "&#x" + "f" * 10_000 + ";", "&" * 10_000, "&" + "a" * 10_000])
def test_entities_that_are_none_are_text(text: str) -> None:
    assert unescaped(text) in (text, "\ufffd")
