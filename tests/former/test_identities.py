"""Whose a former token is: whatever identities and keys the former app had, and whatever happens meanwhile."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace

import pytest
from sqlalchemy import Uuid
from sqlalchemy.orm import mapped_column

from flask_permjwt import ConfigurationError, UserMixin
from flask_permjwt.accounts.former import _created
from flask_permjwt.web.state import app_state

KINDS = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


def with_key(key):
    """Return a function that makes a user class with this primary key."""
    return lambda db: type("Person", (UserMixin, db.Model), {"__tablename__": "people", "id": key()})


def key_of(app):
    with app.app_context():
        return str(app.extensions["test_permjwt"].users.find("alice").id)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"as_uuid": False}], ids=["objects", "texts"])
def test_keys_that_are_uuids_are_found(make_app, make_database_url, former, bearer, kind, options):
    def key():
        made = uuid.uuid4 if not options else lambda: str(uuid.uuid4())
        return mapped_column("person_id", Uuid(**options), primary_key=True, default=made)

    app = make_app(make_database_url(kind), user_model=with_key(key), PERMJWT_FLASK_JWT_EXTENDED_USER="id")
    client, identity = app.test_client(), key_of(app)
    assert client.get("/me", **bearer(former("access", identity))).json["user"] == "alice"
    assert client.post("/auth/refresh", **bearer(former("refresh", identity))).status_code == 200
    for wrong in ("alice", "1", identity.upper(), str(uuid.uuid4()), f"{{{identity}}}"):
        assert client.get("/me", **bearer(former("access", wrong))).status_code == 401
        for path in ("/auth/refresh", "/auth/logout"):
            assert client.post(path, **bearer(former("refresh", wrong))).status_code == 401


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_that_is_too_large_for_the_column_is_nobody_s(make_app, make_database_url, former, bearer, kind):
    client = make_app(make_database_url(kind), PERMJWT_FLASK_JWT_EXTENDED_USER="id").test_client()
    for wrong in ("99999999999", "9" * 18, "9" * 19):
        assert client.get("/me", **bearer(former("access", wrong))).status_code == 401
        for path in ("/auth/refresh", "/auth/logout"):
            assert client.post(path, **bearer(former("refresh", wrong))).status_code == 401
    assert client.get("/me", **bearer(former("access", "1"))).json["user"] == "alice"


@pytest.mark.parametrize("identity", [{"id": 7, "name": "alice"}, ["alice"], 7, -7, 1.5, None, True, "alice", ""])
def test_a_function_is_given_the_identity_as_it_was(make_app, former, bearer, identity):
    seen = []

    def look_up(header, claims):
        seen.append(claims["sub"])
        return app.extensions["test_permjwt"].users.find("alice")

    app = make_app(
        PERMJWT_FLASK_JWT_EXTENDED_USER=look_up, PERMJWT_FLASK_JWT_EXTENDED_BLOCKLIST=lambda _, claims: False
    )
    client = app.test_client()
    assert client.get("/me", **bearer(former("access", identity))).json["user"] == "alice"
    assert client.post("/auth/refresh", **bearer(former("refresh", identity))).status_code == 200
    assert all(type(one) is type(identity) and one == identity for one in seen)


def test_without_a_function_an_identity_is_text_or_a_number(client, former, bearer):
    for wrong in ({"id": 7}, ["alice"], 1.5, None, True):
        assert client.get("/me", **bearer(former("access", wrong))).status_code == 401


def test_users_in_a_store_of_their_own_have_no_key(make_app):
    with pytest.raises(ConfigurationError, match="kept in a UserStore: say 'public_id'"):
        make_app(store=SimpleNamespace(find=None, get=None, rights=None), PERMJWT_FLASK_JWT_EXTENDED_USER="id")


@pytest.mark.parametrize(
    ("created_at", "seconds"),
    [
        (datetime(2026, 1, 1), 1767225600),  # noqa: DTZ001  # as the database keeps it
        (datetime(2026, 1, 1, tzinfo=UTC), 1767225600),
        (datetime(2026, 1, 1, 5, tzinfo=timezone(timedelta(hours=5))), 1767225600),
        (1767225600.0, 1767225600),
        (None, 0),
        ("yesterday", 0),
    ],
)
def test_a_store_says_in_its_own_way_when_a_user_was_created(created_at, seconds):
    assert _created(SimpleNamespace(created_at=created_at)) == seconds
    assert _created(SimpleNamespace()) == 0


@pytest.mark.parametrize("used_before", [False, True])
def test_a_refresh_that_overlaps_with_a_new_password_opens_no_session(
    make_app, tmp_path, former, bearer, monkeypatch, used_before
):
    """Whoever stole the token would be the one to stay logged in."""
    app = make_app()
    client, token = app.test_client(), former("refresh", "alice")
    if used_before:
        assert client.post("/auth/refresh", **bearer(token)).status_code == 200
    tokens = app_state(app).former
    use_up = tokens._use_up

    def too_late(*given):
        with app.app_context():
            users = app.extensions["test_permjwt"].users
            users.set_password(users.find("alice"), "another long password")
            users.commit()
        return use_up(*given)

    monkeypatch.setattr(tokens, "_use_up", too_late)
    assert client.post("/auth/refresh", **bearer(token)).status_code == 401
    with app.app_context():
        alice = app.extensions["test_permjwt"].users.find("alice")
        assert app_state(app).accounts.sessions(alice.public_id) == []
