"""Where the database is: the text that names it, completed with time limits, and shown without its password."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict

CONNECT_TIMEOUT = 2
"""Seconds for one attempt to connect; libpq's smallest."""

# libpq's defaults are hours. With these values, a lost network is noticed within four seconds, also while a statement
# waits for its answer; ``tcp_user_timeout`` exists on Linux only, and libpq ignores it elsewhere.
_DEFAULTS: Mapping[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 4000,
    "application_name": "pypi_registry",
}

_PREPARE_THRESHOLD = re.compile(r"(?<=[?&])prepare_threshold=([^&#]*)(?:&|$)")


def parsed(conninfo: str) -> tuple[dict[str, Any], int | None]:
    """Return the parameters of a connection, and psycopg's ``prepare_threshold``, which a URL may contain.

    >>> parameters, threshold = parsed("postgresql://db.example.org/registry?prepare_threshold=none")
    >>> parameters["host"], parameters["dbname"], threshold
    ('db.example.org', 'registry', None)

    :raises ValueError: if libpq does not understand it; the message contains no part of it, because of the password.
    """
    threshold: int | None = 5  # psycopg's default
    if found := _PREPARE_THRESHOLD.search(conninfo):
        threshold = _threshold(found[1])
        conninfo = _PREPARE_THRESHOLD.sub("", conninfo).rstrip("?&")
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.Error:
        raise ValueError(
            "conninfo= is not a connection string of PostgreSQL, such as postgresql://USER@HOST/DATABASE"
        ) from None
    return {**_DEFAULTS, **given, "client_encoding": "UTF8"}, threshold


def shown(parameters: Mapping[str, Any]) -> str:
    """Return the URL of a database without its password.

    >>> shown({"host": "db.example.org", "dbname": "registry", "user": "ada", "password": "secret"})
    'postgresql://ada@db.example.org/registry'
    """
    user = f"{quote(str(parameters['user']), safe='')}@" if parameters.get("user") else ""
    host, port = str(parameters.get("host") or ""), parameters.get("port")
    where = f"{quote(host, safe='.,:[]')}{f':{port}' if port else ''}"
    return f"postgresql://{user}{where}/{quote(str(parameters.get('dbname') or ''), safe='')}"


def _threshold(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal():
        raise ValueError("prepare_threshold= in the URL must be a number or 'none'")
    return int(text)
