"""``pypi-registry user``: adds, changes, lists and removes the users of a ``registry.toml``."""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pypi_registry._cli import toml_edit
from pypi_registry._cli.config_file import Change, ChangeRefused, Config, edit_config, read_config
from pypi_registry._cli.location import Location, add_location, location
from pypi_registry._cli.progress import printable
from pypi_registry._cli.tables import print_rows
from pypi_registry._paths import fold, paths_above
from pypi_registry.accounts import Role, Token, User
from pypi_registry.accounts.toml import ROLES
from pypi_registry.accounts.toml_tables import user_table

_ROLES_HELP = (
    "guest and reporter can install; developer can also publish and yank; maintainer and owner can also delete"
)
_MAX_CHOICES = 20


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "user",
        help="add, change, list or remove users",
        description="Add, change, list or remove users in registry.toml. A running registry reloads the file within "
        "seconds.",
        epilog=f"Roles: {_ROLES_HELP}.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = actions.add_parser(
        "add",
        help="add a user",
        description="Add a user. A user needs a token to sign in: pypi-registry token add --user NAME",
        epilog=f"Roles: {_ROLES_HELP}. A role in a group applies to every project below it.",
    )
    add.add_argument("name", metavar="NAME", type=new_name, help="the name of the user")
    add.add_argument("--admin", action="store_true", help="allow the user to do everything in the whole registry")
    _add_roles(add, "a role in a project or group")
    add_location(add, config="the configuration (default: DIR/registry.toml, created if missing)")
    add.set_defaults(run=_add)
    change = actions.add_parser(
        "change",
        help="change the roles and rights of a user",
        description="Change the roles of a user, or grant or remove administrator rights. All other roles and rights "
        "stay the same.",
        epilog=f"Roles: {_ROLES_HELP}. A role in a group applies to every project below it.",
    )
    change.add_argument("name", metavar="NAME", help="the name of the user")
    _add_roles(change, "a new role in a project or group, which replaces the current role there")
    change.add_argument(
        "--remove-role",
        action="append",
        default=[],
        metavar="PATH",
        help="remove the role in this project or group; may be repeated",
    )
    change.add_argument(
        "--admin",
        action=argparse.BooleanOptionalAction,
        help="grant or remove the right to do everything in the whole registry",
    )
    add_location(change)
    change.set_defaults(run=_change, fail=change.error)
    listing = actions.add_parser("list", help="list users", description="List the users with their roles.")
    listing.add_argument("--json", action="store_true", help="print one JSON document")
    add_location(listing)
    listing.set_defaults(run=_list)
    remove = actions.add_parser(
        "remove",
        help="remove a user and their tokens",
        description="Remove a user and all their tokens, and list these tokens. The packages of the user stay.",
    )
    remove.add_argument("name", metavar="NAME", help="the name of the user")
    add_location(remove)
    remove.set_defaults(run=_remove)


def _add_roles(parser: argparse.ArgumentParser, meaning: str) -> None:
    parser.add_argument(
        "--role",
        action="append",
        default=[],
        type=_role,
        metavar="PATH=ROLE",
        help=f"{meaning}; may be repeated; ROLE is one of {', '.join(ROLES)}",
    )


def new_name(text: str) -> str:
    """Return the name for something new, if people can see all of it.

    :raises ArgumentTypeError: otherwise.
    """
    if not text or not text.isprintable() or text != text.strip():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name: it must not be empty, begin or end with a space, or contain a control character"
        )
    return text


def _role(text: str) -> tuple[str, Role]:
    path, equals, name = text.rpartition("=")
    if not equals or not path:
        raise argparse.ArgumentTypeError(f"{text!r} is not PATH=ROLE, such as acme/tools=developer")
    if name not in ROLES:
        raise argparse.ArgumentTypeError(f"{name!r} is not a role; the roles are {', '.join(ROLES)}")
    return path, ROLES[name]


def _add(options: argparse.Namespace) -> int:
    user = User(name=options.name, admin=options.admin, roles=_roles(options.role))
    edit_config(location(options), lambda config: add_user(config, user))
    return 0


def _roles(given: Iterable[tuple[str, Role]]) -> Mapping[str, Role]:
    """Return the roles that the options name, by their paths.

    :raises ChangeRefused: if there are two for one path.
    """
    roles: dict[str, Role] = {}
    for path, role in given:
        if fold(path) in map(fold, roles):
            raise ChangeRefused(f"--role: {path!r} has two roles")
        roles[path] = role
    return roles


def add_user(config: Config, user: User) -> Change:
    """Add a user.

    :raises ChangeRefused: if there is one with this name, or a role is in a project or group that does not exist.
    """
    if any(each.name == user.name for each in config.users):
        raise ChangeRefused(f"there is already a user {user.name!r}")
    _require_paths(config, user.roles)
    text = toml_edit.add(config.text, "users", user_table(user))
    return Change(text, f"created user {printable(user.name)}\n")


def _require_paths(config: Config, paths: Iterable[str]) -> None:
    known = paths_of(config)
    for path in paths:
        if fold(path) not in map(fold, known):
            raise ChangeRefused(f"--role: there is no project or group {path!r}; {choices('there are', known)}")


def paths_of(config: Config) -> list[str]:
    """Return the paths of all projects and groups."""
    paths = {path for project in config.projects for path in (project.path, *paths_above(project.path))}
    paths |= {path for group in config.groups for path in (group.path, *paths_above(group.path))}
    return sorted(paths)


def choices(introduction: str, names: Sequence[str]) -> str:
    """Return what a message names instead of an unknown name."""
    if not names:
        return f"{introduction} none"
    more = f" and {len(names) - _MAX_CHOICES} more" if len(names) > _MAX_CHOICES else ""
    return f"{introduction} {', '.join(map(printable, names[:_MAX_CHOICES]))}{more}"


def _list(options: argparse.Namespace) -> int:
    rows = [
        {"name": user.name, "admin": user.admin, "roles": {path: role_name(role) for path, role in user.roles.items()}}
        for user in read_config(location(options)).users
    ]
    print_rows(("name", "admin", "roles"), rows, as_json=options.json)
    return 0


def role_name(role: Role) -> str:
    """Return a role as ``registry.toml`` has it."""
    return role.name.lower()


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do from now on; everything else stays as it is."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    """New roles, by the paths of projects and groups."""
    removed: Sequence[str] = ()
    """The paths whose roles are removed."""
    admin: bool | None = None
    """Whether the user is an administrator; None: as before."""


def _change(options: argparse.Namespace) -> int:
    if not options.role and not options.remove_role and options.admin is None:
        options.fail("give --role, --remove-role, --admin or --no-admin")
    rights = Rights(_roles(options.role), options.remove_role, options.admin)
    where = location(options)
    edit_config(where, lambda config: change_user(config, options.name, rights))
    _warn_of_nobody(where)
    return 0


def change_user(config: Config, name: str, rights: Rights) -> Change:
    """Change the roles of a user, and whether the user is an administrator; the output is what has changed.

    :raises ChangeRefused: if there is no such user, project or group, or no role that can be removed.
    """
    position = _position_of(config, name)
    user = config.users[position]
    roles = _changed_roles(config, user, rights)
    text, lines = config.text, list[str]()
    for path, role in roles.items():
        now, before = _name_of(role), _name_of(user.roles.get(path))
        if now != before:
            text = toml_edit.set_entry(text, "users", position, "roles", path, now)
            lines.append(f"role in {printable(path)}: {now or 'none'} (before: {before or 'none'})")
    if rights.admin is not None and rights.admin is not user.admin:
        text = toml_edit.set_key(text, "users", position, "admin", rights.admin)
        lines.append(f"administrator: {'yes (before: no)' if rights.admin else 'no (before: yes)'}")
    if not lines:
        return Change(text, f"user {printable(name)} has these rights already; nothing was changed\n")
    return Change(text, "".join(f"{line}\n" for line in (f"changed user {printable(name)}", *lines)))


def _name_of(role: Role | None) -> str | None:
    return None if role is None else role_name(role)


def _changed_roles(config: Config, user: User, rights: Rights) -> dict[str, Role | None]:
    """Return the new roles, by the paths as the file has them; None is a role that is removed."""
    _require_paths(config, rights.roles)
    written = {fold(path): path for path in user.roles}
    changed: dict[str, Role | None] = {written.get(fold(path), path): role for path, role in rights.roles.items()}
    for path in rights.removed:
        if fold(path) not in written:
            paths = choices("paths with a role:", [*user.roles])
            raise ChangeRefused(f"--remove-role: {printable(user.name)} has no role in {path!r}; {paths}")
        if changed.setdefault(written[fold(path)], None) is not None:
            raise ChangeRefused(f"--remove-role: {path!r} has a new role, too: use one of the two options")
    return changed


def _position_of(config: Config, name: str) -> int:
    names = [user.name for user in config.users]
    if name not in names:
        raise ChangeRefused(f"there is no user {name!r}; {choices('the users are', names)}")
    return names.index(name)


def _remove(options: argparse.Namespace) -> int:
    where = location(options)
    edit_config(where, lambda config: remove_user(config, options.name))
    _warn_of_nobody(where)
    return 0


def _warn_of_nobody(where: Location) -> None:
    if not any(user.admin or Role.OWNER in user.roles.values() for user in read_config(where).users):
        print("note: no administrator and no owner remains", file=sys.stderr)


def remove_user(config: Config, name: str) -> Change:
    """Remove a user with their tokens. A deploy token belongs to no user.

    :raises ChangeRefused: if there is no such user.
    """
    user = _position_of(config, name)
    tokens = [position for position, token in enumerate(config.tokens) if token.user == name and token.kind != "deploy"]
    text = toml_edit.remove(config.text, "users", [user])
    text = toml_edit.remove(text, "tokens", tokens) if tokens else text
    output = f"removed user {printable(name)}\n"
    output += "".join(f"removed {label(config.tokens[position])}\n" for position in tokens)
    return Change(text, output)


def label(token: Token) -> str:
    """Return how a message names a token."""
    name = f" {printable(token.name)}" if token.name else ""
    return f"{token.kind} token{name} (sha256 {token.sha256[:12]}…)"
