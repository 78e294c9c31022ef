"""Dates in headers (RFC 9110, 5.6.7)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# "A recipient that parses a timestamp value in an HTTP field MUST accept all three HTTP-date formats": IMF-fixdate, and
# the obsolete ones of RFC 850 and of asctime().
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_DATE = re.compile(
    f"[A-Z][a-z]{{2}}, [0-9]{{2}} [A-Z][a-z]{{2}} [0-9]{{4}} {_TIME} GMT"
    f"|[A-Z][a-z]{{5,8}}, [0-9]{{2}}-[A-Z][a-z]{{2}}-[0-9]{{2}} {_TIME} GMT"
    f"|[A-Z][a-z]{{2}} [A-Z][a-z]{{2}} [ 0-9][0-9] {_TIME} [0-9]{{4}}"
)


def read_date(header: str) -> datetime | None:
    """Read an HTTP-date, in UTC; None if the text is not an HTTP-date.

    Werkzeug's `parse_date` raises `OverflowError` for a year of many digits, and reads texts that are no HTTP-date.

    >>> read_date("Sun, 06 Nov 1994 08:49:37 GMT")
    datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.timezone.utc)
    >>> read_date("yesterday"), read_date("Sun, 06 Nov 99999 08:49:37 GMT"), read_date("Sun, 06 Nov 1994 25:00:00 GMT")
    (None, None, None)
    """
    if _DATE.fullmatch(header) is None:
        return None
    try:
        return parsedate_to_datetime(header).replace(tzinfo=UTC)
    except (TypeError, ValueError):  # no such month, day or hour
        return None
