"""From a registration to a new password, over a real SMTP server: what people do with the mails they get."""

import re
import secrets

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask_mailman import Mail
from flask_mailman.utils import DNS_NAME
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.mail import MailmanMailer

PASSWORD = "correct horse battery staple"
BOB = {"username": "bob", "password": PASSWORD}


@pytest.fixture
def permjwt_and_client(smtp_server, monkeypatch):
    # Flask-Mailman looks its own host name up in the DNS, which may take seconds.
    monkeypatch.setattr(DNS_NAME, "_fqdn", "localhost", raising=False)
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    app = Flask(__name__)  # not under test: mails go out in their thread
    app.config.update(
        SECRET_KEY=secrets.token_urlsafe(64),
        SQLALCHEMY_DATABASE_URI="sqlite://",
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=smtp_server.port,
        MAIL_DEFAULT_SENDER="app@example.com",
        MAIL_BACKEND="smtp",
        PERMJWT_REGISTRATION=True,
        PERMJWT_REQUIRE_VERIFIED=True,
        PERMJWT_RESET_URL="https://app.example.com/reset?token={token}",
    )
    Mail(app)
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db, mailer=MailmanMailer())
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    with app.app_context():
        db.create_all()
    yield permjwt, app.test_client()
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_somebody_registers_verifies_forgets_and_resets(permjwt_and_client, smtp_server):
    permjwt, client = permjwt_and_client

    def last_mail(count):
        assert permjwt._shared.outbox.flush()
        assert len(smtp_server.mails) == count
        return smtp_server.mails[-1]

    assert client.post("/auth/register", json={**BOB, "email": "Bob@Example.com"}).status_code == 201
    mail = last_mail(1)
    assert (mail["To"], mail["From"], mail["Auto-Submitted"]) == (
        "Bob@Example.com",
        "app@example.com",
        "auto-generated",
    )
    assert client.post("/auth/login", json=BOB).status_code == 403
    code = re.search(r"[A-Za-z0-9_-]{43}", mail.get_content())[0]
    assert client.post("/auth/verify", json={"token": code}).status_code == 204
    assert client.post("/auth/login", json=BOB).status_code == 200

    other = {"username": "eve", "password": PASSWORD, "email": "bob@example.com"}
    assert client.post("/auth/register", json=other).status_code == 201
    assert "bob" in last_mail(2).get_content()
    assert smtp_server.recipients == [["Bob@Example.com"]] * 2

    assert client.post("/auth/password/forgot", json={"email": "nobody@example.com"}).status_code == 202
    assert client.post("/auth/password/forgot", json={"email": "bob@example.com"}).status_code == 202
    link = re.search(r"https://app\.example\.com/reset\?token=(\S+)", last_mail(3).get_content())
    body = {"token": link[1], "new_password": "another good long password"}
    assert client.post("/auth/password/reset", json=body).status_code == 204
    assert "password of your account was changed" in last_mail(4).get_content()
    assert client.post("/auth/login", json=BOB).status_code == 401
    assert client.post("/auth/login", json={**BOB, "password": body["new_password"]}).status_code == 200
