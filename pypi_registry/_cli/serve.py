"""``python -m pypi_registry serve``: goes on with the data it finds, and makes what it does not find."""

import errno
import os
import sqlite3
import sys
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TextIO

from pypi_registry._app import Registry
from pypi_registry._cli.data_folder import EXAMPLE, PROJECT, USER, DataFolder, UnusableData
from pypi_registry._cli.server import Server, listen
from pypi_registry._cli.site import MOUNT, AccessLog, Site
from pypi_registry._cli.watch import Watch
from pypi_registry.accounts import Accounts, InvalidConfig
from pypi_registry.errors import StorageUnavailable
from pypi_registry.storage import Blobs, Catalogue
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    host: str
    port: int
    """0 is any that is free."""
    config: Path | None
    """None: the ``registry.toml`` in the data folder, which is written if it is missing."""
    data: Path


def serve(options: Options) -> None:
    """Serve until a signal says stop.

    :raises InvalidSetting: if the configuration is wrong.
    :raises UnusableData: if the data folder is not one, or its catalogue is not ours.
    :raises OSError: if a folder, the configuration, the port or the standard output cannot be used; its ``filename``
        says which.
    """
    if options.config is not None:
        Accounts.from_toml(options.config)  # a mistake in it must leave nothing behind
    with listen(options.host, options.port) as listening:  # first, or a port in use would cost the secret shown once
        _serve(options, DataFolder(options.data), listening)


def _serve(options: Options, folder: DataFolder, listening: socket) -> None:
    folder.prepare()
    with closing(_catalogue(folder.catalogue)) as catalogue:
        _serve_from(options, folder, listening, catalogue, FileBlobs(folder.files))


def _serve_from(options: Options, folder: DataFolder, listening: socket, catalogue: Catalogue, blobs: Blobs) -> None:
    config = options.config or folder.config

    def reload() -> None:
        try:
            accounts = Accounts.from_toml(config)
        except (InvalidConfig, OSError) as error:
            fault = f"{config}: {error.strerror}" if isinstance(error, OSError) else error
            print(f"{fault}; the configuration before it stays in force", file=sys.stderr, flush=True)
            return
        server.limit_bodies(accounts.max_file_size)
        site.registry = _registry(accounts, catalogue, blobs)
        print(f"{config}: taken up", file=sys.stderr, flush=True)

    with ExitStack() as until_told:
        secret = folder.first_config() if options.config is None else None
        if secret is not None:  # or nobody would ever know it: the next start is to make another
            until_told.callback(config.unlink, missing_ok=True)
        watch = Watch(config, reload)
        accounts = Accounts.from_toml(config)
        site = Site(_registry(accounts, catalogue, blobs))
        log = AccessLog(site, sys.stderr)
        server = Server(log, log, listening, folder.spool)
        server.limit_bodies(accounts.max_file_size)

        def announce() -> None:
            _announce(sys.stdout, *server.address, secret)
            until_told.pop_all()

        watch.start()
        try:
            server.run(ready=announce)
        finally:
            watch.stop()


def _catalogue(path: Path) -> SQLiteCatalogue:
    try:
        return SQLiteCatalogue(path)
    except (sqlite3.Error, StorageUnavailable) as error:
        raise UnusableData(path, str(error.__cause__ or error)) from error


def _registry(accounts: Accounts, catalogue: Catalogue, blobs: Blobs) -> Registry:
    """Make the registry of one snapshot of the accounts; requests under way keep the one they began with."""
    return Registry(
        directory=accounts,
        auth=accounts,
        catalogue=catalogue,
        blobs=blobs,
        forward_to=accounts.forward_to,
        max_file_size=accounts.max_file_size,
    )


def _announce(stream: TextIO | None, host: str, port: int, secret: str | None) -> None:
    text = _greeting(host, port, secret)
    try:
        if stream is None:  # so it is in a process without one
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        stream.write(text)
        stream.flush()
    except OSError as error:
        raise OSError(error.errno, error.strerror, "the standard output") from error


def _greeting(host: str, port: int, secret: str | None) -> str:
    text = ""
    if secret is not None:
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
        place = f"{_url_host(reachable)}:{port}{MOUNT}/projects/{PROJECT}/packages/pypi"
        text = (
            "The first token, shown this once:\n\n"
            f"{secret}\n\n"
            "Publish:\n\n"
            f"twine upload --repository-url http://{place} --username {USER} --password {secret} dist/*\n\n"
            "Install:\n\n"
            f"pip install --index-url http://{USER}:{secret}@{place}/simple {EXAMPLE}\n\n"
        )
    return f"{text}Serving on http://{_url_host(host)}:{port}{MOUNT}/\n"


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
