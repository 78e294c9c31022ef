"""SigV4 in queries, against the example of the S3 manual and against botocore."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import obstore
import pytest
from obstore.store import S3Store

from pypi_registry.stores.objects.signing import LIFETIME, Credentials, Signer, signed_url
from tests.stores.buckets import ACCESS_KEY, SECRET_KEY, use_endpoint

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_the_example_of_the_s3_manual() -> None:
    # "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", Amazon S3 API Reference.
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1")
    url = "https://examplebucket.s3.amazonaws.com/test.txt"
    assert signed_url(url, credentials, datetime(2013, 5, 24, tzinfo=UTC), timedelta(days=1)) == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
        "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires="
        "86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize("token", ["", "FwoGZXIvYXdzEA+/=", "with blanks & ~"])
@pytest.mark.parametrize("secret", [SECRET_KEY, "a/b+c="])
@pytest.mark.parametrize("region", ["us-east-1", "auto"])
@pytest.mark.parametrize(
    "url",
    [
        "https://s3.eu-central-1.amazonaws.com/bucket/prefix/0123",
        "https://bucket.s3.eu-central-1.amazonaws.com/0123",
        "http://127.0.0.1:9000/bucket/a.b_c-d/0123",
        "http://[::1]:9000/bucket/0123",
        "https://minio.example:8443/bucket/0123",
    ],
)
def test_botocore_signs_in_the_same_way(url: str, region: str, secret: str, token: str) -> None:
    known = botocore.credentials.Credentials(ACCESS_KEY, secret, token or None)
    request = botocore.awsrequest.AWSRequest("GET", url)
    with patch("botocore.auth.get_current_datetime", lambda *_, **__: AT.replace(tzinfo=None)):
        botocore.auth.S3SigV4QueryAuth(known, "s3", region, expires=7200).add_auth(request)
    expected = urlsplit(request.url)
    found = urlsplit(signed_url(url, Credentials(ACCESS_KEY, secret, region, token), AT, LIFETIME))
    assert parse_qs(found.query, strict_parsing=True) == parse_qs(expected.query, strict_parsing=True)
    assert found._replace(query="") == expected._replace(query="")


SIGNER = Signer("https://s3.example/bucket/", Credentials(ACCESS_KEY, SECRET_KEY, "eu-central-1"))


def test_a_url_stays_equal_until_the_hour_ends() -> None:
    urls = {SIGNER.hourly_url("key", AT + timedelta(minutes=minute, microseconds=-minute)) for minute in (0, 1, 30, 60)}
    assert len(urls) == 1
    assert SIGNER.hourly_url("key", AT + timedelta(hours=1)) not in urls
    assert SIGNER.hourly_url("key", AT - timedelta(microseconds=1)) not in urls


@pytest.mark.parametrize("offset", [5.5, -3, 14])
def test_hours_are_those_of_utc(offset: float) -> None:
    elsewhere = AT.astimezone(timezone(timedelta(hours=offset)))
    assert SIGNER.hourly_url("key", elsewhere) == SIGNER.hourly_url("key", AT)


def test_a_url_is_valid_for_an_hour_at_least() -> None:
    query = parse_qs(urlsplit(SIGNER.hourly_url("key", AT + timedelta(minutes=59, seconds=59))).query)
    assert query["X-Amz-Date"] == ["20261130T120000Z"] and query["X-Amz-Expires"] == ["7200"]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000/"},
        {"AWS_ENDPOINT_URL": "https://minio.example"},
        {"AWS_ENDPOINT_URL": "https://minio.example/below"},
        {"AWS_ENDPOINT_URL": "https://minio.example:443"},
        {"AWS_ENDPOINT_URL": "http://other.example", "AWS_ENDPOINT_URL_S3": "https://minio.example"},
        {"AWS_ENDPOINT_URL": "https://bucket.minio.example", "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true"},
        {"AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true"},
        {"AWS_REGION": "ap-south-2"},
        {"AWS_REGION": "", "AWS_DEFAULT_REGION": "ap-south-2"},
        {"AWS_SESSION_TOKEN": "a/b+c="},
    ],
    ids=str,
)
def test_endpoint_style_region_and_token_are_those_of_obstore(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    use_endpoint(monkeypatch, "https://s3.example", **variables)
    if "AWS_ENDPOINT_URL" not in variables:
        monkeypatch.delenv("AWS_ENDPOINT_URL")
    if variables.get("AWS_REGION") == "":
        monkeypatch.delenv("AWS_REGION")
    store = S3Store("bucket")
    expected = urlsplit(obstore.sign(store, "GET", "a/b", LIFETIME))
    found = urlsplit(Signer.like(store, SECRET_KEY).hourly_url("a/b", datetime.now(UTC)))
    assert found._replace(query="") == expected._replace(query="")
    assert _without_time(found.query) == _without_time(expected.query)
    assert ":443" not in found.netloc  # no client sends the default port, and the signature covers the header


def _without_time(query: str) -> dict[str, Any]:
    found: dict[str, Any] = parse_qs(query, strict_parsing=True)
    del found["X-Amz-Date"], found["X-Amz-Signature"]
    found["X-Amz-Credential"] = [word for word in found["X-Amz-Credential"][0].split("/") if not word.isdecimal()]
    return found


def test_no_repr_shows_the_secrets() -> None:
    shown = repr(Signer("https://s3.example/", Credentials(ACCESS_KEY, "hunter2", "eu", "token7")))
    assert "hunter2" not in shown and "token7" not in shown
