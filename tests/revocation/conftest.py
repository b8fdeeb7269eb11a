"""Several machines over one database, in one process: each an app with its own engine, clock and memory."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event

from flask_permjwt import (
    PermJWT,
    current_principal,
    current_user,
    has_permissions,
    public,
    requires_login,
    requires_permissions,
)
from flask_permjwt.accounts.passwords import Passwords

PASSWORD = "correct horse battery staple"
SECRET = secrets.token_urlsafe(64)


class Machine:
    """One of several that serve the same app."""

    def __init__(self, url, clock, steady, **settings):
        self.db = SQLAlchemy()
        self.app = app = Flask("machine")
        app.config.update(TESTING=True, SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=url)
        app.config.update(PERMJWT_RATELIMIT_ENABLED=False)
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        self.db.init_app(app)
        self.permjwt = PermJWT(app, db=self.db, clock=clock, monotonic=steady)
        self.users = self.permjwt.users
        self.state = app.extensions["permjwt"]
        app.register_blueprint(self.permjwt.auth_blueprint, url_prefix="/auth")

        @app.get("/reports")
        @requires_permissions("reports:read")
        def reports():
            return {"roles": sorted(current_principal.roles)}

        @app.get("/private")
        @requires_login
        def private():
            return {}

        @app.get("/open")
        @public(reason="shows what is known")
        def open_():
            return {"may": has_permissions("reports:read"), "who": current_principal.subject}

        @app.get("/away")
        @requires_login
        def away():
            self.users.void_tokens(current_user)
            self.db.session.commit()
            return {}

    def within(self, work):
        """Do something in an app context and commit it."""
        with self.app.app_context():
            result = work()
            self.db.session.commit()
            return result

    def change(self, method, name, *arguments, **options):
        """Change a user through the store, by name."""
        self.within(lambda: getattr(self.users, method)(self.users.find(name), *arguments, **options))

    def log_in(self, name="alice", **body):
        answer = self.app.test_client().post("/auth/login", json={"username": name, "password": PASSWORD, **body})
        assert answer.status_code == 200, answer.text
        return Login(**{name: answer.json.get(name) for name in ("access_token", "refresh_token")})

    def get(self, path, login, **options):
        return self.app.test_client().get(
            path, headers={"Authorization": f"Bearer {login.access_token}"}, **options
        )

    def post(self, path, login, **options):
        return self.app.test_client().post(
            path, headers={"Authorization": f"Bearer {login.access_token}"}, **options
        )

    def status(self, login, path="/reports"):
        return self.get(path, login).status_code

    def close(self):
        with self.app.app_context():
            self.db.session.remove()
            for engine in self.db.engines.values():
                engine.dispose()


class Login:
    def __init__(self, access_token, refresh_token):
        self.access_token, self.refresh_token = access_token, refresh_token


@pytest.fixture
def make_machine(fake_clock, steady, monkeypatch, make_database_url) -> Iterator:
    """It asks for ``make_database_url`` so that connections are closed before databases are dropped."""
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    made = []

    def make(url, **settings):
        made.append(Machine(url, fake_clock, steady, **settings))
        return made[-1]

    yield make
    for machine in made:
        machine.close()


def populate(machine):
    with machine.app.app_context():
        machine.db.create_all()
        users = machine.users
        users.create_role("reader", "reports:read")
        users.create("alice", PASSWORD, permissions=["reports:read"])
        users.create("bob", PASSWORD, roles=["reader"])
        users.create("root", PASSWORD, permissions=["permjwt:sessions:manage"])
        machine.db.session.commit()


@pytest.fixture
def fleet(make_machine, database_url):
    """Three machines over one database of each kind."""
    machines = [make_machine(database_url) for _ in range(3)]
    populate(machines[0])
    return machines


@pytest.fixture
def pair(make_machine, make_database_url):
    """Two machines over SQLite, with settings of one's choice."""

    def make(kind="sqlite", **settings):
        url = make_database_url(kind)
        machines = [make_machine(url, **settings) for _ in range(2)]
        populate(machines[0])
        return machines

    return make


@pytest.fixture
def statements():
    """Note what one machine asks its database for."""

    @contextmanager
    def noting(machine):
        seen = []

        def note(_connection, _cursor, statement, *_):
            seen.append(statement)

        with machine.app.app_context():
            engine = machine.db.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return noting
