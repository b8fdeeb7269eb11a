import pytest
from playwright.sync_api import expect


def test_a_wrong_login_is_told_and_the_password_is_asked_again(open_page):
    page = open_page()
    page.goto("/login")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill("a guess")
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Log in")).to_be_enabled()
    assert page.url.endswith("/login"), "nothing of it in the address"
    assert page.context.cookies() == []


@pytest.mark.parametrize(
    ("name", "told"), [("", "Please type a user name."), ("admin", "Please type the password.")]
)
def test_an_empty_field_is_told_without_asking_the_server(open_page, name, told):
    page = open_page()
    page.goto("/login")
    page.get_by_label("User name").fill(name)
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("alert")).to_have_text(told)


def test_the_password_can_be_shown_and_the_user_picked(open_page):
    page = open_page()
    page.goto("/login")
    page.get_by_role("button", name="analyst").click()

    expect(page.get_by_label("User name")).to_have_value("analyst")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")


def test_a_server_that_is_gone_is_told(open_page):
    page = open_page()
    page.goto("/login")
    page.route("**/auth/login", lambda route: route.abort())
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password", exact=True).fill("a guess")
    page.get_by_role("button", name="Log in").click()

    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")


def test_the_page_sends_strangers_to_the_login(open_page):
    page = open_page()
    page.goto("/")

    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.locator("#content")).to_have_count(0)
