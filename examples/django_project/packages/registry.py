"""The registry, and a view that hands requests to it."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from pypi_registry import Registry

from .blobs import StorageBlobs
from .catalogue import DjangoCatalogue
from .host import DjangoProjects, DjangoUsers

registry = Registry(
    directory=DjangoProjects(),
    auth=DjangoUsers(),
    catalogue=DjangoCatalogue(),
    blobs=StorageBlobs(),
    forward_to=None,  # left out, it sends clients to the public PyPI for what is not here
)


def mounted_at(mount: str) -> Callable[..., HttpResponseBase]:
    """Make a view of the registry, for a route that ends in ``<path:rest>``."""

    @csrf_exempt  # programs have no cookie; and of browsers the registry takes nothing that another site made them send
    def view(request: HttpRequest, rest: str) -> HttpResponseBase:
        environ: dict[str, Any] = {**request.META}
        # From the path as the server gave it: `rest` is decoded, and no path of WSGI any more.
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + mount
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(mount)
        environ.pop("wsgi.file_wrapper", None)  # it is for the server, and between us and the server stands Django
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
