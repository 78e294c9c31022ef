"""What clients asked, without their secrets."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import unquote_plus

from packaging.utils import NormalizedName, canonicalize_name
from werkzeug.datastructures import Headers

from pypi_registry._api import pypi
from pypi_registry._api.routes import Endpoint, endpoint, find
from pypi_registry._cli.site import MOUNT
from pypi_registry._http.request import read_credentials
from pypi_registry.errors import RegistryError
from pypi_registry.testing.archives import name_and_version

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Kind: TypeAlias = Literal["index", "page", "file", "metadata", "upload", "other"]
"""What a request is for: the list of names, the page of one, a file, its core metadata, or to publish one."""

_KINDS: Mapping[Endpoint, Kind] = {
    pypi.index: "index",
    pypi.package: "page",
    pypi.published: "page",
    pypi.file: "file",
    pypi.core_metadata: "metadata",
    pypi.upload: "upload",
}


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """What a client asked; ``str()`` of it is its method and its path."""

    number: int
    """1 for the first since the registry was made or cleared."""
    method: str
    path: str
    """Unquoted, since clients quote differently, and without the query."""
    query: str
    headers: Headers
    """By name, in any case; for a secret stands ``***``."""
    user: str
    """The user name of Basic authentication; empty if there is none."""
    kind: Kind
    project: str
    """The project or group of the address, its path or its number; empty if the address has none."""
    package: NormalizedName | Literal[""]
    """Whose page or file was asked for; empty for anything else, and for an upload, whose form has the name."""
    filename: str
    """Which file was asked for, with ``.metadata`` at its end if it was its metadata; empty for anything else."""
    status: int | None = None
    """Of the answer; None if there is none yet, or never will be."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def read_request(number: int, environ: "WSGIEnvironment") -> RecordedRequest:
    """Read a request, but not its body."""
    method = str(environ["REQUEST_METHOD"])
    path = _text(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
    kind, captured = _find(method, path)
    filename = captured.get("filename", "")
    package = _package(captured.get("name", ""), filename)
    credentials = read_credentials(environ)
    return RecordedRequest(
        number=number,
        method=method,
        path=_without_login(path),
        query="&".join(map(_masked_part, environ.get("QUERY_STRING", "").split("&"))),
        headers=_headers(environ),
        user=credentials.user if credentials else "",
        kind=kind,
        project=captured.get("project") or captured.get("group") or "",
        package=package,
        filename=f"{filename}.metadata" if kind == "metadata" else filename,
    )


def _text(path: str) -> str:
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _find(method: str, path: str) -> tuple[Kind, Mapping[str, str]]:
    if not path.startswith(MOUNT):
        return "other", {}
    try:
        route, captured = find(path.removeprefix(MOUNT))
        return _KINDS.get(endpoint(route, method), "other"), captured
    except RegistryError:
        return "other", {}


def _package(name: str, filename: str) -> NormalizedName | Literal[""]:
    if filename:
        try:
            name, _ = name_and_version(filename)
        except ValueError:
            return ""
    return canonicalize_name(name) if name else ""


_SECRET = re.compile("token|secret|password|key|signature|credential|cookie|authorization", re.IGNORECASE)


def _masked_part(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}=***" if equals and _SECRET.search(unquote_plus(name)) else _without_login(part)


def _without_login(text: str) -> str:
    """Mask the user and the password of any address in a text."""
    return re.sub(r"://[^/\s]*@", "://***@", text)


def _headers(environ: "WSGIEnvironment") -> Headers:
    headers = Headers()
    for key, value in environ.items():
        if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = key.removeprefix("HTTP_").replace("_", "-").title()
            value = _without_login(str(value))
            headers.add(name, _masked(name, value) if _SECRET.search(name) else value)
    return headers


def _masked(name: str, value: str) -> str:
    scheme, blank, _ = value.partition(" ")
    return f"{scheme} ***" if blank and name.endswith("Authorization") else "***"
