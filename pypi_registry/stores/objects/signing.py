"""Signed URLs of S3 that stay the same until the end of the hour, so that clients cache the response.

pip's cache misses a file if the URL to which pip is redirected has changed. obstore signs for the current second. So
the query of a URL is signed here, as the S3 manual describes it under "Authenticating Requests: Using Query Parameters
(AWS Signature Version 4)".
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import obstore
from obstore.store import S3Store

LIFETIME = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs."""

    access_key: str
    secret_key: str = field(repr=False)
    region: str
    token: str = field(default="", repr=False)
    """Of temporary credentials, otherwise empty."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs the URLs of objects of one bucket."""

    base_url: str
    """The URL of the bucket, with a slash at its end."""
    credentials: Credentials

    @classmethod
    def like(cls, store: S3Store, secret_key: str) -> "Signer":
        """Return a signer with the endpoint, the region and the credentials of an obstore client."""
        parts = urlsplit(obstore.sign(store, "GET", "x", LIFETIME))
        query = dict(parse_qsl(parts.query))
        access_key, _, region, _, _ = query["X-Amz-Credential"].rsplit("/", 4)
        token = query.get("X-Amz-Security-Token", "")
        base_url = f"{parts.scheme}://{parts.netloc}{parts.path}".removesuffix("x")
        return cls(base_url, Credentials(access_key, secret_key, region, token))

    def hourly_url(self, name: str, now: datetime) -> str:
        """Return a URL for a GET that is valid for at least one hour, and equal on all servers until the hour ends.

        :param name: the name of an object, of unreserved characters and slashes.
        :param now: aware.
        """
        at = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return signed_url(self.base_url + name, self.credentials, at, LIFETIME)


def signed_url(url: str, credentials: Credentials, at: datetime, lifetime: timedelta) -> str:
    """Return a URL with which anyone can GET the object.

    :param url: without a query and without the default port of its scheme; its path is quoted.
    :param at: the time from which the URL is valid, in UTC.
    """
    parts = urlsplit(url)
    time = at.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{time[:8]}/{credentials.region}/s3/aws4_request"
    parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": time,
        "X-Amz-Expires": str(int(lifetime.total_seconds())),
        **({"X-Amz-Security-Token": credentials.token} if credentials.token else {}),
        "X-Amz-SignedHeaders": "host",
    }  # in the order of their names
    query = urlencode(parameters, quote_via=quote, safe="-_.~")
    request = f"GET\n{parts.path}\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key}".encode()
    for word in scope.split("/"):
        key = _hmac(key, word)
    return f"{url}?{query}&X-Amz-Signature={_hmac(key, text).hex()}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
