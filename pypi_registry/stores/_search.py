"""Which package names a search matches. One rule for all stores."""

import string
from collections.abc import Sequence

# GitLab, lib/gitlab/sql/pattern.rb: MIN_CHARS_FOR_PARTIAL_MATCHING = 3
MIN_CHARS_FOR_PARTIAL_MATCHING = 3

_MAX_WORDS = 20  # SQLite's limit for the depth of an expression is 1,000, and each word costs a look at each name
_MAX_LENGTH = 255  # of a name

# Only ASCII letters have a case here: in Unicode the Kelvin sign is an upper-case "k".
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def search_words(text: str) -> Sequence[str] | None:
    r"""Return the words of a search in lower case, each once; None if no name can match all of them.

    >>> search_words("Flask LOGIN flask"), search_words(""), search_words("caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    (['flask', 'login'], [], None)
    """
    words = [*dict.fromkeys(text.translate(_LOWER).split())]
    possible = len(words) <= _MAX_WORDS and all(map(_is_possible, words))
    return words if possible else None


def name_matches(name: str, search: str) -> bool:
    """Return whether a search finds a name, by the rule of `PackageQuery.name`.

    >>> name_matches("Flask-Login", "LOGIN flask"), name_matches("Flask-Login", "sk"), name_matches("q", "Q")
    (True, False, True)
    """
    words, lower = search_words(search), name.translate(_LOWER)
    return words is not None and all(
        word in lower if len(word) >= MIN_CHARS_FOR_PARTIAL_MATCHING else word == lower for word in words
    )


def _is_possible(word: str) -> bool:
    """Return whether a name may contain a word: names are ASCII, and SQLite's functions for text end at a NUL."""
    return len(word) <= _MAX_LENGTH and word.isascii() and "\0" not in word
