"""The requests of clients, as they are recorded: without secrets and without bodies."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote_plus

from packaging.utils import NormalizedName, canonicalize_name
from werkzeug.datastructures import Headers

from pypi_registry._api import pypi
from pypi_registry._api.links import API_PREFIX
from pypi_registry._api.pypi import Endpoint
from pypi_registry._api.routes import match
from pypi_registry._http.request import read_credentials
from pypi_registry._variants import SUFFIX
from pypi_registry.errors import NotFound
from pypi_registry.testing.archives import name_and_version

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Kind: TypeAlias = Literal["index", "page", "file", "metadata", "variants", "upload", "other"]
"""What is requested: the index of names, the page of a package, a file, its core metadata, the variants JSON of a
version (PEP 825), or an upload."""

_KINDS: Mapping[Endpoint, Kind] = {
    pypi.index: "index",
    pypi.package: "page",
    pypi.published: "page",
    pypi.file: "file",
    pypi.core_metadata: "metadata",
    pypi.variants: "variants",
    pypi.upload: "upload",
}

_METADATA = ".metadata"
_SUFFIXES: Mapping[Kind, str] = {"metadata": _METADATA, "variants": SUFFIX}  # which the routes take off


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request from a client; ``str()`` returns its method and its path."""

    number: int
    """1 for the first request since the registry was created or cleared."""
    method: str
    path: str
    """Without the query. Unquoted, because clients quote differently."""
    query: str
    """Quoted, as sent; ``***`` replaces each secret."""
    headers: Headers
    """By name, in any case; ``***`` replaces each secret."""
    user: str
    """The user name of Basic authentication; empty if there is none."""
    kind: Kind
    project: str
    """The project or group in the URL, its path or its id; empty if the URL has none."""
    package: NormalizedName | Literal[""]
    """The package whose page or file is requested; empty otherwise, also for an upload, whose form has the name."""
    filename: str
    """The file that is requested, with ``.metadata`` appended if it is its core metadata; empty otherwise."""
    status: int | None = None
    """The status of the response; None while there is none, or if the connection ended without one."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def read_request(number: int, environ: "WSGIEnvironment") -> RecordedRequest:
    """Read a request, but not its body."""
    method = str(environ["REQUEST_METHOD"])
    path_info = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    kind, parameters = _match(method, path_info)
    filename = parameters.get("filename", parameters.get("release", "")) + _SUFFIXES.get(kind, "")
    package = _package(parameters.get("name", ""), filename)
    credentials = read_credentials(environ)
    return RecordedRequest(
        number=number,
        method=method,
        path=_without_credentials(path_info.encode("latin-1", "replace").decode("utf-8", "replace")),
        query="&".join(map(_masked_part, environ.get("QUERY_STRING", "").split("&"))),
        headers=_headers(environ),
        user=credentials.user if credentials else "",
        kind=kind,
        project=parameters.get("project") or parameters.get("group") or "",
        package=package,
        filename=filename,
    )


def _match(method: str, path_info: str) -> tuple[Kind, Mapping[str, str]]:
    """Return the kind of a request, and the parameters in its path."""
    if not path_info.startswith(API_PREFIX):
        return "other", {}
    try:
        found = match(path_info.removeprefix(API_PREFIX))
    except NotFound:
        return "other", {}
    endpoint = found.route.endpoints.get("GET" if method == "HEAD" else method)
    return (_KINDS.get(endpoint, "other") if endpoint else "other"), found.parameters


def _package(name: str, filename: str) -> NormalizedName | Literal[""]:
    if filename.endswith(SUFFIX):
        name = filename.partition("-")[0]
    elif filename:
        try:
            name, _ = name_and_version(filename.removesuffix(_METADATA))
        except ValueError:
            return ""
    return canonicalize_name(name) if name else ""


_SECRET = re.compile("token|secret|password|key|signature|credential|cookie|authorization", re.IGNORECASE)


def _masked_part(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}=***" if equals and _SECRET.search(unquote_plus(name)) else _without_credentials(part)


def _without_credentials(text: str) -> str:
    """Mask the user and the password of every URL in a text."""
    return re.sub(r"://[^/\s]*@", "://***@", text)


def _headers(environ: "WSGIEnvironment") -> Headers:
    headers = Headers()
    for key, value in environ.items():
        if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = key.removeprefix("HTTP_").replace("_", "-").title()
            value = _without_credentials(str(value))
            headers.add(name, _masked(name, value) if _SECRET.search(name) else value)
    return headers


def _masked(name: str, value: str) -> str:
    scheme, blank, _ = value.partition(" ")
    return f"{scheme} ***" if blank and name.endswith("Authorization") else "***"
