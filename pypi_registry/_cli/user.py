"""``pypi-registry user``: adds, lists and removes the users of a ``registry.toml``."""

import argparse
import sys
from collections.abc import Sequence

from pypi_registry._cli import toml_edit
from pypi_registry._cli.config_file import Change, ChangeRefused, Config, edit_config, read_config
from pypi_registry._cli.location import add_location, location
from pypi_registry._cli.progress import printable
from pypi_registry._cli.tables import print_rows
from pypi_registry._paths import fold, paths_above
from pypi_registry.accounts import Role, Token, User
from pypi_registry.accounts.toml import ROLES
from pypi_registry.accounts.toml_tables import user_table

_ROLES_HELP = "guest and reporter install; developer also publishes and yanks; maintainer and owner also delete"
_MAX_CHOICES = 20


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "user",
        help="add, list or remove users",
        description="Add, list or remove the users of registry.toml. A running registry reloads it within seconds.",
        epilog=f"Roles: {_ROLES_HELP}.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    add = actions.add_parser(
        "add",
        help="add a user",
        description="Add a user. A user needs a token to sign in: pypi-registry token add --user NAME",
        epilog=f"Roles: {_ROLES_HELP}. A role in a group applies to every project below it.",
    )
    add.add_argument("name", metavar="NAME", type=new_name)
    add.add_argument("--admin", action="store_true", help="allow the user to do everything in the whole registry")
    add.add_argument(
        "--role",
        action="append",
        default=[],
        type=_role,
        metavar="PATH=ROLE",
        help=f"a role in a project or group, may be repeated; ROLE is {', '.join(ROLES)}",
    )
    add_location(add, config="default: DIR/registry.toml, created if missing")
    add.set_defaults(run=_add)
    listing = actions.add_parser("list", help="list users", description="List the users with their roles.")
    listing.add_argument("--json", action="store_true", help="print one JSON document")
    add_location(listing)
    listing.set_defaults(run=_list)
    remove = actions.add_parser(
        "remove",
        help="remove a user and their tokens",
        description="Remove a user and all their tokens, and print each token. Their packages stay.",
    )
    remove.add_argument("name", metavar="NAME")
    add_location(remove)
    remove.set_defaults(run=_remove)


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
    roles: dict[str, Role] = {}
    for path, role in options.role:
        if fold(path) in map(fold, roles):
            raise ChangeRefused(f"--role: {path!r} has two roles")
        roles[path] = role
    user = User(name=options.name, admin=options.admin, roles=roles)
    edit_config(location(options), lambda config: add_user(config, user))
    return 0


def add_user(config: Config, user: User) -> Change:
    """Add a user.

    :raises ChangeRefused: if there is one with this name, or a role is in a project or group that does not exist.
    """
    if any(each.name == user.name for each in config.users):
        raise ChangeRefused(f"there is a user {user.name!r} already")
    known = paths_of(config)
    for path in user.roles:
        if fold(path) not in map(fold, known):
            raise ChangeRefused(f"--role: there is no project or group {path!r}; {choices('there are', known)}")
    text = toml_edit.add(config.text, "users", user_table(user))
    return Change(text, f"created user {printable(user.name)}\n")


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


def _remove(options: argparse.Namespace) -> int:
    where = location(options)
    edit_config(where, lambda config: remove_user(config, options.name))
    if not any(user.admin or Role.OWNER in user.roles.values() for user in read_config(where).users):
        print("note: no administrator and no owner remains", file=sys.stderr)
    return 0


def remove_user(config: Config, name: str) -> Change:
    """Remove a user with their tokens. A deploy token belongs to no user.

    :raises ChangeRefused: if there is no such user.
    """
    names = [user.name for user in config.users]
    if name not in names:
        raise ChangeRefused(f"there is no user {name!r}; {choices('the users are', names)}")
    tokens = [position for position, token in enumerate(config.tokens) if token.user == name and token.kind != "deploy"]
    text = toml_edit.remove(config.text, "users", [names.index(name)])
    text = toml_edit.remove(text, "tokens", tokens) if tokens else text
    output = f"removed user {printable(name)}\n"
    output += "".join(f"removed {label(config.tokens[position])}\n" for position in tokens)
    return Change(text, output)


def label(token: Token) -> str:
    """Return how a message names a token."""
    name = f" {printable(token.name)}" if token.name else ""
    return f"{token.kind} token{name} (sha256 {token.sha256[:12]}…)"
