"""``pypi-registry token``: creates tokens, alone or in a ``registry.toml``, lists and revokes them."""

import argparse
import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TextIO

from pypi_registry._cli import toml_edit
from pypi_registry._cli.config_file import Change, ChangeRefused, Config, edit_config, read_config
from pypi_registry._cli.data_folder import USER
from pypi_registry._cli.location import add_location, location
from pypi_registry._cli.output import write_out
from pypi_registry._cli.progress import printable
from pypi_registry._cli.tables import print_rows
from pypi_registry._cli.user import choices, label, paths_of
from pypi_registry._paths import fold
from pypi_registry.accounts import Token, TokenKind, token_digest
from pypi_registry.accounts.config import SCOPES
from pypi_registry.accounts.tokens import new_secret, toml_table

_WIDEST = {
    TokenKind.PERSONAL: frozenset({"api"}),
    TokenKind.DEPLOY: frozenset({"write_package_registry"}),
    TokenKind.JOB: frozenset[str](),
}

_SCOPES_HELP = """\
scopes of a personal token:
  api                     publishes, installs, yanks and deletes, if the roles of its user allow it (default)
  read_api                installs
scopes of a deploy token:
  write_package_registry  publishes and installs (default)
  read_package_registry   installs
A job token has no scopes.
"""

_WAY = "A running registry reloads registry.toml within seconds."


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "token",
        help="create, list or revoke tokens",
        description="Print the secret of a new token, and a table to paste into registry.toml.\n"
        "The actions below list or edit the tokens in registry.toml.",
        epilog=_SCOPES_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_options(parser, _time, "when the token expires, such as 2027-01-01T00:00:00Z (default: never)")
    parser.set_defaults(run=_print, fail=parser.error)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    add = actions.add_parser(
        "add",
        help="create a token in registry.toml",
        description=f"Create a token, and print its secret, which is shown only once.\n{_WAY}",
        epilog=_SCOPES_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    expiry = "when the token expires: 2027-01-01T12:00:00Z, or 2027-01-01 for midnight UTC (default: never)"
    _add_options(add, _time_or_date, expiry, default=argparse.SUPPRESS)  # options before the action count, too
    add_location(add)
    add.set_defaults(run=_add, fail=add.error)
    listing = actions.add_parser("list", help="list tokens", description="List the tokens, without their secrets.")
    listing.add_argument("--json", action="store_true", help="print one JSON document")
    add_location(listing)
    listing.set_defaults(run=_list)
    revoke = actions.add_parser(
        "revoke", help="revoke a token", description=f"Revoke a token. Its table stays in registry.toml. {_WAY}"
    )
    revoke.add_argument("name", metavar="NAME", nargs="?", help="the name of the token")
    revoke.add_argument(
        "--sha256",
        metavar="PREFIX",
        type=_prefix,
        help="the first digits of the digest of the token, which token list shows",
    )
    add_location(revoke)
    revoke.set_defaults(run=_revoke, fail=revoke.error)


def _add_options(
    parser: argparse.ArgumentParser, time: Callable[[str], datetime], expiry: str, *, default: str | None = None
) -> None:
    parser.add_argument(
        "--kind",
        type=TokenKind,
        choices=[*TokenKind],
        default=default or TokenKind.PERSONAL,
        help="the kind of the token (default: personal)",
    )
    parser.add_argument("--user", default=default, help=f"the user of a personal or a job token (default: {USER})")
    parser.add_argument(
        "--on",
        default=default or "",
        metavar="PATH",
        help="the group or project of a deploy token, or the project of a job token",
    )
    parser.add_argument(
        "--scope",
        action="append",
        default=default,
        metavar="SCOPE",
        help="what the token allows; may be repeated (default: the scope with the most rights)",
    )
    parser.add_argument(
        "--name", default=default or "", help="a name by which people recognize the token; token revoke accepts it"
    )
    parser.add_argument("--expires", type=time, default=default, metavar="TIME", help=expiry)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 2027-01-01T00:00:00Z") from None
    if time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} needs a UTC offset, such as Z: 2027-01-01T00:00:00Z")
    return time


def _time_or_date(text: str) -> datetime:
    # GitLab's manual, "Personal access tokens": tokens "expire on that date at midnight UTC".
    return _time(f"{text}T00:00:00Z" if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else text)


def _prefix(text: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{4,64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the beginning of a digest: 4 to 64 hexadecimal digits")
    return text.lower()


def _new_token(options: argparse.Namespace) -> tuple[Token, str]:
    """Return the token that the options describe, and its secret."""
    kind: TokenKind = options.kind
    scopes = frozenset(options.scope or ())
    if not scopes <= SCOPES[kind]:
        options.fail(f"the scopes of a {kind} token are: {', '.join(sorted(SCOPES[kind])) or 'none'}")
    if kind is not TokenKind.PERSONAL and not options.on:
        options.fail(f"a {kind} token needs --on")
    secret = new_secret()
    token = Token(
        name=options.name,
        kind=kind,
        user="" if kind is TokenKind.DEPLOY else options.user or USER,
        path=options.on,
        scopes=scopes or _WIDEST[kind],
        sha256=token_digest(secret),
        expires=options.expires,
    )
    return token, secret


def _print(options: argparse.Namespace) -> int:
    token, secret = _new_token(options)
    introduction = f"The secret, shown only this once:\n{secret}\n\nFor registry.toml:\n"
    if _is_file(sys.stdout):
        write_out(sys.stderr, f"{introduction}appended to the standard output\n")
    else:
        print(introduction)
    print(toml_table(token))
    return 0


def _is_file(stream: TextIO | None) -> bool:
    """Return whether a stream is a file, as by ``>> registry.toml``, in which no secret may be."""
    try:
        return stream is not None and stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):  # it was closed, or has no descriptor
        return False


def _add(options: argparse.Namespace) -> int:
    token, secret = _new_token(options)
    if token.expires is not None and token.expires <= datetime.now(UTC):
        options.fail(f"--expires: {token.expires.isoformat()} is in the past")
    if token.name and not token.name.isprintable():
        options.fail(f"--name: {token.name!r} has a control character")
    edit_config(location(options), lambda config: add_token(config, token, secret))
    print(f"created {label(token)}; the secret is shown only this once", file=sys.stderr)
    return 0


def add_token(config: Config, token: Token, secret: str) -> Change:
    """Add a token; the output is its secret.

    :raises ChangeRefused: if its user, its project or its group does not exist.
    """
    users = [user.name for user in config.users]
    if token.kind is not TokenKind.DEPLOY and token.user not in users:
        raise ChangeRefused(f"--user: there is no user {token.user!r}; {choices('the users are', users)}")
    projects = [project.path for project in config.projects]
    known = projects if token.kind is TokenKind.JOB else paths_of(config)
    if token.path and fold(token.path) not in map(fold, known):
        kind = "project" if token.kind is TokenKind.JOB else "project or group"
        raise ChangeRefused(f"--on: there is no {kind} {token.path!r}; {choices('there are', known)}")
    return Change(toml_edit.add(config.text, "tokens", toml_table(token)), f"{secret}\n")


def _list(options: argparse.Namespace) -> int:
    rows = [
        {
            "name": token.name,
            "kind": str(token.kind),
            "user": token.user if token.kind is not TokenKind.DEPLOY else "",
            "on": token.path if token.kind is not TokenKind.PERSONAL else "",
            "scopes": sorted(token.scopes),
            "expires": None if token.expires is None else f"{token.expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "state": _state(token),
            "sha256": token.sha256.lower() if options.json else token.sha256[:12].lower(),
        }
        for token in read_config(location(options)).tokens
    ]
    print_rows(("name", "kind", "user", "on", "scopes", "expires", "state", "sha256"), rows, as_json=options.json)
    return 0


def _state(token: Token) -> str:
    if token.revoked:
        return "revoked"
    return "expired" if token.expires is not None and token.expires <= datetime.now(UTC) else "valid"


def _revoke(options: argparse.Namespace) -> int:
    if options.name is None and options.sha256 is None:
        options.fail("give the NAME of the token, or --sha256 PREFIX")
    edit_config(location(options), lambda config: revoke_token(config, options.name, options.sha256))
    return 0


def revoke_token(config: Config, name: str | None, prefix: str | None) -> Change:
    """Revoke one token.

    :raises ChangeRefused: if no token has this name and this prefix of its digest, or several have.
    """
    found = [
        position
        for position, token in enumerate(config.tokens)
        if name in (None, token.name) and token.sha256.lower().startswith(prefix or "")
    ]
    if not found:
        raise ChangeRefused(f"there is no such token; {_named('the tokens are', config.tokens)}")
    valid = [position for position in found if not config.tokens[position].revoked]
    if not valid:
        return Change(config.text, f"{label(config.tokens[found[0]])} is revoked already\n")
    if len(valid) > 1:
        tokens = [config.tokens[position] for position in valid]
        raise ChangeRefused(f"{_named('several tokens have this name:', tokens)}; choose one with --sha256")
    text = toml_edit.set_key(config.text, "tokens", valid[0], "revoked", True)
    return Change(text, f"revoked {label(config.tokens[valid[0]])}\n")


def _named(introduction: str, tokens: Sequence[Token]) -> str:
    return choices(introduction, [f"{label(token)} of {printable(token.user or token.path)}" for token in tokens])
