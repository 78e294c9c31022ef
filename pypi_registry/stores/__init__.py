"""Ready-made stores; each module stands alone and fills one contract of `pypi_registry.storage`, or both."""
