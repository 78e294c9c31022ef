"""Packages from and to other indexes, folders of files, and static indexes.

Nothing here prints, and nothing decides who may do what. `_maintenance` works on the stores alone.
"""
