"""Which media type of a simple page a client receives, and whether it is compressed (PEP 691)."""

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

from pypi_registry._http.negotiation import MAX_HEADER, accepts_gzip, best_media_type
from pypi_registry._pages.simple import MediaType

# In this order "*/*" means HTML, which hatch and people expect.
_OFFERED = [MediaType.TEXT_HTML, MediaType.JSON, MediaType.HTML]
_BY_NAME = {media_type.value: media_type for media_type in MediaType}


class Negotiated(NamedTuple):
    """What a client receives."""

    media_type: MediaType
    content_type: str
    """The value of the Content-Type header. A cache key has it instead of the media type, as enums hash slowly."""
    gzip: bool


def negotiate(accept: str, accept_encoding: str, query: str) -> Negotiated:
    """Choose the media type of a simple page, and whether to compress it.

    >>> negotiate("application/vnd.pypi.simple.v1+json", "gzip", "").media_type.value
    'application/vnd.pypi.simple.v1+json'
    >>> negotiate("text/html", "", "format=application/vnd.pypi.simple.v1%2Bjson").media_type.value
    'application/vnd.pypi.simple.v1+json'
    """
    return _negotiate(accept[:MAX_HEADER], accept_encoding[:MAX_HEADER], query[:MAX_HEADER])


@lru_cache(maxsize=256)
def _negotiate(accept: str, accept_encoding: str, query: str) -> Negotiated:
    media_type = _media_type(accept, query)
    return Negotiated(media_type, media_type.content_type, accepts_gzip(accept_encoding))


def _media_type(accept: str, query: str) -> MediaType:
    """Choose the media type. No request is refused, as PEP 691 allows.

    A ``format`` parameter of the query has precedence over the ``Accept`` header (PEP 691, "URL Parameter").
    """
    # A plus that was not quoted is a blank in a query.
    named = (_versioned(value.strip().replace(" ", "+")) for value in parse_qs(query).get("format", ()))
    for value in named:
        if value in _BY_NAME:
            return _BY_NAME[value]
    return _BY_NAME[best_media_type(_versioned(accept), _OFFERED) or MediaType.TEXT_HTML]


def _versioned(media_type: str) -> str:
    # PEP 691, "Version + Format Selection": "latest" may be requested, and the response has the actual version.
    return media_type.lower().replace("application/vnd.pypi.simple.latest+", "application/vnd.pypi.simple.v1+")
