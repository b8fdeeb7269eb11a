"""Refresh tokens of Flask-JWT-Extended open one ordinary session, once; and what is logged out stays so."""

import threading
from datetime import timedelta

import jwt
import pytest


def test_a_refresh_token_opens_an_ordinary_session(client, former, bearer):
    answer = client.post("/auth/refresh", **bearer(former("refresh", "alice")))
    assert answer.status_code == 200
    access, refresh = answer.json["access_token"], answer.json["refresh_token"]
    assert client.get("/reports", **bearer(access)).status_code == 200
    (one,) = client.get("/auth/sessions", **bearer(access)).json["sessions"]
    assert one["opened_by"] == "flask-jwt-extended"
    assert client.post("/auth/refresh", **bearer(refresh)).status_code == 200


def test_it_may_come_in_the_body(client, former):
    assert client.post("/auth/refresh", json={"refresh_token": former("refresh", "alice")}).status_code == 200
    twice = {"json": {"refresh_token": former("refresh", "alice")}, "headers": {"Authorization": "Bearer a.b.c"}}
    assert client.post("/auth/refresh", **twice).status_code == 400


def test_a_second_use_soon_gives_the_same_session_and_later_ends_it(client, clock, former, bearer):
    token = former("refresh", "alice")
    first = client.post("/auth/refresh", **bearer(token)).json
    again = client.post("/auth/refresh", **bearer(token)).json
    assert again["refresh_token"] == first["refresh_token"]
    assert len(client.get("/auth/sessions", **bearer(first["access_token"])).json["sessions"]) == 1
    clock.ahead = 60
    assert client.post("/auth/refresh", **bearer(token)).status_code == 401
    assert client.get("/me", **bearer(first["access_token"])).status_code == 401
    assert client.post("/auth/refresh", **bearer(first["refresh_token"])).status_code == 401
    assert client.post("/auth/refresh", **bearer(token)).status_code == 401


def test_without_grace_a_second_use_is_reuse(make_app, former, bearer):
    client, token = make_app(PERMJWT_REFRESH_GRACE=0).test_client(), former("refresh", "alice")
    assert client.post("/auth/refresh", **bearer(token)).status_code == 200
    assert client.post("/auth/refresh", **bearer(token)).status_code == 401


def test_housekeeping_does_not_bring_a_used_token_back(client, clock, app, former, bearer):
    token = former("refresh", "alice", expires=timedelta(days=10))
    client.post("/auth/refresh", **bearer(token))
    clock.ahead = timedelta(days=9).total_seconds()
    with app.app_context():
        app.extensions["permjwt"].housekeeping.prune(1000)
    assert client.post("/auth/refresh", **bearer(token)).status_code == 401


def test_the_session_ends_when_the_token_would_have_and_is_not_fresh(client, clock, former, bearer):
    token = former("refresh", "alice", expires=timedelta(hours=2))
    answer = client.post("/auth/refresh", **bearer(token)).json
    claims = jwt.decode(answer["refresh_token"], options={"verify_signature": False})
    old = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] == old["exp"]
    assert client.get("/fresh", **bearer(answer["access_token"])).status_code == 401
    clock.ahead = 7300
    assert client.post("/auth/refresh", **bearer(answer["refresh_token"])).status_code == 401


def test_a_session_lasts_no_longer_than_ours_do(client, former, bearer):
    answer = client.post("/auth/refresh", **bearer(former("refresh", "alice", expires=timedelta(days=900)))).json
    claims = jwt.decode(answer["refresh_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 30 * 24 * 3600


@pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ],
)
def test_of_many_who_bring_it_at_once_all_get_one_session(make_app, make_database_url, former, bearer, kind):
    app, token = make_app(make_database_url(kind)), former("refresh", "alice")
    gate, answers = threading.Barrier(4), []

    def bring():
        gate.wait()
        answers.append(app.test_client().post("/auth/refresh", **bearer(token)))

    threads = [threading.Thread(target=bring) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    good = [one.json["refresh_token"] for one in answers if one.status_code == 200]
    assert good
    assert len(set(good)) == 1
    assert {one.status_code for one in answers} <= {200, 401}
    with app.app_context():
        alice = app.extensions["test_permjwt"].users.find("alice")
        assert len(app.extensions["permjwt"].accounts.sessions(alice.public_id)) == 1


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_an_end_on_the_last_day_of_the_calendar_is_no_fault(client, former, bearer, kind):
    token = former(kind, "alice", additional_claims={"exp": 253402300799})
    assert client.post("/auth/logout", **bearer(token)).status_code == 204


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_what_was_logged_out_is_good_for_nothing(client, former, bearer, kind):
    token = former(kind, "alice")
    assert client.post("/auth/logout", **bearer(token)).status_code == 204
    assert client.get("/me", **bearer(token)).status_code == 401
    assert client.post("/auth/refresh", **bearer(token)).status_code == 401
    assert client.post("/auth/logout", **bearer(token)).status_code == 204


def test_logging_out_with_a_refresh_token_that_was_used_ends_its_session(client, former, bearer):
    token = former("refresh", "alice")
    answer = client.post("/auth/refresh", **bearer(token)).json
    assert client.post("/auth/logout", **bearer(token)).status_code == 204
    assert client.get("/me", **bearer(answer["access_token"])).status_code == 401


# -- cookies

COOKIES = {"JWT_TOKEN_LOCATION": ["cookies"]}


@pytest.fixture
def holding(former):
    """Give a client the cookies that Flask-JWT-Extended has set; return their CSRF values by type."""

    def give(client, *kinds):
        values = {}
        for kind in kinds:
            token = former(kind, "alice", config=COOKIES)
            client.set_cookie(f"{kind}_token_cookie", token)
            values[kind] = jwt.decode(token, options={"verify_signature": False})["csrf"]
        return values

    return give


def test_cookies_are_taken_with_their_csrf_value(client, holding):
    csrf = holding(client, "access")
    assert client.get("/me").status_code == 200
    assert "Cookie" in client.get("/me").headers["Vary"]
    assert client.post("/me").status_code == 401
    assert client.post("/me", headers={"X-CSRF-TOKEN": "wrong"}).status_code == 401
    assert client.post("/me", headers={"X-CSRF-TOKEN": csrf["access"]}).status_code == 200


def test_a_cookie_that_was_issued_without_a_csrf_value_changes_nothing(client, former):
    client.set_cookie("access_token_cookie", former("access", "alice"))
    assert client.get("/me").status_code == 200
    assert client.post("/me", headers={"X-CSRF-TOKEN": ""}).status_code == 401


def test_where_cookies_are_not_in_use_they_are_not_looked_at(make_app, holding):
    client = make_app(PERMJWT_TOKEN_LOCATIONS=["headers"]).test_client()
    holding(client, "access", "refresh")
    assert client.get("/me").status_code == 401
    assert client.post("/auth/refresh").status_code == 401


def test_a_cookie_is_exchanged_for_ours_and_goes(client, holding):
    csrf = holding(client, "access", "refresh")
    assert client.post("/auth/refresh").status_code == 401
    answer = client.post("/auth/refresh", headers={"X-CSRF-TOKEN": csrf["refresh"]})
    assert answer.status_code == 200
    cookies = answer.headers.getlist("Set-Cookie")
    assert any(one.startswith("access_token=ey") for one in cookies)
    assert any(one.startswith("access_token_cookie=;") for one in cookies)
    # A cookie of ours with the same name as one of theirs is kept.
    assert not any(one.startswith("csrf_access_token=;") for one in cookies)


def test_logging_out_by_cookie_ends_both_and_clears_them(client, holding):
    csrf = holding(client, "access", "refresh")
    old = {name: client.get_cookie(f"{name}_token_cookie").value for name in csrf}
    assert client.post("/auth/logout").status_code == 401
    answer = client.post("/auth/logout", headers={"X-CSRF-TOKEN": csrf["access"]})
    assert answer.status_code == 204
    assert sum("_token_cookie=;" in one for one in answer.headers.getlist("Set-Cookie")) == 2
    assert client.get("/me").status_code == 401
    for path, name in (("/me", "access"), ("/auth/refresh", "refresh")):
        client.set_cookie(f"{name}_token_cookie", old[name])
        assert client.open(path, method="POST", headers={"X-CSRF-TOKEN": csrf[name]}).status_code == 401


def test_an_access_cookie_that_ran_out_does_not_hide_the_refresh_cookie_at_log_out(client, clock, holding):
    csrf = holding(client, "access", "refresh")
    clock.ahead = 3600
    assert client.post("/auth/logout", headers={"X-CSRF-TOKEN": csrf["access"]}).status_code == 401
    assert client.post("/auth/logout", headers={"X-CSRF-TOKEN": csrf["refresh"]}).status_code == 204


def test_former_cookies_beside_our_own_are_not_looked_at(client, holding):
    holding(client, "access", "refresh")
    login = {"username": "bob", "password": "x", "delivery": "cookie"}
    client.post("/auth/login", json=login)
    login = {"username": "alice", "password": "correct horse", "delivery": "cookie"}
    assert client.post("/auth/login", json=login).status_code == 200
    assert client.get("/me").json["session"]
    csrf = client.get_cookie("csrf_refresh_token").value
    assert client.post("/auth/refresh", headers={"X-CSRF-TOKEN": csrf}).status_code == 200


def test_where_only_cookies_are_given_the_body_is_refused(make_app, former):
    client = make_app(PERMJWT_TOKEN_LOCATIONS=["cookies"]).test_client()
    assert client.post("/auth/refresh", json={"refresh_token": former("refresh", "alice")}).status_code == 400


def test_a_cookie_that_slides_is_not_renewed_by_a_former_one(make_app, clock, former):
    client = make_app(PERMJWT_COOKIE_SLIDING=True).test_client()
    client.set_cookie("access_token_cookie", former("access", "alice", config=COOKIES))
    clock.ahead = 600
    answer = client.get("/me")
    assert (answer.status_code, answer.headers.getlist("Set-Cookie")) == (200, [])


def test_one_name_for_both_is_told_apart_by_what_is_in_it(make_app, former):
    client = make_app(PERMJWT_ACCESS_COOKIE_NAME="access_token_cookie").test_client()
    client.set_cookie("access_token_cookie", former("access", "alice", config=COOKIES))
    assert client.get("/me").status_code == 200


def test_a_header_wins_over_a_former_cookie(client, holding, former, bearer):
    holding(client, "access")
    assert client.get("/me", **bearer(former("access", "bob"))).json["user"] == "bob"
    assert client.get("/me", **bearer("a.b.c")).status_code == 401
    assert client.get("/me", headers={"Authorization": "Basic abc"}).json["user"] == "alice"
