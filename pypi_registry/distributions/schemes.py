"""Where installers put the files of a wheel: into site-packages, or by the schemes in its ``.data`` folder.

https://packaging.python.org/specifications/binary-distribution-format/#the-data-directory
"""

from collections.abc import Iterable, Iterator

from pypi_registry._excerpt import excerpt
from pypi_registry.distributions.paths import path_problems

# Binary distribution format, "Installing a wheel": "Each subdirectory of distribution-1.0.data/ is a key into a dict of
# destination directories, such as distribution-1.0.data/(purelib|platlib|headers|scripts|data)."
_SITE_PACKAGES = ("purelib", "platlib")  # nearly everywhere one folder, into which the rest of the wheel goes, too
_SCHEMES = (*_SITE_PACKAGES, "headers", "scripts", "data")


def scheme_problems(files: Iterable[str], data_folder: str) -> Iterator[str]:
    """Yield the problems of files that installers put into different folders, or over another file of the wheel.

    `data_folder` is the only ``.data`` folder that a wheel may have. pip treats every folder that ends with ``.data``
    as one, uv only the one with this name.

    >>> list(scheme_problems(["demo.py", "demo-1.0.data/purelib/demo.py"], "demo-1.0.data"))
    ["the path 'demo.py' occurs more than once"]
    """
    site_packages = []
    has_data = False
    for path in files:
        top, _, rest = path.partition("/")
        if not top.endswith(".data"):
            site_packages.append(path)
            if path == top and top.endswith(".dist-info"):
                yield f"the path {excerpt(path)} is a file, and pip treats it as a second .dist-info folder"
            continue
        has_data = True
        scheme, _, installed_path = rest.partition("/")
        # ".data directory, named as the .dist-info directory but with the .data/ extension"
        if top != data_folder:
            yield f"the path {excerpt(path)} is in a data folder that is not named {excerpt(data_folder)}"
        elif scheme not in _SCHEMES or not installed_path:
            yield f"the path {excerpt(path)} is in a data folder, but not in one of {', '.join(_SCHEMES)}"
        elif scheme == "scripts" and "/" in installed_path:
            yield f"the path {excerpt(path)} is in a folder of scripts, which some installers cannot install"
        elif scheme in _SITE_PACKAGES:
            site_packages.append(installed_path)
            if installed_path.partition("/")[0].lower().endswith(".dist-info"):
                yield f"the path {excerpt(path)} would be installed as metadata"
    if has_data:
        yield from path_problems(site_packages, ())
