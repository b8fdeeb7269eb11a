"""PermJWT: set up once, with a good key or not at all."""

import base64
import secrets
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

import flask_permjwt
from flask_permjwt import ConfigurationError, PermJWT
from flask_permjwt.tokens.codec import TokenType
from flask_permjwt.web.state import app_state

GOOD = secrets.token_urlsafe(64)


def set_up(**config):
    app = Flask(__name__)
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", **config)
    PermJWT(app, db=SQLAlchemy(app))
    return app


def codec(app):
    return app_state(app).codec


def mint(app):
    claims = {"sub": "a", "jti": "b", "sid": "c", "ver": 1, "iat": 1, "exp": 2}
    return codec(app).encode(TokenType.ACCESS, claims)


def test_without_a_key_the_start_is_refused_with_the_command_that_makes_one():
    with pytest.raises(ConfigurationError, match="token_urlsafe"):
        set_up()


@pytest.mark.parametrize("setting", ["SECRET_KEY", "PERMJWT_SECRET_KEY"])
@pytest.mark.parametrize("key", ["dev", "x" * 31, "a" * 64, "abab" * 20, b"\x00" * 64])
def test_a_short_or_weak_key_is_refused_naming_its_setting(setting, key):
    with pytest.raises(ConfigurationError, match=f"^{setting}: .*token_urlsafe"):
        set_up(**{setting: key})


def test_an_empty_key_of_our_own_is_refused_and_not_replaced_by_the_apps():
    with pytest.raises(ConfigurationError, match="PERMJWT_SECRET_KEY"):
        set_up(PERMJWT_SECRET_KEY="", SECRET_KEY=GOOD)


def test_a_secret_key_of_the_wrong_type_is_refused():
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        set_up(SECRET_KEY=12345678901234567890123456789012345678901234567890)


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_key_has_at_least_the_size_of_its_hash(algorithm, size):
    good = secrets.token_bytes(size)
    set_up(PERMJWT_SECRET_KEY=good, PERMJWT_ALGORITHM=algorithm)
    with pytest.raises(ConfigurationError, match=f"{size} bytes"):
        set_up(PERMJWT_SECRET_KEY=good[:-1], PERMJWT_ALGORITHM=algorithm)
    set_up(SECRET_KEY=GOOD[:32], PERMJWT_ALGORITHM=algorithm)


def public_keys():
    private = [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())]
    private.append(ed25519.Ed25519PrivateKey.generate())
    encodings = serialization.Encoding
    formats = serialization.PublicFormat
    for key in private:
        public = key.public_key()
        yield public.public_bytes(encodings.PEM, formats.SubjectPublicKeyInfo)
        yield public.public_bytes(encodings.DER, formats.SubjectPublicKeyInfo)
        yield public.public_bytes(encodings.OpenSSH, formats.OpenSSH)
        yield key.private_bytes(encodings.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    yield private[0].public_key().public_bytes(encodings.PEM, formats.PKCS1)
    yield private[0].public_key().public_bytes(encodings.DER, formats.PKCS1)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, private[1].public_key(), 1, now, now + timedelta(days=1))
    ).sign(private[1], hashes.SHA256())
    yield certificate.public_bytes(encodings.PEM)
    yield certificate.public_bytes(encodings.DER)
    yield b'{"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx", "e": "AQAB"}'
    yield b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"}]}'


PUBLIC = list(public_keys())


@pytest.mark.parametrize("key", PUBLIC, ids=range(len(PUBLIC)))
@pytest.mark.parametrize(
    "dress",
    [
        bytes,
        lambda key: b"\n  " + key + b"\n",
        lambda key: b"\xef\xbb\xbf" + key,
        base64.b64encode,
        lambda key: base64.b64encode(key).decode(),
        lambda key: base64.urlsafe_b64encode(key).rstrip(b"=").decode(),
    ],
)
@pytest.mark.parametrize("setting", ["SECRET_KEY", "PERMJWT_SECRET_KEY"])
def test_a_public_key_where_a_secret_belongs_stops_the_start_in_any_dress(key, dress, setting):
    with pytest.raises(ConfigurationError, match=setting):
        set_up(**{setting: dress(key)})


def test_one_key_never_does_two_jobs():
    derived, own = set_up(SECRET_KEY=GOOD), set_up(PERMJWT_SECRET_KEY=GOOD)
    assert mint(derived).split(".")[2] != mint(own).split(".")[2]
    same = set_up(SECRET_KEY=GOOD)
    codec(same).verify(mint(derived), TokenType.ACCESS)


def test_the_same_key_for_both_jobs_is_warned_of(caplog):
    set_up(SECRET_KEY=GOOD, PERMJWT_SECRET_KEY=GOOD)
    assert "leave it out" in caplog.text
    assert GOOD not in caplog.text


def test_setting_up_twice_is_refused():
    app = set_up(SECRET_KEY=GOOD)
    with pytest.raises(ConfigurationError, match="already"):
        PermJWT(app, db=app.extensions["sqlalchemy"])


def test_a_wrong_setting_stops_the_start():
    with pytest.raises(ConfigurationError, match="PERMJWT_DEFAULT_DENY"):
        set_up(SECRET_KEY=GOOD, PERMJWT_DEFAULT_DENI=True)
    with pytest.raises(ConfigurationError, match="PERMJWT_PERMISSIONS_CLAIM"):
        set_up(SECRET_KEY=GOOD, PERMJWT_PERMISSIONS_CLAIM="sub")


def test_one_extension_object_serves_several_apps_each_with_its_own_settings():
    db = SQLAlchemy()
    permjwt = PermJWT(db=db)
    apps = []
    for issuer in ("https://one.example", "https://two.example"):
        app = Flask(__name__)
        app.config.update(SECRET_KEY=GOOD, SQLALCHEMY_DATABASE_URI="sqlite://", PERMJWT_ISSUER=issuer)
        db.init_app(app)
        permjwt.init_app(app)
        app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
        apps.append(app)
    assert [app_state(app).settings.issuer for app in apps] == ["https://one.example", "https://two.example"]


def test_a_user_model_and_a_user_store_exclude_each_other():
    with pytest.raises(ConfigurationError):
        PermJWT(db=SQLAlchemy(), user_model=object, user_store=object())


def test_importing_the_package_gives_what_the_contract_names():
    names = "PermJWT requires_permissions requires_login public protect any_of all_of current_user "
    names += "current_principal check_permissions has_permissions"
    assert set(names.split()) <= set(flask_permjwt.__all__)
    assert all(hasattr(flask_permjwt, name) for name in flask_permjwt.__all__)


class Mailer:
    def send(self, message):
        pass


def mailing(mailer, **config):
    app = Flask(__name__)
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", SECRET_KEY=GOOD, **config)
    PermJWT(app, db=SQLAlchemy(app), mailer=mailer)


@pytest.mark.parametrize(
    ("mailer", "words"),
    [
        (Mailer, r"class Mailer .*mailer=Mailer\(\)"),
        (object(), r"object, has no method send\(message\)"),
        ("smtp://localhost", r"str, has no method send"),
        (type("Wrong", (), {"send": "no function"})(), r"Wrong, has no method send"),
    ],
)
def test_a_mailer_that_cannot_send_is_refused_at_the_start(mailer, words):
    with pytest.raises(ConfigurationError, match=words):
        mailing(mailer)


@pytest.mark.parametrize("setting", ["PERMJWT_RESET_URL", "PERMJWT_VERIFY_URL"])
def test_a_page_for_mails_needs_a_mailer_and_has_the_token_behind_its_host(setting):
    good = ["https://a.example/{token}", "https://a.example/x?t={token}", "https://a.example#{token}"]
    for url in good:
        mailing(Mailer(), **{setting: url})
        with pytest.raises(ConfigurationError, match=rf"{setting} .*mailer=MailmanMailer"):
            mailing(None, **{setting: url})
    for url in (
        "https://{token}.example/",
        "https://{token}@a.example/",
        "https://a.example:{token}/{token}",
        "https://[{token}/",
    ):
        with pytest.raises(ConfigurationError, match="page for"):
            mailing(Mailer(), **{setting: url})
