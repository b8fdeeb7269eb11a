"""What cannot send headers, in a real browser: EventSource, images, downloads; and WebSockets with cookies."""

import base64
import threading
from pathlib import Path

import flask_sock
import pytest
from chromium import launched
from flask import Response, stream_with_context
from live_api import PASSWORD
from pages import ROOT, blocks

from flask_permjwt import current_user, requires_permissions
from flask_permjwt.live import still_allowed

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=")

LOG_IN = """async ([name, password]) => {
    const answer = await fetch("/auth/login", {
        method: "POST",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({username: name, password: password}),
    });
    window.token = (await answer.json()).access_token;
    window.ticket = async (path) => {
        const answer = await fetch("/auth/ticket", {
            method: "POST",
            headers: {"Content-Type": "application/json", "Authorization": `Bearer ${window.token}`},
            body: JSON.stringify({path: path, method: "GET"}),
        });
        return (await answer.json()).ticket;
    };
}"""


@pytest.fixture(scope="module")
def chromium():
    with launched() as browser:
        yield browser


@pytest.fixture
def served(api, serve):
    api.go_on, api.referers = threading.Semaphore(0), []

    @api.app.get("/page")
    def page():
        return "<!doctype html><title>page</title>"

    @api.app.get("/events")
    @requires_permissions("reports:read")
    def events():
        def stream():
            number = 0
            while still_allowed():
                yield f"data: {current_user.username} {number}\n\n"
                number += 1
                api.go_on.acquire(timeout=20)
            yield "event: over\ndata: \n\n"

        return Response(stream_with_context(stream()), mimetype="text/event-stream")

    @api.app.get("/image")
    @requires_permissions("reports:read")
    def image():
        return Response(PIXEL, mimetype="image/gif")

    @api.app.get("/export")
    @requires_permissions("reports:read")
    def export():
        return Response(
            "a,b\n", mimetype="text/csv", headers={"Content-Disposition": "attachment; filename=a.csv"}
        )

    @flask_sock.Sock(api.app).route("/ws")
    @requires_permissions("chat:read")
    def echo(ws):
        while True:
            ws.send(ws.receive())

    return serve(api)


@pytest.fixture
def page(chromium, served):
    context = chromium.new_context(base_url=served.url, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto("/page")
    page.evaluate(LOG_IN, ["alice", PASSWORD])
    yield page
    context.close()


LISTEN = """async () => {
    window.heard = [];
    window.source = new EventSource(`/events?ticket=${await window.ticket("/events")}`);
    window.source.onmessage = (event) => window.heard.push(event.data);
    window.source.addEventListener("over", () => { window.source.close(); window.heard.push("over"); });
    window.source.onerror = () => window.heard.push(`error ${window.source.readyState}`);
}"""


def test_an_event_source_is_opened_by_a_ticket_and_ends_with_the_session(served, page):
    page.evaluate(LISTEN)
    page.wait_for_function("window.heard.length === 1")
    served.go_on.release()
    page.wait_for_function("window.heard.length === 2")
    assert page.evaluate("window.heard") == ["alice 0", "alice 1"]
    served.change("void_tokens")
    served.go_on.release()
    page.wait_for_function("window.heard.includes('over')")


def test_an_event_source_outlives_its_access_token_while_the_session_lives(served, page):
    page.evaluate(LISTEN)
    page.wait_for_function("window.heard.length === 1")
    for number in (2, 3):
        served.clock.advance(1000)
        served.go_on.release()
        page.wait_for_function(f"window.heard.length === {number}")
    served.change("revoke", "reports:read")
    served.go_on.release()
    page.wait_for_function("window.heard.includes('over')")


def test_the_script_of_the_page_listens(served, page):
    [script] = blocks(ROOT / "docs" / "live-connections.md", "js")
    first = "await new Promise((done) => { events.onmessage = (event) => { events.close(); done(event.data); }; })"
    assert page.evaluate(f"async () => {{ const token = window.token; {script} return {first}; }}") == "alice 0"
    served.go_on.release(2)


def test_an_event_source_that_connects_again_needs_a_new_ticket(served, page):
    page.evaluate(
        """async () => {
            const ticket = await window.ticket("/events");
            window.heard = [];
            for (const _ of [1, 2]) {
                const source = new EventSource(`/events?ticket=${ticket}`);
                await new Promise((done) => {
                    source.onmessage = (event) => { window.heard.push(event.data); source.close(); done(); };
                    source.onerror = () => { window.heard.push(`refused ${source.readyState}`); done(); };
                });
            }
            const source = new EventSource(`/events?ticket=${await window.ticket("/events")}`);
            source.onmessage = (event) => { window.heard.push(event.data); source.close(); };
        }"""
    )
    page.wait_for_function("window.heard.length === 3")
    # 2 is CLOSED: by the standard, a browser does not try again after an answer that is not 200.
    assert page.evaluate("window.heard") == ["alice 0", "refused 2", "alice 0"]
    served.go_on.release(3)


def test_an_image_is_shown_by_a_ticket_once(served, page):
    show = """async (ticket) => {
        const image = new Image();
        image.src = `/image?ticket=${ticket}`;
        try { await image.decode(); return image.naturalWidth; } catch (error) { return "broken"; }
    }"""
    ticket = page.evaluate("window.ticket('/image')")
    assert page.evaluate(show, ticket) == 1
    page.reload()
    assert page.evaluate(show, ticket) == "broken"
    assert page.evaluate(show, "") == "broken"


def test_a_download_begins_by_a_link_with_a_ticket(served, page):
    with page.expect_download() as started:
        page.evaluate("window.ticket('/export').then((ticket) => { location.href = `/export?ticket=${ticket}`; })")
    assert started.value.suggested_filename == "a.csv"
    assert Path(started.value.path()).read_text() == "a,b\n"


OPEN = """async (url) => new Promise((done) => {
    const socket = new WebSocket(url);
    const heard = [];
    socket.onopen = () => socket.send("hello");
    socket.onmessage = (event) => { heard.push(event.data); socket.close(); };
    socket.onclose = () => done(heard);
})"""


def test_a_page_opens_websockets_with_its_cookies_and_a_page_of_another_site_does_not(served, page, chromium):
    page.evaluate(
        """async ([name, password]) => {
            const body = JSON.stringify({username: name, password: password, delivery: "cookie"});
            const headers = {"Content-Type": "application/json"};
            await fetch("/auth/login", {method: "POST", headers: headers, body: body});
        }""",
        ["alice", PASSWORD],
    )
    assert page.evaluate(OPEN, f"{served.ws}/ws") == ["hello"]
    # The same site for cookies, which know no ports, and another origin.
    port = int(served.url.rpartition(":")[2])
    page.route(
        "http://127.0.0.1:9/**", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html")
    )
    page.goto("http://127.0.0.1:9/")
    assert page.evaluate(OPEN, f"ws://127.0.0.1:{port}/ws") == []
