"""Cookies, CSRF values, renewal and logout, as the browser sees them."""

import re

from playwright.sync_api import expect


def cookies_of(page):
    return {one["name"]: one for one in page.context.cookies([page.url, page.url + "auth/"])}


def status_of_fetch(page, path, headers=None):
    """The status of a POST that a script of the page sends, without the page's own care for tokens."""
    return page.evaluate(
        """async ([path, headers]) => {
            const body = {sepal_length: 5.1, sepal_width: 3.5, petal_length: 1.4, petal_width: 0.2};
            const sent = {method: "POST", body: JSON.stringify(body),
                          headers: {"Content-Type": "application/json", ...headers}};
            const answer = await fetch(path, sent);
            return [answer.status, (await answer.json()).error ?? null];
        }""",
        [path, headers or {}],
    )


def test_a_viewer_who_asks_all_the_same_is_refused_by_the_server(log_in):
    page = log_in("viewer")
    csrf = cookies_of(page)["csrf_access_token"]["value"]

    assert status_of_fetch(page, "/predict", {"X-CSRF-TOKEN": csrf}) == [403, "insufficient_scope"]


def test_tokens_travel_in_cookies_that_no_script_can_read(log_in):
    page = log_in("analyst")
    cookies = cookies_of(page)

    assert set(cookies) == {"access_token", "refresh_token", "csrf_access_token", "csrf_refresh_token"}
    assert {name for name, one in cookies.items() if one["httpOnly"]} == {"access_token", "refresh_token"}
    assert {one["sameSite"] for one in cookies.values()} == {"Lax"}
    assert {one["domain"] for one in cookies.values()} == {"127.0.0.1"}
    assert {name: one["path"] for name, one in cookies.items()} == {
        "access_token": "/",
        "refresh_token": "/auth",
        "csrf_access_token": "/",
        "csrf_refresh_token": "/",
    }
    readable = page.evaluate("document.cookie")
    assert "csrf_access_token=" in readable
    assert cookies["access_token"]["value"] not in readable
    assert cookies["refresh_token"]["value"] not in readable


def test_a_post_without_the_csrf_value_fails(log_in):
    page = log_in("analyst")

    assert status_of_fetch(page, "/predict") == [401, "csrf_failed"]
    assert status_of_fetch(page, "/predict", {"X-CSRF-TOKEN": "a guess"}) == [401, "csrf_failed"]
    csrf = cookies_of(page)["csrf_access_token"]["value"]
    assert status_of_fetch(page, "/predict", {"X-CSRF-TOKEN": csrf}) == [200, None]


def test_without_its_csrf_cookies_the_page_asks_to_log_in_again(log_in):
    page = log_in("analyst")
    page.context.clear_cookies(name=re.compile("^csrf_"))
    with page.expect_response("**/predict") as predict:
        page.get_by_role("button", name="Predict").click()

    assert predict.value.status == 401
    expect(page.get_by_role("status")).to_have_text("Your session is over. Please log in again.")


def test_a_first_visit_is_not_told_that_a_session_is_over(open_page):
    page = open_page()
    page.goto("/")
    page.wait_for_url("**/login")
    expect(page.get_by_label("User name")).to_be_visible()
    expect(page.get_by_text("Your session is over")).to_have_count(0)


def test_the_end_of_the_access_token_is_not_noticed(log_in):
    page = log_in("analyst")
    old = cookies_of(page)["refresh_token"]["value"]
    page.context.clear_cookies(name=re.compile("access_token$"))
    page.get_by_role("button", name="Predict").click()

    expect(page.locator("#verdict")).to_have_text("Iris setosa")
    assert cookies_of(page)["refresh_token"]["value"] != old, "the refresh token was rotated"
    page.context.clear_cookies(name=re.compile("access_token$"))
    page.reload()
    expect(page.locator("#who")).to_have_text("analyst")


def test_logging_out_clears_the_cookies_and_ends_the_session(log_in, url):
    page = log_in("analyst")
    before = cookies_of(page)
    page.get_by_role("button", name="Log out").click()

    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    assert page.context.cookies([url, f"{url}/auth/"]) == []
    assert page.request.get("/auth/me").status == 401
    assert page.request.get("/private/info/").status == 401
    stolen = {
        "Cookie": f"refresh_token={before['refresh_token']['value']}",
        "X-CSRF-TOKEN": before["csrf_refresh_token"]["value"],
    }
    assert page.request.post("/auth/refresh", headers=stolen).status == 401

    page.go_back()
    expect(page.get_by_role("heading", name="Iris")).to_be_visible()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_logging_out_works_when_only_the_refresh_token_is_left(log_in, url):
    page = log_in("analyst")
    page.context.clear_cookies(name=re.compile("access_token$"))
    page.get_by_role("button", name="Log out").click()

    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    assert page.context.cookies([url, f"{url}/auth/"]) == []
