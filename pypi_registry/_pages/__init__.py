"""Rendered pages: the simple index for installers, the web pages for people, and their cache. Values in, bytes out."""
