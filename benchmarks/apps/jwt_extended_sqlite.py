"""Flask-JWT-Extended with its documented user loader and blocklist, on SQLite.

https://flask-jwt-extended.readthedocs.io/en/stable/automatic_user_loading.html
https://flask-jwt-extended.readthedocs.io/en/stable/blocklist_and_token_revoking.html#database
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Flask
from flask_jwt_extended import JWTManager
from flask_sqlalchemy import SQLAlchemy

from benchmarks.apps.common import NEEDED, bearer, hello, make_app, over_bare
from benchmarks.apps.jwt_extended import ACCESS_EXPIRES, permission_required, token_of
from benchmarks.case import Case, Environ, Place

REVOKED = 1000


def make(place: Place, name: str) -> tuple[Flask, str]:
    """Make an app with a user and a blocklist, and a token."""
    app = make_app(
        name, JWT_ACCESS_TOKEN_EXPIRES=ACCESS_EXPIRES, SQLALCHEMY_DATABASE_URI=place.sqlite(f"{name}-store")
    )
    jwt, db = JWTManager(app), SQLAlchemy(app)

    class User(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        username = db.Column(db.Text, nullable=False, unique=True)
        full_name = db.Column(db.Text, nullable=False)

    class TokenBlocklist(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        jti = db.Column(db.String(36), nullable=False, index=True)
        created_at = db.Column(db.DateTime, nullable=False)

    @jwt.user_identity_loader
    def user_identity_lookup(user: User) -> str:
        return str(user.id)

    @jwt.user_lookup_loader
    def user_lookup_callback(_jwt_header: dict[str, Any], jwt_data: dict[str, Any]) -> User | None:
        identity = jwt_data["sub"]
        return User.query.filter_by(id=identity).one_or_none()

    @jwt.token_in_blocklist_loader
    def check_if_token_revoked(_jwt_header: dict[str, Any], jwt_payload: dict[str, Any]) -> bool:
        jti = jwt_payload["jti"]
        token = db.session.query(TokenBlocklist.id).filter_by(jti=jti).scalar()
        return token is not None

    app.add_url_rule("/reports", "reports", permission_required(NEEDED)(hello))
    with app.app_context():
        db.create_all()
        alice = User(username="alice", full_name="Alice Liddell")
        db.session.add(alice)
        now = datetime.now(UTC)
        db.session.add_all(TokenBlocklist(jti=f"{number:036}", created_at=now) for number in range(REVOKED))
        db.session.commit()
        token = token_of(app, alice)
        place.closing.callback(db.engine.dispose)
    return app, token


def cases(place: Place) -> Iterator[Case]:
    """Measure both together, with the permissions decorator."""
    app, token = make(place, "jwt-extended-sqlite")
    label = "permissions decorator, user loader and blocklist on SQLite"
    yield over_bare("jwt-extended/sqlite", label, app, "/reports", bearer(token))


def serve(place: Place) -> tuple[Flask, Environ]:
    """Return the app and the header of a request to /reports, for a server."""
    app, token = make(place, "jwt-extended-sqlite-served")
    return app, bearer(token)
