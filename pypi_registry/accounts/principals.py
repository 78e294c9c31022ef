"""Who holds a token, and what that lets them do: GitLab's roles and visibilities, for all kinds of token alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pypi_registry.accounts.entries import ProjectEntry, Role
from pypi_registry.accounts.patterns import matches
from pypi_registry.auth import Ability, Subject
from pypi_registry.model import Group, PackageName, Project, Visibility


class Places(Protocol):
    """What a principal asks of the accounts."""

    def projects_in(self, group: Group) -> Sequence[Project]: ...

    def entry(self, project: Project) -> ProjectEntry: ...


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with a token, or nobody in particular.

    A personal token has the roles of its user everywhere; a job's has them where the job may come in; a deploy token
    has the role of a reporter or a developer in one place.
    """

    places: Places
    anonymous: bool
    person: bool
    """Whether a user stands behind it, and not a deploy token, which reads and publishes and changes nothing."""
    signed_in: Callable[[str], bool]
    """Whether this counts as a signed-in user at a path, which opens what is internal."""
    role: Callable[[str], Role]
    """The role at a path, inherited ones included."""
    member_below: Callable[[str], bool]
    """Whether there is a role somewhere below a path."""

    def can(self, ability: Ability, subject: Subject) -> bool:
        match subject:
            case PackageName():
                return self._may_use_name(ability, subject)
            case Group():
                return ability in (Ability.READ_GROUP, Ability.READ_PACKAGE) and self._sees(subject, ability)
            case Project() if ability in _NEEDED:
                return self.role(subject.path) >= _NEEDED[ability] and (
                    self.person or ability is Ability.CREATE_PACKAGE
                )
            case Project() if ability in (Ability.READ_PROJECT, Ability.READ_PACKAGE):
                return self._sees(subject, ability)
            case _:
                return False

    def readable(self, group: Group) -> Sequence[Project]:
        return [project for project in self.places.projects_in(group) if self.can(Ability.READ_PACKAGE, project)]

    def _sees(self, place: Project | Group, ability: Ability) -> bool:
        if place.visibility == Visibility.PUBLIC or self.role(place.path) >= Role.GUEST:
            return True
        if isinstance(place, Project):
            return place.visibility == Visibility.INTERNAL and self.signed_in(place.path)
        # An internal group is known to everybody who is signed in, and a private one to the members of something in it;
        # its packages are for its own members.
        internal = place.visibility == Visibility.INTERNAL and self.signed_in(place.path)
        return ability is Ability.READ_GROUP and (internal or self.member_below(place.path))

    def _may_use_name(self, ability: Ability, subject: PackageName) -> bool:
        rules = [rule for rule in self.places.entry(subject.project).protect if matches([rule.name], subject.name)]
        if rules and not self.person:
            return False  # as in GitLab, whatever the rule is about
        deleting = ability is Ability.DESTROY_PACKAGE
        needed = [(rule.minimum_delete if deleting else rule.minimum_push) or Role.NOBODY for rule in rules]
        return self.role(subject.project.path) >= max(needed, default=Role.NOBODY)


# GitLab's manual, "Roles and permissions".
_NEEDED = {
    Ability.CREATE_PACKAGE: Role.DEVELOPER,
    Ability.YANK_PACKAGE: Role.DEVELOPER,
    Ability.DESTROY_PACKAGE: Role.MAINTAINER,
    Ability.ADMIN_PACKAGE: Role.MAINTAINER,
}
