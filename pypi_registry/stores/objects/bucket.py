"""Which bucket a URL names, and obstore's clients for it, with their time limits.

Credentials, endpoint and region are read by obstore, from its environment variables.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

if TYPE_CHECKING:
    from obstore.store import ObjectStore


@dataclass(frozen=True, slots=True)
class _Engine:
    """obstore's client for the buckets of one scheme, and the environment variables that are checked before it."""

    store: type[S3Store] | type[GCSStore] | type[AzureStore]
    endpoints: tuple[str, ...]
    """Each contains the URL of an endpoint; the first that is set is used."""
    allow_http: str
    """Without it, obstore refuses an endpoint that begins with ``http://``; empty if it refuses none."""
    in_headers: tuple[str, ...]
    """Those whose value obstore sends in a header."""


_ENGINES: Mapping[str, _Engine] = {
    "s3": _Engine(
        S3Store,
        ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        "AWS_ALLOW_HTTP",
        ("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"),
    ),
    "gs": _Engine(GCSStore, ("GOOGLE_BASE_URL",), "", ("GOOGLE_BEARER_TOKEN",)),
    "az": _Engine(
        AzureStore,
        ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
        "AZURE_ALLOW_HTTP",
        ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_TOKEN"),
    ),
}
_FORMS = "s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")

# Characters that every object store and every signature leaves as they are. "." and ".." alone are no names.
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and the prefix of the names in it."""

    scheme: str
    name: str
    prefix: str = ""
    """Empty, or with a slash at its end."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.name}/{self.prefix}".rstrip("/")


def parsed(url: str) -> tuple[Bucket, dict[str, str]]:
    """Return the bucket that a URL names, and the parameters of its query.

    :raises ValueError: if it is not the URL of a bucket. The message quotes no user, password or query.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # its text quotes the URL
        raise ValueError(f"the URL of a bucket must be {_FORMS}") from None
    if parts.scheme not in _ENGINES:
        raise ValueError(f"the URL of a bucket must be {_FORMS}")
    if "@" in parts.netloc or ":" in parts.netloc:
        raise ValueError(
            "the URL of a bucket must have no user, no password and no port: set the environment variables, such as "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL"
        )
    if parts.fragment:
        raise ValueError("the URL of a bucket must have no fragment ('#')")
    if not _BUCKET.fullmatch(parts.netloc):
        raise ValueError(f"{parts.netloc!r} is not the name of a bucket: the URL must be {_FORMS}")
    segments = parts.path.strip("/").split("/") if parts.path.strip("/") else []
    if not all(map(_SEGMENT.fullmatch, segments)):
        raise ValueError(
            "the prefix in the URL of a bucket must consist of ASCII letters, digits, '.', '_', '-' and '/'"
        )
    prefix = "".join(f"{segment}/" for segment in segments)
    return Bucket(parts.scheme, parts.netloc, prefix), _parameters(parts.query)


def _parameters(query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    parameters = dict(pairs)
    if len(parameters) < len(pairs):
        raise ValueError("the URL of a bucket has a parameter twice")
    return parameters


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request may take, in seconds.

    The last attempt begins before `retry` is over, so no request takes longer than `retry` and one `attempt`.
    """

    attempt: int
    """One attempt, from connecting to the last byte of the response."""
    silence: int
    """Without any byte of the response."""
    retry: int


# If a bucket does not answer, `StorageUnavailable` is raised after 9 seconds at most.
SMALL = Limits(attempt=6, silence=6, retry=3)
"""A request whose response is small, and with a small body: HEAD, DELETE, a PUT of `SMALL_PUT` bytes."""
DOWNLOAD = Limits(attempt=24 * 60 * 60, silence=6, retry=3)
"""A GET, which lasts for as long as its client reads."""
LARGE = Limits(attempt=120, silence=120, retry=120)
"""A PUT of a larger file, or of one part of it; a page of a list."""

SMALL_PUT = 256 * 1024

_CONNECT = 3
_RETRIES = 4
_BACKOFF = {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2}


def client(bucket: Bucket, limits: Limits) -> "ObjectStore":
    """Return a client for a bucket. It connects when it is used, and starts no thread before.

    :raises ValueError: if the environment variables are not a valid configuration.
    """
    engine = _ENGINES[bucket.scheme]
    _check_variables(engine, os.environ)
    # Not as `client_options`, which would replace those of the environment, such as AWS_ALLOW_HTTP.
    config: Any = {
        "timeout": f"{limits.attempt}s",
        "read_timeout": f"{limits.silence}s",
        "connect_timeout": f"{_CONNECT}s",
    }
    if bucket.scheme == "s3":
        # A DELETE of one object needs no bulk request, which not every object store implements.
        config["disable_bulk_delete"] = "true"
    retries: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=limits.retry), "backoff": _BACKOFF}
    try:
        return engine.store(bucket.name, config=config, retry_config=retries)
    except BaseError as error:
        problem = _problem(str(error))
    raise ValueError(f"{bucket} cannot be used with these environment variables: {problem}")


def _problem(text: str) -> str:
    """Return what obstore reports, without the values that it quotes: a variable for a path may contain the key."""
    if "Unable to open service account file" in text:
        return "the file that GOOGLE_SERVICE_ACCOUNT or GOOGLE_APPLICATION_CREDENTIALS names cannot be read"
    if "Unable to decode service account file" in text:
        return "the credentials are not in the JSON format of Google"
    return text.partition("\n")[0]


def _check_variables(engine: _Engine, environ: Mapping[str, str]) -> None:
    # obstore panics for an endpoint that is no URL and for such a character in a header, as the line break at the end
    # of a file, and reports http:// as "builder error".
    for name in engine.in_headers:
        value = environ.get(name, "")
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the environment variable {name} must consist of printable ASCII characters")
    endpoint = next((name for name in engine.endpoints if environ.get(name)), None)
    if endpoint is None:
        return
    try:
        parts = urlsplit(environ[endpoint])
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"the environment variable {endpoint} must be a URL that begins with https:// or http://")
    if parts.username is not None or parts.query:
        raise ValueError(f"the environment variable {endpoint} must have no user, no password and no query")
    allowed = not engine.allow_http or environ.get(engine.allow_http, "").lower() in ("1", "true", "on", "yes", "y")
    if parts.scheme == "http" and not allowed:
        raise ValueError(
            f"the environment variable {endpoint} begins with http://, which needs {engine.allow_http}=true"
        )


def require_process() -> None:
    """Return if obstore can be used in this process.

    :raises RuntimeError: if obstore was used before a fork. Its threads exist only in the parent process, and a child
        process would wait for them for ever.
    """
    if _process() != os.getpid():
        raise RuntimeError(
            "this process was forked from one that had used an object store before, so it cannot use one: "
            "start it before the first request to the object store"
        )


@cache
def _process() -> int:
    """Return the id of the process in which obstore's threads run: the first that uses them."""
    return os.getpid()
