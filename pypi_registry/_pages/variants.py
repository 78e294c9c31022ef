"""The variants JSON of each version on a page (PEP 825), generated from its wheels."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_registry._variants import compose, json_filename
from pypi_registry.model import PackageFile


@dataclass(frozen=True, slots=True)
class VariantsFile:
    """The variants JSON of one version; its URL contains its digest, as that of every file."""

    version: Version
    filename: str
    content: bytes
    sha256: str


def variants_files(name: NormalizedName, files: Iterable[PackageFile]) -> Sequence[VariantsFile]:
    """Return the variants JSON of each version that has a wheel variant.

    PEP 825: "When a package version that includes at least one variant wheel is hosted on an index, a corresponding
    {name}-{version}-variants.json file MUST be hosted as well." Each project has its JSON; that of a group is generated
    from those of its projects, the oldest package first.

    :param files: that the page lists, perhaps of several projects.
    """
    variants = [file for file in files if file.variant is not None]
    packages: dict[Version, dict[int, list[str]]] = {}
    for file in variants:
        texts = packages.setdefault(Version(file.package.version), {}).setdefault(file.package.id, [])
        texts.append(file.variant or "")
    return [
        _variants_file(name, version, compose(filter(None, (compose(texts) for _, texts in sorted(found.items())))))
        for version, found in packages.items()
    ]


def _variants_file(name: NormalizedName, version: Version, content: str | None) -> VariantsFile:
    data = (content or "").encode()
    return VariantsFile(version, json_filename(name, str(version)), data, sha256(data).hexdigest())
