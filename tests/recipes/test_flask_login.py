"""Flask-Login's pages beside our API: neither opens the other's doors, and both end with the user."""

from urllib.parse import urlencode

import pytest
from callers import PASSWORD


@pytest.fixture
def app(load, recipe):
    return load(recipe("flask-login"), {"alice": ["reports:read"], "bob": []})


def log_in_to_pages(app, name="alice", password=PASSWORD, origin=None):
    form = urlencode({"username": name, "password": password})
    return app.ask("POST", "/login", form=form, headers={"Origin": origin or app.url})


def session_of(answer):
    assert answer.status == 302, answer.text
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def test_a_page_takes_its_session_and_the_api_a_token(app):
    session = session_of(log_in_to_pages(app))
    assert app.ask("GET", "/", headers=session).text == "Hello, alice."
    assert app.get("/api/reports", app.log_in("alice")).json == {"for": "alice"}


def test_a_session_of_the_pages_opens_nothing_of_the_api(app):
    session = session_of(log_in_to_pages(app))
    for path in ("/api/reports", "/auth/me", "/auth/sessions"):
        answer = app.ask("GET", path, headers=session)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_opens_no_page(app):
    answer = app.get("/", app.log_in("alice"))
    assert answer.status == 302
    assert answer.headers["Location"].startswith("/login")


def test_both_may_be_two_users_in_one_request(app):
    session = session_of(log_in_to_pages(app, "bob"))
    assert app.ask("GET", "/api/reports", app.log_in("alice"), headers=session).json == {"for": "alice"}
    assert app.ask("GET", "/", app.log_in("alice"), headers=session).text == "Hello, bob."


def test_a_cookie_with_a_token_is_none_of_ours_where_cookies_are_for_pages(app):
    token = app.log_in("alice")
    assert app.ask("GET", "/api/reports", headers={"Cookie": f"access_token={token}"}).status == 401
    body = {"username": "alice", "password": PASSWORD, "delivery": "cookie"}
    assert app.ask("POST", "/auth/login", body=body).status == 422


def test_logging_out_of_the_pages_leaves_the_token_and_the_other_way_round(app):
    session, token = session_of(log_in_to_pages(app)), app.log_in("alice")
    assert app.ask("POST", "/auth/logout", token).status == 204
    assert app.ask("GET", "/", headers=session).status == 200
    token = app.log_in("alice")
    out = app.ask("POST", "/logout", headers={**session, "Origin": app.url})
    assert out.status == 302
    assert app.ask("GET", "/", headers=session_of(out)).status == 302
    assert app.get("/api/reports", token).status == 200


CHANGES = {
    "disabled": lambda users, user: users.set_active(user, False),
    "a new password": lambda users, user: users.set_password(user, "another long password"),
    "deleted": lambda users, user: users.delete(user),
}


@pytest.mark.parametrize("what", CHANGES)
def test_whoever_is_put_out_is_out_of_both(app, what):
    session, token = session_of(log_in_to_pages(app)), app.log_in("alice")
    with app.app.app_context():
        users = app.module.permjwt.users
        CHANGES[what](users, users.find("alice"))
        users.commit()
    assert app.ask("GET", "/", headers=session).status == 302
    assert app.get("/api/reports", token).status == 401


def test_logging_out_everywhere_ends_the_pages_too(app):
    session = session_of(log_in_to_pages(app))
    assert app.ask("POST", "/auth/logout-all", app.log_in("alice")).status == 204
    assert app.ask("GET", "/", headers=session).status == 302


def test_a_password_that_somebody_changed_themselves_leaves_the_pages_session(app):
    session = session_of(log_in_to_pages(app))
    body = {"old_password": PASSWORD, "new_password": "a quite different, long one"}
    assert app.ask("POST", "/auth/password", app.log_in("alice"), body).status == 204
    assert app.ask("GET", "/", headers=session).status == 200


def test_the_cookie_of_the_pages_goes_over_tls_alone_and_no_script_reads_it(app):
    attributes = log_in_to_pages(app).headers["Set-Cookie"].partition(";")[2]
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {one.strip() for one in attributes.split(";")}


def test_a_session_that_was_made_up_is_nobodys(app):
    assert app.ask("GET", "/", headers={"Cookie": "session=eyJfdXNlcl9pZCI6IjEifQ.aaaa.bbbb"}).status == 302


def test_a_form_of_another_site_neither_logs_in_nor_out(app):
    assert log_in_to_pages(app, origin="https://evil.example").status == 400
    session = session_of(log_in_to_pages(app))
    answer = app.ask("POST", "/logout", headers={**session, "Origin": "https://evil.example"})
    assert answer.status == 400
    assert app.ask("POST", "/logout", headers=session).status == 400


def test_wrong_passwords_at_both_logins_are_one_count(app):
    wrong = {"username": "alice", "password": "wrong"}
    for _ in range(5):
        assert log_in_to_pages(app, password="wrong").status == 401
        assert app.ask("POST", "/auth/login", body=wrong).status == 401
    refused = log_in_to_pages(app)
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert app.ask("POST", "/auth/login", body=wrong).status == 429


@pytest.mark.parametrize("name", ["nobody", "", "\0", "a" * 100_000, "\ud800".encode("utf-8", "surrogatepass")])
def test_an_odd_name_is_a_wrong_one(app, name):
    assert log_in_to_pages(app, name).status == 401
    assert log_in_to_pages(app, "alice", "x" * 100_000).status == 401


def test_failures_are_written_down(app):
    log_in_to_pages(app, password="wrong")
    with app.app.app_context():
        audit = app.module.permjwt.models.audit
        events = [row.event for row in app.module.db.session.query(audit).order_by(audit.id)]
    assert events[-1] == "login_failed"


def test_every_view_is_declared(recipe):
    page = recipe("flask-login")
    assert "Every view is guarded or marked @public." in page.run("flask", "permjwt", "routes", "--check")
