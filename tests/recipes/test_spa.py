"""The module of the page about single-page apps, in Chromium."""

import browsers
import pytest
from callers import PASSWORD
from flask import request
from pages import ROOT, blocks

RUN = """async ([name, ...values]) => {
    const session = await import("/static/session.js");
    try {
        return await session[name](...values);
    } catch (error) {
        return error instanceof session.SignedOut ? "signed out" : String(error);
    }
}"""


@pytest.fixture(scope="module")
def chromium():
    with browsers.chromium() as found:
        yield found


@pytest.fixture
def app(load, recipe):
    page = recipe("spa")
    static = page.folder / "static"
    static.mkdir()
    (page.folder / "session.js").rename(static / "session.js")
    (static / "page.html").write_text("<!doctype html><title>the page</title>")
    app = load(page, {"alice": ["reports:read", "reports:write"]}, PERMJWT_COOKIE_SECURE=False)
    app.asked = []

    @app.app.after_request
    def note(response):
        app.asked.append((request.method, request.path, response.status_code))
        return response

    return app


@pytest.fixture
def context(chromium):
    context = chromium.new_context()
    yield context
    context.close()


@pytest.fixture
def tab(app, context):
    def make():
        page = context.new_page()
        page.goto(app.url)
        return lambda *call: page.evaluate(RUN, list(call))

    return make


def expire(context):
    """Let the access cookies be gone, as browsers do when their time is over."""
    context.clear_cookies(name="access_token")
    context.clear_cookies(name="csrf_access_token")


def test_it_logs_in_reads_and_writes_and_no_script_sees_a_token(tab, context):
    page = tab()
    answer = page("logIn", "alice", PASSWORD)
    assert answer["status"] == 200
    assert set(answer["body"]) == {"expires_in", "token_type"}
    assert page("call", "GET", "/reports")["body"] == {"for": "alice"}
    assert page("call", "POST", "/reports", {"title": "May"})["body"] == {"written": True}
    cookies = {one["name"]: one for one in context.cookies()}
    assert cookies["access_token"]["httpOnly"]
    assert cookies["refresh_token"]["httpOnly"]


def test_the_lines_that_use_it_do(app, context):
    page = context.new_page()
    page.goto(app.url)
    use = blocks(ROOT / "docs" / "spa.md", "js")[1]
    page.add_script_tag(type="module", content=f'const password = "{PASSWORD}"; {use} window.body = answer.body;')
    page.wait_for_function("window.body")
    assert page.evaluate("window.body") == {"written": True}


def test_the_lines_about_the_csrf_value_do_too(app, context):
    page = context.new_page()
    page.goto(app.url)
    page.evaluate(RUN, ["logIn", "alice", PASSWORD])
    [lines] = blocks(ROOT / "docs" / "tokens.md", "js")
    assert page.evaluate(f"async () => {{ {lines} return answer.json(); }}") == {"written": True}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_renews_when_the_cookies_are_gone(tab, context, app, method):
    page = tab()
    page("logIn", "alice", PASSWORD)
    expire(context)
    assert page("call", method, "/reports", *([{}] if method == "POST" else []))["status"] == 200
    assert ("POST", "/auth/refresh", 200) in app.asked


def test_two_tabs_that_renew_at_once_log_nobody_out(tab, context, app):
    page = tab()
    page("logIn", "alice", PASSWORD)
    expire(context)
    both = context.new_page()
    both.goto(app.url)
    statuses = both.evaluate(
        """async () => {
            const one = await import("/static/session.js"), two = await import("/static/session.js?again");
            const answers = await Promise.all([one, two].map((tab) => tab.call("GET", "/reports")));
            return answers.map((answer) => answer.status);
        }"""
    )
    assert statuses == [200, 200]
    assert app.asked.count(("POST", "/auth/refresh", 200)) == 2
    assert page("call", "GET", "/reports")["status"] == 200


def test_a_refusal_for_want_of_permissions_is_no_reason_to_renew(tab, app):
    page = tab()
    page("logIn", "alice", PASSWORD)
    assert page("call", "GET", "/auth/sessions?user=bob")["status"] == 403
    assert page("call", "POST", "/auth/confirm", {"password": "wrong"})["status"] == 401
    assert not [one for one in app.asked if one[1] == "/auth/refresh"]


def test_the_end_of_the_session_is_told(tab, context, app):
    page = tab()
    assert page("call", "GET", "/reports") == "signed out"
    page("logIn", "alice", PASSWORD)
    with app.app.app_context():
        users = app.module.permjwt.users
        users.set_active(users.find("alice"), False)
        users.commit()
    assert page("call", "POST", "/reports", {}) == "signed out"


@pytest.mark.parametrize("over", [False, True])
def test_it_logs_out_also_when_the_access_token_is_over(tab, context, over):
    page = tab()
    page("logIn", "alice", PASSWORD)
    if over:
        expire(context)
    assert page("logOut")["status"] == 204
    assert context.cookies() == []


def test_a_login_that_fails_is_no_session(tab, context):
    assert tab()("logIn", "alice", "wrong")["status"] == 401
    assert context.cookies() == []
