"""Keys in an app: from settings, files and directories; what the JWKS shows; what stays when keys rotate."""

import base64
import json
import secrets
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import ConfigurationError, PermJWT, requires_permissions
from flask_permjwt.assembly import epoch_path
from flask_permjwt.signing import app_keys
from flask_permjwt.tokens.codec import TokenType
from flask_permjwt.tokens.jwk import public_half, whole_jwk
from flask_permjwt.tokens.key_files import KeyDirectory, write_private_file
from flask_permjwt.tokens.lifecycle import ManagedKey
from flask_permjwt.tokens.pairs import generate
from flask_permjwt.web.state import app_state

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJ"
PASSWORD = "correct horse battery staple"
KEYS = {name: generate(name) for name in ("HS256", "RS256", "ES256", "EdDSA")}


class Machine:
    """One of several that serve the same app from the same directory of keys."""

    def __init__(self, clock, url="sqlite://", **settings):
        self.app = app = Flask("machine")
        app.config.update(SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=url, TESTING=True)
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        if "SECRET_KEY" in settings:
            app.config["SECRET_KEY"] = settings["SECRET_KEY"]
            del app.config["PERMJWT_SECRET_KEY"]
        self.db = SQLAlchemy(app)
        self.permjwt = PermJWT(app, db=self.db, clock=clock, monotonic=clock)
        app.register_blueprint(self.permjwt.auth_blueprint, url_prefix="/auth")
        app.register_blueprint(self.permjwt.well_known_blueprint)
        self.state = app_state(app)

        @app.route("/reports", methods=["GET", "POST"])
        @requires_permissions("reports:read")
        def reports():
            return {}

    def make_user(self):
        with self.app.app_context():
            self.db.create_all()
            self.permjwt.users.create("alice", PASSWORD, permissions=["reports:read"])
            self.db.session.commit()

    def log_in(self, **body):
        body = {"username": "alice", "password": PASSWORD, **body}
        return self.app.test_client().post("/auth/login", json=body, base_url="https://localhost").json

    def get(self, token):
        return self.app.test_client().get("/reports", headers={"Authorization": f"Bearer {token}"})

    def refresh(self, token):
        return self.app.test_client().post("/auth/refresh", json={"refresh_token": token})

    def jwks(self, **headers):
        return self.app.test_client().get("/.well-known/jwks.json", headers=headers)

    def kids(self):
        return {one["kid"] for one in self.jwks().json["keys"]}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def directory(folder):
    return KeyDirectory(folder)


@pytest.fixture
def fleet(directory, folder, fake_clock, make_database_url):
    """Two machines on one database, with a key that signs."""
    url = make_database_url("sqlite")
    directory.write(ManagedKey(KEYS["HS256"], signs_from=0))
    machines = [Machine(fake_clock, url, keys_dir=str(folder)) for _ in range(2)]
    machines[0].make_user()
    yield machines
    for machine in machines:
        with machine.app.app_context():
            machine.db.session.remove()
            machine.db.engine.dispose()


def kid_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]


# Rotation


def test_sessions_go_on_through_a_rotation(fleet, directory, fake_clock):
    here, there = fleet
    login = here.log_in()
    directory.write(ManagedKey(KEYS["EdDSA"], signs_from=fake_clock.now + 600))
    fake_clock.advance(599)
    assert kid_of(there.log_in()["access_token"]) == KEYS["HS256"].kid
    assert here.kids() == there.kids() == {KEYS["EdDSA"].kid}
    fake_clock.advance(1)
    renewed = there.refresh(login["refresh_token"]).json
    assert kid_of(renewed["refresh_token"]) == KEYS["EdDSA"].kid
    for machine in fleet:
        assert machine.get(login["access_token"]).status_code == 200
        assert machine.get(renewed["access_token"]).status_code == 200


def test_the_same_successor_is_given_again_when_another_key_signs_meanwhile(fleet, directory, fake_clock):
    """Its text differs, as another key signed it; it is the same token, and either text is good."""
    here, _ = fleet
    login = here.log_in()
    first = here.refresh(login["refresh_token"]).json["refresh_token"]
    directory.write(ManagedKey(KEYS["EdDSA"], signs_from=fake_clock.now))
    for machine in fleet:
        machine.state.keys._looked_at = float("-inf")
    again = here.refresh(login["refresh_token"]).json["refresh_token"]
    assert (kid_of(first), kid_of(again)) == (KEYS["HS256"].kid, KEYS["EdDSA"].kid)
    ids = {here.state.codec.verify(one, TokenType.REFRESH).token_id for one in (first, again)}
    assert len(ids) == 1
    assert here.refresh(first).status_code == 200


def test_csrf_values_and_the_hosts_epoch_stay_when_keys_rotate(fleet, directory, fake_clock):
    here, there = fleet
    client = here.app.test_client()
    https = {"base_url": "https://localhost"}
    client.post("/auth/login", json={"username": "alice", "password": PASSWORD, "delivery": "cookie"}, **https)
    read_by_the_page = client.get_cookie("csrf_access_token", "localhost").value
    path = client.get_cookie("csrf_refresh_token", "localhost").value
    before = epoch_path(_serving(here), here.state.settings, _root(here))
    directory.write(ManagedKey(KEYS["ES256"], signs_from=fake_clock.now + 60))
    fake_clock.advance(60)
    answer = client.post("/auth/refresh", headers={"X-CSRF-TOKEN": path}, **https)
    assert answer.status_code == 200
    assert kid_of(client.get_cookie("access_token", "localhost").value) == KEYS["ES256"].kid
    assert client.post("/reports", headers={"X-CSRF-TOKEN": read_by_the_page}, **https).status_code == 200
    assert epoch_path(_serving(there), there.state.settings, _root(there)) == before


def _root(machine):
    return app_keys(
        machine.app, machine.state.settings, clock=lambda: 0, monotonic=lambda: 0, lost=lambda: None
    ).root


def _serving(machine):
    machine.app.testing = False
    return machine.app


# An emergency


def test_a_void_keys_tokens_are_forgotten_in_all_processes_within_the_refresh_time(fleet, directory, fake_clock):
    logins = [fleet[0].log_in() for _ in range(3)]
    cookies = [machine.app.test_client() for machine in fleet]
    for client in cookies:
        body = {"username": "alice", "password": PASSWORD, "delivery": "cookie"}
        assert client.post("/auth/login", json=body, base_url="https://localhost").status_code == 200
    for machine, client in zip(fleet, cookies, strict=True):
        assert [machine.get(login["access_token"]).status_code for login in logins] == [200] * 3
        assert client.get("/reports", base_url="https://localhost").status_code == 200
    directory.write(ManagedKey(KEYS["EdDSA"], signs_from=fake_clock.now))
    directory.write(ManagedKey(KEYS["HS256"], signs_from=0, void_at=fake_clock.now))
    fake_clock.advance(60)
    for machine, client in zip(fleet, cookies, strict=True):
        answer = machine.get(logins[0]["access_token"])
        assert answer.status_code == 401
        assert answer.json["error"] == "invalid_token"
        assert "no longer in use" in answer.json["error_description"]
        assert client.get("/reports", base_url="https://localhost").status_code == 401
        assert machine.refresh(logins[1]["refresh_token"]).status_code == 401
        # Forgotten: what is said now comes from looking at the token again.
        assert "not signed with a key" in machine.get(logins[0]["access_token"]).json["error_description"]
        assert machine.get(machine.log_in()["access_token"]).status_code == 200


def test_without_a_key_that_signs_whoever_logs_in_is_told_to_come_back(fleet, directory, fake_clock):
    directory.write(ManagedKey(KEYS["HS256"], signs_from=0, void_at=fake_clock.now))
    fake_clock.advance(60)
    body = {"username": "alice", "password": PASSWORD}
    answer = fleet[0].app.test_client().post("/auth/login", json=body)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert answer.json["error"] == "temporarily_unavailable"


def test_a_process_that_has_just_asked_for_revocations_is_not_late(fleet, directory, fake_clock):
    """Keys are looked at when those are asked for, which is at most once per interval."""
    machine = fleet[0]
    token = machine.log_in()["access_token"]
    fake_clock.advance(100)
    assert machine.get(token).status_code == 200
    directory.write(ManagedKey(KEYS["EdDSA"], signs_from=fake_clock.now))
    directory.write(ManagedKey(KEYS["HS256"], signs_from=0, void_at=fake_clock.now))
    fake_clock.advance(59.9)
    machine.get(token)
    fake_clock.advance(0.1)
    assert machine.get(token).status_code == 401


def test_a_token_that_another_process_signed_with_a_new_key_is_accepted_before_the_refresh_time(
    fleet, directory, fake_clock
):
    here, there = fleet
    there.get("x")
    directory.write(ManagedKey(KEYS["EdDSA"], signs_from=fake_clock.now))
    here.state.keys._looked_at = float("-inf")
    token = here.log_in()["access_token"]
    assert kid_of(token) == KEYS["EdDSA"].kid
    fake_clock.advance(1)
    assert there.get(token).status_code == 200


# The JWKS


def test_the_jwks_shows_public_keys_only_the_next_one_included_and_never_a_secret(directory, folder, fake_clock):
    now = fake_clock.now
    directory.write(ManagedKey(KEYS["HS256"], signs_from=now - 90))
    directory.write(ManagedKey(KEYS["RS256"], signs_from=now - 60))
    directory.write(ManagedKey(KEYS["ES256"], signs_from=now + 600))
    directory.write(ManagedKey(KEYS["EdDSA"], signs_from=now - 30, void_at=now))
    machine = Machine(fake_clock, keys_dir=str(folder))
    answer = machine.jwks()
    assert answer.mimetype == "application/jwk-set+json"
    assert {one["kid"] for one in answer.json["keys"]} == {KEYS["RS256"].kid, KEYS["ES256"].kid}
    for one in answer.json["keys"]:
        assert one.keys() <= {"kty", "alg", "use", "kid", "n", "e", "crv", "x", "y"}
        assert one["use"] == "sig"
    assert KEYS["HS256"].kid not in answer.text
    for key in KEYS.values():
        hidden = {name: value for name, value in whole_jwk(key).items() if name in ("d", "k", "p", "q")}
        assert not any(value in answer.text for value in hidden.values())


def test_the_jwks_can_be_kept_for_a_while_and_asked_for_again_for_nothing(directory, folder, fake_clock):
    directory.write(ManagedKey(KEYS["ES256"], signs_from=0))
    machine = Machine(fake_clock, keys_dir=str(folder), default_deny=True)
    answer = machine.jwks()
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    tag = answer.headers["ETag"]
    assert tag == machine.jwks().headers["ETag"]
    again = machine.jwks(**{"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["Cache-Control"] == "public, max-age=300"
    directory.write(ManagedKey(KEYS["EdDSA"], signs_from=fake_clock.now + 3600))
    fake_clock.advance(60)
    changed = machine.jwks(**{"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize(("refresh", "lead"), [(60, 3600), (60, 120), (1, 2), (10, 100)])
def test_whoever_keeps_the_jwks_has_the_next_key_before_it_signs(directory, folder, fake_clock, refresh, lead):
    directory.write(ManagedKey(KEYS["ES256"], signs_from=0))
    machine = Machine(fake_clock, keys_dir=str(folder), keys_refresh=refresh, keys_lead=lead)
    kept_for = machine.jwks().cache_control.max_age
    # Asked just before this process learnt of it, through a cache that had its answer for just as long.
    assert refresh + 2 * kept_for <= lead


def test_an_app_with_a_secret_shows_no_keys(fake_clock):
    assert Machine(fake_clock).jwks().json == {"keys": []}


# Keys from settings and files


def pem(pair):
    return pair.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


EC_PAIR = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    "private_key",
    [pem(EC_PAIR), pem(EC_PAIR).decode(), whole_jwk(KEYS["ES256"]), json.dumps(whole_jwk(KEYS["ES256"]))],
    ids=["bytes", "text", "object", "JSON"],
)
@pytest.mark.parametrize("name", ["ES256", "esp256"])
def test_a_key_pair_comes_as_pem_or_jwk(fake_clock, private_key, name, make_database_url):
    machine = Machine(fake_clock, make_database_url("sqlite"), algorithm=name, private_key=private_key)
    machine.make_user()
    assert machine.get(machine.log_in()["access_token"]).status_code == 200
    assert len(machine.kids()) == 1


def test_an_app_with_a_key_pair_needs_no_secret(fake_clock):
    app = Flask("app")
    app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", PERMJWT_ALGORITHM="ES256")
    app.config["PERMJWT_PRIVATE_KEY"] = whole_jwk(KEYS["ES256"])
    assert PermJWT(app, db=SQLAlchemy(app))


@pytest.mark.parametrize(
    ("content", "algorithm"),
    [
        (pem(EC_PAIR), "ES256"),
        (json.dumps(whole_jwk(KEYS["EdDSA"])).encode(), "EdDSA"),
        (json.dumps(whole_jwk(KEYS["HS256"])).encode(), "HS256"),
        (secrets.token_urlsafe(64).encode() + b"\n", "HS512"),
    ],
    ids=["PEM", "JWK", "secret JWK", "secret"],
)
def test_a_key_comes_from_a_file(fake_clock, tmp_path, content, algorithm):
    path = tmp_path / "key"
    write_private_file(path, content)
    signing = Machine(fake_clock, key_file=path, algorithm=algorithm).state.keys.ring.signing
    assert signing.algorithm == algorithm
    assert not signing.secret.endswith(b"\n")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to others"):
        Machine(fake_clock, key_file=str(path), algorithm=algorithm)


def test_the_key_before_verifies_on_where_keys_are_settings(fake_clock, make_database_url):
    url = make_database_url("sqlite")
    before = Machine(fake_clock, url, secret_key=SECRET + "!")
    before.make_user()
    login = before.log_in()
    old = {"verification_keys": [SECRET + "!"], "algorithm": "HS256", "secret_key": SECRET + "?"}
    assert Machine(fake_clock, url, **old).get(login["access_token"]).status_code == 200
    assert Machine(fake_clock, url, secret_key=SECRET + "?").get(login["access_token"]).status_code == 401


@pytest.mark.parametrize("name", ["RS256", "ES256", "EdDSA"])
def test_a_verification_key_is_published_without_its_private_half_and_never_signs(fake_clock, name):
    machine = Machine(fake_clock, verification_keys=[whole_jwk(KEYS[name])])
    assert machine.kids() == {KEYS[name].kid}
    assert public_half(KEYS[name]) in machine.state.keys.ring.keys
    assert machine.state.keys.ring.signing.algorithm == "HS256"


REFUSED = [
    ({"algorithm": "RS256"}, "needs a key pair: set PERMJWT_PRIVATE_KEY"),
    ({"algorithm": "RS256", "private_key": pem(EC_PAIR)}, "is a key for ES256, and PERMJWT_ALGORITHM is RS256"),
    ({"private_key": pem(EC_PAIR)}, "is a key for ES256, and PERMJWT_ALGORITHM is HS256"),
    ({"algorithm": "ES256", "private_key": "-----BEGIN PRIVATE KEY-----"}, "PERMJWT_PRIVATE_KEY: the PEM"),
    ({"algorithm": "ES256", "private_key": whole_jwk(public_half(KEYS["ES256"]))}, "is a public key"),
    ({"algorithm": "ES256", "private_key": 5}, "PERMJWT_PRIVATE_KEY must be a private key in PEM"),
    ({"algorithm": "ES256", "private_key": ""}, "PERMJWT_PRIVATE_KEY must be a private key in PEM"),
    ({"algorithm": "ES257"}, "PERMJWT_ALGORITHM must be one of"),
    ({"algorithm": "none"}, "PERMJWT_ALGORITHM must be one of"),
    ({"key_file": "/nowhere/key"}, "there is no such file"),
    ({"key_file": 5}, "PERMJWT_KEY_FILE must be a path"),
    ({"keys_dir": ""}, "PERMJWT_KEYS_DIR must be a path"),
    ({"key_file": pem(EC_PAIR).decode()}, "belongs in PERMJWT_PRIVATE_KEY"),
    ({"keys_dir": pem(EC_PAIR).decode().replace("\n", " ")}, "belongs in PERMJWT_PRIVATE_KEY"),
    ({"keys_dir": json.dumps(whole_jwk(KEYS["ES256"]))}, "belongs in PERMJWT_PRIVATE_KEY"),
    ({"key_file": whole_jwk(KEYS["ES256"])["d"] * 6}, "belongs in PERMJWT_PRIVATE_KEY"),
    ({"key_file": "/y", "private_key": pem(EC_PAIR)}, "two places for the key"),
    ({"keys_dir": "/nowhere"}, "PERMJWT_KEYS_DIR /nowhere: no such file"),
    ({"keys_dir": "/x", "key_file": "/y"}, "three places for the key"),
    ({"keys_dir": "/x", "keys_lead": 100}, "PERMJWT_KEYS_LEAD must be at least twice"),
    ({"keys_dir": "/x", "keys_refresh": 0.5}, "PERMJWT_KEYS_REFRESH must not be shorter"),
    ({"keys_dir": "/x", "SECRET_KEY": None}, "set SECRET_KEY"),
    ({"verification_keys": ["short"]}, "PERMJWT_VERIFICATION_KEYS: the secret of HS256 must have at least 32"),
    ({"verification_keys": [7]}, "PERMJWT_VERIFICATION_KEYS must be a list of keys"),
    ({"verification_keys": ""}, "PERMJWT_VERIFICATION_KEYS must be a list of keys"),
    ({"verification_keys": {"keys": [whole_jwk(KEYS["HS256"]), whole_jwk(KEYS["ES256"])]}}, "keep them apart"),
    (
        {"verification_keys": [{**whole_jwk(KEYS[name]), "kid": "one"} for name in ("ES256", "EdDSA")]},
        "two different keys",
    ),
    (
        {"algorithm": "RS256", "private_key": pem(rsa.generate_private_key(65537, 1024))},  # noqa: S505
        "1024 bits",
    ),
]


@pytest.mark.parametrize(("settings", "match"), REFUSED)
def test_what_stops_the_start(fake_clock, settings, match):
    with pytest.raises(ConfigurationError, match=match) as caught:
        Machine(fake_clock, **settings)
    assert "BEGIN" not in str(caught.value)
    assert whole_jwk(KEYS["ES256"])["d"] not in str(caught.value)


MISTAKEN = ["tr0ub4dor", "A" * 43, "/" + "b" * 64, "c/" * 40, "d" * 200, "..", "/etc/passwd/x"]


@pytest.mark.parametrize("secret", MISTAKEN)
def test_what_was_put_in_place_of_the_name_of_a_file_is_not_told(fake_clock, secret, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"PERMJWT_KEY_FILE|no regular file") as caught:
        Machine(fake_clock, key_file=secret)
    if secret != "..":  # which is there
        assert secret not in str(caught.value)
        assert "PERMJWT_SECRET_KEY" in str(caught.value)


SHORT = [b"tr0ub4dor", b"tr0ub4dor\n", b'{"kty": "oct", "k": "dHIwdWI0ZG9y"}', b"{tr0ub4dor"]


@pytest.mark.parametrize("content", SHORT)
def test_nor_is_what_stands_in_the_file(fake_clock, content, tmp_path):
    write_private_file(tmp_path / "key", content)
    with pytest.raises(ConfigurationError, match="PERMJWT_KEY_FILE") as caught:
        Machine(fake_clock, key_file=str(tmp_path / "key"))
    assert "tr0ub4dor" not in str(caught.value)
    assert "dHIwdWI0ZG9y" not in str(caught.value)


def test_a_directory_stays_where_it_was_when_the_server_goes_elsewhere(directory, folder, fake_clock, monkeypatch):
    directory.write(ManagedKey(KEYS["HS256"], signs_from=0))
    monkeypatch.chdir(folder.parent)
    machine = Machine(fake_clock, keys_dir="keys")
    monkeypatch.chdir("/")
    assert machine.state.key_directory.read()


def test_settings_in_a_log_show_no_key(fake_clock):
    machine = Machine(fake_clock, algorithm="ES256", private_key=pem(EC_PAIR), verification_keys=[SECRET + "!"])
    assert SECRET not in repr(machine.state.settings)
    assert "BEGIN" not in repr(machine.state.settings)
    assert SECRET not in repr(replace(machine.state.settings))
