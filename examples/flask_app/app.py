"""A Flask application with pages of its own, and a registry of Python packages under ``/api/v4``."""

from pathlib import Path

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, ProjectEntry, Role, Token, User
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue


def create_app(instance_path: str | None = None) -> Flask:
    """Make the application; its packages are kept in the instance folder.

    ``FLASK_TOKEN_SHA256`` is the digest of the one token that may publish and install. Without it nobody may.
    """
    app = Flask(__name__, instance_path=instance_path)
    app.config.from_mapping(TOKEN_SHA256="")
    app.config.from_prefixed_env()

    @app.get("/")
    def home() -> str:
        return "<!DOCTYPE html><title>Our team</title><h1>Our team</h1>"

    registry = create_registry(Path(app.instance_path), app.config["TOKEN_SHA256"])
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/api/v4": registry})  # type: ignore[method-assign]  # Flask's way
    return app


def create_registry(folder: Path, token_sha256: str) -> Registry:
    """Make a registry with one private project, in which Ada publishes."""
    tokens = [Token(user="ada", scopes=frozenset({"api"}), sha256=token_sha256)] if token_sha256 else []
    accounts = Accounts(
        projects=[ProjectEntry(id=1, path="team/packages")],
        users=[User(name="ada", roles={"team": Role.DEVELOPER})],
        tokens=tokens,
        forward_to=False,  # True sends clients to the public PyPI for what is not here
    )
    return Registry(
        directory=accounts,
        auth=accounts,
        catalogue=SQLiteCatalogue(folder / "catalogue.sqlite3"),
        blobs=FileBlobs(folder / "files"),
        forward_to=accounts.forward_to,
        max_file_size=accounts.max_file_size,
    )
