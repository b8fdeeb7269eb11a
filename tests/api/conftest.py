"""The whole extension behind a test client: SQLite in memory, fast hashes, a clock that is passed in."""

import re
import secrets
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, current_user, requires_permissions
from flask_permjwt.accounts.passwords import Passwords

PASSWORD = "correct horse battery staple"


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


class Mailbox:
    """A mailer that keeps what is sent."""

    def __init__(self):
        self.messages = []

    def send(self, message):
        self.messages.append(message)

    def code(self, to=None):
        """Return the code in the last mail (to an address)."""
        texts = [one.text for one in self.messages if to is None or one.to == to]
        return re.search(r"[A-Za-z0-9_-]{43}", texts[-1])[0]


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def make_api(clock, monkeypatch) -> Iterator:
    """Build an app with alice, who may read reports, and the blueprint under /auth."""
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    apps = []

    def make(prefix="/auth", mailer=None, password_check=None, **settings):
        app = Flask(__name__)
        app.config.update(TESTING=True, SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        db = SQLAlchemy(app)
        permjwt = PermJWT(app, db=db, clock=clock, mailer=mailer, password_check=password_check)
        app.register_blueprint(permjwt.auth_blueprint, url_prefix=prefix)
        app.extensions["test_permjwt"] = permjwt

        @app.route("/reports", methods=["GET", "POST"])
        @requires_permissions("reports:read")
        def reports():
            return {"you": current_user.username}

        with app.app_context():
            db.create_all()
            permjwt.users.create("Alice", PASSWORD, email="Alice@Example.com", permissions=["reports:read"])
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
def api(make_api):
    return make_api()


@pytest.fixture
def client(api):
    return api.test_client()


@pytest.fixture
def log_in():
    """Log alice in and return the answer."""

    def call(client, delivery="header", prefix="/auth", **options):
        body = {"username": "alice", "password": PASSWORD, "delivery": delivery}
        return client.post(f"{prefix}/login", json=body, **options)

    return call


@pytest.fixture
def bearer():
    return lambda token: {"Authorization": f"Bearer {token}"}


@pytest.fixture
def cookies():
    """Read the cookies that an answer sets, by name, with their attributes."""

    def read(answer):
        found = {}
        for line in answer.headers.getlist("Set-Cookie"):
            first, *rest = line.split("; ")
            name, _, value = first.partition("=")
            attributes = {part.partition("=")[0]: part.partition("=")[2] for part in rest}
            found[name] = {"value": value, **attributes}
        return found

    return read
