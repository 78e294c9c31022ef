"""What an endpoint receives: a request, the route that it matched, and the collaborators of the registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import NormalizedName

from pypi_registry._api.access import Challenge, require
from pypi_registry._api.links import API_PREFIX, SITE, page_links
from pypi_registry._http.negotiation import prefers_html
from pypi_registry._http.notes import notes_of
from pypi_registry._http.request import Request, mount_path, mount_url, origin, read_credentials
from pypi_registry._pages.cache import PageCache
from pypi_registry._pages.document import Links
from pypi_registry._publishing.publish import Stores
from pypi_registry.auth import Ability, Auth, Principal
from pypi_registry.directory import Directory, Ref
from pypi_registry.distributions import Verify
from pypi_registry.errors import InsufficientScope, InvalidToken, NotFound
from pypi_registry.events import Actor
from pypi_registry.forwarding import ForwardTo
from pypi_registry.model import Namespace, Project

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from pypi_registry._api.routes import Route


class Dialect(Enum):
    """Which of GitLab's APIs an endpoint belongs to: they differ in credentials and refusals."""

    PYPI = "pypi"
    """The PyPI endpoints."""
    PACKAGES = "packages"
    """The Packages API. It reads a ``JOB-TOKEN`` header, and names in a 404 what does not exist."""


class Match(NamedTuple):
    """A path and its route. It depends on nothing but the path, so it is cached."""

    route: "Route"
    parameters: Mapping[str, str]
    """The values of the named parts of the route."""
    is_group: bool
    """Whether the namespace is a group, and not a project."""
    ref: Ref | None
    """Of the project or group; None cannot be one."""
    name: NormalizedName | None
    """Of a package; None if the path has none, or an invalid one."""
    trailing_slash: bool
    """Whether the path ends in a slash, on which the links of a page depend."""
    has_numeric_ids: bool
    """Whether every id of a package or a file in the path is a number."""


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of a registry."""

    directory: Directory
    auth: Auth
    stores: Stores
    forward_to: ForwardTo
    max_file_size: int
    """Bytes; a file must be smaller."""
    verify: Verify | None
    pages: PageCache


def authenticate(
    auth: Auth, environ: "WSGIEnvironment", dialect: Dialect, namespace: Namespace | None = None
) -> Principal:
    """Return the caller; the dialect decides which headers count. `namespace` is None where none is known yet.

    :raises InvalidToken: if GitLab returns 401 for this token everywhere.
    :raises InsufficientScope: if the scopes of the token exclude the request.
    """
    credentials = read_credentials(environ, job_header=dialect is Dialect.PACKAGES)
    notes = notes_of(environ)
    if namespace is not None:
        notes["project"] = namespace.path
        if isinstance(namespace, Project):
            notes["project_id"] = namespace.id
    try:
        principal = auth.authenticate(credentials, namespace, environ)
    except (InvalidToken, InsufficientScope) as error:
        notes["principal"], notes["token"] = error.principal, error.via
        if isinstance(error, InvalidToken):
            notes["refused_token"] = str(error) if error.reason in ("expired", "revoked") else _NOT_ACCEPTED
        raise
    notes["principal"], notes["token"] = principal.name, principal.via
    if principal.anonymous and credentials is not None and credentials.secret:
        notes["refused_token"] = _NOT_ACCEPTED
    return principal


_NOT_ACCEPTED = "the token is unknown, expired or revoked"


class Call:
    """One request to one endpoint."""

    __slots__ = ("_namespace", "is_for_every_page", "match", "request", "services")

    def __init__(self, request: Request, match: Match, services: Services) -> None:
        self.request = request
        self.match = match
        self.services = services
        self._namespace: Namespace | None = None
        self.is_for_every_page = False
        """Whether pages of all origins may read the response (`_api/cors.py`), also if it is an error."""

    def find_namespace(self) -> Namespace | None:
        """Return the project or group of the path, looked up once; None if it does not exist."""
        if self._namespace is None and self.match.ref is not None:
            directory = self.services.directory
            find = directory.group if self.match.is_group else directory.project
            self._namespace = find(self.match.ref)
        return self._namespace

    def namespace(self) -> Namespace:
        """Return the project or group of the path.

        :raises NotFound: if it does not exist. GitLab checks this before credentials, for every caller.
        """
        found = self.find_namespace()
        if found is None:
            what = "Group" if self.match.is_group else "Project"
            raise NotFound(what if self.match.route.dialect is Dialect.PACKAGES else "")
        return found

    def reload_project(self) -> Project:
        """Look the project of the path up again, and return it.

        :raises NotFound: if it no longer exists.
        """
        self._namespace = None
        return self.project()

    def project(self) -> Project:
        """Return the project of the path.

        :raises NotFound: if it does not exist.
        """
        found = self.namespace()
        assert isinstance(found, Project)  # the route is one of a project
        return found

    def authenticate(self, namespace: Namespace) -> Principal:
        """Return the caller, who requests something in a namespace.

        :raises InvalidToken: if GitLab returns 401 for this token everywhere.
        :raises InsufficientScope: if the scopes of the token exclude the request.
        """
        principal = authenticate(self.services.auth, self.request.environ, self.match.route.dialect, namespace)
        self.request.is_authenticated = not principal.anonymous
        return principal

    def reader(self, challenge: Challenge = Challenge.ALWAYS) -> tuple[Namespace, Principal]:
        """Return the project or group of the path, and a caller who may read its packages.

        :raises RegistryError: if it does not exist, or the caller may not read it.
        """
        namespace = self.namespace()
        principal = self.authenticate(namespace)
        require(principal, Ability.READ_PACKAGE, namespace, challenge)
        return namespace, principal

    def actor(self, principal: Principal) -> Actor:
        """Return who changes something, for the catalogue and for events."""
        return Actor(principal.name, principal.via, self.request.header("REMOTE_ADDR"))

    @property
    def api_url(self) -> str:
        """The URL at which the registry is mounted, as the client sees it."""
        return mount_url(self.request.environ)

    @property
    def site_path(self) -> str:
        """The path of the web interface that belongs to the API: empty, or the prefix of a proxy."""
        return mount_path(self.request.environ).removesuffix(API_PREFIX)

    @property
    def site_url(self) -> str:
        """The URL of the web interface that belongs to the API, without a final slash."""
        return origin(self.request.environ) + self.site_path

    @property
    def wants_page(self) -> bool:
        """Whether to respond with a web page, where there is one."""
        environ = self.request.environ
        return environ.get(SITE) is not None or prefers_html(self.request.header("HTTP_ACCEPT"))

    @property
    def links(self) -> Links:
        """The references from the requested page to others."""
        return page_links(self.match, self.request.environ)
