"""What the holder of a token may do: GitLab's roles and visibilities, in the same way for all kinds of token."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from threading import Lock

from pypi_registry._paths import fold, is_below, paths_above
from pypi_registry.accounts.config import ProtectionRule, Role
from pypi_registry.accounts.namespaces import GroupProjects, Namespaces
from pypi_registry.accounts.wildcards import Patterns
from pypi_registry.auth import Ability, Subject
from pypi_registry.model import Group, PackageName, Project, Projects, Visibility

# GitLab's manual, "Roles and permissions".
_MINIMUM_ROLES = {
    Ability.CREATE_PACKAGE: Role.DEVELOPER,
    Ability.YANK_PACKAGE: Role.DEVELOPER,
    Ability.DESTROY_PACKAGE: Role.MAINTAINER,
    Ability.ADMIN_PACKAGE: Role.MAINTAINER,
}


class ReadableCache:
    """The latest results of `TokenPrincipal.readable`, for all principals of one `Accounts`.

    It holds at most a million projects, about 100 MB, so that many principals with large groups do not fill memory.
    """

    def __init__(self, max_projects: int = 1_000_000) -> None:
        self._max_projects = max_projects
        self._results: OrderedDict[tuple[object, Projects], tuple[Projects, int]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, principal: object, projects: Projects) -> Projects | None:
        with self._lock:
            found = self._results.get((principal, projects))
            if found is None:
                return None
            self._results.move_to_end((principal, projects))
            return found[0]

    def add(self, principal: object, projects: Projects, result: Projects, size: int) -> Projects:
        """Add a result for which `size` projects were copied; return the one of the first thread that added it."""
        key = principal, projects
        with self._lock:
            if key not in self._results:
                self._results[key] = result, size + _ENTRY_SIZE
                self._size += size + _ENTRY_SIZE
            while self._size > self._max_projects and len(self._results) > 1:
                _, (_, evicted) = self._results.popitem(last=False)
                self._size -= evicted
            return self._results[key][0]


_ENTRY_SIZE = 10
"""An entry needs as much memory as about this number of projects."""


@dataclass(frozen=True, eq=False)
class TokenPrincipal:
    """The holder of a token, or the anonymous caller.

    The accounts never change, so one object serves all requests with the same token.
    """

    namespaces: Namespaces = field(repr=False)
    cache: ReadableCache = field(repr=False)
    name: str = ""
    via: str = ""
    anonymous: bool = False
    is_user: bool = False
    """Whether the token acts as a user: a personal or a job token, not a deploy token."""
    is_admin: bool = False
    roles: Mapping[str, Role] = field(default_factory=dict, repr=False)
    """By path in lower case. A role in a group holds for everything below it."""
    job_project: str | None = None
    """For a job token: the path of its project, in lower case. It has its user's roles only where jobs of this project
    may access a project."""

    def can(self, ability: Ability, subject: Subject) -> bool:
        match subject:
            case Project() if ability in (Ability.READ_PACKAGE, Ability.READ_PROJECT):
                return self._can_read_project(subject)
            case Group() if ability in (Ability.READ_PACKAGE, Ability.READ_GROUP):
                return self._can_read_group(subject, ability)
            case PackageName() if ability in (Ability.CREATE_PACKAGE, Ability.DESTROY_PACKAGE):
                return self._can_use_name(subject, ability)
            case Project() if ability in _MINIMUM_ROLES:
                # The Packages API does not accept deploy tokens, so their holders can publish, but not delete.
                may_change = self.is_user or ability is Ability.CREATE_PACKAGE
                return may_change and self._role_at(subject.path) >= _MINIMUM_ROLES[ability]
            case _:
                return False

    def why_not(self, ability: Ability, subject: Subject) -> str:
        """Return why `can` is false, in a few words for logs."""
        if self.anonymous:
            return "this needs a token"
        path = subject.project.path if isinstance(subject, PackageName) else subject.path
        role = self._role_at(path)
        if isinstance(subject, PackageName):
            return self._why_not_name(subject, ability, role)
        if self.job_project is not None and not self.namespaces.lets_job_in(self.job_project, path):
            return f"jobs of {self.job_project} have no access there"
        if role is Role.NO_ACCESS:
            return "the user has no role there" if self.is_user else "the token belongs to another project or group"
        if not self.is_user:
            by_scope = ability in (Ability.READ_PACKAGE, Ability.CREATE_PACKAGE)
            return f"{'the scopes of the token do' if by_scope else 'a deploy token does'} not allow {ability.value}"
        return f"the role {role.name.lower()} does not allow {ability.value}"

    def readable(self, projects: Projects) -> Projects:
        """Return those of the projects whose packages the principal may read, as `can` decides it.

        For the projects of a group the first call costs about as much as its result has projects; later calls cost
        the same for any number of projects.
        """
        group = self.namespaces.group_projects(projects)
        if group is None:
            return projects.only(self._can_read_project)
        if self.job_project is None and self._role_at(group.path) >= Role.GUEST:
            return projects
        found = self.cache.get(self, projects)
        if found is None:
            shared = group.public_or_internal if self.is_user and self.job_project is None else group.public
            more = [project for project in self._projects_with_access(group) if project not in shared]
            found = Projects([*shared, *more]) if more else shared
            found = self.cache.add(self, projects, found, size=len(found) if more else 0)
        return projects if len(found) == len(projects) else found

    def _projects_with_access(self, group: GroupProjects) -> Iterator[Project]:
        """Return the readable projects of a group to which a role or an allowlist gives access."""
        if self.job_project is not None:
            found: Iterable[Project] = self.namespaces.projects_for_job(self.job_project)
        else:
            below = (path for path in self.roles if not group.path or is_below(path, group.path))
            found = chain.from_iterable(self.namespaces.projects_at(path) for path in below)
        return (project for project in found if project in group.projects and self._can_read_project(project))

    def _can_read_project(self, project: Project) -> bool:
        if project.visibility == Visibility.PUBLIC or self._role_at(project.path) >= Role.GUEST:
            return True
        return project.visibility == Visibility.INTERNAL and self._is_signed_in_at(project.path)

    def _can_read_group(self, group: Group, ability: Ability) -> bool:
        if group.visibility == Visibility.PUBLIC or self._role_at(group.path) >= Role.GUEST:
            return True
        # GitLab (app/policies/group_policy.rb) shows an internal group to all users, and a private one to the members
        # of anything in it. Only its own members may read its packages.
        is_visible = group.visibility == Visibility.INTERNAL and self._is_signed_in_at(group.path)
        return ability is Ability.READ_GROUP and (is_visible or self._has_role_below(group.path))

    def _can_use_name(self, subject: PackageName, ability: Ability) -> bool:
        rules = self._rules_for(subject)
        if rules and not self.is_user:
            # In GitLab any rule for the name blocks a deploy token, whatever the rule requires
            # (app/services/packages/protection/check_rule_existence_service.rb).
            return False
        return self._role_at(subject.project.path) >= _minimum_role(rules, ability)

    def _why_not_name(self, subject: PackageName, ability: Ability, role: Role) -> str:
        if not self.is_user:
            return "a protection rule for this name excludes deploy tokens"
        minimum = _minimum_role(self._rules_for(subject), ability)
        return f"a protection rule for this name requires the role {minimum.name.lower()}, not {role.name.lower()}"

    def _rules_for(self, subject: PackageName) -> Sequence[ProtectionRule]:
        config = self.namespaces.config(subject.project)
        return [rule for rule in (config.protect if config else ()) if Patterns([rule.name]).match(subject.name)]

    @cached_property
    def _role_at(self) -> Callable[[str], Role]:
        """Return the highest role at a path, including the roles in the groups that contain it. Cached per path."""
        return lru_cache(maxsize=1024)(self._find_role)

    def _find_role(self, path: str) -> Role:
        path = fold(path)
        if self.job_project is not None and not self.namespaces.lets_job_in(self.job_project, path):
            return Role.NO_ACCESS
        if self.is_admin:
            return Role.ADMIN
        return max(self.roles.get(each, Role.NO_ACCESS) for each in [*paths_above(path), path])

    def _is_signed_in_at(self, path: str) -> bool:
        """Return whether the principal counts as a signed-in user, who may read what is internal.

        A job token does so only where its job may access a project. A deploy token never does.
        """
        return self.is_user and (self.job_project is None or self.namespaces.lets_job_in(self.job_project, path))

    def _has_role_below(self, path: str) -> bool:
        return self.is_user and fold(path) in self._paths_above_roles

    @cached_property
    def _paths_above_roles(self) -> frozenset[str]:
        return frozenset(above for path in self.roles for above in paths_above(path))


def _minimum_role(rules: Iterable[ProtectionRule], ability: Ability) -> Role:
    """Return the role that protection rules require for publishing or deleting; `Role.NO_ACCESS` if none does."""
    deletes = ability is Ability.DESTROY_PACKAGE
    minimum_roles = (rule.minimum_delete if deletes else rule.minimum_push for rule in rules)
    return max((role for role in minimum_roles if role is not None), default=Role.NO_ACCESS)
