"""``pypi-registry check``: verify files as an upload does, without its limit of work."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pypi_registry._cli.progress import open_with_progress, printable
from pypi_registry.distributions import verify


def check(paths: Sequence[Path]) -> int:
    """Print one line per problem; return 0 if there is none, 1 if there are some, 2 if a file could not be read."""
    status = 0
    for path in paths:
        try:
            with open_with_progress(path) as stream:
                problems = verify(stream, path.name, budget=None).problems
        except OSError as error:
            print(f"pypi-registry: {printable(path)}: {error.strerror or error}", file=sys.stderr)
            status = 2
            continue
        for problem in problems:
            print(f"{printable(path)}: {problem}")
        status = max(status, 1 if problems else 0)
    return status
