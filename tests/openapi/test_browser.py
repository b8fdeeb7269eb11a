"""The documentation in a real browser: log in there, call a protected view, log out."""

import browsers
import pytest
from playwright.sync_api import expect

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def chromium():
    with browsers.chromium() as browser:
        yield browser


class Page:
    """The page of the documentation of an app, and what the browser said while it was shown."""

    def __init__(self, browser, address, path="/docs/"):
        self.context = browser.new_context(viewport={"width": 1280, "height": 1400})
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints, self.asked = [], []
        self.page.on("console", lambda one: one.type == "error" and self.complaints.append(one.text))
        self.page.on("pageerror", lambda one: self.complaints.append(str(one)))
        self.page.on("request", self.note)
        self.address = address
        self.page.goto(f"{address}{path}")
        self.page.locator(".opblock").first.wait_for()

    def note(self, request):
        self.asked.append(request)

    def dialog(self):
        self.page.locator(".auth-wrapper .btn.authorize").first.click()
        return self.page.locator(".auth-container").filter(has_text="permjwt_password")

    def close_dialog(self):
        self.page.locator(".modal-ux-header .close-modal").click()

    def log_in(self, password=PASSWORD):
        box = self.dialog()
        box.locator("#oauth_username").fill("alice")
        box.locator("#oauth_password").fill(password)
        box.locator("button.authorize").click()
        return box

    def log_out(self):
        with self.page.expect_response("**/logout"):
            self.dialog().get_by_role("button", name="Remove authorization").click()
        self.close_dialog()

    def operation(self, method, path):
        block = self.page.locator(f".opblock-{method}").filter(
            has=self.page.locator(f'.opblock-summary-path[data-path="{path}"]')
        )
        if "is-open" not in block.get_attribute("class"):
            block.locator(".opblock-summary-control").click()
        return block

    def call(self, method, path, body=None):
        """Execute an operation, and return the status that the page shows."""
        block = self.operation(method, path)
        if body is not None:
            block.locator("textarea.body-param__text").fill(body)
        with self.page.expect_response(f"{self.address}{path}") as answer:
            block.locator("button.execute").click()
        # The page shows the status of the call before until it has taken in this one's.
        shown = block.locator(".live-responses-table tbody .response-col_status")
        expect(shown).to_contain_text(str(answer.value.status))
        return answer.value.status


@pytest.fixture
def open_docs(chromium):
    opened = []

    def make(address, **options):
        opened.append(Page(chromium, address, **options))
        return opened[-1]

    yield make
    for one in opened:
        one.context.close()


@pytest.fixture
def served(make_api, add_auth, serve, add_views):
    def make(**settings):
        app = make_api(on_disk=True, cookie_secure=False, **settings)
        add_auth(app)
        add_views(app)
        app.register_blueprint(app.extensions["test_permjwt"].docs_blueprint, url_prefix="/docs")
        return app, serve(app)

    return make


def test_one_logs_in_calls_a_protected_view_and_logs_out(served, open_docs):
    _, address = served()
    docs = open_docs(address)
    assert docs.call("get", "/reports") == 401
    box = docs.log_in()
    expect(box.get_by_role("button", name="Remove authorization")).to_be_visible()
    docs.close_dialog()
    assert docs.call("get", "/reports") == 200
    # What alice may not do.
    post = docs.operation("post", "/reports/{report_id}")
    post.get_by_placeholder("report_id").fill("7")
    with docs.page.expect_response("**/reports/7") as refused:
        post.locator("button.execute").click()
    assert refused.value.status == 403
    docs.log_out()
    assert docs.call("get", "/reports") == 401
    # Nothing came from elsewhere, and nothing was against the page's own policy.
    assert {one.url.split("/")[2] for one in docs.asked if one.url.startswith("http")} == {address.split("/")[2]}
    assert not [one for one in docs.complaints if "401" not in one and "403" not in one]


def test_logging_out_there_ends_the_session_and_not_the_memory_of_it_alone(served, open_docs):
    app, address = served()
    docs = open_docs(address)
    docs.log_in()
    docs.close_dialog()
    assert docs.call("get", "/reports") == 200
    sent = next(one for one in docs.asked if one.url.endswith("/reports"))
    headers = {"Authorization": sent.headers["authorization"]}
    assert app.test_client().get("/reports", headers=headers).status_code == 200
    docs.log_out()
    assert app.test_client().get("/reports", headers=headers).status_code == 401


def test_a_wrong_password_is_told_in_the_dialog(served, open_docs):
    _, address = served()
    docs = open_docs(address)
    box = docs.log_in("wrong")
    expect(box.locator(".errors")).to_contain_text("auth error")
    docs.close_dialog()
    assert docs.call("get", "/reports") == 401


def test_cookies_are_sent_with_their_csrf_value(served, open_docs):
    app, address = served()
    with app.app_context():
        store = app.extensions["test_permjwt"].users
        store.grant(store.find("alice"), "reports:write")
        app.extensions["sqlalchemy"].session.commit()
    docs = open_docs(address)
    login = f'{{"username": "alice", "password": "{PASSWORD}", "delivery": "cookie"}}'
    assert docs.call("post", "/auth/login", login) == 200
    assert docs.call("get", "/reports") == 200
    post = docs.operation("post", "/reports/{report_id}")
    post.get_by_placeholder("report_id").fill("7")
    with docs.page.expect_response("**/reports/7") as written:
        post.locator("button.execute").click()
    assert written.value.status == 200
    assert docs.call("post", "/auth/refresh", "{}") == 200
    assert docs.call("post", "/auth/logout", "{}") == 204
    assert docs.call("get", "/reports") == 401


def test_tokens_are_kept_in_no_storage_of_the_browser(served, open_docs):
    _, address = served()
    docs = open_docs(address)
    docs.log_in()
    docs.close_dialog()
    assert docs.call("get", "/reports") == 200
    assert docs.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    docs.page.reload()
    assert docs.call("get", "/reports") == 401


def test_the_page_shows_who_needs_what(served, open_docs):
    _, address = served()
    block = open_docs(address).operation("get", "/reports")
    expect(block).to_contain_text("List the reports")
    expect(block).to_contain_text("x-permissions")
    expect(block).to_contain_text('["reports:read"]')
