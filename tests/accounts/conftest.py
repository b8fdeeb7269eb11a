"""A world to test accounts in: an app with a database, the store, sessions and the use-cases."""

import secrets
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt.accounts.audit import Origin, Recorder
from flask_permjwt.accounts.codes import Codes
from flask_permjwt.accounts.identities import Identities
from flask_permjwt.accounts.issuing import TokenIssuer
from flask_permjwt.accounts.models import Models, build_models
from flask_permjwt.accounts.password_rules import PasswordRules
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.proofs import Limits, PasswordProofs
from flask_permjwt.accounts.self_service import Lifetimes, SelfService
from flask_permjwt.accounts.service import Accounts
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.accounts.throttle import Throttle
from flask_permjwt.tokens.codec import TokenCodec, TokenType
from flask_permjwt.tokens.keys import KeyRing, hmac_key

PASSWORD = "correct horse battery staple"


@dataclass
class World:
    """Everything of one app; ``again()`` is what another worker of the same app would have."""

    app: Flask
    db: SQLAlchemy
    models: Models
    passwords: Passwords
    users: SQLUserStore[Any]
    sessions: Sessions
    codec: TokenCodec
    accounts: Accounts
    codes: Codes
    recorder: Recorder
    throttle: Throttle
    self_service: SelfService
    letters: Any
    clock: Any

    def log_in(self, name="alice", password=PASSWORD, **options):
        with self.accounts.transaction():
            return self.accounts.log_in(name, password, **{"bind_csrf": False, **options})

    def refresh(self, refresh_token, **options):
        token = self.verified(refresh_token)
        with self.accounts.transaction():
            return self.accounts.refresh(token, **{"bind_csrf": False, **options})

    def log_out(self, text):
        with self.accounts.transaction():
            self.accounts.log_out(self.verified(text))

    def verified(self, text):
        return self.codec.decode(text, *TokenType, now=self.clock())

    def row(self, session_id):
        return self.db.session.get(self.models.session, session_id, populate_existing=True)


class Letters:
    """Keep what would be posted."""

    def __init__(self):
        self.sent = []
        self.thrown_away = []

    def send(self, kind, to, **values):
        (self.sent if to is not None else self.thrown_away).append((kind, to, values))

    def token(self, kind):
        return [values["token"] for one, _, values in self.sent if one == kind][-1]


@pytest.fixture
def make_world(fake_clock, fast_passwords, make_database_url):
    """Build a world on a database; its tables are made, its context is pushed, its connections closed.

    It asks for ``make_database_url`` so that connections are closed before databases are dropped.
    """
    made = []

    def make(url, *, db=None, user_model=None, passwords=None, create=True, **options):
        db = db or SQLAlchemy()
        models = build_models(db, user_model)
        app = Flask("world")
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options.pop("engine_options", {})
        db.init_app(app)
        passwords = passwords or fast_passwords
        recorder = Recorder(
            db, models.audit, clock=fake_clock, origin=lambda: Origin(app, None, "192.0.2.1", "tests", audit=True)
        )
        users = SQLUserStore(db, models, passwords, clock=fake_clock, recorder=recorder)
        sessions, codes, letters = Sessions(db, models), Codes(db, models), Letters()
        codec = TokenCodec(KeyRing(hmac_key(secrets.token_bytes(32), "HS256")))
        access_lifetime, csrf_secret = options.pop("access_lifetime", 900), options.pop("csrf_secret", b"c" * 32)
        limits = options.pop("limits", Limits())
        verified = {"require_verified": options.get("require_verified", False)}
        throttle = Throttle(enabled=options.pop("throttled", True))
        proofs = PasswordProofs(sessions, passwords, throttle, recorder, limits=limits, **verified)
        issuer = TokenIssuer(codec, access_lifetime=access_lifetime, csrf_secret=csrf_secret)
        accounts = Accounts(
            users,
            sessions,
            issuer,
            passwords,
            proofs,
            recorder,
            clock=fake_clock,
            **{"session_lifetime": 30 * 86400, **options},
        )
        self_service = SelfService(
            db,
            users,
            sessions,
            codes,
            proofs,
            PasswordRules(),
            throttle,
            recorder,
            letters,
            Identities(db, models, users, recorder=recorder, clock=fake_clock),
            limits=limits,
            lifetimes=Lifetimes(),
            clock=fake_clock,
            **verified,
        )
        context = app.app_context()
        context.push()
        if create:
            db.create_all()
        made.append((db, context))
        return World(
            app,
            db,
            models,
            passwords,
            users,
            sessions,
            codec,
            accounts,
            codes,
            recorder,
            throttle,
            self_service,
            letters,
            fake_clock,
        )

    yield make
    for db, context in reversed(made):
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()
        context.pop()


@pytest.fixture
def world(make_world, database_url):
    """A world on each kind of database."""
    return make_world(database_url)


@pytest.fixture
def sqlite_world(make_world, make_database_url):
    """A world on SQLite, for laws that no other database can break."""
    return make_world(make_database_url("sqlite"))


@pytest.fixture
def alice(world):
    user = world.users.create("Alice", PASSWORD, email="Alice@Example.com")
    world.db.session.commit()
    return user
