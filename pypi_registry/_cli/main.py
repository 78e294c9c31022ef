"""The command line: its parser and its exit status. `serve` is imported only when it runs, as it needs an extra."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pypi_registry import __version__
from pypi_registry._cli import backup, copy, export, fsck, import_, migrate, project, prune, token, user
from pypi_registry._cli.audit import add_audit, audit_log
from pypi_registry._cli.check import check
from pypi_registry._cli.config_file import ChangeRefused
from pypi_registry._cli.data_folder import UnusableData
from pypi_registry._cli.location import InvalidLocation, add_location, location
from pypi_registry._cli.proxies import PublicURL
from pypi_registry._excerpt import with_cause
from pypi_registry.errors import OutcomeUnknown, RegistryError, StorageFull, StorageUnavailable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    It is 0; 1 if `check` found problems, problems remain after `fsck`, or bytes or the configuration are missing in a
    `backup`; 2 if the command could not run.
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
        return _fail(
            f"{error}: the extra {extra!r} installs it, in a clone with: {sys.executable} -m pip install '.[{extra}]'"
        )
    except BrokenPipeError as error:
        if error.filename:
            return _fail(_reason(error))
        # The reader of the output has ended, as `head` does. Python writes what is buffered once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2
    except (OSError, RegistryError, UnusableData, InvalidLocation, ChangeRefused) as error:
        return _fail(_reason(error))
    except KeyboardInterrupt:
        return _fail("interrupted")
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
"""The extra that installs each module."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pypi-registry", description="A registry for Python packages, with GitLab's URLs and rules."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="run a registry", description="Run a registry until you stop it."))
    token.add_parser(commands)
    user.add_parser(commands)
    project.add_parser(commands)
    _add_check(
        commands.add_parser(
            "check",
            help="verify wheels and sdists",
            description="Verify wheels and sdists in the same way as an upload, and print one line per problem.",
        )
    )
    backup.add_parser(commands)
    fsck.add_parser(commands)
    import_.add_parser(commands)
    copy.add_parser(commands)
    prune.add_parser(commands)
    export.add_parser(commands)
    migrate.add_parser(commands)
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=8080, help="the port to listen on; 0 chooses a free port (default: %(default)s)"
    )
    add_location(parser, config="the configuration (default: DIR/registry.toml, created if missing)")
    parser.add_argument(
        "--proxies",
        type=_proxies,
        metavar="N",
        default=0,
        help="the number of reverse proxies in front of the registry; the registry trusts their X-Forwarded-… headers "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--metrics",
        type=_port,
        metavar="PORT",
        help="expose metrics for Prometheus on this port of 127.0.0.1; needs the extra `metrics` (default: no metrics)",
    )
    parser.add_argument(
        "--url",
        type=_url,
        metavar="URL",
        help="the URL that clients use, such as https://packages.example (default: the URL of each request)",
    )
    add_audit(parser)
    parser.set_defaults(run=_serve)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a wheel or an sdist")
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


def _serve(options: argparse.Namespace) -> int:
    from pypi_registry._cli.serve import Options, serve

    where = location(options)
    where.folder.require_owner(new=True)
    audit = audit_log(where, options)
    serve(Options(options.host, options.port, where, options.proxies, options.url, audit, options.metrics))
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return with_cause(error) if isinstance(error, StorageUnavailable | StorageFull | OutcomeUnknown) else str(error)


def _fail(reason: str) -> int:
    print(f"pypi-registry: {reason}", file=sys.stderr)
    return 2
