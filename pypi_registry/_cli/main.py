"""The command line: its parser and its exit status. `serve` is imported only when it runs, as it needs an extra."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pypi_registry import __version__
from pypi_registry._cli import backup, fsck, migrate
from pypi_registry._cli.check import check
from pypi_registry._cli.data_folder import USER, UnusableData
from pypi_registry._cli.location import InvalidLocation, add_location, location
from pypi_registry._cli.proxies import PublicURL
from pypi_registry._cli.token import token
from pypi_registry.accounts import TokenKind
from pypi_registry.accounts.config import SCOPES
from pypi_registry.errors import RegistryError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    It is 0; 1 if `check` found problems, problems remain after `fsck`, or bytes are missing in a `backup`; 2 if the
    command could not run.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()  # here, where a reader that has ended is handled, instead of when Python exits
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        return _fail(f"{error}; install it with: pip install 'pypi-registry[{extra}]'")
    except BrokenPipeError as error:
        if error.filename:
            return _fail(_reason(error))
        # The reader of the output has ended, as `head` does. Python writes what is buffered once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except (OSError, RegistryError, UnusableData, InvalidLocation) as error:
        return _fail(_reason(error))
    return status


_EXTRAS = {
    "markdown_it": "serve",
    "nh3": "serve",
    "tomlkit": "serve",
    "urllib3": "serve",
    "waitress": "serve",
    "obstore": "objects",
    "prometheus_client": "metrics",
    "psycopg": "postgres",
    "psycopg_pool": "postgres",
}
"""The extra that brings each module."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pypi-registry", description="GitLab's PyPI package registry.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="serve a registry", description="Serve a registry until stopped."))
    _add_token(
        commands.add_parser(
            "token",
            help="create a token",
            description="Create a token: print a new secret, and the table to paste into registry.toml.",
        )
    )
    _add_check(
        commands.add_parser(
            "check",
            help="verify wheels and sdists",
            description="Verify wheels and sdists as an upload does, and print one line per problem.",
        )
    )
    backup.add_parser(commands)
    fsck.add_parser(commands)
    migrate.add_parser(commands)
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8080, help="0 chooses a free port (default: %(default)s)")
    add_location(parser, config="default: DIR/registry.toml, created if missing")
    parser.add_argument(
        "--proxies",
        type=_proxies,
        metavar="N",
        default=0,
        help="how many reverse proxies are in front; their X-Forwarded-… headers are trusted (default: %(default)s)",
    )
    parser.add_argument(
        "--metrics",
        type=_port,
        metavar="PORT",
        help="expose metrics for Prometheus on this port of 127.0.0.1; needs the extra metrics (default: no metrics)",
    )
    parser.add_argument(
        "--url",
        type=_url,
        metavar="URL",
        help="the URL that clients use, such as https://packages.example (default: as each client requests it)",
    )
    parser.set_defaults(run=_serve)


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", type=TokenKind, choices=[*TokenKind], default=TokenKind.PERSONAL)
    parser.add_argument("--user", help=f"of a personal or a job token (default: {USER})")
    parser.add_argument(
        "--on",
        default="",
        metavar="PATH",
        help="of a deploy token: its group or project; of a job token: its project",
    )
    parser.add_argument("--scope", action="append", metavar="SCOPE", help="may be repeated (default: the widest)")
    parser.add_argument("--name", default="", help="for people")
    parser.add_argument("--expires", type=_time, metavar="TIME", help="such as 2027-01-01T00:00:00Z (default: never)")
    parser.set_defaults(run=_token, fail=parser.error)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.set_defaults(run=lambda options: check(options.files))


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to 65535")
    return number


def _proxies(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 2):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of proxies: 0 to 99")
    return int(text)


def _url(text: str) -> PublicURL:
    try:
        return PublicURL.parse(text)
    except ValueError as error:
        # The text may contain a password.
        raise argparse.ArgumentTypeError(f"this is not the URL of a registry: {error}") from None


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time, such as 2027-01-01T00:00:00Z") from None
    if time.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} needs an offset, such as Z")
    return time


def _serve(options: argparse.Namespace) -> int:
    from pypi_registry._cli.serve import Options, serve

    serve(Options(options.host, options.port, location(options), options.proxies, options.url, options.metrics))
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _fail(reason: str) -> int:
    print(f"pypi-registry: {reason}", file=sys.stderr)
    return 2


def _token(options: argparse.Namespace) -> int:
    kind: TokenKind = options.kind
    scopes = frozenset(options.scope or ())
    if not scopes <= SCOPES[kind]:
        options.fail(f"the scopes of a {kind} token are: {', '.join(sorted(SCOPES[kind])) or 'none'}")
    if kind is not TokenKind.PERSONAL and not options.on:
        options.fail(f"a {kind} token needs --on")
    token(kind, scopes, user=options.user or USER, path=options.on, name=options.name, expires=options.expires)
    return 0
