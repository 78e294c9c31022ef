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

_STORES: Mapping[str, type[S3Store] | type[GCSStore] | type[AzureStore]] = {
    "s3": S3Store,
    "gs": GCSStore,
    "az": AzureStore,
}
_FORMS = "s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")

# Characters that every object store and every signature leaves as they are. "." and ".." alone are no names.
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


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
    if parts.scheme not in _STORES:
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
    if bucket.scheme == "s3":
        _check_endpoint(os.environ)
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
        return _STORES[bucket.scheme](bucket.name, config=config, retry_config=retries)
    except BaseError as error:
        problem = str(error).partition("\n")[0]
    raise ValueError(f"{bucket} cannot be used with these environment variables: {problem}")


def _check_endpoint(environ: Mapping[str, str]) -> None:
    # obstore panics for an endpoint that is no URL, and reports http:// as "builder error".
    name = next((name for name in _ENDPOINTS if environ.get(name)), None)
    if name is None:
        return
    try:
        parts = urlsplit(environ[name])
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"the environment variable {name} must be a URL that begins with https:// or http://")
    if parts.username is not None:
        raise ValueError(f"the environment variable {name} must have no user and no password")
    if parts.scheme == "http" and environ.get("AWS_ALLOW_HTTP", "").lower() not in ("1", "true", "on", "yes", "y"):
        raise ValueError(f"the environment variable {name} begins with http://, which needs AWS_ALLOW_HTTP=true")


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
