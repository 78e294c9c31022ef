"""Patterns of package names, in which ``*`` matches any text, as in GitLab's package protection rules."""

from collections.abc import Iterable, Sequence

from packaging.utils import NormalizedName, canonicalize_name


class Patterns:
    """A set of patterns. All spellings of a name are equal.

    >>> acme = Patterns(["Acme_*"])
    >>> acme.match("acme-tools"), acme.match("acme")
    (True, False)
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        # By the text before the first star, so that a name is compared only with patterns that have its beginning. A
        # group may have thousands below it, each with patterns of its own.
        self._by_prefix: dict[str, set[tuple[str, ...]]] = {}
        for pattern in patterns:
            prefix, *pieces = canonicalize_name(pattern).split("*")
            self._by_prefix.setdefault(prefix, set()).add(tuple(pieces))
        self._longest = max(map(len, self._by_prefix), default=-1)

    def match(self, name: NormalizedName) -> bool:
        """Return whether any of the patterns matches a name."""
        return any(
            _rest_matches(name, length, pieces)
            for length in range(min(self._longest, len(name)) + 1)
            for pieces in self._by_prefix.get(name[:length], ())
        )


def _rest_matches(name: str, at: int, pieces: Sequence[str]) -> bool:
    """Return whether a name continues from a position with these pieces, with any text before each."""
    # No regular expression: one with several stars takes very long for a long name that a client chose.
    if not pieces:
        return at == len(name)
    *middle, last = pieces
    end = len(name) - len(last)
    if at > end or not name.endswith(last):
        return False
    for piece in middle:
        at = name.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True
