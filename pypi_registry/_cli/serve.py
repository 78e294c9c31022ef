"""``pypi-registry serve``: uses the data that it finds, and creates what is missing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TextIO

from pypi_registry._api.early_refusal import refuse_unknown_caller
from pypi_registry._api.links import API_PREFIX
from pypi_registry._app import Registry
from pypi_registry._cli.access_log import AccessLog
from pypi_registry._cli.data_folder import EXAMPLE, PROJECT, USER, DataFolder
from pypi_registry._cli.location import Location
from pypi_registry._cli.output import write_out
from pypi_registry._cli.proxies import PublicURL, at_url, behind_proxies, forwarded_environ
from pypi_registry._cli.refusals import Refusals
from pypi_registry._cli.server import Server, listen
from pypi_registry._cli.site import Site
from pypi_registry._cli.stores import Stores, open_stores
from pypi_registry._cli.watch import Watch
from pypi_registry._http.response import Response
from pypi_registry.accounts import Accounts, InvalidConfig
from pypi_registry.events import AuditLog, Event

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from pypi_registry._cli.exposition import Exposition


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    host: str
    port: int
    """0 chooses a free port."""
    location: Location
    proxies: int = 0
    """How many reverse proxies are in front of the server; their headers are trusted."""
    url: PublicURL | None = None
    """The URL under which clients reach the server; None uses the one of each request."""
    audit: AuditLog | None = None
    """Where changes, refused uploads and failed sign-ins are written; None: nowhere."""
    metrics: int | None = None
    """The port for metrics; 0 chooses a free port, None exposes none."""


def serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT.

    :raises InvalidConfig: if the configuration is wrong.
    :raises UnusableData: if the data folder or its catalogue belongs to another program.
    :raises OSError: if a folder, the configuration, the port or the standard output cannot be used; its ``filename``
        is the name of it.
    """
    if not options.location.created:
        Accounts.from_toml(
            options.location.config
        )  # before anything is created, so that a mistake leaves nothing behind
    with (  # first: if a port is in use, no secret is lost
        listen(options.host, options.port) as listening,
        _exposed(options.metrics) as exposition,
    ):
        _serve(options, listening, exposition)


@contextmanager
def _exposed(port: int | None) -> "Iterator[Exposition | None]":
    if port is None:
        yield None
        return
    from pypi_registry._cli.exposition import exposed  # only here, as it needs an extra

    with exposed(port) as exposition:
        yield exposition


def _serve(options: Options, listening: socket, exposition: "Exposition | None") -> None:
    folder = options.location.folder
    with (
        folder.locked(),
        _spool(folder) as spool,
        open_stores(options.location, create=True, spool=spool) as stores,
    ):
        _serve_from(options, spool, listening, stores, exposition)


@contextmanager
def _spool(folder: DataFolder) -> Iterator[Path]:
    """Prepare the data folder, and return where request bodies wait.

    If the folder has a catalogue and cannot be written, they wait in a temporary folder of the system: a registry on a
    read-only disk starts for reading.
    """
    try:
        folder.prepare()
    except OSError as error:
        if not folder.catalogue.exists():
            raise
        _report(f"{folder.folder}: {error.strerror}; this registry can only be read")
        with TemporaryDirectory() as spool:
            yield Path(spool)
    else:
        yield folder.spool


def _serve_from(
    options: Options, spool: Path, listening: socket, stores: Stores, exposition: "Exposition | None"
) -> None:
    folder, config = options.location.folder, options.location.config
    accounts: Accounts
    metrics = None if exposition is None else exposition.metrics

    def registry() -> Registry:
        on_event = _all_of(None if metrics is None else metrics.on_event, options.audit)
        return accounts.registry(catalogue=stores.catalogue, blobs=stores.blobs, on_event=on_event)

    def reload() -> bool:
        nonlocal accounts
        try:
            accounts = Accounts.from_toml(config)
        except (InvalidConfig, OSError) as error:
            problem = f"{config}: {error.strerror}" if isinstance(error, OSError) else error
            _report(f"{problem}; the previous configuration stays in effect")
            # What is invalid or missing stays so until the next change. Another error may pass.
            return isinstance(error, InvalidConfig | FileNotFoundError)
        server.limit_bodies(accounts.max_file_size)
        # Requests in progress finish with the registry with which they began.
        site.registry = registry()
        _report(f"{config}: reloaded")
        return True

    def refuse(environ: "WSGIEnvironment") -> Response | None:
        return refuse_unknown_caller(accounts, environ, environ["PATH_INFO"].removeprefix(API_PREFIX))

    with ExitStack() as written, ExitStack() as undo:
        secret = folder.first_config() if options.location.created else None
        if secret is not None:  # if it cannot be printed, it is of no use: the next start creates another
            undo.callback(config.unlink, missing_ok=True)
        refusals = None if options.audit is None else Refusals(options.audit)
        if refusals is not None:
            written.callback(refusals.close)
        watch = Watch(config, reload, regularly=_nothing if refusals is None else refusals.write_due)
        accounts = Accounts.from_toml(config)
        site = Site(registry())
        counted = site if metrics is None else metrics.middleware(site)
        log = AccessLog(counted, sys.stderr, _nothing if refusals is None else refusals.record)
        server = Server(
            behind_proxies(at_url(log, options.url), options.proxies),
            log,
            listening,
            spool,
            refuse=refuse,
            refused=_nothing if metrics is None else metrics.count_refusal,
            forwarded=lambda environ: forwarded_environ(environ, options.proxies),
            limits_addresses=not options.proxies,
        )
        server.limit_bodies(accounts.max_file_size)

        def announce() -> None:
            metrics_url = None if exposition is None else exposition.url
            _announce(sys.stdout, *server.address, secret, options.url, metrics_url)
            undo.pop_all()

        watch.start()
        try:
            server.run(ready=announce)
        finally:
            watch.stop()


def _nothing(*facts: object) -> None:
    """Observe nothing."""


def _all_of(*observers: Callable[[Event], object] | None) -> Callable[[Event], object] | None:
    """Return one ``on_event`` for several."""
    wanted = [observer for observer in observers if observer is not None]

    def on_event(event: Event) -> None:
        for observer in wanted:
            observer(event)

    return on_event if wanted else None


def _report(text: str) -> None:
    """Write a line to the standard error stream, if there is one that can be written."""
    with suppress(OSError, ValueError):  # ValueError: it was closed
        print(text, file=sys.stderr, flush=True)


def _announce(
    stream: TextIO | None,
    host: str,
    port: int,
    secret: str | None,
    url: PublicURL | None = None,
    metrics_url: str | None = None,
) -> None:
    write_out(stream, _greeting(host, port, secret, url, metrics_url))


def _greeting(host: str, port: int, secret: str | None, url: PublicURL | None, metrics_url: str | None) -> str:
    text = ""
    if secret is not None:
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
        site = PublicURL("http", f"{_url_host(reachable)}:{port}", "") if url is None else url
        project = f"{site.host}{site.prefix}{API_PREFIX}/projects/{PROJECT}/packages/pypi"
        text = (
            "The first token, shown only this once:\n\n"
            f"{secret}\n\n"
            "Publish:\n\n"
            f"twine upload --repository-url {site.scheme}://{project} --username {USER} --password {secret} dist/*\n\n"
            "Install:\n\n"
            f"pip install --index-url {site.scheme}://{USER}:{secret}@{project}/simple {EXAMPLE}\n\n"
        )
    if url is not None:
        text += f"Clients use {url}/\n"
    if metrics_url is not None:
        text += f"Metrics on {metrics_url}\n"
    return f"{text}Serving on http://{_url_host(host)}:{port}{API_PREFIX}/\n"


def _url_host(host: str) -> str:
    return f"[{host}]" if ":" in host else host
