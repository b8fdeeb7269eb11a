"""Flask-Security (Flask-Security-Too) on SQLite, as its documentation shows.

https://flask-security.readthedocs.io/en/stable/quickstart.html#basic-flask-sqlalchemy-application
https://flask-security.readthedocs.io/en/stable/features.html#token-authentication
https://flask-security.readthedocs.io/en/stable/api.html#flask_security.permissions_required
"""

import secrets
from collections.abc import Iterator

from flask import Flask
from flask_security import (
    Security,
    SQLAlchemyUserDatastore,
    auth_token_required,
    hash_password,
    permissions_required,
)
from flask_security.models import fsqla_v3 as fsqla
from flask_sqlalchemy import SQLAlchemy

from benchmarks.apps import plain
from benchmarks.apps.common import NEEDED, hello, make_app
from benchmarks.case import Case, Environ, Exchange, Place


def make(place: Place, name: str) -> tuple[Flask, dict[str, str]]:
    """Make an app with a user and the header of a request that this user makes."""
    app = make_app(
        name,
        SECURITY_PASSWORD_SALT=str(secrets.SystemRandom().getrandbits(128)),
        REMEMBER_COOKIE_SAMESITE="strict",
        SESSION_COOKIE_SAMESITE="strict",
        SQLALCHEMY_DATABASE_URI=place.sqlite(name),
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},
        SQLALCHEMY_TRACK_MODIFICATIONS=False,
    )
    db = SQLAlchemy(app)
    fsqla.FsModels.set_db_info(db)

    class Role(db.Model, fsqla.FsRoleMixin):  # type: ignore[name-defined,misc]
        pass

    class User(db.Model, fsqla.FsUserMixin):  # type: ignore[name-defined,misc]
        pass

    users = SQLAlchemyUserDatastore(db, User, Role)
    app.security = Security(app, users)  # type: ignore[attr-defined]
    app.add_url_rule("/token", "token", auth_token_required(hello))
    app.add_url_rule("/reports", "reports", auth_token_required(permissions_required(NEEDED)(hello)))
    with app.app_context():
        db.create_all()
        role = users.create_role(name="reader", permissions={NEEDED})
        user = users.create_user(email="alice@example.com", password=hash_password("password"), roles=[role])
        db.session.commit()
        token = user.get_auth_token()
        place.closing.callback(db.engine.dispose)
    return app, {"Authentication-Token": token}


def cases(place: Place) -> Iterator[Case]:
    """Measure its decorators, and what it adds to routes that are not protected."""
    app, header = make(place, "flask-security")
    bare, flask_alone = Exchange.to(app, "/bare"), Exchange.to(plain.make(), "/bare")
    yield Case("flask-security/bare", "its bare route, over Flask alone", bare, flask_alone)
    sent = Exchange.to(app, "/bare", header)
    # Protected routes are compared with a bare request that brings no token: with one, the user is read there too.
    yield Case(
        "flask-security/bare-token", "its bare route when a token is sent, over Flask alone", sent, flask_alone
    )
    yield Case("flask-security/token", "@auth_token_required", Exchange.to(app, "/token", header), bare)
    yield Case(
        "flask-security/permissions",
        "@auth_token_required, @permissions_required",
        Exchange.to(app, "/reports", header),
        bare,
    )


def serve(place: Place) -> tuple[Flask, Environ]:
    """Return the app and the header of a request to /reports, for a server."""
    return make(place, "flask-security-served")
