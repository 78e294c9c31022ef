"""Reading HTML from strangers, in time that grows with its length alone.

`html.parser` reads the rest of a page again at each unfinished tag, in many releases of Python that are in use. So a
page of some kilobytes can keep it busy for minutes. This module has the rules of the tokenizer of HTML that an index
needs: tags, attributes, comments, and the elements whose contents are no markup. A token that does not end is dropped
with the rest of the page, as browsers do.

Source: https://html.spec.whatwg.org/multipage/parsing.html#tokenization
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from html import unescape

# Possessive quantifiers (*+) never match again what they have matched: no input makes them slow.
_TAG = re.compile(r"</?+([A-Za-z][^\t\n\f\r />]*+)")
_BETWEEN = re.compile(r"[\t\n\f\r /]*+")
_NAME = re.compile(r"=?[^\t\n\f\r />=]*+")  # "=" at the start belongs to the name
_EQUALS = re.compile(r"[\t\n\f\r ]*+=[\t\n\f\r ]*+")
_UNQUOTED = re.compile(r"[^\t\n\f\r >]*+")
_COMMENT_END = re.compile(r"--!?>")
_EMPTY_COMMENT = re.compile(r"<!---?>")
_RAW = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE | re.ASCII)
    for name in ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
}
"""Elements whose contents are text, each with its end."""


@dataclass(frozen=True, slots=True)
class StartTag:
    """A start tag, with those of its attributes that the caller wants."""

    name: str
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EndTag:
    """An end tag."""

    name: str


Token = StartTag | EndTag | str


def tokens(text: str, attributes: Set[str]) -> Iterator[Token]:
    """Yield the tags of a page, and the text between them, which may come in several parts and still has its entities.

    :param attributes: names of attributes; all others are left out.

    >>> [*tokens('<A HREF=x title="y>">1 &lt; 2</a><!-- <b> -->', {"href"})]
    [StartTag(name='a', attributes={'href': 'x'}), '1 &lt; 2', EndTag(name='a')]
    """
    at = 0
    while True:
        start = text.find("<", at)
        if start != at and at < len(text):
            yield text[at : start if start >= 0 else None]
        if start < 0:
            return
        tag = _TAG.match(text, start)
        if tag is None:
            if not text.startswith(("<!", "</", "<?"), start):
                yield "<"
                at = start + 1
                continue
            at = _end_of_comment(text, start)
            if at < 0:
                return
            continue
        name = tag[1].lower()
        found, at = _attributes(text, tag.end(), attributes)
        if at < 0:
            return
        if text[start + 1] == "/":
            yield EndTag(name)
            continue
        yield StartTag(name, found)
        if name in _RAW:
            end = _RAW[name].search(text, at)
            if end is None:
                return
            if end.start() > at:
                yield text[at : end.start()]
            at = end.start()
        elif name == "plaintext":
            return


def _end_of_comment(text: str, start: int) -> int:
    """Return where the comment or declaration ends that starts somewhere; -1 if it does not end."""
    if text.startswith("<!--", start):
        empty = _EMPTY_COMMENT.match(text, start)
        end = empty or _COMMENT_END.search(text, start + 4)
        return end.end() if end else -1
    return text.find(">", start) + 1 or -1


def _attributes(text: str, at: int, wanted: Set[str]) -> tuple[Mapping[str, str], int]:
    """Return the attributes of a tag, and where the tag ends; -1 if it does not end."""
    found: dict[str, str] = {}
    while True:
        at = _end(_BETWEEN, text, at)
        if at == len(text):
            return found, -1
        if text[at] == ">":
            return found, at + 1
        start, at = at, _end(_NAME, text, at)
        name, value = text[start:at].lower() if at - start <= _MAX_NAME else "", ""
        equals = _EQUALS.match(text, at)
        if equals is not None:
            start = equals.end()
            quote = text[start : start + 1]
            if quote in ('"', "'"):
                start += 1
                end = text.find(quote, start)
                if end < 0:
                    return found, -1
                at = end + 1
            else:
                at = end = _end(_UNQUOTED, text, start)
            value = text[start:end] if name in wanted else ""
        if name in wanted:
            found.setdefault(name, unescaped(value))


_MAX_NAME = 100  # characters of the name of an attribute; no wanted name is longer


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where the match of a pattern that always matches ends."""
    match = pattern.match(text, at)
    return match.end() if match else at


def unescaped(text: str) -> str:
    """Return a text with its entities as characters.

    >>> unescaped("a &lt; b"), unescaped("&#" + 5000 * "1")[:5]
    ('a < b', '&#111')
    """
    try:
        return unescape(text)
    except ValueError:  # of int(), which refuses a number with thousands of digits
        return text
