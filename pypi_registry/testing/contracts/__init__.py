"""Suites for those who fill a contract of this package: subclass one in your own tests, and override its hooks.

A suite is a plain class whose ``test_*`` methods raise `AssertionError`, or `unittest.SkipTest` where a hook that they
need is not overridden. pytest runs a subclass whose name it takes for a test's, `unittest` one that is a ``TestCase``
as well, and anybody may call the methods, each on a new object.
"""

import sys

if (_pytest := sys.modules.get("pytest")) is not None:
    # Or a failed assert would show no values, as pytest rewrites the asserts of tests only.
    _NAMES = ("catalogue", "blobs", "directory", "auth", "trying")
    _pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _NAMES))

from pypi_registry.testing.contracts.auth import UNKNOWN_TOKENS as UNKNOWN_TOKENS
from pypi_registry.testing.contracts.auth import AuthContract as AuthContract
from pypi_registry.testing.contracts.auth import Caller as Caller
from pypi_registry.testing.contracts.auth import KnownAuth as KnownAuth
from pypi_registry.testing.contracts.blobs import BlobsContract as BlobsContract
from pypi_registry.testing.contracts.catalogue import CatalogueContract as CatalogueContract
from pypi_registry.testing.contracts.directory import DirectoryContract as DirectoryContract
from pypi_registry.testing.contracts.directory import KnownDirectory as KnownDirectory
