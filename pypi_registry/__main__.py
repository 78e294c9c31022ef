"""The command line: ``python -m pypi_registry``."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pypi_registry import __version__
from pypi_registry._cli.check import check as run_check
from pypi_registry._cli.data_folder import USER, UnusableData
from pypi_registry.accounts import Token, TokenKind, token_digest
from pypi_registry.accounts.config import SCOPES
from pypi_registry.accounts.tokens import new_secret, toml_table
from pypi_registry.errors import RegistryError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0; 1 if `check` found faults; 2 if what was asked for cannot be."""
    options = _parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pypi_registry", description="GitLab's PyPI package registry.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve a registry", description="Serve a registry until stopped.")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8080, help="0 is any that is free (default: %(default)s)")
    serve.add_argument("--config", type=Path, metavar="FILE", help="default: DIR/registry.toml, made if missing")
    serve.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path("pypi-registry-data"),
        help="where everything is kept (default: %(default)s)",
    )
    serve.set_defaults(run=_serve)

    token = commands.add_parser(
        "token",
        help="make a token",
        description="Make a token: print a new secret, and the table to paste into registry.toml.",
    )
    token.add_argument("--kind", type=TokenKind, choices=[*TokenKind], default=TokenKind.PERSONAL)
    token.add_argument("--user", help=f"of a personal token or a job (default: {USER})")
    token.add_argument(
        "--on", default="", metavar="PATH", help="of a deploy token: a group or project; of a job: its project"
    )
    token.add_argument("--scope", action="append", metavar="SCOPE", help="may be repeated (default: the widest)")
    token.add_argument("--name", default="", help="for people")
    token.add_argument("--expires", type=_moment, metavar="TIME", help="such as 2027-01-01T00:00:00Z (default: never)")
    token.set_defaults(run=_token, fail=token.error)

    check = commands.add_parser(
        "check",
        help="look into wheels and sdists",
        description="Look into wheels and sdists as an upload would be looked into, and print a line for each fault.",
    )
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(run=lambda options: run_check(options.files))
    return parser


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return number


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 2027-01-01T00:00:00Z") from None
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} needs an offset, such as Z")
    return moment


def _serve(options: argparse.Namespace) -> int:
    try:
        from pypi_registry._cli.serve import Options, serve
    except ModuleNotFoundError as error:
        return _refuse(f"{error}; install it with: pip install 'pypi-registry[serve]'")
    try:
        serve(Options(options.host, options.port, options.config, options.data))
    except OSError as error:
        return _refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (RegistryError, UnusableData) as error:
        return _refuse(str(error))
    return 0


def _refuse(reason: str) -> int:
    print(f"pypi_registry: {reason}", file=sys.stderr)
    return 2


_WIDEST = {TokenKind.PERSONAL: ["api"], TokenKind.DEPLOY: ["write_package_registry"], TokenKind.JOB: []}


def _token(options: argparse.Namespace) -> int:
    kind: TokenKind = options.kind
    scopes = frozenset(options.scope or _WIDEST[kind])
    if not scopes <= SCOPES[kind]:
        options.fail(f"the scopes of a {kind} token are: {', '.join(sorted(SCOPES[kind])) or 'none'}")
    if kind is not TokenKind.PERSONAL and not options.on:
        options.fail(f"a {kind} token needs --on")
    secret = new_secret()
    token = Token(
        name=options.name,
        kind=kind,
        user=options.user or ("" if kind is TokenKind.DEPLOY else USER),
        on=options.on,
        scopes=scopes,
        sha256=token_digest(secret),
        expires=options.expires,
    )
    print("The secret, shown this once:", secret, "", "For registry.toml:", "", toml_table(token), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
