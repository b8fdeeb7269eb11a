"""One's sessions and password, and the password that is asked again before the model is trained."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect
from sqlalchemy import update

from example_app.extensions import db, permjwt

NEW = "seventeen purple irises"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.4 Mobile/15E148 Safari/604.1"
)
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:126.0) Gecko/20100101 Firefox/126.0"


@pytest.fixture
def open_account(log_in):
    def make(name, **options):
        page = log_in(name, **options)
        page.get_by_role("link", name="Account").click()
        expect(page.get_by_role("heading", name="Your account")).to_be_visible()
        return page

    return make


def log_in_with(app, name, password, user_agent):
    sent = {"username": name, "password": password}
    return app.test_client().post("/auth/login", json=sent, headers={"User-Agent": user_agent})


def forget_access_token(page):
    """What happens after 15 minutes."""
    page.context.clear_cookies(name=re.compile("access_token$"))


def expect_to_be_sent_to_the_login(page, told="Your session is over. Please log in again."):
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text(told)


# -- sessions -----------------------------------------------------------------------------------------------


def test_the_list_shows_this_session_and_another(open_account, log_in, somebody):
    name = somebody()
    log_in(name, user_agent=IPHONE)
    page = open_account(name, user_agent=FIREFOX, locale="en-GB", timezone_id="Asia/Kolkata")

    sessions = page.locator(".session")
    expect(sessions).to_have_count(2)
    expect(sessions.nth(0)).to_contain_text("Firefox on Windows")
    expect(sessions.nth(0)).to_contain_text("this device")
    expect(sessions.nth(0).get_by_role("button")).to_have_count(0)
    expect(sessions.nth(1)).to_contain_text("Safari on iPhone")
    expect(sessions.nth(1)).to_contain_text("127.0.0.1")
    expect(sessions.nth(1)).not_to_contain_text("this device")
    expect(sessions.nth(1).get_by_role("button", name="End the session of Safari on iPhone")).to_be_visible()
    opened = sessions.nth(1).locator("time").first
    utc = datetime.strptime(opened.get_attribute("datetime"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - utc) < timedelta(minutes=2)
    assert (utc + timedelta(hours=5, minutes=30)).strftime("%H:%M") in opened.text_content()


def test_somebody_who_is_logged_in_here_only_is_told_so(open_account, somebody):
    page = open_account(somebody())

    expect(page.get_by_text("You are logged in nowhere else.")).to_be_visible()
    expect(page.get_by_role("button", name="Log out all other devices")).to_be_hidden()
    expect(page.get_by_role("button", name="Log out everywhere")).to_be_visible()


def test_a_session_that_is_ended_is_over_at_its_next_refresh(open_account, log_in, somebody):
    name = somebody()
    other, page = log_in(name, user_agent=IPHONE), open_account(name)
    page.get_by_role("button", name="End the session of Safari on iPhone").press("Enter")

    expect(page.locator("#sessions-done")).to_have_text("The session of Safari on iPhone is over.")
    assert page.locator("#sessions-done").get_attribute("role") == "status"
    expect(page.locator(".session")).to_have_count(1)
    expect(page.locator("#sessions")).to_be_focused()
    forget_access_token(other)
    other.reload()
    expect_to_be_sent_to_the_login(other)
    page.reload()
    expect(page.locator(".session")).to_have_count(1)


def test_the_account_page_of_a_session_that_was_ended_shows_nothing_even_before(open_account, somebody):
    name = somebody()
    other, page = open_account(name, user_agent=IPHONE), open_account(name)
    page.get_by_role("button", name="End the session of").click()
    expect(page.locator(".session")).to_have_count(1)

    other.reload()

    expect_to_be_sent_to_the_login(other)


def test_all_other_devices_are_logged_out_and_this_one_is_not(open_account, log_in, somebody):
    name = somebody()
    others = [log_in(name), log_in(name)]
    page = open_account(name)
    expect(page.locator(".session")).to_have_count(3)
    page.get_by_role("button", name="Log out all other devices").click()

    expect(page.locator("#sessions-done")).to_have_text("All other devices are logged out.")
    expect(page.locator(".session")).to_have_count(1)
    for other in others:
        forget_access_token(other)
        other.reload()
        expect_to_be_sent_to_the_login(other)


def test_logging_out_everywhere_leads_to_the_login_here_and_there(open_account, log_in, somebody, url):
    name = somebody()
    other, page = log_in(name), open_account(name)
    page.get_by_role("button", name="Log out everywhere").click()

    expect_to_be_sent_to_the_login(page, "You are logged out, here and everywhere else.")
    assert page.context.cookies([url, f"{url}/auth/"]) == []
    # At once: the page asks who is here, and that asks the database.
    other.reload()
    expect_to_be_sent_to_the_login(other)


@pytest.mark.parametrize(
    "user_agent",
    ["<img src=x onerror=alert(1)>", "Mozilla/5.0 <script>alert(1)</script>", '"><svg onload=alert(1)>/1'],
)
def test_what_a_client_calls_itself_is_text(open_account, demo_app, demo_password, somebody, user_agent):
    name = somebody()
    assert log_in_with(demo_app, name, demo_password, user_agent).status_code == 200
    page = open_account(name)
    alerts = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))

    expect(page.locator(".session .device").nth(1)).to_have_text(user_agent)
    page.get_by_role("button", name="End the session of").click()
    expect(page.locator("#sessions-done")).to_have_text(f"The session of {user_agent} is over.")
    assert page.locator("#sessions img, #sessions script, #sessions [onload]").count() == 0
    assert alerts == []


def test_user_agents_are_told_in_a_few_words(open_page):
    chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
    cases = {
        f"Mozilla/5.0 (X11; Linux x86_64) {chrome} Safari/537.36": "Chrome on Linux",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {chrome} Safari/537.36 Edg/126.0": "Edge on Windows",
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {chrome} Safari/537.36 OPR/111.0": "Opera on Windows",
        f"Mozilla/5.0 (Linux; Android 14; Pixel 8) {chrome} Mobile Safari/537.36": "Chrome on Android",
        f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {chrome} Safari/537.36": "Chrome on ChromeOS",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15": (
            "Safari on Mac"
        ),
        IPHONE: "Safari on iPhone",
        FIREFOX: "Firefox on Windows",
        "curl/8.5.0": "curl",
        "python-requests/2.32.3": "python-requests",
        "Mozilla/5.0 (compatible; Somebot)": "Mozilla/5.0 (compatible; Somebot)",
        "my own": "my own",
        "x" * 255: "x" * 79 + "…",
        "": "Unknown device",
        None: "Unknown device",
    }
    page = open_page()
    page.goto("/login")
    names = page.evaluate(
        """async (agents) => {
            const { device } = await import("/static/device.js");
            return agents.map((agent) => device(agent).name);
        }""",
        list(cases),
    )

    assert names == list(cases.values())


# -- password -----------------------------------------------------------------------------------------------


def change_password(page, old, new):
    page.get_by_label("Current password", exact=True).fill(old)
    page.get_by_label("New password", exact=True).fill(new)
    page.get_by_role("button", name="Change the password").click()


def test_a_new_password_ends_all_other_sessions(
    open_account, log_in, open_page, demo_app, demo_password, somebody
):
    name = somebody()
    other, page = log_in(name), open_account(name)
    change_password(page, demo_password, NEW)

    expect(page.locator("#password-done")).to_have_text(
        "Your password is changed, and all other sessions are over."
    )
    assert page.locator("#password-done").get_attribute("role") == "status"
    expect(page.get_by_label("Current password", exact=True)).to_have_value("")
    expect(page.get_by_label("New password", exact=True)).to_have_value("")
    expect(page.locator(".session")).to_have_count(1)
    assert NEW not in page.content()
    assert page.url.endswith("/account"), "nothing of it in the address"
    forget_access_token(page)
    page.reload()
    expect(page.locator("#who")).to_have_text(name)
    forget_access_token(other)
    other.reload()
    expect_to_be_sent_to_the_login(other)
    assert log_in_with(demo_app, name, demo_password, "test").status_code == 401
    log_in(name, password=NEW)


def test_a_wrong_old_password_is_told_beside_its_field_and_logs_nobody_out(open_account, somebody):
    page = open_account(somebody())
    change_password(page, "a guess", NEW)

    expect(page.locator("#old_password-problem")).to_have_text("This is not your current password.")
    expect(page.get_by_label("Current password", exact=True)).to_be_focused()
    expect(page.get_by_label("Current password", exact=True)).to_have_attribute("aria-invalid", "true")
    page.keyboard.type("x")
    expect(page.locator("#old_password-problem")).to_be_hidden()


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("short", "A password has at least 12 characters."),
        ("aaaaaaaaaaaaaaaa", "repeats a short piece"),
        ("abcdefghijklmnop", "neighbouring characters"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(open_account, demo_password, somebody, new, reason):
    page = open_account(somebody())
    change_password(page, demo_password, new)

    expect(page.locator("#new_password-problem")).to_contain_text(reason)
    expect(page.get_by_label("New password", exact=True)).to_be_focused()
    expect(page.get_by_label("New password", exact=True)).to_have_value(new)
    expect(page.locator("#password-done")).to_be_empty()


def test_empty_fields_are_told_without_asking_the_server(open_account, demo_password, somebody):
    page = open_account(somebody())
    page.get_by_role("button", name="Change the password").click()
    expect(page.locator("#old_password-problem")).to_have_text("Please type your current password.")
    change_password(page, demo_password, "")
    expect(page.locator("#new_password-problem")).to_have_text("Please type a new password.")


def test_too_many_attempts_are_told_with_the_time_to_wait(open_account, somebody):
    page = open_account(somebody())
    for _ in range(11):
        with page.expect_response("**/auth/password"):
            change_password(page, "a guess", NEW)
        expect(page.get_by_role("button", name="Change the password")).to_be_enabled()

    expect(page.locator("#password-problem")).to_have_text(
        re.compile(r"^Too many attempts\. Please try again in \d+ (minute|second)s?\.$")
    )


def test_password_managers_find_their_way(open_account, somebody):
    name = somebody()
    page = open_account(name)

    fields = page.locator("#password input").evaluate_all("all => all.map(one => one.autocomplete)")
    assert fields == ["username", "current-password", "new-password"]
    assert page.locator("#password [autocomplete=username]").input_value() == name


def test_a_password_can_be_shown_and_is_hidden_again_after_the_change(open_account, demo_password, somebody):
    page = open_account(somebody())
    page.get_by_role("button", name="Show the new password").click()
    field = page.get_by_label("New password", exact=True)
    expect(field).to_have_attribute("type", "text")
    expect(page.get_by_label("Current password", exact=True)).to_have_attribute("type", "password")
    change_password(page, demo_password, NEW)

    expect(page.locator("#password-done")).not_to_be_empty()
    expect(field).to_have_attribute("type", "password")


def test_strangers_are_sent_to_the_login(open_page):
    page = open_page()
    page.goto("/account")

    expect(page.get_by_role("button", name="Log in")).to_be_visible()


# -- step-up ------------------------------------------------------------------------------------------------


@pytest.fixture
def long_ago(demo_app):
    """Let it be ten minutes ago that whoever is logged in on a page gave the password."""

    def make(page):
        session = permjwt.models.session
        name = page.locator("#who").text_content()
        with demo_app.app_context():
            subject = permjwt.users.find(name).public_id
            then = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(minutes=10)
            db.session.execute(update(session).where(session.subject == subject).values(authenticated_at=then))
            db.session.commit()
        # The next one says so, for a refresh makes nothing fresh.
        forget_access_token(page)

    return make


def test_training_needs_no_password_right_after_the_login(log_in, somebody):
    page = log_in(somebody("admin"))
    page.get_by_role("button", name="Train").click()

    expect(page.locator("#trained")).to_contain_text("A new model is in place")


def test_training_asks_for_the_password_again_and_goes_on(log_in, demo_password, somebody, long_ago):
    page = log_in(somebody("admin"))
    long_ago(page)
    page.get_by_label("Seed").fill("4711")
    page.get_by_role("button", name="Train").press("Enter")

    dialog = page.get_by_role("dialog", name="Is it still you?")
    expect(dialog).to_be_visible()
    password = dialog.get_by_label("Your password")
    expect(password).to_be_focused()
    expect(password).to_have_attribute("autocomplete", "current-password")
    page.keyboard.type("a guess")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("This is not your password.")
    expect(password).to_be_focused()
    expect(page.locator("#trained")).to_be_empty()
    page.keyboard.type(demo_password)
    page.keyboard.press("Enter")

    expect(dialog).to_be_hidden()
    expect(page.locator("#trained")).to_contain_text("A new model is in place")
    expect(page.locator("#facts")).to_contain_text("4711")
    expect(page.get_by_role("button", name="Train")).to_be_focused()
    expect(page.locator("#confirm-password")).to_have_value("")
    page.get_by_label("Seed").fill("4712")
    page.get_by_role("button", name="Train").click()
    expect(page.locator("#facts")).to_contain_text("4712")
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("way_out", ["Escape", "Cancel"])
def test_whoever_does_not_confirm_trains_nothing(log_in, somebody, long_ago, way_out):
    page = log_in(somebody("admin"))
    before = page.locator("#facts").text_content()
    long_ago(page)
    for _ in range(2):
        page.get_by_role("button", name="Train").press("Enter")
        dialog = page.get_by_role("dialog", name="Is it still you?")
        dialog.get_by_label("Your password").fill("half of it")
        if way_out == "Escape":
            page.keyboard.press("Escape")
        else:
            dialog.get_by_role("button", name="Cancel").click()

        expect(dialog).to_be_hidden()
        expect(page.get_by_role("button", name="Train")).to_be_focused()
        expect(page.locator("#confirm-password")).to_have_value("")
    assert page.locator("#facts").text_content() == before
    expect(page.locator("#train-problem")).to_be_hidden()


def test_a_session_that_ended_meanwhile_leads_to_the_login(log_in, demo_app, demo_password, somebody, long_ago):
    page = log_in(somebody("admin"))
    long_ago(page)
    page.get_by_role("button", name="Train").click()
    # Only now: the page has refreshed its token before it asks.
    expect(page.get_by_label("Your password")).to_be_visible()
    with demo_app.app_context():
        session = permjwt.models.session
        subject = permjwt.users.find(page.locator("#who").text_content()).public_id
        db.session.execute(update(session).where(session.subject == subject).values(ended_at=datetime(2026, 1, 1)))  # noqa: DTZ001  # columns are naive UTC
        db.session.commit()
    page.get_by_label("Your password").fill(demo_password)
    page.get_by_role("button", name="Confirm").click()

    expect_to_be_sent_to_the_login(page)


def test_without_the_permission_nobody_is_asked_for_a_password(client_of):
    answer = client_of("analyst").post("/model/train")

    assert (answer.status_code, answer.json["error"]) == (403, "insufficient_scope")
