"""The forwarding rules of accounts: for each project or group, which names are forwarded, and to which index."""

from collections.abc import Iterable, Sequence

from packaging.utils import NormalizedName

from pypi_registry._paths import paths_above
from pypi_registry.accounts.config import GroupConfig
from pypi_registry.accounts.wildcards import Patterns
from pypi_registry.forwarding import PYPI, Forward
from pypi_registry.model import Namespace


class ForwardingRules:
    """The settings of the whole registry and of its groups."""

    def __init__(
        self,
        forwarding: bool | str,
        reserved: Iterable[str],
        forward_always: Iterable[str],
        groups: Sequence[GroupConfig],
    ) -> None:
        self._index = _index_url(forwarding, PYPI)
        self._reserved = Patterns(reserved)
        self._forward_always = Patterns(forward_always)
        self._groups = {group.path.lower(): _GroupRules(group) for group in groups}
        self._reserved_within = _reserved_within(groups)

    def forward_to(self, namespace: Namespace, name: NormalizedName) -> str | Forward | None:
        """Return the index to which a name is forwarded from a project or group; None if it is not forwarded."""
        path = namespace.path.lower()
        groups = [self._groups[each] for each in [*paths_above(path), path] if each in self._groups]
        # The page of a group shows the projects of the groups below it, so the names that these reserve count, too.
        reserved = [self._reserved, *(group.reserved for group in groups), self._reserved_within.get(path, _NONE)]
        if any(patterns.match(name) for patterns in reserved):
            return None
        index = self._index
        for group in groups:
            index = index if group.forward is None else _index_url(group.forward, self._index or PYPI)
        if index is None:
            return None
        always = [self._forward_always, *(group.forward_always for group in groups)]
        return Forward(index, even_if_published=True) if any(patterns.match(name) for patterns in always) else index


_NONE = Patterns()


class _GroupRules:
    def __init__(self, group: GroupConfig) -> None:
        self.forward = group.forward
        self.reserved = Patterns(group.reserved)
        self.forward_always = Patterns(group.forward_always)


def _reserved_within(groups: Iterable[GroupConfig]) -> dict[str, Patterns]:
    """Return the patterns that are reserved by any group below a path, by the path in lower case."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for path in paths_above(group.path.lower()) if group.reserved else ():
            found.setdefault(path, set()).update(group.reserved)
    return {path: Patterns(patterns) for path, patterns in found.items()}


def _index_url(setting: bool | str, default: str) -> str | None:
    if isinstance(setting, str):
        return setting
    return default if setting else None
