"""``pypi-registry migrate``: creates the tables of a catalogue in a database server, or brings them to this version."""

import argparse

from pypi_registry._cli.location import CATALOGUE, InvalidLocation, add_location, catalogue_url


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "migrate",
        help="create or update the tables of a database",
        description="Create the tables of the catalogue in a database, or update the tables of an older version. You "
        "can safely run this command again, and on two machines at the same time. Make a backup before an update.",
    )
    add_location(parser, config="ignored; accepted so that the options of serve can be reused")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    url = catalogue_url(options)
    if url is None:
        raise InvalidLocation(
            f"migrate needs --catalogue URL, or {CATALOGUE}: the catalogue of a data folder is migrated by serve"
        )
    return migrate(url)


def migrate(url: str) -> int:
    """Migrate the database at a URL, and print what was done; return 0.

    :raises InvalidLocation: if the URL is not one of PostgreSQL.
    :raises RegistryError: if the database cannot be reached, cannot hold a catalogue, or has a newer one.
    """
    from pypi_registry.stores.postgres import migrate as migrate_database  # it needs the extra `postgres`

    try:
        before, after = migrate_database(url)
    except ValueError as error:
        raise InvalidLocation(f"--catalogue: {error}") from error
    if before == after:
        print(f"The catalogue already has schema version {after}.")
    elif before == 0:
        print(f"Created the tables of the catalogue, schema version {after}.")
    else:
        print(f"Migrated the catalogue from schema version {before} to {after}.")
    return 0
