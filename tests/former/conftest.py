"""Tokens of the released Flask-JWT-Extended, and apps that came from there."""

import secrets
import time
from contextlib import contextmanager

import flask_jwt_extended as fje
import pytest
from flask import Flask, jsonify
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, current_principal, current_user, requires_login, requires_permissions

SECRET = secrets.token_urlsafe(48)


class Clock:
    """The time, and how far a test has gone on."""

    def __init__(self):
        self.ahead = 0

    def __call__(self):
        return time.time() + self.ahead


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def former():
    """Return a function that issues as an app with Flask-JWT-Extended did: ``former("access", "alice")``."""

    def issue(kind, identity, *, expires=None, config=None, **options):
        app = Flask("the_former_app")
        app.config.update({"JWT_SECRET_KEY": SECRET, **(config or {})})
        fje.JWTManager(app)
        make = fje.create_access_token if kind == "access" else fje.create_refresh_token
        with app.test_request_context():
            return make(identity=identity, expires_delta=expires, **options)

    return issue


@pytest.fixture
def make_app(tmp_path, clock):
    made = []

    def make(uri=None, *, user_model=None, store=None, accept=True, **config):
        app = Flask("an_app", static_folder=None)
        app.config.update(
            TESTING=True,
            SECRET_KEY=secrets.token_urlsafe(64),
            SQLALCHEMY_DATABASE_URI=uri or f"sqlite:///{tmp_path}/app.db",
            JWT_SECRET_KEY=SECRET,
            PERMJWT_REVOCATION_INTERVAL=0,
        )
        if accept is not None:
            app.config["PERMJWT_ACCEPT_FLASK_JWT_EXTENDED"] = accept
        app.config.update(config)
        db = SQLAlchemy(app)
        model = None if user_model is None else user_model(db)
        permjwt = PermJWT(app, db=db, user_model=model, user_store=store, clock=clock)
        app.extensions["test_permjwt"] = permjwt
        app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
        made.append((app, db))

        @app.route("/me", methods=["GET", "POST"])
        @requires_login
        def me():
            return jsonify(user=current_user.username, session=current_principal.session_id)

        @app.get("/reports")
        @requires_permissions("reports:read")
        def reports():
            return ""

        @app.get("/fresh")
        @requires_login(fresh=300)
        def fresh():
            return ""

        with app.app_context():
            db.create_all()
            if store is None:
                permjwt.users.create(
                    "alice", password="correct horse", email="a@example.com", permissions=["reports:*"]
                )
                permjwt.users.create("bob")
                permjwt.users.commit()
        return app

    yield make
    for app, db in made:
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def app(make_app):
    return make_app()


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def users(app):
    """Change users: ``with users() as store``."""

    @contextmanager
    def change():
        with app.app_context():
            store = app.extensions["test_permjwt"].users
            yield store
            store.commit()

    return change


@pytest.fixture
def bearer():
    return lambda token: {"headers": {"Authorization": f"Bearer {token}"}}
