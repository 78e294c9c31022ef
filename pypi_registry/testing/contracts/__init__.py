"""Contract suites: tests for your own implementation of a contract of this package.

Subclass a suite in your tests and override its hooks. A suite is a plain class. Its ``test_*`` methods raise
`AssertionError` if the contract is broken, and `unittest.SkipTest` if they need a hook that is not overridden or an
optional protocol that is not implemented. The classes under test need not inherit anything.

pytest runs a subclass whose name begins with ``Test``, and `unittest` runs a subclass that is also a ``TestCase``. You
can also call the methods yourself, each on a new object.
"""

import sys

if (_pytest := sys.modules.get("pytest")) is not None:
    # pytest shows the values of a failed assert only in modules that it rewrites, and by default these are tests.
    _MODULES = ("auth", "blobs", "catalogue", "directory", "threads")
    _pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _MODULES))

from pypi_registry.testing.contracts.auth import UNKNOWN_TOKENS as UNKNOWN_TOKENS
from pypi_registry.testing.contracts.auth import AuthContract as AuthContract
from pypi_registry.testing.contracts.auth import Caller as Caller
from pypi_registry.testing.contracts.auth import KnownAuth as KnownAuth
from pypi_registry.testing.contracts.blobs import BlobsContract as BlobsContract
from pypi_registry.testing.contracts.catalogue import CatalogueContract as CatalogueContract
from pypi_registry.testing.contracts.directory import DirectoryContract as DirectoryContract
from pypi_registry.testing.contracts.directory import KnownDirectory as KnownDirectory
