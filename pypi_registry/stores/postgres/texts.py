"""Texts with any character, and integers of one size: how values become parameters, and columns become values.

PostgreSQL's ``text`` refuses U+0000, which metadata and reasons may hold. So U+0001 is an escape character in the
database: U+0000 is stored as U+0001 U+0001, and U+0001 as U+0001 U+0002. That loses nothing, and it keeps the order of
texts by code point. All other texts are stored as they are. The adapters are registered for every connection of the
catalogue, so that no statement can forget them.
"""

from psycopg import adapters
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.types.numeric import Int8Dumper

_ESCAPE = "\1"


def escaped(text: str) -> str:
    r"""Return a text as the database holds it.

    >>> escaped("plain"), escaped("a\0b\1")
    ('plain', 'a\x01\x01b\x01\x02')
    """
    if _ESCAPE in text:
        text = text.replace(_ESCAPE, "\1\2")
    return text.replace("\0", "\1\1") if "\0" in text else text


def unescaped(text: str) -> str:
    r"""Return the text that the database holds in this form.

    >>> unescaped(escaped("a\0b\1\0\1")) == "a\0b\1\0\1"
    True
    """
    if _ESCAPE not in text:
        return text
    first, *others = text.split(_ESCAPE)
    parts, escapes = [first], iter(others)
    for part in escapes:
        if part:  # it begins with U+0002
            parts.append(_ESCAPE + part[1:])
        else:  # U+0001 was doubled, and the next part follows the second one
            parts.append("\0" + next(escapes))
    return "".join(parts)


class _TextDumper(Dumper):
    def dump(self, obj: str) -> bytes:
        return escaped(obj).encode()


class _TextLoader(Loader):
    def load(self, data: Buffer) -> str:
        return unescaped(str(data, "utf-8"))


def text_adapters() -> AdaptersMap:
    """Return psycopg's adapters with ours for texts and integers.

    psycopg chooses the type of an integer by its size, and PostgreSQL would prepare one statement for each type.
    """
    found = AdaptersMap(adapters)
    found.register_dumper(str, _TextDumper)
    found.register_dumper(int, Int8Dumper)
    found.register_loader("text", _TextLoader)
    return found
