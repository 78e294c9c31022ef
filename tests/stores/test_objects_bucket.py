import pytest
from obstore.store import AzureStore, GCSStore

from pypi_registry.stores.objects.bucket import (
    DOWNLOAD,
    LARGE,
    SMALL,
    Bucket,
    Limits,
    client,
    parsed,
)
from tests.stores.azurite import use_azurite
from tests.stores.buckets import SECRET_KEY, use_endpoint
from tests.stores.gcs import use_gcs


@pytest.mark.parametrize(
    ("url", "bucket", "parameters"),
    [
        ("s3://bucket", Bucket("s3", "bucket"), {}),
        ("s3://bucket/", Bucket("s3", "bucket"), {}),
        ("s3://bucket/prefix", Bucket("s3", "bucket", "prefix/"), {}),
        ("s3://bucket/a/b-c/d.e_f/", Bucket("s3", "bucket", "a/b-c/d.e_f/"), {}),
        ("s3://my.bucket-1/x?deliver=redirect", Bucket("s3", "my.bucket-1", "x/"), {"deliver": "redirect"}),
        ("s3://bucket?deliver=&x=1", Bucket("s3", "bucket"), {"deliver": "", "x": "1"}),
        ("gs://bucket/prefix", Bucket("gs", "bucket", "prefix/"), {}),
        ("az://container/prefix", Bucket("az", "container", "prefix/"), {}),
    ],
)
def test_a_url_names_a_bucket_and_a_prefix(url: str, bucket: Bucket, parameters: dict[str, str]) -> None:
    assert parsed(url) == (bucket, parameters)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "s3://bucket/prefix"),
        ("bucket/prefix", "s3://bucket/prefix"),
        ("file:///bucket", "s3://bucket/prefix"),
        ("https://bucket.s3.amazonaws.com/", "s3://bucket/prefix"),
        ("s3:bucket", "name of a bucket"),
        ("s3:///prefix", "name of a bucket"),
        ("s3://b", "name of a bucket"),
        ("s3://bück", "name of a bucket"),
        ("s3://[::1", "s3://bucket/prefix"),
        ("s3://key:hunter2@bucket/prefix", "no password"),
        ("s3://hunter2@bucket/prefix", "no password"),
        ("s3://key:hunter2/x@bucket/prefix", "no password"),
        ("s3://bucket:9000/prefix", "no port"),
        ("s3://bucket/hunter2@x", "prefix"),
        ("s3://bucket/a//b", "prefix"),
        ("s3://bucket/../b", "prefix"),
        ("s3://bucket/./b", "prefix"),
        ("s3://bucket/a%20b", "prefix"),
        ("s3://bucket/a b", "prefix"),
        ("s3://bucket/prefix#hunter2", "fragment"),
        ("s3://bucket?deliver=stream&deliver=redirect", "twice"),
    ],
)
def test_a_url_that_names_no_bucket_is_refused_without_its_secrets(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as raised:
        parsed(url)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"AWS_ENDPOINT_URL": "minio:9000"}, "AWS_ENDPOINT_URL must be a URL"),
        ({"AWS_ENDPOINT_URL": "https://"}, "AWS_ENDPOINT_URL must be a URL"),
        ({"AWS_ENDPOINT_URL": "http://[::1"}, "AWS_ENDPOINT_URL must be a URL"),
        ({"AWS_ENDPOINT_URL": "https://host:port"}, "AWS_ENDPOINT_URL must be a URL"),
        ({"AWS_ENDPOINT_URL": "https://key:hunter2@host"}, "AWS_ENDPOINT_URL must have no user"),
        (
            {"AWS_ENDPOINT_URL": "https://host/?x=hunter2"},
            "AWS_ENDPOINT_URL must have no user, no password and no query",
        ),
        ({"AWS_ACCESS_KEY_ID": "key\n"}, "AWS_ACCESS_KEY_ID must consist of printable ASCII"),
        ({"AWS_ENDPOINT_URL_S3": "nothing"}, "AWS_ENDPOINT_URL_S3 must be a URL"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1", "AWS_ALLOW_HTTP": "false"}, "needs AWS_ALLOW_HTTP=true"),
        ({"AWS_ALLOW_HTTP": "perhaps", "AWS_ENDPOINT_URL": ""}, "cannot be used with these environment variables"),
        ({"AWS_CHECKSUM_ALGORITHM": "crc-1"}, "cannot be used with these environment variables"),
    ],
)
def test_environment_variables_that_cannot_be_used_are_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    use_endpoint(monkeypatch, "http://127.0.0.1:1", **variables)
    with pytest.raises(ValueError, match=problem) as raised:
        client(Bucket("s3", "bucket"), SMALL)
    assert "hunter2" not in str(raised.value) and SECRET_KEY not in str(raised.value)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"GOOGLE_BASE_URL": "gcs.example:4443"}, "GOOGLE_BASE_URL must be a URL"),
        ({"GOOGLE_BASE_URL": "http://key:hunter2@gcs.example"}, "GOOGLE_BASE_URL must have no user"),
        ({"GOOGLE_BEARER_TOKEN": "hunter2\n"}, "GOOGLE_BEARER_TOKEN must consist of printable ASCII"),
        ({"GOOGLE_SERVICE_ACCOUNT_KEY": '"hunter2"'}, "not in the JSON format"),
        ({"GOOGLE_SERVICE_ACCOUNT_KEY": '{"private_key": ["hunter2"]}'}, "not in the JSON format"),
        # The contents of the file instead of its path.
        ({"GOOGLE_SERVICE_ACCOUNT": '{"private_key": "hunter2"}'}, "names cannot be read"),
        ({"GOOGLE_APPLICATION_CREDENTIALS": '{"private_key": "hunter2"}'}, "names cannot be read"),
    ],
)
def test_variables_of_gcs_that_cannot_be_used_are_refused_without_their_secrets(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    use_gcs(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.delenv("GOOGLE_SERVICE_ACCOUNT_KEY")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=problem) as raised:
        client(Bucket("gs", "bucket"), SMALL)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"AZURE_STORAGE_ENDPOINT": "account.example:10000"}, "AZURE_STORAGE_ENDPOINT must be a URL"),
        ({"AZURE_STORAGE_ENDPOINT": "https://account.example/?sig=hunter2"}, "and no query"),
        ({"AZURE_STORAGE_ENDPOINT": "", "AZURE_ENDPOINT": "nothing"}, "AZURE_ENDPOINT must be a URL"),
        (
            {"AZURE_ALLOW_HTTP": "false"},
            "AZURE_STORAGE_ENDPOINT begins with http://, which needs AZURE_ALLOW_HTTP=true",
        ),
        ({"AZURE_STORAGE_ACCOUNT_NAME": "account\n"}, "AZURE_STORAGE_ACCOUNT_NAME must consist of printable ASCII"),
        ({"AZURE_STORAGE_ACCOUNT_KEY": "hunter2!"}, "Invalid Access Key"),
    ],
)
def test_variables_of_azure_that_cannot_be_used_are_refused_without_their_secrets(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    use_azurite(monkeypatch, "http://127.0.0.1:1/account")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=problem) as raised:
        client(Bucket("az", "container"), SMALL)
    assert "hunter2" not in str(raised.value)


def test_each_engine_has_its_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, "http://127.0.0.1:1")
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    assert isinstance(client(Bucket("gs", "bucket"), DOWNLOAD), GCSStore)
    with pytest.raises(ValueError, match="Account must be specified"):
        client(Bucket("az", "bucket"), LARGE)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert isinstance(client(Bucket("az", "bucket"), LARGE), AzureStore)


@pytest.mark.parametrize("limits", [SMALL, DOWNLOAD])
def test_a_bucket_that_does_not_answer_is_unavailable_within_ten_seconds(limits: Limits) -> None:
    assert limits.retry + min(limits.attempt, limits.silence) < 10


def test_a_large_file_has_more_time() -> None:
    assert LARGE.attempt > SMALL.attempt
