"""An app with the endpoints of OAuth 2, alice, and a service account."""

import base64
import secrets
from urllib.parse import urlencode

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, current_principal, current_user, requires_login, requires_permissions
from flask_permjwt.accounts.passwords import Passwords

PASSWORD = "correct horse battery staple"
SECRET = secrets.token_urlsafe(64)
FORM = "application/x-www-form-urlencoded"


class Api:
    """One machine that serves the app, and how its endpoints are asked."""

    def __init__(self, clock, steady, url="sqlite://", **settings):
        self.clock = clock
        self.app = app = Flask("oauth")
        app.config.update(TESTING=True, SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=url)
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        self.db = SQLAlchemy(app)
        self.permjwt = PermJWT(app, db=self.db, clock=clock, monotonic=steady)
        self.users, self.clients = self.permjwt.users, self.permjwt.clients
        self.state = app.extensions["permjwt"]
        app.register_blueprint(self.permjwt.auth_blueprint, url_prefix="/auth")
        app.register_blueprint(self.permjwt.well_known_blueprint)

        @app.get("/reports")
        @requires_permissions("reports:read")
        def reports():
            return {"user": current_user.username if current_user else None, "client": current_principal.client_id}

        @app.get("/jobs")
        @requires_permissions("jobs:run")
        def jobs():
            return {}

        @app.get("/private")
        @requires_login
        def private():
            return {"permissions": sorted(current_principal.permissions)}

    def within(self, work):
        """Do something in an app context and commit it."""
        with self.app.app_context():
            result = work()
            self.db.session.commit()
            return result

    def populate(self):
        with self.app.app_context():
            self.db.create_all()
            self.users.create("Alice", PASSWORD, permissions=["reports:read", "jobs:*"])
            self.users.create("root", PASSWORD, permissions=["permjwt:introspect"])
            made = self.clients.create("Nightly job", ["reports:read", "jobs:*"])
            self.client_id, self.secret = made.client.client_id, made.secret
            self.db.session.commit()
        return self

    def client(self, name="nightly job"):
        return self.clients.find(name)

    def post(self, path, basic=None, headers=None, **parameters):
        """Post a form; ``basic`` is a pair, or the text to encode."""
        headers = dict(headers or {})
        if basic is not None:
            text = (
                basic
                if isinstance(basic, bytes)
                else (basic if isinstance(basic, str) else ":".join(basic)).encode()
            )
            headers["Authorization"] = f"Basic {base64.b64encode(text).decode()}"
        return self.app.test_client().post(path, data=urlencode(parameters), content_type=FORM, headers=headers)

    def token(self, basic=None, **parameters):
        return self.post("/auth/token", basic, **parameters)

    def password(self, **parameters):
        return self.token(grant_type="password", **{"username": "alice", "password": PASSWORD, **parameters})

    def refresh(self, token, **parameters):
        return self.token(grant_type="refresh_token", refresh_token=token, **parameters)

    def credentials(self, **parameters):
        return self.token((self.client_id, self.secret), grant_type="client_credentials", **parameters)

    def get(self, path, token):
        return self.app.test_client().get(path, headers={"Authorization": f"Bearer {token}"})

    def status(self, token, path="/reports"):
        return self.get(path, token).status_code

    def introspect(self, token, **parameters):
        root = self.app.test_client().post("/auth/login", json={"username": "root", "password": PASSWORD})
        bearer = {"Authorization": f"Bearer {root.json['access_token']}"}
        return self.post("/auth/introspect", headers=bearer, token=token, **parameters)

    def close(self):
        with self.app.app_context():
            self.db.session.remove()
            for engine in self.db.engines.values():
                engine.dispose()


@pytest.fixture
def make_api(fake_clock, steady, monkeypatch, make_database_url):
    """It asks for ``make_database_url`` so that connections are closed before databases are dropped."""
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    made = []

    def make(url="sqlite://", *, populate=True, **settings):
        api = Api(fake_clock, steady, url, **settings)
        made.append(api)
        return api.populate() if populate else api

    yield make
    for api in made:
        api.close()


@pytest.fixture
def api(make_api):
    return make_api()


@pytest.fixture
def fleet(make_api, make_database_url):
    """Two machines over one database."""
    url = make_database_url("sqlite")
    first, second = make_api(url), make_api(url, populate=False)
    second.client_id, second.secret = first.client_id, first.secret
    return first, second
