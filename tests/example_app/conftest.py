"""The example app on a folder of its own, and its pages in a real browser: Chromium, driven by Playwright."""

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browsers
import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import event
from sqlalchemy.pool import Pool
from werkzeug.serving import make_server
from werkzeug.test import Client

from example_app import create_app
from example_app.extensions import db, permjwt

PASSWORD = "a password for all three"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A browser that leaves a page while it loads hangs up: the server of Werkzeug then leaves the file to the
    # garbage collector, which complains in whatever test comes next.
    hung_up = pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
    )
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(hung_up)


@pytest.fixture(scope="session", autouse=True)
def connections() -> Iterator[None]:
    """Close what the apps leave open: they end with their process, which these tests do not."""
    opened = []

    def keep(connection: Any, _: object) -> None:
        opened.append(connection)

    event.listen(Pool, "connect", keep)
    yield
    event.remove(Pool, "connect", keep)
    for connection in opened:
        if isinstance(connection, sqlite3.Connection):  # other tests of this process have theirs
            connection.close()


@pytest.fixture(scope="session")
def demo_password() -> str:
    return PASSWORD


@pytest.fixture(scope="session")
def demo_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """One app for all tests that only use it; each start costs the hashing of three passwords."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXAMPLE_DEMO_PASSWORD", PASSWORD)
        yield create_app(
            {
                "EXAMPLE_INSTANCE_PATH": str(tmp_path_factory.mktemp("instance")),
                # The browser and the test client come over plain http.
                "PERMJWT_COOKIE_SECURE": False,
            }
        )


@pytest.fixture(scope="module")
def tokens(demo_app: Flask) -> dict[str, str]:
    """An access token of each user, by name; of each module its own, for training needs a fresh one."""
    found = {}
    for name in ("viewer", "analyst", "admin"):
        answer = demo_app.test_client().post("/auth/login", json={"username": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        found[name] = answer.json["access_token"]
    return found


@pytest.fixture
def somebody(demo_app: Flask) -> Callable[[str], str]:
    """Make a user with a role, whose sessions and password no other test cares about; return the name."""

    def make(role: str = "analyst") -> str:
        name = f"{role}-{secrets.token_hex(4)}"
        with demo_app.app_context():
            permjwt.users.create(name, PASSWORD, roles=[role])
            db.session.commit()
        return name

    return make


@pytest.fixture
def client_of(demo_app: Flask, tokens: dict[str, str]) -> Callable[[str | None], Client]:
    """A client that acts for a user, or for nobody."""

    def make(name: str | None) -> Client:
        client = demo_app.test_client()
        if name is not None:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {tokens[name]}"
        return client

    return make


@pytest.fixture(scope="module")
def browser():
    with browsers.chromium() as found:
        yield found


@pytest.fixture(scope="module")
def url(demo_app):
    server = make_server("127.0.0.1", 0, demo_app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def is_no_fault(page: Page, text: str) -> bool:
    """A refused request: tests that ask for one look at the page. What Chromium thinks of Swagger UI's dialog."""
    return "Failed to load resource" in text or (text.startswith("[DOM]") and "/docs/" in page.url)


@pytest.fixture
def open_page(browser, url):
    """Open a page in a browser that has no cookies yet; what the page did wrong fails the test."""
    contexts, faults = [], []

    def make(**options) -> Page:
        context = browser.new_context(base_url=url, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(f"script error: {error}"))
        page.on(
            "console",
            lambda message: is_no_fault(page, message.text) or faults.append(message.text),
        )
        page.on("request", lambda sent: sent.url.startswith(url) or faults.append(f"went out: {sent.url}"))
        return page

    yield make
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def log_in(open_page, demo_password):
    def make(name, *, password=demo_password, **options) -> Page:
        page = open_page(**options)
        page.goto("/login")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_label("Password", exact=True).press("Enter")
        expect(page.get_by_role("heading", name="Which iris is it?")).to_be_visible()
        return page

    return make
