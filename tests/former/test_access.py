"""Access tokens of Flask-JWT-Extended: taken for whom they were issued, and for nobody and no longer than that."""

import secrets
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from sqlalchemy import String
from sqlalchemy.orm import mapped_column

from flask_permjwt import ConfigurationError, UserMixin


def test_who_was_logged_in_stays_so(client, former, bearer):
    token = former("access", "alice")
    for _ in range(2):
        assert client.get("/me", **bearer(token)).json == {"user": "alice", "session": None}
    assert client.get("/reports", **bearer(token)).status_code == 200
    assert client.get("/reports", **bearer(former("access", "bob"))).status_code == 403


def test_without_the_setting_nothing_of_it_is_taken(make_app, former, bearer):
    client = make_app(accept=None).test_client()
    assert client.get("/me", **bearer(former("access", "alice"))).status_code == 401
    assert client.post("/auth/refresh", **bearer(former("refresh", "alice"))).status_code == 401


def test_our_own_tokens_go_on_beside(client, former, bearer):
    answer = client.post("/auth/login", json={"username": "alice", "password": "correct horse"}).json
    assert client.get("/me", **bearer(answer["access_token"])).json["session"]
    assert client.post("/auth/refresh", **bearer(answer["refresh_token"])).status_code == 200


@pytest.mark.parametrize("identity", ["ALICE", "alice ", "nobody", "a@example.com", "", "alice\x00"])
def test_an_identity_is_compared_exactly(client, former, bearer, identity):
    assert client.get("/me", **bearer(former("access", identity))).status_code == 401


def test_types_are_not_mixed_up(client, former, bearer):
    assert client.get("/me", **bearer(former("refresh", "alice"))).status_code == 401
    assert client.post("/auth/refresh", **bearer(former("access", "alice"))).status_code == 401
    odd = former("access", "alice", additional_claims={"type": "other"})
    assert client.get("/me", **bearer(odd)).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        lambda store, alice: store.set_active(alice, active=False),
        lambda store, alice: store.set_password(alice, "another long password"),
        lambda store, alice: store.void_tokens(alice),
        lambda store, alice: store.delete(alice),
    ],
    ids=["disabled", "new password", "logged out everywhere", "deleted"],
)
def test_what_voids_tokens_voids_them_at_once_and_for_good(client, users, former, bearer, change):
    access, refresh = former("access", "alice"), former("refresh", "alice")
    assert client.get("/me", **bearer(access)).status_code == 200
    with users() as store:
        change(store, store.find("alice"))
    assert client.get("/me", **bearer(access)).status_code == 401
    assert client.post("/auth/refresh", **bearer(refresh)).status_code == 401
    with users() as store:
        if store.find("alice") is not None:
            store.set_active(store.find("alice"), active=True)
    assert client.get("/me", **bearer(access)).status_code == 401


def test_permissions_are_those_of_the_store_at_each_moment(client, users, former, bearer):
    token = former("access", "alice", additional_claims={"permissions": ["admin:*"], "roles": ["admin"]})
    assert client.get("/reports", **bearer(token)).status_code == 200
    with users() as store:
        store.revoke(store.find("alice"), "reports:*")
    assert client.get("/reports", **bearer(token)).status_code == 403


def test_time_is_judged_by_the_tokens_own_end(client, clock, former, bearer):
    token = former("access", "alice", expires=timedelta(minutes=5))
    clock.ahead = 299
    assert client.get("/me", **bearer(token)).status_code == 200
    clock.ahead = 301
    assert client.get("/me", **bearer(token)).status_code == 401


def test_a_token_without_an_end_is_not_taken(client, former, bearer):
    assert client.get("/me", **bearer(former("access", "alice", expires=False))).status_code == 401


def test_only_what_was_issued_before_the_change_is_taken_and_for_a_session_s_life(
    make_app, clock, former, bearer, tmp_path
):
    before, after = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    token = former("access", "alice", expires=timedelta(days=60))
    assert make_app(accept=before).test_client().get("/me", **bearer(token)).status_code == 401
    app = make_app(f"sqlite:///{tmp_path}/second.db", accept=after.isoformat())
    client = app.test_client()
    assert client.get("/me", **bearer(token)).status_code == 200
    clock.ahead = timedelta(days=30, hours=2).total_seconds()
    assert client.get("/me", **bearer(token)).status_code == 401


def test_somebody_new_of_an_old_name_gets_no_old_token(make_app, clock, former, bearer):
    app = make_app(accept=datetime.now(UTC) + timedelta(minutes=5))
    client, token = app.test_client(), former("access", "alice", expires=timedelta(days=1))
    assert client.get("/me", **bearer(token)).status_code == 200
    clock.ahead = 600
    with app.app_context():
        store = app.extensions["test_permjwt"].users
        store.delete(store.find("alice"))
        store.commit()
        anew = store.create("alice")
        anew.created_at = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=600)
        store.commit()
    assert client.get("/me", **bearer(token)).status_code == 401


def test_a_token_of_another_key_or_changed_is_refused(client, former, bearer):
    other = former("access", "alice", config={"JWT_SECRET_KEY": secrets.token_urlsafe(48)})
    assert client.get("/me", **bearer(other)).status_code == 401
    head, _, signature = former("access", "alice").split(".")
    body = former("access", "bob").split(".")[1]
    assert client.get("/me", **bearer(f"{head}.{body}.{signature}")).status_code == 401


def test_fresh_counts_from_when_it_was_issued(client, clock, former, bearer):
    fresh, stale = former("access", "alice", fresh=True), former("access", "alice")
    assert client.get("/fresh", **bearer(fresh)).status_code == 200
    assert client.get("/fresh", **bearer(stale)).status_code == 401
    clock.ahead = 400
    assert client.get("/fresh", **bearer(fresh)).status_code == 401


def test_the_former_blocklist_is_asked(make_app, former, bearer):
    blocked, good = former("access", "alice"), former("access", "alice")
    refresh = former("refresh", "alice")
    revoked = set()

    def is_revoked(header, claims):
        assert header["alg"] == "HS256"
        return claims["jti"] in revoked

    client = make_app(PERMJWT_FLASK_JWT_EXTENDED_BLOCKLIST=is_revoked).test_client()
    assert client.get("/me", **bearer(blocked)).status_code == 200
    from flask_jwt_extended.utils import decode_token  # noqa: F401, PLC0415

    revoked |= {jwt.decode(one, options={"verify_signature": False})["jti"] for one in (blocked, refresh)}
    assert client.get("/me", **bearer(blocked)).status_code == 401
    assert client.get("/me", **bearer(good)).status_code == 200
    assert client.post("/auth/refresh", **bearer(refresh)).status_code == 401


def test_functions_may_be_named(make_app, former, bearer, tmp_path, monkeypatch):
    (tmp_path / "former_revoked.py").write_text("def is_revoked(header, claims): return claims['sub'] == 'bob'")
    monkeypatch.syspath_prepend(tmp_path)
    client = make_app(PERMJWT_FLASK_JWT_EXTENDED_BLOCKLIST="former_revoked:is_revoked").test_client()
    assert client.get("/me", **bearer(former("access", "alice"))).status_code == 200
    assert client.get("/me", **bearer(former("access", "bob"))).status_code == 401


@pytest.mark.parametrize("by", ["id", "email", "public_id", "function"])
def test_an_identity_is_what_the_app_says_it_was(make_app, former, bearer, by):
    app = make_app(
        PERMJWT_FLASK_JWT_EXTENDED_USER=(
            by
            if by != "function"
            else lambda _, claims: app.extensions["test_permjwt"].users.find(claims["sub"][4:])
        )
    )
    with app.app_context():
        alice = app.extensions["test_permjwt"].users.find("alice")
        identity = {"id": str(alice.id), "function": "uid-alice"}.get(by) or getattr(alice, by)
    client = app.test_client()
    assert client.get("/me", **bearer(former("access", identity))).json["user"] == "alice"
    for wrong in (f" {identity}", f"0{identity}", f"{identity}.0", "alice", "9" * 30, "uid-nobody"):
        assert client.get("/me", **bearer(former("access", wrong))).status_code == 401


def test_numbers_that_older_releases_wrote_are_ids(make_app, former, bearer):
    client = make_app(PERMJWT_FLASK_JWT_EXTENDED_USER="id").test_client()
    assert client.get("/me", **bearer(former("access", 1))).json["user"] == "alice"
    assert client.get("/me", **bearer(former("access", True))).status_code == 401


def test_a_table_of_users_of_ones_own_is_found_by_its_keys(make_app, former, bearer):
    def model(db):
        key = mapped_column(String(32), primary_key=True, default=lambda: secrets.token_hex(4))
        return type("Person", (UserMixin, db.Model), {"__tablename__": "people", "id": key})

    app = make_app(user_model=model, PERMJWT_FLASK_JWT_EXTENDED_USER="id")
    with app.app_context():
        key = app.extensions["test_permjwt"].users.find("alice").id
    assert app.test_client().get("/me", **bearer(former("access", key))).json["user"] == "alice"


def test_key_pairs_issuers_and_audiences_are_those_of_the_settings(make_app, former, bearer):
    pair = rsa.generate_private_key(65537, 2048)
    private = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    settings = {
        "JWT_ALGORITHM": "RS256",
        "JWT_PUBLIC_KEY": public,
        "JWT_DECODE_AUDIENCE": "api",
        "JWT_DECODE_ISSUER": "us",
        "JWT_IDENTITY_CLAIM": "identity",
        "JWT_DECODE_LEEWAY": 5,
    }
    client = make_app(**settings).test_client()
    issuing = {**settings, "JWT_PRIVATE_KEY": private, "JWT_ENCODE_AUDIENCE": "api", "JWT_ENCODE_ISSUER": "us"}
    assert client.get("/me", **bearer(former("access", "alice", config=issuing))).status_code == 200
    for name in ("JWT_ENCODE_AUDIENCE", "JWT_ENCODE_ISSUER"):
        wrong = former("access", "alice", config={**issuing, name: "another"})
        assert client.get("/me", **bearer(wrong)).status_code == 401
    confused = {**issuing, "JWT_ALGORITHM": "HS256", "JWT_SECRET_KEY": "x" * 64}
    assert client.get("/me", **bearer(former("access", "alice", config=confused))).status_code == 401


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"JWT_SECRET_KEY": "super-secret"}, "JWT_SECRET_KEY: .*32 bytes.*users log in once more"),
        ({"JWT_ALGORITHM": "RS256"}, "needs the JWT_PUBLIC_KEY"),
        ({"JWT_SECRET_KEY": None, "SECRET_KEY": None, "PERMJWT_SECRET_KEY": "k" * 64}, "needs the JWT_SECRET_KEY"),
        ({"JWT_DECODE_ALGORITHMS": ["HS256", "RS256"]}, "a secret and for a key pair"),
        ({"JWT_ALGORITHM": "none"}, "none"),
        ({"PERMJWT_ACCEPT_FLASK_JWT_EXTENDED": "2026-11-30T12:00:00"}, "with its time zone"),
        ({"PERMJWT_ACCEPT_FLASK_JWT_EXTENDED": "soon"}, "a moment such as"),
        ({"PERMJWT_FLASK_JWT_EXTENDED_USER": "name"}, "'username', 'email'"),
        ({"PERMJWT_FLASK_JWT_EXTENDED_USER": None}, "'username', 'email'"),
        ({"PERMJWT_FLASK_JWT_EXTENDED_BLOCKLIST": "name"}, "a function"),
        (
            {"PERMJWT_FLASK_JWT_EXTENDED_BLOCKLIST": print, "PERMJWT_ACCEPT_FLASK_JWT_EXTENDED": False},
            "leave both out",
        ),
    ],
)
def test_what_is_set_wrongly_stops_the_start_with_the_remedy(make_app, settings, said):
    with pytest.raises(ConfigurationError, match=said):
        make_app(**settings)


@pytest.mark.parametrize("moment", ["2026-11-30", "2026-11-30T12:00:00+01:00", datetime(2026, 11, 30, tzinfo=UTC)])
def test_a_moment_is_a_day_or_has_a_time_zone(make_app, moment):
    settings = make_app(accept=moment).extensions["permjwt"].settings
    assert 1796000000 - 86400 < settings.accept_flask_jwt_extended < 1796000000 + 86400


def test_a_database_that_is_away_is_503(make_app, former, bearer):
    app = make_app()
    with app.app_context():
        app.extensions["sqlalchemy"].drop_all()
    assert app.test_client().get("/me", **bearer(former("access", "alice"))).status_code == 503
