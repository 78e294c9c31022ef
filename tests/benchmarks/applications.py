"""The applications that a server process runs, by name; an environment variable chooses one and its arguments."""

import importlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CHOICE = "BENCHMARKED_APPLICATION"


def choice(name: str, **arguments: object) -> dict[str, str]:
    """Return the environment variable that chooses an application."""
    return {CHOICE: json.dumps([name, arguments])}


def chosen() -> "WSGIApplication":
    """Create the application that the environment chooses, and import no other's modules."""
    name, arguments = json.loads(os.environ[CHOICE])
    if name == "ours":
        from tests.benchmarks.registry import open_registry

        return open_registry(Path(arguments.pop("folder")), **arguments)
    made: WSGIApplication
    if name == "pypiserver":
        app = importlib.import_module("pypiserver").app
        made = app(roots=[Path(arguments["folder"])], password_file=".", authenticate=[])
    elif name in ("scaled", "bare_object"):
        made = getattr(importlib.import_module("tests.benchmarks.scaled_sides"), name)(**arguments)
    elif name == "dutiful_sink":
        made = importlib.import_module("tests.benchmarks.duties").dutiful_sink(**arguments)
    else:
        made = getattr(importlib.import_module("tests.benchmarks.limits"), name)(**arguments)
    return made
