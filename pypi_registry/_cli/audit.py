"""The audit log of the commands: where it is, and the option that names another file or none."""

import argparse
from pathlib import Path

from pypi_registry._cli.location import Location
from pypi_registry.events import AuditLog

_OFF = "off"


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Add the option for the audit log, to a command that changes a registry."""
    parser.add_argument(
        "--audit",
        metavar="FILE|off",
        help="the file of the audit log; off disables it (default: DIR/audit.jsonl)",
    )


def audit_log(location: Location, options: argparse.Namespace) -> AuditLog | None:
    """Return the audit log that the options name; None if it is off.

    :raises OSError: if a file that was named cannot be written. That of the data folder is created by its first line,
        because a folder that cannot be written can still be read.
    """
    if options.audit == _OFF:
        return None
    if options.audit is None:
        return AuditLog(location.folder.audit)
    log = AuditLog(Path(options.audit))
    log.create()
    return log
