"""Where installers put the files of a wheel: beside each other, or by the schemes of its ``.data`` folder.

https://packaging.python.org/specifications/binary-distribution-format/#the-data-directory
"""

from collections.abc import Iterable, Iterator

from pypi_registry.distributions.paths import path_faults
from pypi_registry.errors import excerpt

_LIBRARIES = ("purelib", "platlib")  # one place, nearly everywhere, and that of what lies beside the folder
_SCHEMES = (*_LIBRARIES, "headers", "scripts", "data")


def scheme_faults(files: Iterable[str], data_folder: str) -> Iterator[str]:
    """Name the files of a wheel that installers would put in different places, or in the place of another one.

    `data_folder` is the only one there may be: pip takes each that ends in ``.data`` for one, uv the one of this name.

    >>> list(scheme_faults(["demo.py", "demo-1.0.data/purelib/demo.py"], "demo-1.0.data"))
    ["the path 'demo.py' is there more than once"]
    """
    installed = []
    has_data = False
    for path in files:
        top, _, rest = path.partition("/")
        if not top.endswith(".data"):
            installed.append(path)
            if path == top and top.endswith(".dist-info"):
                yield f"the path {excerpt(path)} is a file, and pip takes it for a second .dist-info folder"
            continue
        has_data = True
        scheme, _, place = rest.partition("/")
        if top != data_folder:
            yield f"the path {excerpt(path)} is in a data folder that is not named {excerpt(data_folder)}"
        elif scheme not in _SCHEMES or not place:
            yield f"the path {excerpt(path)} is in a data folder, and in none of {', '.join(_SCHEMES)}"
        elif scheme == "scripts" and "/" in place:
            yield f"the path {excerpt(path)} is in a folder of scripts, which not every installer can install"
        elif scheme in _LIBRARIES:
            installed.append(place)
            if place.partition("/")[0].lower().endswith(".dist-info"):
                yield f"the path {excerpt(path)} would be taken for what the wheel says of itself"
    if has_data:
        yield from path_faults(installed, ())
