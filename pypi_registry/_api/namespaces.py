"""A project or a group as JSON, which programs request before they use its packages: a part of GitLab's APIs.

https://docs.gitlab.com/api/projects/#retrieve-a-project and https://docs.gitlab.com/api/groups/#retrieve-a-group
"""

from pypi_registry._api.access import REVALIDATE, Challenge, require
from pypi_registry._api.call import Call
from pypi_registry._http.response import VARY, Response, json_response
from pypi_registry._paths import last_segment
from pypi_registry.auth import Ability
from pypi_registry.model import Group


def show_namespace(call: Call) -> Response:
    """``GET /projects/:id`` and ``GET /groups/:id``"""
    namespace = call.namespace()
    principal = call.authenticate(namespace)
    is_group = isinstance(namespace, Group)
    require(principal, Ability.READ_GROUP if is_group else Ability.READ_PROJECT, namespace, Challenge.NEVER)
    entity = {
        "id": namespace.id,
        "name": namespace.title,
        "path": last_segment(namespace.path),
        "full_path" if is_group else "path_with_namespace": namespace.path,
        "visibility": namespace.visibility,
        "web_url": f"{call.site_url}/{'groups/' if is_group else ''}{namespace.path}",
    }
    return json_response("200 OK", entity, VARY, REVALIDATE)
