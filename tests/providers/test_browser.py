"""A login in a real browser: Chromium goes to a provider at another site and comes back."""

import threading

import browsers
import pytest
from login_providers import go
from werkzeug.serving import make_server


@pytest.fixture(scope="module")
def chromium():
    with browsers.chromium() as found:
        yield found


@pytest.fixture
def serve(make_site, openid, make_database_url):
    """Serve an app on localhost, which is another site than the provider's 127.0.0.1."""
    servers = []

    def make(**settings):
        url = make_database_url("sqlite")
        site = make_site({"openid": openid.entry()}, url=url, cookie_secure=False, **settings)
        server = make_server("127.0.0.1", 0, site.app, threaded=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        address = f"http://localhost:{server.server_port}"
        openid.client.redirect_uris.append(f"{address}/auth/callback/openid")
        return site, address

    yield make
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def open_page(chromium):
    contexts = []

    def make():
        contexts.append(chromium.new_context())
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.mark.parametrize("same_site", ["Lax", "Strict"])
def test_a_browser_goes_to_the_provider_and_comes_back_logged_in(serve, open_page, openid, same_site):
    site, address = serve(cookie_samesite=same_site)
    page = open_page()
    page.goto(f"{address}/app/start")
    page.set_content('<a href="/auth/login/openid?next=/home/">Log in</a>')
    page.get_by_role("link", name="Log in").click()
    page.wait_for_url(f"{address}/home/")

    assert openid.asked["/authorize"] == 1
    assert site.users()[0][0] in page.content()
    names = {one["name"]: one for one in page.context.cookies()}
    assert names["access_token"]["httpOnly"]
    assert names["access_token"]["sameSite"] == same_site
    assert not any(name.startswith("permjwt_login_") for name in names)


def test_a_script_asks_for_the_address_and_goes_there(serve, open_page):
    site, address = serve()
    page = open_page()
    page.goto(f"{address}/app/start")
    page.evaluate(
        """async () => {
            const options = {headers: {Accept: "application/json"}};
            location = (await (await fetch("/auth/login/openid?next=/home/", options)).json()).url;
        }"""
    )
    page.wait_for_url(f"{address}/home/")
    assert site.users()[0][0] in page.content()


def test_the_attackers_way_back_in_a_victims_browser_logs_nobody_in(serve, open_page):
    site, address = serve()
    way = go(go(f"{address}/auth/login/openid?next=/home/"))
    victim = open_page()
    # From the attacker's own page, as a link or as a picture would.
    victim.goto("about:blank")
    victim.set_content(f'<a href="{way}">Look</a>')
    victim.get_by_role("link", name="Look").click()
    victim.wait_for_url("**/auth/callback/**")
    assert "invalid_state" in victim.content()
    assert victim.context.cookies() == []
    assert site.told("logged_in") == []
