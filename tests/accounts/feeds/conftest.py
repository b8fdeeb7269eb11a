"""Feeds on real databases, and changes that are committed late."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from hypothesis import settings
from sqlalchemy import insert
from sqlalchemy.orm import Session

from flask_permjwt.accounts.changes import _row
from flask_permjwt.accounts.models import build_models

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")


class Place:
    """A database with the table of changes, and its app's context."""

    def __init__(self, url):
        self.db = SQLAlchemy()
        self.model = build_models(self.db, users=False).change
        app = Flask("place")
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        self.db.init_app(app)
        self.context = app.app_context()
        self.context.push()
        self.db.create_all()
        self.open = []

    def begin(self, *changes):
        """Write changes in a transaction of their own; return what commits it."""
        session = Session(self.db.engine)
        self.open.append(session)
        session.execute(insert(self.model.__table__), [_row(one) for one in changes])
        return session.commit

    def close(self):
        for session in self.open:
            session.close()
        self.db.session.remove()
        self.db.engine.dispose()
        self.context.pop()


@pytest.fixture
def make_place(make_database_url) -> Iterator:
    places = []

    def make(kind):
        places.append(Place("sqlite://" if kind == "memory" else make_database_url(kind)))
        return places[-1]

    yield make
    for place in places:
        place.close()


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def place(request, make_place):
    return make_place(request.param)
