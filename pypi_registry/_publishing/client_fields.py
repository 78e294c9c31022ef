"""The text fields of a form that twine sends for a file, for files that arrive without a form."""

import re
from collections.abc import Mapping

from packaging.metadata import parse_email

from pypi_registry._publishing.form import TEXT_LIMITS
from pypi_registry.distributions import CoreMetadata


def fields_of_client(metadata: CoreMetadata) -> Mapping[str, str]:
    r"""Return the fields that twine sends for core metadata, and that the registry stores.

    >>> from pypi_registry.distributions.metadata import parse_metadata
    >>> found = parse_metadata(b"Metadata-Version: 2.1\nName: My_Demo\nVersion: 1.0\nKeywords: a,b\n\nA text")
    >>> fields_of_client(found)
    {'name': 'My-Demo', 'version': '1.0', 'metadata_version': '2.1', 'keywords': 'a, b', 'description': 'A text'}
    """
    # twine/package.py, _safe_name: "Any runs of non-alphanumeric/. characters are replaced with a single '-'."
    fields = {"name": re.sub("[^A-Za-z0-9.]+", "-", metadata.name), "version": metadata.version}
    try:
        parsed: Mapping[str, object] = {**parse_email(metadata.data)[0]}
    except Exception:  # metadata of strangers: twine could not upload such a file, so its fields are left out
        parsed = {}
    for name in TEXT_LIMITS:
        value = parsed.get(name)
        if isinstance(value, list):  # the keywords
            value = ", ".join(value)
        if isinstance(value, str) and value:
            fields[name] = value
    return fields
