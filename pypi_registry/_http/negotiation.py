"""Content negotiation (RFC 9110, 12): texts of headers in, choices out."""

from collections.abc import Sequence
from functools import lru_cache

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

MAX_HEADER = 1000
"""Characters of a header that are read. Clients send a hundred; Werkzeug takes seconds for some of a few kilobytes."""


def best_media_type(accept: str, offered: Sequence[str]) -> str | None:
    """Return the media type that an ``Accept`` header prefers; None if it accepts none of those offered."""
    return parse_accept_header(_single_spaced(accept), MIMEAccept).best_match(offered)


_JSON = "application/json", "application/vnd.pypi.simple.v1+json"


@lru_cache(maxsize=256)
def _prefers_html(accept: str) -> bool:
    return best_media_type(accept, [*_JSON, "text/html"]) == "text/html"


def prefers_html(accept: str) -> bool:
    """Return whether a browser sends this ``Accept`` header.

    A program that accepts anything is not a browser. Neither is pip, which accepts HTML if a simple page has no JSON.

    >>> prefers_html("text/html,application/xhtml+xml,*/*;q=0.8"), prefers_html("*/*")
    (True, False)
    """
    return _prefers_html(accept[:MAX_HEADER])


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether the body of a response may be compressed.

    >>> accepts_gzip("gzip, deflate, zstd"), accepts_gzip("identity"), accepts_gzip("gzip;q=0, *")
    (True, False, False)
    """
    weights = dict(parse_accept_header(_single_spaced(accept_encoding[:MAX_HEADER].lower())))
    named = [weights[coding] for coding in ("gzip", "x-gzip", "*") if coding in weights]
    return bool(named) and named[0] > 0


def _single_spaced(header: str) -> str:
    return " ".join(header[:MAX_HEADER].split())  # runs of blanks are what makes Werkzeug slow
