"""Conditional requests (RFC 9110, 13)."""

import re

from pypi_registry._http.request import Request


def if_none_match(request: Request, etag: str) -> bool:
    """Return whether the client already has the representation with this (strong, quoted) entity tag.

    RFC 9110, 13.1.2: "A recipient MUST use the weak comparison function when comparing entity tags for If-None-Match".
    Proxies that compress make tags weak.
    """
    known = request.header("HTTP_IF_NONE_MATCH")
    return bool(known) and (etag in re.findall(r'"[^"]*"', known) or known.strip() == "*")
