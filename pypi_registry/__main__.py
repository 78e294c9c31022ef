"""``python -m pypi_registry``: the same as the command ``pypi-registry``."""

import sys

from pypi_registry._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
