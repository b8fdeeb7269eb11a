"""The buttons of providers: there where a provider is, and what a person sees who comes back by one."""

import threading

import pytest
from login_providers import LoginProvider
from playwright.sync_api import expect
from werkzeug.serving import make_server

from example_app import create_app


@pytest.fixture
def provider(monkeypatch):
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    provider = LoginProvider(openid=False)
    yield provider
    provider.stop()


@pytest.fixture
def address(provider, tmp_path, monkeypatch, demo_password):
    """Serve the example with a provider, on localhost: another site than that one's 127.0.0.1."""
    monkeypatch.setenv("EXAMPLE_DEMO_PASSWORD", demo_password)
    app = create_app(
        {
            "EXAMPLE_INSTANCE_PATH": str(tmp_path),
            "PERMJWT_COOKIE_SECURE": False,
            "PERMJWT_PROVIDERS": {"company": provider.entry(), "github": {"client_id": "x", "client_secret": "y"}},
        }
    )
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://localhost:{server.port}"
    provider.client.redirect_uris.append(f"{address}/auth/callback/company")
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser):
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


def test_without_a_provider_there_is_no_button(open_page):
    page = open_page()
    page.goto("/login")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_role("link", name="Log in with")).to_have_count(0)


def test_a_button_goes_to_the_provider_and_comes_back_to_the_page(address, page, tmp_path):
    page.goto(f"{address}/login")
    expect(page.get_by_role("list", name="Other ways to log in").get_by_role("link")).to_have_text(
        ["Log in with Company", "Log in with GitHub"]
    )
    page.get_by_role("link", name="Log in with Company").click()
    page.wait_for_url(f"{address}/")
    expect(page.get_by_role("heading", name="Which iris is it?")).to_be_visible()
    assert not any(one["name"].startswith("permjwt_login_") for one in page.context.cookies())


def test_a_login_that_fails_ends_on_the_login_page_in_plain_words(address, page, provider):
    provider.answers["/token"] = (500, b"", {})
    page.goto(f"{address}/login")
    page.get_by_role("link", name="Log in with Company").click()
    expect(page.get_by_role("alert")).to_have_text(
        "The other side does not answer as it should. Please try again later."
    )
    assert page.url == f"{address}/login"
    # What somebody else writes into the address is shown to nobody.
    page.goto("about:blank")
    page.goto(f"{address}/login#<b>your password, please</b>")
    expect(page.get_by_role("alert")).to_have_count(0)
