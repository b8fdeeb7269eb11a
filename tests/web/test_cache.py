"""The token cache behind real requests: it remembers a signature and never a decision."""

import re

import pytest

from flask_permjwt import current_principal, requires_login, requires_permissions
from flask_permjwt.tokens.codec import TokenCodec, TokenType


class Clock:
    now = 1_000_000

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def remembered(app):
    tokens = app.extensions["permjwt"].tokens
    return len(tokens._by_header) + len(tokens._by_cookie)


@pytest.fixture
def verified(monkeypatch):
    """Count how often a signature is verified."""
    count, verify = [], TokenCodec.verify

    def counting(self, *arguments):
        count.append(1)
        return verify(self, *arguments)

    monkeypatch.setattr(TokenCodec, "verify", counting)
    return count


@pytest.fixture
def make(make_app, clock):
    def make(**settings):
        app = make_app(clock=clock, **settings)

        @app.route("/read", methods=["GET", "POST"])
        @requires_permissions("a")
        def read():
            return {"you": current_principal.subject}

        @app.get("/login")
        @requires_login
        def login():
            return {}

        return app

    return make


def test_a_signature_is_verified_once(make, bearer, verified):
    app = make()
    client, options = app.test_client(), bearer(app, "a")
    for _ in range(5):
        assert client.get("/read", **options).status_code == 200
    assert client.get("/login", **options).status_code == 200
    assert len(verified) == 1


@pytest.mark.parametrize("settings", [{}, {"header_type": ""}], ids=["with a scheme", "without"])
def test_a_token_of_a_thousand_permissions_is_verified_once(make, bearer, verified, settings):
    app = make(**settings)
    client, options = app.test_client(), bearer(app, "a", *(f"res{number}:r" for number in range(1000)))
    token = options["headers"]["Authorization"].removeprefix("Bearer ")
    assert len(token) > 8 * 1024
    header = token if settings else f"Bearer {token}"
    for _ in range(5):
        assert client.get("/read", headers={"Authorization": header}).status_code == 200
    assert len(verified) == 1


def test_what_is_padded_around_a_token_is_not_remembered(make, bearer):
    app = make()
    client, options = app.test_client(), bearer(app, "a")
    header = options["headers"]["Authorization"]
    padded = header.replace(" ", " " * (8 * 1024))
    assert client.get("/read", headers={"Authorization": padded}).status_code == 200
    assert remembered(app) == 0
    assert client.get("/read", headers={"Authorization": header}).status_code == 200
    assert remembered(app) == 1


def test_without_a_cache_it_is_verified_each_time(make, bearer, verified):
    app = make(token_cache_size=0)
    client, options = app.test_client(), bearer(app, "a")
    for _ in range(5):
        assert client.get("/read", **options).status_code == 200
    assert len(verified) == 5


def test_time_and_permissions_are_judged_on_every_request(make, bearer, clock):
    app = make()
    client = app.test_client()
    poor, rich = bearer(app, "b", exp=clock.now + 60), bearer(app, "a", exp=clock.now + 60)
    for _ in range(3):
        assert client.get("/login", **poor).status_code == 200
        assert client.get("/read", **poor).status_code == 403
        assert client.get("/read", **rich).status_code == 200
    clock.now += 59
    assert client.get("/read", **rich).status_code == 200
    clock.now += 1
    assert client.get("/read", **rich).status_code == 401
    assert remembered(app) == 1
    clock.now -= 2
    assert client.get("/read", **rich).status_code == 200


def test_not_before_is_judged_too(make, bearer, clock):
    app = make()
    client, options = app.test_client(), bearer(app, "a", nbf=clock.now)
    assert client.get("/read", **options).status_code == 200
    clock.now -= 1
    assert client.get("/read", **options).status_code == 401


def test_what_is_not_good_is_never_remembered(make, token):
    app = make()
    client = app.test_client()
    good = token(app, "a")
    for text in (
        good[:-1],
        good + "A",
        good.swapcase(),
        "x.y.z",
        token(app, "a", kind=TokenType.REFRESH),
        token(app, exp=1),
    ):
        assert client.get("/read", headers={"Authorization": f"Bearer {text}"}).status_code == 401
    assert remembered(app) == 0


def test_apps_do_not_share_what_they_remember(make, bearer):
    first, second = make(), make(issuer="https://example.com")
    options = bearer(first, "a")
    assert first.test_client().get("/read", **options).status_code == 200
    assert second.test_client().get("/read", **options).status_code == 401


def test_a_remembered_cookie_needs_its_csrf_value_each_time(make, token):
    app = make()
    client = app.test_client()
    client.set_cookie("access_token", token(app, "a", csrf="value"))
    for _ in range(2):
        assert client.get("/read").status_code == 200
        assert client.post("/read").status_code == 401
        assert client.post("/read", headers={"X-CSRF-TOKEN": "value"}).status_code == 200


def test_a_refresh_token_is_not_accepted_because_its_text_was_seen(make, token):
    app = make()
    refresh = token(app, kind=TokenType.REFRESH)
    client = app.test_client()
    for _ in range(2):
        assert client.get("/login", headers={"Authorization": f"Bearer {refresh}"}).status_code == 401


@pytest.fixture(params=["header", "cookie"])
def brought(request, token):
    """What a request brings: a token in the header, or in cookies with its CSRF value."""

    def bring(app, *permissions, **claims):
        text = token(app, *permissions, csrf="value", **claims)
        if request.param == "header":
            return {"Authorization": f"Bearer {text}"}
        return {"Cookie": f"theme=dark; access_token={text}", "X-CSRF-TOKEN": "value"}

    return bring


def test_whatever_it_came_in_time_and_permissions_are_judged_on_every_request(make, brought, clock):
    app = make()
    client = app.test_client(use_cookies=False)
    rich = brought(app, "a", nbf=clock.now, exp=clock.now + 60)
    poor = brought(app, "b", exp=clock.now + 60)
    for _ in range(3):
        assert client.post("/read", headers=rich).status_code == 200
        assert client.post("/read", headers=poor).status_code == 403
    for moment, status in ((-1, 401), (0, 200), (59, 200), (60, 401), (59, 200)):
        clock.now = 1_000_000 + moment
        assert client.post("/read", headers=rich).status_code == status


def test_whatever_it_came_in_what_was_revoked_is_refused_at_once(make, brought):
    app = make()
    client, headers = app.test_client(use_cookies=False), brought(app, "a")
    permjwt = app.extensions["test_permjwt"]
    for _ in range(3):
        assert client.post("/read", headers=headers).status_code == 200
    with app.app_context():
        permjwt.revocations.revoke_token(re.split("Bearer |=", next(iter(headers.values())))[-1])
        permjwt.users.commit()
    assert client.post("/read", headers=headers).status_code == 401


def test_a_header_wins_over_cookies_that_were_seen_before(make, token):
    app = make()
    client = app.test_client(use_cookies=False)
    cookies = {"Cookie": f"access_token={token(app, 'a', csrf='value')}", "X-CSRF-TOKEN": "value"}
    for _ in range(2):
        assert client.post("/read", headers=cookies).status_code == 200
    poor = {"Authorization": f"Bearer {token(app, 'b')}"}
    for _ in range(2):
        assert client.post("/read", headers=cookies | poor).status_code == 403
    assert client.post("/read", headers=cookies | {"Authorization": "Bearer a b"}).status_code == 400
    # Another scheme is none of ours, and switches no CSRF value off.
    other = {"Authorization": "Basic dXNlcjpwYXNz"}
    assert client.post("/read", headers=cookies | other).status_code == 200
    for wrong in ({"X-CSRF-TOKEN": ""}, {"X-CSRF-TOKEN": "other"}, {"X-CSRF-TOKEN": "valu\xe9"}):
        assert client.post("/read", headers=cookies | wrong).status_code == 401
        assert client.post("/read", headers=cookies | other | wrong).status_code == 401


def test_a_ticket_wins_over_cookies_that_were_seen_before(make, token):
    app = make(tickets=True)
    client = app.test_client(use_cookies=False)
    cookies = {"Cookie": f"access_token={token(app, 'a')}"}
    for _ in range(2):
        assert client.get("/read", headers=cookies).status_code == 200
    answer = client.get("/read?ticket=pjwtt_" + "a" * 43, headers=cookies)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")
