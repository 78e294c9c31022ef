"""GitLab's PyPI package registry as a WSGI application: the public names."""

from pypi_registry._app import Registry as Registry
from pypi_registry._open_access import AllowAll as AllowAll
from pypi_registry.errors import InvalidVersion as InvalidVersion
from pypi_registry.model import Group as Group
from pypi_registry.model import Project as Project
from pypi_registry.model import Visibility as Visibility
from pypi_registry.versions import check_version as check_version
from pypi_registry.versions import is_valid_version as is_valid_version

__version__ = "0.1.0"
