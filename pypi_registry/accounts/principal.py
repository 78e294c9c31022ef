"""Who holds a token, and what that lets them do: GitLab's roles and visibilities, for all kinds of token alike."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

from pypi_registry.accounts.config import ProjectConfig, Role
from pypi_registry.accounts.wildcards import matches
from pypi_registry.auth import Ability, Subject
from pypi_registry.model import Group, PackageName, Project, Visibility


class Places(Protocol):
    """What a principal asks of the accounts."""

    def projects_in(self, group: Group) -> Sequence[Project]: ...

    def entry(self, project: Project) -> ProjectConfig: ...


_REMEMBERED = 1024  # places, for each token that is in use


class TokenPrincipal:
    """Somebody with a token, or nobody in particular.

    A personal token has the roles of its user everywhere; a job's has them where the job may come in; a deploy token
    has the role of a reporter or a developer in one place. The accounts never change, so what was found out about a
    place is true for as long as they are used.

    :param person: whether a user stands behind it, and not a deploy token, which reads and publishes and changes
        nothing.
    :param signed_in: whether this counts as a signed-in user at a path, which opens what is internal.
    :param role: the role at a path, inherited ones included.
    :param member_below: whether there is a role somewhere below a path.
    """

    def __init__(
        self,
        places: Places,
        *,
        anonymous: bool,
        person: bool,
        signed_in: Callable[[str], bool],
        role: Callable[[str], Role],
        member_below: Callable[[str], bool],
    ) -> None:
        self.anonymous = anonymous
        self._places = places
        self._person = person
        self._signed_in = signed_in
        self._role = lru_cache(_REMEMBERED)(role)
        self._member_below = member_below
        self.readable = lru_cache(_REMEMBERED // 16)(self._readable)

    def can(self, ability: Ability, subject: Subject) -> bool:
        match subject:
            case Project() if ability is Ability.READ_PACKAGE or ability is Ability.READ_PROJECT:
                return self._sees(subject, ability)
            case Group() if ability is Ability.READ_PACKAGE or ability is Ability.READ_GROUP:
                return self._sees(subject, ability)
            case PackageName() if ability is Ability.CREATE_PACKAGE or ability is Ability.DESTROY_PACKAGE:
                return self._may_use_name(ability, subject)
            case Project() if ability in _NEEDED:
                return self._role(subject.path) >= _NEEDED[ability] and (
                    self._person or ability is Ability.CREATE_PACKAGE
                )
            case _:
                return False

    def _readable(self, group: Group) -> Sequence[Project]:
        return tuple(project for project in self._places.projects_in(group) if self.can(Ability.READ_PACKAGE, project))

    def _sees(self, place: Project | Group, ability: Ability) -> bool:
        if place.visibility == Visibility.PUBLIC or self._role(place.path) >= Role.GUEST:
            return True
        if isinstance(place, Project):
            return place.visibility == Visibility.INTERNAL and self._signed_in(place.path)
        # An internal group is known to everybody who is signed in, and a private one to the members of something in it;
        # its packages are for its own members.
        internal = place.visibility == Visibility.INTERNAL and self._signed_in(place.path)
        return ability is Ability.READ_GROUP and (internal or self._member_below(place.path))

    def _may_use_name(self, ability: Ability, subject: PackageName) -> bool:
        rules = [rule for rule in self._places.entry(subject.project).protect if matches([rule.name], subject.name)]
        if rules and not self._person:
            return False  # as in GitLab, whatever the rule is about
        deleting = ability is Ability.DESTROY_PACKAGE
        needed = [(rule.minimum_delete if deleting else rule.minimum_push) or Role.NO_ACCESS for rule in rules]
        return self._role(subject.project.path) >= max(needed, default=Role.NO_ACCESS)


# GitLab's manual, "Roles and permissions".
_NEEDED = {
    Ability.CREATE_PACKAGE: Role.DEVELOPER,
    Ability.YANK_PACKAGE: Role.DEVELOPER,
    Ability.DESTROY_PACKAGE: Role.MAINTAINER,
    Ability.ADMIN_PACKAGE: Role.MAINTAINER,
}
