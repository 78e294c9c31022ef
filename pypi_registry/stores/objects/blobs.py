"""`ObjectBlobs`: one object per blob, in a bucket of S3, GCS or Azure."""

import io
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Self, cast
from urllib.parse import quote

import obstore
from obstore.exceptions import GenericError
from obstore.store import S3Store

from pypi_registry._disk import create_folder
from pypi_registry._excerpt import excerpt
from pypi_registry.errors import StorageUnavailable
from pypi_registry.storage import Redirect
from pypi_registry.stores.objects.bucket import DOWNLOAD, LARGE, SMALL, SMALL_PUT, client, parsed, require_process
from pypi_registry.stores.objects.download import Download, cut
from pypi_registry.stores.objects.failures import ignores_ranges, is_missing, obstore_errors_as_storage_errors
from pypi_registry.stores.objects.signing import Signer
from pypi_registry.stores.objects.spool import new_file, verified_chunks

if TYPE_CHECKING:
    from obstore import Attributes, GetResult

_KEY = re.compile("[0-9a-f]{32}")

_PART = 8 * 1024**2  # bytes; a larger file is sent in parts of this size
_PARTS_AT_ONCE = 3  # so an upload needs 32 MiB of memory
_MAX_PARTS = 10_000  # of S3; Azure has 50,000

_BLOCK = 64 * 1024  # bytes per read of a response, at least; more of them need more memory and are not faster

# The URL of an object is secret, so a shared cache must not store the object for others who learn the URL later.
_CACHE_CONTROL = "private, max-age=31536000, immutable"

_PLAIN_FILENAME = re.compile(r"[A-Za-z0-9!._+-]+")


class ObjectBlobs:
    """Stores bytes as objects of a bucket. Implements `Blobs`, `CreatesFiles`, `EnumerableBlobs` and
    `ChecksHealth`.

    An upload is received into a temporary file, verified and then sent: nothing unverified reaches the bucket. The name
    of an object is the prefix and the key. Credentials, endpoint and region are read from the environment variables of
    obstore, such as ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_ENDPOINT_URL`` and ``AWS_REGION``.

    A child process that was forked after its parent process had used an object store raises `RuntimeError`.

    :param url: ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://container/prefix``.
    :param deliver: ``"stream"`` sends files through the registry. ``"redirect"`` (S3 only) redirects clients to the
        bucket, with a URL that is signed for one to two hours and stays equal until the hour (UTC) ends. It needs
        ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``.
    :param spool: the folder of the temporary files, created if it is missing. None is the one of the system.
    :raises ValueError: if the URL or the environment variables cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        deliver: Literal["stream", "redirect"] = "stream",
        spool: str | os.PathLike[str] | None = None,
    ) -> None:
        bucket, parameters = parsed(url)
        if parameters:
            raise ValueError(f"the URL of a bucket has no parameters here, but {excerpt(next(iter(parameters)))}")
        if deliver not in ("stream", "redirect"):
            raise ValueError(f"deliver= must be 'stream' or 'redirect', not {excerpt(str(deliver))}")
        self._bucket, self._deliver = bucket, deliver
        self._small, self._download, self._large = (client(bucket, limits) for limits in (SMALL, DOWNLOAD, LARGE))
        self._secret_key = _secret_key(bucket.scheme) if deliver == "redirect" else ""
        self._spool = None if spool is None else str(Path(spool).absolute())
        if self._spool is not None:
            create_folder(Path(self._spool))

    @classmethod
    def from_url(cls, url: str, *, spool: str | os.PathLike[str] | None = None) -> Self:
        """Create a store from a URL that may have the parameter ``deliver``: ``s3://bucket/prefix?deliver=redirect``.

        :raises ValueError: if the URL has an unknown parameter, or cannot be used.
        """
        _, parameters = parsed(url)
        deliver = parameters.pop("deliver", "stream")
        if parameters:
            unknown = ", ".join(map(excerpt, parameters))
            raise ValueError(f"the URL of a bucket has an unknown parameter: {unknown}; only 'deliver' is possible")
        # The constructor checks the value.
        return cls(url.partition("?")[0], deliver=cast(Literal["stream", "redirect"], deliver), spool=spool)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._bucket)!r}, deliver={self._deliver!r})"

    def new_file(self) -> BinaryIO:
        return new_file(self._spool)

    def put(self, key: str, file: BinaryIO, *, size: int, sha256: str, filename: str) -> None:
        require_process()
        name, attributes = self._name_of(key), _attributes(filename)
        chunks = verified_chunks(file, _PART, size=size, sha256=sha256)
        if size <= _PART:
            data = b"".join(chunks)
            store = self._small if size <= SMALL_PUT else self._large
            with obstore_errors_as_storage_errors():
                # The signature of S3 covers the digest of the body, which S3 compares.
                obstore.put(store, name, data, attributes=attributes, use_multipart=False)
            return
        with obstore_errors_as_storage_errors():
            # The signature covers the digest of each part. An error of `chunks` aborts the upload.
            obstore.put(
                self._large,
                name,
                chunks,
                attributes=attributes,
                use_multipart=True,
                chunk_size=max(_PART, -(-size // _MAX_PARTS)),
                max_concurrency=_PARTS_AT_ONCE,
            )
        if self._size_of(name) != size:
            self._delete(name)
            raise StorageUnavailable("the object store has not stored the whole file")

    def open(self, key: str, *, size: int, part: range | None = None) -> BinaryIO | Redirect | None:
        require_process()
        name = self._name_of(key)
        if self._deliver == "redirect":
            return Redirect(self._signer.hourly_url(name, datetime.now(UTC)))
        if part is not None and not part:  # an empty range cannot be requested
            stored = self._size_of(name)
            if stored is None:
                return None
            _require_size(key, stored, size)
            return io.BytesIO()
        found = self._get(name, part)
        if found is None:
            return None
        _require_size(key, found.meta["size"], size)
        chunks: Iterator[bytes] = found.stream(_BLOCK)
        if part is None:
            return cast(BinaryIO, Download(chunks, size))
        return cast(BinaryIO, Download(cut(chunks, range(*found.range), part), len(part)))

    def _get(self, name: str, part: range | None) -> "GetResult | None":
        """Begin to read an object, or part of it; None if it does not exist."""
        with obstore_errors_as_storage_errors():
            try:
                if part is None:
                    return obstore.get(self._download, name)
                try:
                    return obstore.get(self._download, name, options={"range": (part.start, part.stop)})
                except GenericError as error:
                    if not ignores_ranges(error):
                        raise
                return obstore.get(self._download, name)
            except FileNotFoundError as error:
                if is_missing(error):
                    return None
                raise

    def delete(self, key: str) -> None:
        require_process()
        self._delete(self._name_of(key))

    def keys(self) -> Iterator[tuple[str, int, datetime]]:
        require_process()
        pages = obstore.list(self._large, self._bucket.prefix or None, chunk_size=1000)
        while True:
            with obstore_errors_as_storage_errors():
                page = next(pages, None)
            if page is None:
                return
            for entry in page:
                key = entry["path"].removeprefix(self._bucket.prefix)
                if _KEY.fullmatch(key):
                    yield key, entry["size"], entry["last_modified"].astimezone(UTC)

    def check_health(self) -> None:
        # `open` may sign a URL without a request. And the response to HEAD has no body: only the error code in a body
        # distinguishes a missing bucket from a missing object.
        require_process()
        self._get(self._name_of(32 * "0"), None)

    def _name_of(self, key: str) -> str:
        """Return the name of an object. Keys are random, so an object store can divide the names by their beginning."""
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} is not a key: 32 lower-case hexadecimal digits")
        return self._bucket.prefix + key

    def _size_of(self, name: str) -> int | None:
        with obstore_errors_as_storage_errors():
            try:
                return obstore.head(self._small, name)["size"]
            except FileNotFoundError as error:
                if is_missing(error):
                    return None
                raise

    def _delete(self, name: str) -> None:
        with obstore_errors_as_storage_errors():
            try:
                obstore.delete(self._small, name)
            except FileNotFoundError as error:  # of GCS and Azure
                if not is_missing(error):
                    raise

    @cached_property
    def _signer(self) -> Signer:
        assert isinstance(self._small, S3Store)
        return Signer.like(self._small, self._secret_key)


def _secret_key(scheme: str) -> str:
    """Return the key that signs URLs: obstore returns none."""
    if scheme != "s3":
        raise ValueError(f"deliver='redirect' needs a bucket of S3 (s3://), not {scheme}://")
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(name)]
    if missing:
        raise ValueError(
            f"deliver='redirect' signs URLs, and needs the environment variable {' and '.join(missing)}: credentials "
            "of an instance, a container or a web identity are not enough"
        )
    return os.environ["AWS_SECRET_ACCESS_KEY"]


def _attributes(filename: str) -> "Attributes":
    """Return the headers with which the object store sends an object."""
    # RFC 6266, 4.1, and RFC 8187 for other characters.
    plain = _PLAIN_FILENAME.fullmatch(filename)
    name = f'filename="{filename}"' if plain else f"filename*=UTF-8''{quote(filename, safe='')}"
    return {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; {name}",
        "Cache-Control": _CACHE_CONTROL,
    }


def _require_size(key: str, stored: int, size: int) -> None:
    if stored != size:
        raise StorageUnavailable(f"the blob {key} has {stored} bytes instead of {size}")
