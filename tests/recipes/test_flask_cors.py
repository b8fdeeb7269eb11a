"""A page and an API at two origins, in a real browser that knows both by name."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import browsers
import pytest
from callers import PASSWORD
from flask import request
from pages import ROOT, blocks

FETCH = """async ([url, options, csrf]) => {
    if (csrf) {
        const found = document.cookie.match(/(?:^|; )csrf_access_token=([^;]*)/);
        options.headers = {...options.headers, "X-CSRF-TOKEN": found ? found[1] : "none"};
    }
    try {
        const answer = await fetch(url, {credentials: "include", ...options});
        const exposed = answer.type === "opaque" ? null : answer.headers.get("WWW-Authenticate");
        return {status: answer.status, text: await answer.text(), challenge: exposed, type: answer.type};
    } catch (error) {
        return {status: null, text: String(error)};
    }
}"""


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page</title>")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def pages():
    """Serve an empty page at every name; return its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def chromium():
    with browsers.chromium(
        "--host-resolver-rules=MAP *.example.com 127.0.0.1, MAP *.example.net 127.0.0.1"
    ) as found:
        yield found


class World:
    """The API, what it was asked, and one browser with its cookies."""

    def __init__(self, app, context, port):
        self.context, self.port = context, port
        self.api = app.url.replace("127.0.0.1", "api.example.com")
        self.asked, self.views = [], []

        @app.app.after_request
        def note(response):
            self.asked.append((request.method, request.path, response.status_code))
            return response

        for name in ("reports", "write_report"):
            app.app.view_functions[name] = self._counted(name, app.app.view_functions[name])

    def _counted(self, name, view):
        def counted():
            self.views.append(name)
            return view()

        counted.__wrapped__ = view
        return counted

    def at(self, host):
        page = self.context.new_page()
        page.goto(f"http://{host}:{self.port}/")
        return page

    def fetch(self, page, path, *, csrf=False, **options):
        return page.evaluate(FETCH, [f"{self.api}{path}", options, csrf])

    def log_in(self, page, delivery="cookie"):
        body = f'{{"username": "alice", "password": "{PASSWORD}", "delivery": "{delivery}"}}'
        return self.fetch(
            page, "/auth/login", method="POST", headers={"Content-Type": "application/json"}, body=body
        )


@pytest.fixture
def world(load, recipe, chromium, pages):
    contexts = []

    def make(**settings):
        given = {
            "CORS_ORIGINS": [f"http://app.example.com:{pages}"],
            "PERMJWT_COOKIE_SECURE": False,  # http on this machine
            **settings,
        }
        app = load(recipe("flask-cors"), {"alice": ["reports:read", "reports:write"]}, **given)
        contexts.append(chromium.new_context())
        return World(app, contexts[-1], pages)

    yield make
    for context in contexts:
        context.close()


def test_the_script_of_the_page_logs_in_and_writes(world):
    here = world()
    [script] = blocks(ROOT / "docs" / "recipes" / "flask-cors.md", "js")
    script = script.replace("https://api.example.com", here.api)
    run = f"async ([username, password]) => {{ {script} return answer.json(); }}"
    assert here.at("app.example.com").evaluate(run, ["alice", PASSWORD]) == {"written": True}


def test_the_page_logs_in_reads_and_writes_with_cookies(world):
    here = world()
    page = here.at("app.example.com")
    assert here.log_in(page)["status"] == 200
    assert here.fetch(page, "/reports")["text"] == '{"for":"alice"}\n'
    assert here.fetch(page, "/reports", method="POST", csrf=True)["text"] == '{"written":true}\n'
    # The browser did ask before, and no guard stood in its way.
    assert ("OPTIONS", "/auth/login", 200) in here.asked
    assert ("OPTIONS", "/reports", 200) in here.asked
    assert here.views == ["reports", "write_report"]


def test_the_page_can_read_why_it_was_refused(world):
    here = world()
    page = here.at("app.example.com")
    refused = here.fetch(page, "/reports")
    assert refused["status"] == 401
    assert '"invalid_token"' in refused["text"]
    assert refused["challenge"].startswith("Bearer")
    here.log_in(page)
    without = here.fetch(page, "/reports", method="POST")
    assert without["status"] == 401
    assert '"csrf_failed"' in without["text"]
    assert here.views == []


def test_a_header_from_another_origin_is_asked_for_by_a_preflight_and_passes(world):
    here = world(CORS_SUPPORTS_CREDENTIALS=False, PERMJWT_TOKEN_LOCATIONS=["headers"], PERMJWT_COOKIE_DOMAIN=None)
    page = here.at("app.example.com")
    body = f'{{"username": "alice", "password": "{PASSWORD}"}}'
    json_body = {"Content-Type": "application/json"}
    answer = here.fetch(page, "/auth/login", method="POST", headers=json_body, body=body, credentials="omit")
    token = page.evaluate("text => JSON.parse(text).access_token", answer["text"])
    bearer = {"Authorization": f"Bearer {token}"}
    assert here.fetch(page, "/reports", headers=bearer, credentials="omit")["status"] == 200
    assert ("OPTIONS", "/reports", 200) in here.asked


@pytest.mark.parametrize("host", ["evil.example.net", "other.example.com"])
def test_a_page_that_was_not_named_reads_nothing_and_changes_nothing(world, host):
    here = world()
    assert here.log_in(here.at("app.example.com"))["status"] == 200
    evil = here.at(host)
    assert here.fetch(evil, "/reports")["status"] is None
    here.views.clear()
    # As a form would send it, with no question asked before.
    sent = here.fetch(evil, "/reports", method="POST", mode="no-cors")
    assert sent["type"] == "opaque"
    assert ("POST", "/reports", 401) in here.asked
    # With the header, for which the browser asks and is not allowed: a sibling has even read its value.
    assert here.fetch(evil, "/reports", method="POST", csrf=True)["status"] is None
    assert here.views == []


def test_a_sibling_can_read_the_csrf_value_and_another_site_cannot(world):
    here = world()
    here.log_in(here.at("app.example.com"))
    assert "csrf_access_token" in here.at("other.example.com").evaluate("document.cookie")
    assert here.at("evil.example.net").evaluate("document.cookie") == ""


def test_cookies_stay_at_home_when_another_site_asks(world, pages):
    here = world(CORS_ORIGINS=[f"http://app.example.com:{pages}", f"http://app.example.net:{pages}"])
    here.log_in(here.at("app.example.com"))
    assert here.fetch(here.at("app.example.net"), "/reports")["status"] == 401


def test_without_the_domain_the_page_cannot_read_the_csrf_value(world):
    here = world(PERMJWT_COOKIE_DOMAIN=None)
    page = here.at("app.example.com")
    here.log_in(page)
    assert here.fetch(page, "/reports")["status"] == 200
    assert here.fetch(page, "/reports", method="POST", csrf=True)["status"] == 401


def test_caches_are_told_what_the_answer_depends_on(world):
    here = world()
    page = here.at("app.example.com")
    here.log_in(page)
    with page.expect_response(lambda answer: answer.url.endswith("/reports")) as found:
        here.fetch(page, "/reports")
    headers = found.value.all_headers()
    assert {one.strip() for one in headers["vary"].split(",")} >= {"Cookie"}
    assert headers["access-control-allow-origin"] == f"http://app.example.com:{here.port}"
    assert headers["access-control-allow-credentials"] == "true"


def test_a_wildcard_with_credentials_would_let_everybody_in_and_the_doctor_says_so(load, recipe):
    page = recipe("flask-cors")
    app = load(page, {}, CORS_ORIGINS="*")
    answer = app.ask("GET", "/reports", headers={"Origin": "https://evil.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://evil.example"
    assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    page.environment["FLASK_CORS_ORIGINS"] = "*"
    assert "cors-wildcard" in page.run("flask", "permjwt", "doctor", fails=True)
    del page.environment["FLASK_CORS_ORIGINS"]
    assert "cors-wildcard" not in page.run("flask", "permjwt", "doctor", fails=None)
