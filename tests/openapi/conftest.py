"""Apps to document: the whole extension, users in SQLite, and a server where one is asked for."""

import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from werkzeug.serving import make_server

from flask_permjwt import PermJWT, current_user, public, requires_login, requires_permissions
from flask_permjwt.accounts.passwords import Passwords

PASSWORD = "correct horse battery staple"


def _add_views(app: Flask) -> None:

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        """List the reports."""
        return {"you": current_user.username}

    @app.post("/reports/<int:report_id>")
    @requires_permissions("reports:write")
    def write(report_id):
        return {"id": report_id}

    @app.get("/profile")
    @requires_login
    def profile():
        return {"you": current_user.username}

    @app.get("/hello")
    @public(reason="the landing page")
    def hello():
        return {"name": current_app.name}


@pytest.fixture
def add_views() -> Callable[[Flask], None]:
    """Add some views of an app: guarded ones, one for anybody who is logged in, one for everybody."""
    return _add_views


@pytest.fixture
def make_api(monkeypatch, make_database_url) -> Iterator[Callable[..., Flask]]:
    """Build an app with alice; settings as keywords, without their prefix."""
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    apps = []

    def make(
        *,
        build: Callable[[], Flask] = lambda: Flask("reports"),
        on_disk: bool = False,
        mailer=None,
        **settings: Any,
    ) -> Flask:
        app = build()
        app.config.update(TESTING=True, SECRET_KEY=secrets.token_urlsafe(64))
        app.config["SQLALCHEMY_DATABASE_URI"] = make_database_url("sqlite") if on_disk else "sqlite://"
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        db = SQLAlchemy(app)
        permjwt = PermJWT(app, db=db, mailer=mailer)
        app.extensions["test_permjwt"] = permjwt
        with app.app_context():
            db.create_all()
            permjwt.users.create("alice", PASSWORD, permissions=["reports:read"])
            db.session.commit()
        apps.append((app, db))
        return app

    yield make
    for app, db in apps:
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def add_auth() -> Callable[..., None]:
    """Mount the login blueprint; as keywords, what ``register_blueprint`` takes."""

    def add(app: Flask, **options: Any) -> None:
        app.register_blueprint(app.extensions["test_permjwt"].auth_blueprint, **{"url_prefix": "/auth", **options})

    return add


@pytest.fixture
def api(make_api, add_auth) -> Flask:
    """An app with the login blueprint, some views and the pages of the documentation."""
    app = make_api()
    add_auth(app)
    _add_views(app)
    app.register_blueprint(app.extensions["test_permjwt"].docs_blueprint, url_prefix="/docs")
    return app


@pytest.fixture
def document() -> Callable[[Flask], dict[str, Any]]:
    """Return the document of an app."""
    return lambda app: app.extensions["test_permjwt"].openapi(app)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serve an app on localhost, and return its address."""
    servers = []

    def start(app: Any) -> str:
        server = make_server("127.0.0.1", 0, app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://localhost:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()
