"""Django, with the registry beside it at ``/api/v4``."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application
from werkzeug.middleware.dispatcher import DispatcherMiddleware

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "packages.settings")
django = get_wsgi_application()

from django.db import close_old_connections  # noqa: E402  # modules that use models are imported after the line above

from .registry import registry  # noqa: E402

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def packages(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    close_old_connections()  # Django does so around its own requests only
    return registry(environ, start_response)


application = DispatcherMiddleware(django, {"/api/v4": packages})
