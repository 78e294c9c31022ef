"""A FastAPI application with routes of its own, and a registry of Python packages under ``/api/v4``."""

import os
from pathlib import Path
from typing import Any

from a2wsgi import WSGIMiddleware
from fastapi import FastAPI

from pypi_registry import Registry
from pypi_registry.accounts import Accounts, ProjectConfig, Role, Token, User
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue


def create_app() -> FastAPI:
    """Create the application; ``TOKEN_SHA256`` is the digest of the only token, which may publish and install."""
    app = FastAPI(title="Our team")

    @app.get("/")
    def home() -> dict[str, str]:
        return {"team": "ours"}

    # FastAPI uses asyncio, and WSGI uses threads: a2wsgi handles each request in one of its worker threads.
    registry: Any = create_registry(Path(os.environ.get("DATA", "data")), os.environ.get("TOKEN_SHA256", ""))
    packages: Any = WSGIMiddleware(
        registry, workers=20
    )  # a2wsgi's types are equivalent to Starlette's, but have different names
    app.mount("/api/v4", packages)
    return app


def create_registry(folder: Path, token_sha256: str) -> Registry:
    """Create a registry with one private project, in which Ada publishes; without a token nobody can publish."""
    tokens = [Token(user="ada", scopes=frozenset({"api"}), sha256=token_sha256)] if token_sha256 else []
    accounts = Accounts(  # or two small classes of your own, with the projects and users of your application
        projects=[ProjectConfig(id=1, path="team/packages")],
        users=[User(name="ada", roles={"team": Role.DEVELOPER})],
        tokens=tokens,
        forwarding=False,  # True redirects clients to PyPI for packages that are not in this registry
    )
    return accounts.registry(
        catalogue=SQLiteCatalogue(folder / "catalogue.sqlite3"),
        blobs=FileBlobs(folder / "files"),
    )
