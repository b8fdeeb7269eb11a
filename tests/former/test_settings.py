"""The settings that Flask-JWT-Extended had: read as it read them, and refused at the start where it would not."""

from datetime import timedelta

import pytest

from flask_permjwt import ConfigurationError


def test_an_audience_that_was_written_and_never_asked_for_logs_nobody_out(make_app, former, bearer, tmp_path):
    written = {"JWT_ENCODE_AUDIENCE": "api"}
    client = make_app(**written).test_client()
    for config in (written, {}):
        assert client.get("/me", **bearer(former("access", "alice", config=config))).status_code == 200
    other = former("access", "alice", config={"JWT_ENCODE_AUDIENCE": "another"})
    assert client.get("/me", **bearer(other)).status_code == 401
    client = make_app(f"sqlite:///{tmp_path}/second.db", JWT_DECODE_AUDIENCE="api").test_client()
    assert client.get("/me", **bearer(former("access", "alice"))).status_code == 401


@pytest.mark.parametrize("issuers", ["us", ["us", "them"], {"us"}])
def test_issuers_may_be_several(make_app, former, bearer, issuers):
    client = make_app(JWT_DECODE_ISSUER=issuers).test_client()
    for name, status in (("us", 200), ("u", 401), (None, 401)):
        token = former("access", "alice", config={"JWT_ENCODE_ISSUER": name})
        assert client.get("/me", **bearer(token)).status_code == status


def test_what_was_fresh_for_a_while_is_not_so_for_longer(client, clock, former, bearer):
    token = former("access", "alice", fresh=timedelta(minutes=1))
    assert client.get("/fresh", **bearer(token)).status_code == 200
    clock.ahead = 61
    assert client.get("/fresh", **bearer(token)).status_code == 401
    assert client.get("/me", **bearer(token)).status_code == 200
    for never in (timedelta(minutes=-1), 0, 5):
        assert client.get("/fresh", **bearer(former("access", "alice", fresh=never))).status_code == 401


@pytest.mark.parametrize(
    "settings",
    [
        {"JWT_DECODE_ALGORITHMS": "HS256"},
        {"JWT_DECODE_LEEWAY": timedelta(seconds=3)},
        {"JWT_DECODE_LEEWAY": "3"},
        {"JWT_DECODE_LEEWAY": None, "JWT_IDENTITY_CLAIM": None, "JWT_DECODE_AUDIENCE": None},
    ],
    ids=str,
)
def test_what_it_took_is_taken(make_app, former, bearer, settings):
    assert make_app(**settings).test_client().get("/me", **bearer(former("access", "alice"))).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_DECODE_LEEWAY", "soon"),
        ("JWT_DECODE_LEEWAY", float("inf")),
        ("JWT_DECODE_LEEWAY", -1),
        ("JWT_DECODE_LEEWAY", [1]),
        ("JWT_DECODE_AUDIENCE", 5),
        ("JWT_DECODE_ISSUER", [5]),
        ("JWT_DECODE_ALGORITHMS", 5),
        ("JWT_IDENTITY_CLAIM", ["sub"]),
        ("JWT_SECRET_KEY", 5),
    ],
)
def test_what_is_of_no_use_stops_the_start_and_is_named(make_app, name, value):
    with pytest.raises(ConfigurationError, match=name):
        make_app(**{name: value})
