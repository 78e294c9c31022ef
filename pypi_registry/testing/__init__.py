"""Support for tests: a fake registry, valid distributions, and contract suites for your own stores and accounts.

This package needs nothing that the registry does not need. Modules that need more are imported by their own name:
`urllib3_transport` needs urllib3, `requests_transport` requests, `httpx_transport` httpx, and `fixtures` pytest.
"""

from pypi_registry.testing import faults as faults
from pypi_registry.testing.archives import Contents as Contents
from pypi_registry.testing.archives import Distribution as Distribution
from pypi_registry.testing.archives import Variant as Variant
from pypi_registry.testing.archives import make_sdist as make_sdist
from pypi_registry.testing.archives import make_wheel as make_wheel
from pypi_registry.testing.contracts import AuthContract as AuthContract
from pypi_registry.testing.contracts import BlobsContract as BlobsContract
from pypi_registry.testing.contracts import CatalogueContract as CatalogueContract
from pypi_registry.testing.contracts import DirectoryContract as DirectoryContract
from pypi_registry.testing.fake import FakeRegistry as FakeRegistry
from pypi_registry.testing.fake import with_credentials as with_credentials
from pypi_registry.testing.projects import FakeProject as FakeProject
from pypi_registry.testing.projects import PublishedFile as PublishedFile
from pypi_registry.testing.requests import RecordedRequest as RecordedRequest
from pypi_registry.testing.rules import FaultRule as FaultRule
from pypi_registry.testing.rules import Matcher as Matcher
from pypi_registry.testing.server import ConnectionDropped as ConnectionDropped
