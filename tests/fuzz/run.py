"""One target under atheris, whose arguments follow the name of the target; `tests.fuzz` calls it."""

import sys

import atheris

with atheris.instrument_imports(include=["pypi_registry", "packaging", "werkzeug"]):
    from tests.fuzz.targets import TARGETS

atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
atheris.Fuzz()
