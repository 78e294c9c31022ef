"""Bytes in a bucket of an object store (extra ``objects``): the public names."""

from pypi_registry.stores.objects.blobs import ObjectBlobs as ObjectBlobs
