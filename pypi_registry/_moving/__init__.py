"""Packages from and to what is not a registry of this package: other indexes, folders of files, static indexes.

Nothing here prints, and nothing decides who may do what. `_maintenance` works on the stores alone.
"""
