"""Stores that implement the protocols of `pypi_registry.storage`. Each module can be used without the others."""
