"""Flask alone: what everything is added to, and what refusals cost without any library."""

from collections.abc import Iterator

from flask import Flask, Response, abort
from flask_sqlalchemy import SQLAlchemy

from benchmarks.apps.common import hello, make_app
from benchmarks.case import Case, Exchange, Place


def make() -> Flask:
    """Make an app without any extension."""
    app = make_app("plain")
    app.add_url_rule("/hello", "hello", hello)

    @app.get("/refused")
    def refused() -> None:
        abort(401)

    return app


def make_closed() -> Flask:
    """Make an app that is closed before any view is reached, with an answer that is ready."""
    app = make_app("closed")

    @app.before_request
    def close() -> Response:
        return Response('{"error":"closed"}\n', 401, content_type="application/json")

    return app


def make_with_sqlalchemy(place: Place) -> Flask:
    """Make an app with Flask-SQLAlchemy, which this library needs and which has work to do after every request."""
    app = make_app("sqlalchemy", SQLALCHEMY_DATABASE_URI=place.sqlite("sqlalchemy"))
    SQLAlchemy(app)
    return app


def cases(place: Place) -> Iterator[Case]:
    """Measure it against itself, which shows the noise, and two ways to refuse."""
    app = make()
    bare = Exchange.to(app, "/bare")
    yield Case("flask/itself", "another bare route (shows the noise)", Exchange.to(app, "/hello"), bare)
    yield Case("flask/refusal", "abort(401)", Exchange.to(app, "/refused", status=401), bare)
    with_database = Exchange.to(make_with_sqlalchemy(place), "/bare")
    yield Case("flask/sqlalchemy", "with Flask-SQLAlchemy, its bare route", with_database, bare)
    closed = Exchange.to(make_closed(), "/bare", status=401)
    yield Case("flask/closed", "a before-request function that answers 401", closed, bare)
