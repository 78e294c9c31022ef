"""Which caches may store a response (RFC 9111)."""

from pypi_registry.auth import Principal
from pypi_registry.model import Namespace, Visibility

# pip and uv honour max-age on pages, and would miss a new upload for as long; a revalidation costs a 304.
REVALIDATE = ("Cache-Control", "private, no-cache")
_REVALIDATE_SHARED = ("Cache-Control", "no-cache")

# The bytes of a file never change; who may read it can change.
_IMMUTABLE = ("Cache-Control", "private, max-age=31536000, immutable")
_IMMUTABLE_SHARED = ("Cache-Control", "public, max-age=31536000, immutable")


def page_policy(principal: Principal, namespace: Namespace) -> tuple[str, str]:
    """Return the Cache-Control header of a simple page."""
    return _REVALIDATE_SHARED if _is_for_everyone(principal, namespace) else REVALIDATE


def file_policy(principal: Principal, *namespaces: Namespace) -> tuple[str, str]:
    """Return the Cache-Control header of a file that the caller may read in all of these namespaces."""
    return _IMMUTABLE_SHARED if _is_for_everyone(principal, *namespaces) else _IMMUTABLE


def _is_for_everyone(principal: Principal, *namespaces: Namespace) -> bool:
    # RFC 9111, 3.5, forbids a shared cache to reuse a response to a request with an Authorization header field "unless
    # the response contains a Cache-Control field with a response directive that allows it to be stored by a shared
    # cache". So such a directive is sent to anonymous callers only.
    return principal.anonymous and all(each.visibility is Visibility.PUBLIC for each in namespaces)
