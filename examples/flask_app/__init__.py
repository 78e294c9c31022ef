"""A Flask application with its own users, projects and groups, and a registry of Python packages for them."""

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask import Flask, abort, redirect, render_template_string, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.security import check_password_hash, generate_password_hash

from pypi_registry import Registry
from pypi_registry.accounts import token_digest
from pypi_registry.stores.files import FileBlobs
from pypi_registry.stores.sqlite import SQLiteCatalogue

from .models import Base, Group, Membership, Project, Token, User
from .packages import OurProjects, OurUsers

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MOUNT = "/api/v4"


def create_app(instance_path: str | None = None) -> Flask:
    """Create the application. Its database and the packages are in the instance folder."""
    app = Flask(__name__, instance_path=instance_path)
    app.config.from_mapping(SESSION_COOKIE_SAMESITE="Lax")  # other sites cannot sign a user in or create tokens
    app.config.from_prefixed_env()  # FLASK_SECRET_KEY
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{folder / 'application.sqlite3'}")
    Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    app.extensions["sessions"] = sessions
    add_pages(app, sessions)
    add_commands(app, sessions)
    mount_registry(app, sessions, folder)
    return app


def mount_registry(app: Flask, sessions: sessionmaker[Session], folder: Path) -> None:
    """Mount the registry at ``/api/v4``. Paths that it does not know stay routes of the application."""
    application = app.wsgi_app

    def fallback(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = environ["SCRIPT_NAME"].removesuffix(MOUNT)  # our routes begin at our root
        environ["PATH_INFO"] = MOUNT + environ["PATH_INFO"]
        return application(environ, start_response)

    registry = Registry(
        directory=OurProjects(sessions),
        auth=OurUsers(app, sessions),
        catalogue=SQLiteCatalogue(folder / "catalogue.sqlite3"),
        blobs=FileBlobs(folder / "files"),
        fallback=fallback,
    )
    app.wsgi_app = DispatcherMiddleware(application, {MOUNT: registry})  # type: ignore[method-assign]  # Flask's way


_PAGE = """<!DOCTYPE html>
<title>Our projects</title>
<h1>Our projects</h1>
<ul>{% for project in projects %}<li><a href="{{ api }}/projects/{{ project.id }}/packages">{{ project.path }}</a>
{% endfor %}</ul>
{% if secret %}<p>Your new token, shown this once: <code>{{ secret }}</code></p>{% endif %}
{% if user %}
<form method="post" action="{{ url_for('create_token') }}"><button>Create a token</button></form>
<form method="post" action="{{ url_for('sign_out') }}"><button>Sign {{ user.name }} out</button></form>
{% else %}
<form method="post" action="{{ url_for('sign_in') }}">
<input name="name" placeholder="name"><input name="password" type="password"><button>Sign in</button></form>
{% endif %}
"""


def add_pages(app: Flask, sessions: sessionmaker[Session]) -> None:
    def home_page(secret: str = "") -> str:
        with sessions() as database:
            user = database.get(User, session.get("user", 0))
            groups = [membership.group.path for membership in user.memberships] if user else []
            projects = [
                project
                for project in database.scalars(select(Project))
                if project.public or any(project.path.startswith(f"{path}/") for path in groups)
            ]
            api = request.root_path + MOUNT
            return render_template_string(_PAGE, user=user, projects=projects, secret=secret, api=api)

    @app.get("/")
    def home() -> str:
        return home_page()

    @app.get(f"{MOUNT}/version")
    def version() -> ResponseReturnValue:
        return {"version": "our application"}

    @app.post("/sign-in")
    def sign_in() -> ResponseReturnValue:
        with sessions() as database:
            user = database.scalar(select(User).where(User.name == request.form.get("name", "")))
            if user is None or not check_password_hash(user.password_hash, request.form.get("password", "")):
                abort(403)
            session.clear()
            session["user"] = user.id
        return redirect(url_for("home"))

    @app.post("/sign-out")
    def sign_out() -> ResponseReturnValue:
        session.clear()
        return redirect(url_for("home"))

    @app.post("/tokens")
    def create_token() -> str:
        with sessions.begin() as database:
            user = database.get(User, session.get("user", 0)) or abort(403)
            secret = new_token(database, user)
        return home_page(secret)


def new_token(database: Session, user: User) -> str:
    """Create a token and return its secret. Only a digest is stored: a long random secret cannot be guessed from it."""
    secret = secrets.token_urlsafe(30)
    database.add(Token(sha256=token_digest(secret), user_id=user.id))
    return secret


def add_commands(app: Flask, sessions: sessionmaker[Session]) -> None:
    @app.cli.command("demo")
    def demo() -> None:
        """Create a group with two projects, and Ada, who publishes there. A second call gives her a new password."""
        password = secrets.token_urlsafe(9)
        with sessions.begin() as database:
            ada = database.scalar(select(User).where(User.name == "ada"))
            if ada is None:
                acme = Group(path="acme")
                ada = User(name="ada", memberships=[Membership(group=acme, publishes=True)])
                database.add_all([ada, Project(path="acme/tools"), Project(path="acme/open", public=True)])
            ada.password_hash = generate_password_hash(password)
            database.flush()
            secret = new_token(database, ada)
        click.echo(f"Ada signs in with the password {password}, and publishes with the token {secret}")
