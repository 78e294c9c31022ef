"""The forwarding rules of accounts: for each project or group, which names are forwarded, and to which index."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from packaging.utils import NormalizedName

from pypi_registry._index_urls import is_index_url
from pypi_registry._paths import fold, paths_above
from pypi_registry.accounts.config import GroupConfig
from pypi_registry.accounts.wildcards import Patterns
from pypi_registry.forwarding import PYPI, Forward, ForwardTo
from pypi_registry.model import Namespace


@dataclass(frozen=True, slots=True)
class _Rules:
    """What applies in one project or group."""

    index: str | None
    """The URL of an index; None for nowhere."""
    reserved: Patterns
    """Names that are never forwarded."""
    forward_always: Patterns
    """Names that are forwarded although they were once published here."""


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
        self._reserved = tuple(reserved)
        self._forward_always = tuple(forward_always)
        self._groups = {fold(group.path): group for group in groups}
        self._reserved_within = _reserved_within(groups)
        self._rules_at = lru_cache(maxsize=1024)(self._combine)

    def forward_to(self, namespace: Namespace, name: NormalizedName) -> str | Forward | None:
        """Return the index to which a name is forwarded from a project or group; None if it is not forwarded."""
        rules = self._rules_at(namespace.path)
        if rules.index is None or rules.reserved.match(name):
            return None
        return Forward(rules.index, even_if_published=True) if rules.forward_always.match(name) else rules.index

    def except_reserved(self, target: ForwardTo) -> ForwardTo:
        """Return a `forward_to` that forwards as another one does, except names that are reserved."""
        if not callable(target) and not is_index_url(target):
            return target  # None, or a value that `Registry` refuses

        def forward_to(namespace: Namespace, name: NormalizedName) -> str | Forward | None:
            if self._rules_at(namespace.path).reserved.match(name):
                return None
            return target(namespace, name) if callable(target) else target

        return forward_to

    def _combine(self, path: str) -> _Rules:
        """Combine the settings of the registry, of the groups that contain a path, and of the group at the path."""
        path = fold(path)
        groups = [self._groups[each] for each in [*paths_above(path), path] if each in self._groups]
        index = self._index
        for group in groups:
            index = index if group.forward is None else _index_url(group.forward, self._index or PYPI)
        # The page of a group shows the projects of the groups below it, so the names that these reserve count, too.
        reserved = {*self._reserved, *self._reserved_within.get(path, ())}
        forward_always = {*self._forward_always}
        for group in groups:
            reserved.update(group.reserved)
            forward_always.update(group.forward_always)
        return _Rules(index, Patterns(reserved), Patterns(forward_always))


def _reserved_within(groups: Iterable[GroupConfig]) -> Mapping[str, set[str]]:
    """Return the patterns that are reserved by any group below a path, by the path in lower case."""
    found: dict[str, set[str]] = {}
    for group in groups:
        for path in paths_above(fold(group.path)) if group.reserved else ():
            found.setdefault(path, set()).update(group.reserved)
    return found


def _index_url(setting: bool | str, default: str) -> str | None:
    if isinstance(setting, str):
        return setting
    return default if setting else None
