"""Which package names a search matches. One rule for all stores."""

import string

# GitLab, lib/gitlab/sql/pattern.rb: MIN_CHARS_FOR_PARTIAL_MATCHING = 3
_MIN_CHARS_FOR_PARTIAL_MATCHING = 3

# Only ASCII letters have a case here: in Unicode the Kelvin sign is an upper-case "k".
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def name_matches(name: str, search: str) -> bool:
    """Return whether a search finds a name, by the rule of `PackageQuery.name`.

    >>> name_matches("Flask-Login", "LOGIN flask"), name_matches("Flask-Login", "sk"), name_matches("q", "Q")
    (True, False, True)
    """
    lower = name.translate(_LOWER)
    return all(
        word in lower if len(word) >= _MIN_CHARS_FOR_PARTIAL_MATCHING else word == lower
        for word in search.translate(_LOWER).split()
    )
