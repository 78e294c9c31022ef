"""For the tests of those who use a registry: public, documented, and kept as the rest is.

It needs nothing that the registry does not need. What needs more is imported by its own name: `transports` needs
urllib3, `httpx_transport` needs httpx, `fixtures` needs pytest.
"""

from pypi_registry.testing import faults as faults
from pypi_registry.testing.contracts import AuthContract as AuthContract
from pypi_registry.testing.contracts import BlobsContract as BlobsContract
from pypi_registry.testing.contracts import CatalogueContract as CatalogueContract
from pypi_registry.testing.contracts import DirectoryContract as DirectoryContract
from pypi_registry.testing.fake import FakeRegistry as FakeRegistry
from pypi_registry.testing.fake import with_login as with_login
from pypi_registry.testing.lying import Rule as Rule
from pypi_registry.testing.lying import Where as Where
from pypi_registry.testing.making import Contents as Contents
from pypi_registry.testing.making import Distribution as Distribution
from pypi_registry.testing.making import make_sdist as make_sdist
from pypi_registry.testing.making import make_wheel as make_wheel
from pypi_registry.testing.projects import FakeProject as FakeProject
from pypi_registry.testing.projects import PublishedFile as PublishedFile
from pypi_registry.testing.recording import RecordedRequest as RecordedRequest
from pypi_registry.testing.serving import BrokenOff as BrokenOff
