"""Apps for the web floor: real extension, SQLite in memory, tokens minted with the app's own codec."""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT
from flask_permjwt.tokens.codec import TokenType
from flask_permjwt.web.state import app_state

SECRET = secrets.token_urlsafe(64)


@pytest.fixture
def make_app() -> Iterator[Callable[..., Flask]]:
    """Build an app with the extension; settings as keywords, without their prefix."""
    apps: list[tuple[Flask, SQLAlchemy]] = []

    def make(*, clock: Any = None, **settings: Any) -> Flask:
        app = Flask(__name__, static_folder=None)
        app.config.update(TESTING=True, SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI="sqlite://")
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        db = SQLAlchemy(app)
        permjwt = PermJWT(app, db=db, **({"clock": clock} if clock else {}))
        app.extensions["test_permjwt"] = permjwt
        apps.append((app, db))
        with app.app_context():
            db.create_all()
        return app

    yield make
    for app, db in apps:
        with app.app_context():
            db.session.remove()
            for engine in db.engines.values():
                engine.dispose()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def token() -> Callable[..., str]:
    """Mint a token for an app: ``token(app, "reports:read")``."""

    def mint(app: Flask, *permissions: str, kind: TokenType = TokenType.ACCESS, **claims: Any) -> str:
        state = app_state(app)
        now = int(state.clock())
        base = {"sub": "ab" * 16, "iat": now, "exp": now + 60, "jti": secrets.token_hex(16), "sid": "c" * 32}
        return state.codec.encode(kind, {**base, "ver": 1, "roles": [], **claims}, permissions)

    return mint


@pytest.fixture
def bearer(token: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """Return the keyword arguments of a test client's call with a token."""

    def call(app: Flask, *permissions: str, **claims: Any) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {token(app, *permissions, **claims)}"}}

    return call


@pytest.fixture
def guarded_by(bearer: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    """Assert that a path is closed without the permission and open with it."""

    def check(app: Flask, path: str, permission: str, method: str = "GET") -> None:
        client: FlaskClient = app.test_client()
        assert client.open(path, method=method).status_code == 401
        assert client.open(path, method=method, **bearer(app, "another:one")).status_code == 403
        assert client.open(path, method=method, **bearer(app, permission)).status_code == 200

    return check
