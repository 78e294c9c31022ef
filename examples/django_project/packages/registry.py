"""The registry, and a view that passes requests to it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from pypi_registry import Registry

from .access import DjangoProjects, DjangoUsers
from .blobs import StorageBlobs
from .catalogue import DjangoCatalogue

registry = Registry(
    directory=DjangoProjects(),
    auth=DjangoUsers(),
    catalogue=DjangoCatalogue(),
    blobs=StorageBlobs(),
)


def mounted_at(mount: str) -> Callable[..., HttpResponseBase]:
    """Return a view of the registry, for a route that ends in ``<path:rest>``."""

    @csrf_exempt  # programs send no cookie, and a browser's session only reads
    def view(request: HttpRequest, rest: str) -> HttpResponseBase:
        environ: dict[str, Any] = {**request.META}
        # From the server's path: Django has decoded `rest`, and WSGI does not pass paths that way.
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + mount
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(mount)
        environ.pop("wsgi.file_wrapper", None)  # it is for the server, but Django sends this response
        response: Any = None

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
            nonlocal response
            code, _, reason = status.partition(" ")
            response = StreamingHttpResponse(status=int(code), reason=reason)
            del response["Content-Type"]
            for name, value in headers:
                response[name] = f"{response[name]}, {value}" if name in response else value

        body = registry(environ, start_response)
        response.streaming_content = body
        return response

    return view
