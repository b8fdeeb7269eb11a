"""Apps whose database is not there, and apps with users."""

import secrets

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT

SECRET = secrets.token_urlsafe(64)


@pytest.fixture
def make_app():
    made = []

    def make(uri="sqlite://", *, app=None, clock=None, tables=False, **settings):
        app = app or Flask("an_app", static_folder=None)
        app.config.update(TESTING=True, SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=uri)
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        db = SQLAlchemy(app)
        permjwt = PermJWT(app, db=db, **({"clock": clock} if clock else {}))
        app.extensions["test_permjwt"] = permjwt
        made.append((app, db))
        if tables:
            with app.app_context():
                db.create_all()
        return app

    yield make
    for app, db in made:
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def nowhere():
    """The address of a database that nobody can open."""
    return "sqlite:////no/such/folder/app.db"
