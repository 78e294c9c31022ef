"""What a client would like to get: which form of a page, and whether compressed (RFC 9110, 12).

Texts of headers in, choices out. Each text is parsed once and remembered, as clients send only a few, and so is what
they say together.
"""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from pypi_registry._pages.simple import MediaType

_OFFERED = [
    MediaType.TEXT_HTML,
    MediaType.JSON,
    MediaType.HTML,
]  # in this order "*/*" means HTML, which hatch and people expect
_FORMS = {form.value: form for form in MediaType}

_READ = 1000
"""Characters of a header. Those of clients have a hundred, and Werkzeug takes seconds for some of a few kilobytes."""


class Negotiated(NamedTuple):
    """What a simple page is to be."""

    form: MediaType
    gzip: bool


def negotiate(accept: str, accept_encoding: str, query: str) -> Negotiated:
    """Choose the form of a simple page, and whether to compress it."""
    return _wanted(accept[:_READ], accept_encoding[:_READ], query[:_READ])


@lru_cache(maxsize=256)
def _wanted(accept: str, accept_encoding: str, query: str) -> Negotiated:
    return Negotiated(simple_form(accept, query), takes_gzip(accept_encoding))


def simple_form(accept: str, query: str = "") -> MediaType:
    """Choose the form of a simple page, and never refuse one (PEP 691).

    A form that the address names comes before those that the header accepts.

    >>> simple_form("text/html", "format=application/vnd.pypi.simple.v1%2Bjson").value
    'application/vnd.pypi.simple.v1+json'
    """
    return (query and _named_form(query[:_READ])) or _accepted_form(accept[:_READ])


def prefers_html(accept: str) -> bool:
    """Tell whether a person with a browser is asking; a program that takes anything is not one."""
    return _prefers_html(accept[:_READ])


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a body may be compressed.

    >>> takes_gzip("gzip, deflate, zstd"), takes_gzip("identity"), takes_gzip("gzip;q=0, *")
    (True, False, False)
    """
    return _takes_gzip(accept_encoding[:_READ])


@lru_cache(maxsize=256)
def _named_form(query: str) -> MediaType | None:
    # A plus that nobody quoted is a blank in a query.
    named = (_real_type(value.strip().replace(" ", "+")) for value in parse_qs(query).get("format", []))
    return next((_FORMS[value] for value in named if value in _FORMS), None)


@lru_cache(maxsize=256)
def _accepted_form(accept: str) -> MediaType:
    best = parse_accept_header(_real_type(_tidy(accept)), MIMEAccept).best_match(_OFFERED)
    return MediaType(best) if best else MediaType.TEXT_HTML


def _real_type(text: str) -> str:
    # "latest" is asked for by name and answered with the real type (PEP 691).
    return text.lower().replace("application/vnd.pypi.simple.latest+", "application/vnd.pypi.simple.v1+")


@lru_cache(maxsize=256)
def _prefers_html(accept: str) -> bool:
    accepted = parse_accept_header(_tidy(accept), MIMEAccept)
    return accepted.best_match(["application/json", "text/html"]) == "text/html"


@lru_cache(maxsize=256)
def _takes_gzip(accept_encoding: str) -> bool:
    weights = dict(parse_accept_header(_tidy(accept_encoding.lower())))
    named = [weights[coding] for coding in ("gzip", "x-gzip", "*") if coding in weights]
    return bool(named) and named[0] > 0


def _tidy(header: str) -> str:
    return " ".join(header.split())  # many blanks are what takes Werkzeug so long
