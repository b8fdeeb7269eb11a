"""flask-sock: who is let in, what is judged while a connection lives, and how it ends; with real clients."""

import json
import threading

import flask_sock
import pytest
import simple_websocket
from flask import Blueprint, abort
from live_api import cookie_of, header_of
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from flask_permjwt import (
    ConfigurationError,
    check_permissions,
    current_principal,
    current_user,
    has_permissions,
    protect,
    requires_login,
    requires_permissions,
)
from flask_permjwt.live import recheck, still_allowed
from flask_permjwt.live.sock import Sock

KINDS = {"plain": flask_sock.Sock, "ours": Sock}


def chat(ws):
    """Answer each message; what it begins with says what is asked for."""
    while True:
        message = ws.receive()
        if message.startswith("write"):
            check_permissions("chat:write")
        elif message.startswith("may"):
            message = json.dumps(has_permissions("chat:write"))
        elif message.startswith("who"):
            message = current_user.username if current_principal else "nobody"
        elif message.startswith("recheck"):
            recheck()
        elif message.startswith("allowed"):
            message = json.dumps(still_allowed())
        elif message.startswith("abort"):
            abort(int(message.split()[1]))
        ws.send(message)


def echo(ws):
    while True:
        ws.send(ws.receive())


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def served(api, serve, kind):
    sock = kind(api.app)

    @sock.route("/chat")
    @requires_permissions("chat:read")
    def chatting(ws):
        chat(ws)

    @sock.route("/rooms/<room>")
    @requires_permissions("room:{room}:enter")
    def in_room(ws, room):
        chat(ws)

    @sock.route("/open")
    def in_the_open(ws):
        chat(ws)

    @sock.route("/login")
    @requires_login
    def logged_in(ws):
        chat(ws)

    return serve(api)


@pytest.fixture
def ours(api, serve):
    @Sock(api.app).route("/echo")
    @requires_permissions("chat:read")
    def echoing(ws):
        echo(ws)

    return serve(api)


def say(socket, message):
    socket.send(message)
    return socket.recv(timeout=10)


def closed(socket, message=None, *, late=()):
    """Send a message, if any; return the code and the reason that the connection is closed with.

    Nothing is heard before that but what may come late.
    """
    if message is not None:
        socket.send(message)

    def hear():
        while socket.recv(timeout=10) in late:
            pass

    with pytest.raises(ConnectionClosed) as caught:
        hear()
    return caught.value.rcvd.code, caught.value.rcvd.reason


def refused(url, **options):
    with pytest.raises(InvalidStatus) as caught, connect(url, **options):
        pass
    response = caught.value.response
    return response.status_code, json.loads(response.body)["error"], response.headers.get("WWW-Authenticate")


def test_a_handshake_without_a_token_is_refused_with_401_and_a_challenge(served):
    assert refused(f"{served.ws}/chat") == (401, "invalid_token", 'Bearer realm="api"')


def test_a_handshake_with_a_bad_token_is_refused(served):
    assert refused(f"{served.ws}/chat", additional_headers={"Authorization": "Bearer no"})[:2] == (
        401,
        "invalid_token",
    )


def test_a_handshake_of_somebody_without_the_permission_is_refused_with_403(served):
    alice = served.log_in()
    served.change("revoke", "chat:read")
    assert refused(f"{served.ws}/chat", additional_headers=header_of(alice))[:2] == (403, "insufficient_scope")


def test_a_connection_is_let_in_by_header(served):
    with connect(f"{served.ws}/chat", additional_headers=header_of(served.log_in())) as socket:
        assert say(socket, "who") == "Alice".casefold()
        assert say(socket, "write hello") == "write hello"


def test_a_connection_is_let_in_by_cookie_from_a_page_of_this_site(served):
    cookies = cookie_of(served.log_in(delivery="cookie"))
    with connect(f"{served.ws}/chat", additional_headers=cookies, origin=served.url) as socket:
        assert say(socket, "write hello") == "write hello"


def test_a_connection_is_let_in_by_a_client_of_simple_websocket(served):
    socket = simple_websocket.Client(f"{served.ws}/chat", headers=header_of(served.log_in()))
    socket.send("write hello")
    assert socket.receive(timeout=10) == "write hello"
    served.change("void_tokens")
    socket.send("write again")
    with pytest.raises(simple_websocket.ConnectionClosed) as caught:
        socket.receive(timeout=10)
    assert caught.value.reason == 1008


def test_a_session_that_was_ended_closes_the_connection_at_its_next_event(served, tracebacks):
    alice = served.log_in()
    with tracebacks(), connect(f"{served.ws}/chat", additional_headers=header_of(alice)) as socket:
        assert say(socket, "write hello") == "write hello"
        assert alice.post(f"{served.url}/auth/logout").status_code == 204
        assert closed(socket, "write again") == (1008, "invalid_token: The token was revoked.")


def test_a_user_who_was_disabled_is_shut_out_at_the_next_event(served, tracebacks):
    with (
        tracebacks(),
        connect(f"{served.ws}/chat", additional_headers=header_of(served.log_in())) as socket,
    ):
        served.change("set_active", False)
        assert closed(socket, "recheck")[0] == 1008


def test_a_permission_that_was_taken_away_is_missing_at_the_next_event(served, tracebacks):
    with (
        tracebacks(),
        connect(f"{served.ws}/chat", additional_headers=header_of(served.log_in())) as socket,
    ):
        assert say(socket, "may") == "true"
        served.change("revoke", "chat:write")
        assert say(socket, "may") == "false"
        assert closed(socket, "write") == (1008, "insufficient_scope: Missing permissions: chat:write")


def test_a_permission_that_was_granted_is_there_at_the_next_event(served):
    served.change("revoke", "chat:write")
    with connect(f"{served.ws}/chat", additional_headers=header_of(served.log_in())) as socket:
        assert say(socket, "may") == "false"
        served.change("grant", "chat:write")
        assert say(socket, "write") == "write"


def test_recheck_holds_what_the_view_declares_against_the_user_as_they_are_now(served):
    with connect(f"{served.ws}/chat", additional_headers=header_of(served.log_in())) as socket:
        assert say(socket, "recheck") == "recheck"
        assert say(socket, "allowed") == "true"
        served.change("revoke", "chat:read")
        assert closed(socket, "recheck")[1].startswith("insufficient_scope")


def test_a_template_is_filled_with_the_route_at_the_handshake_and_after_it(served):
    served.change("grant", "room:7:enter")
    alice = served.log_in()
    assert refused(f"{served.ws}/rooms/8", additional_headers=header_of(alice))[0] == 403
    with connect(f"{served.ws}/rooms/7", additional_headers=header_of(alice)) as socket:
        assert say(socket, "recheck") == "recheck"
        served.change("revoke", "room:7:enter")
        assert closed(socket, "recheck")[0] == 1008


def test_a_view_that_declares_nothing_may_ask_who_is_there(served, tracebacks):
    with tracebacks(), connect(f"{served.ws}/open") as socket:
        assert say(socket, "hello") == "hello"
        assert say(socket, "who") == "nobody"
        assert say(socket, "recheck") == "recheck"
        assert closed(socket, "write") == (1008, "invalid_token: An access token is needed.")


def test_a_connection_goes_on_beyond_its_access_token_while_its_session_lives(served):
    with connect(f"{served.ws}/chat", additional_headers=header_of(served.log_in())) as socket:
        for _ in range(5):
            served.clock.advance(901)
            assert say(socket, "write hello") == "write hello"
            assert say(socket, "who") == "alice"


@pytest.mark.parametrize("idle", [0, 901, 10_000])
def test_a_session_that_ends_ends_a_connection_that_outlived_its_token(served, idle):
    alice = served.log_in()
    other = served.log_in()
    with connect(f"{served.ws}/chat", additional_headers=header_of(alice)) as socket:
        served.clock.advance(901)
        assert say(socket, "write") == "write"
        fresh = served.log_in()
        sessions = fresh.get(f"{served.url}/auth/sessions").json()["sessions"]
        assert len(sessions) == 3
        assert fresh.post(f"{served.url}/auth/logout-all").status_code == 204
        # The feed forgets; the session's row does not.
        served.clock.advance(idle)
        assert closed(socket, "write")[0] == 1008
    assert other.get(f"{served.url}/who").status_code == 401


def test_the_absolute_end_of_the_session_is_that_of_the_connection(build_api, serve):
    api = build_api(refresh_token_expires=3600)

    @Sock(api.app).route("/chat")
    @requires_permissions("chat:read")
    def chatting(ws):
        chat(ws)

    serve(api)
    with connect(f"{api.ws}/chat", additional_headers=header_of(api.log_in())) as socket:
        for _ in range(3):
            api.clock.advance(1000)
            assert say(socket, "write") == "write"
        api.clock.advance(601)
        assert closed(socket, "write") == (1008, "invalid_token: The session has ended.")


def test_rights_and_standing_of_a_connection_that_outlived_its_token_are_those_of_now(served):
    with connect(f"{served.ws}/chat", additional_headers=header_of(served.log_in())) as socket:
        served.clock.advance(5000)
        assert say(socket, "may") == "true"
        served.change("revoke", "chat:write")
        assert say(socket, "may") == "false"
        served.clock.advance(5000)
        assert say(socket, "may") == "false"
        served.change("set_active", False)
        assert closed(socket, "recheck")[0] == 1008


def test_a_page_of_another_site_cannot_use_the_cookies_of_its_visitor(served):
    cookies = cookie_of(served.log_in(delivery="cookie"))
    port = served.url.rpartition(":")[2]
    for origin in (
        "https://evil.example.com",
        served.url.replace("http:", "https:"),
        f"http://127.0.0.1.evil.example.com:{port}",
        "http://127.0.0.1:1",
        f"http://127.0.0.1@evil.example.com:{port}",
        f"{served.url}0",
        "null",
        "",
        "http://[",
        "http://127.0.0.1:99999",
    ):
        answer = refused(f"{served.ws}/chat", additional_headers={**cookies, "Origin": origin})
        assert answer[:2] == (401, "foreign_origin"), origin


def test_a_handshake_that_a_browser_calls_cross_site_is_refused_without_an_origin_too(served):
    cookies = cookie_of(served.log_in(delivery="cookie"))
    headers = {**cookies, "Sec-Fetch-Site": "cross-site"}
    assert refused(f"{served.ws}/chat", additional_headers=headers)[1] == "foreign_origin"


def test_a_client_that_is_no_browser_says_no_origin_and_is_let_in_by_its_cookie(served):
    cookies = cookie_of(served.log_in(delivery="cookie"))
    with connect(f"{served.ws}/chat", additional_headers=cookies, origin=None) as socket:
        assert say(socket, "write") == "write"


def test_a_header_is_no_cookie_and_may_come_from_any_page(served):
    headers = header_of(served.log_in())
    with connect(f"{served.ws}/chat", additional_headers=headers, origin="https://other.example.com") as socket:
        assert say(socket, "write") == "write"


def test_sites_that_are_named_may_use_the_cookies(build_api, serve):
    api = build_api(websocket_origins=["https://app.example.com"])

    @flask_sock.Sock(api.app).route("/chat")
    @requires_permissions("chat:read")
    def chatting(ws):
        chat(ws)

    serve(api)
    cookies = cookie_of(api.log_in(delivery="cookie"))
    for origin in ("https://app.example.com", api.url):
        with connect(f"{api.ws}/chat", additional_headers=cookies, origin=origin) as socket:
            assert say(socket, "write") == "write"
    for origin in ("https://app.example.com.evil.example", "http://app.example.com", "https://APP.example.com/"):
        assert refused(f"{api.ws}/chat", additional_headers=cookies, origin=origin)[1] == "foreign_origin"


def test_the_origin_of_an_unguarded_view_is_checked_when_it_first_asks_who_is_there(served):
    cookies = cookie_of(served.log_in(delivery="cookie"))
    with connect(f"{served.ws}/open", additional_headers=cookies, origin="https://evil.example.com") as socket:
        assert say(socket, "who") == "nobody"
        assert closed(socket, "write")[1].startswith("foreign_origin")


def test_a_guard_above_the_route_protects_as_one_below_it(api, serve):
    sock = Sock(api.app)

    @requires_permissions("chat:read")
    @sock.route("/above")
    def above(ws):
        echo(ws)

    @sock.route("/below")
    @requires_permissions("chat:read")
    def below(ws):
        echo(ws)

    blueprint = Blueprint("guarded", __name__)
    protect(blueprint, "chat:read")

    @sock.route("/within", bp=blueprint)
    def within(ws):
        echo(ws)

    api.app.register_blueprint(blueprint)
    serve(api)
    alice = api.log_in()
    for path in ("above", "below", "within"):
        assert refused(f"{api.ws}/{path}")[0] == 401
        with connect(f"{api.ws}/{path}", additional_headers=header_of(alice)) as socket:
            assert say(socket, "hello") == "hello"
    api.change("revoke", "chat:read")
    for path in ("above", "below", "within"):
        assert refused(f"{api.ws}/{path}", additional_headers=header_of(alice))[0] == 403


def test_a_guard_above_a_route_that_gives_nothing_back_stops_the_start(api):
    with pytest.raises(ConfigurationError, match=r"flask_permjwt\.live\.sock"):

        @requires_permissions("chat:read")
        @flask_sock.Sock(api.app).route("/above")
        def above(ws):
            echo(ws)


def test_with_our_sock_each_message_is_judged_though_the_view_asks_nothing(ours, tracebacks):
    with tracebacks():
        alice = ours.log_in()
        with connect(f"{ours.ws}/echo", additional_headers=header_of(alice)) as socket:
            assert say(socket, "hello") == "hello"
            alice.post(f"{ours.url}/auth/logout")
            assert closed(socket, "again") == (1008, "invalid_token: The token was revoked.")
        with connect(f"{ours.ws}/echo", additional_headers=header_of(ours.log_in())) as socket:
            assert say(socket, "hello") == "hello"
            ours.change("revoke", "chat:read")
            assert closed(socket, "again")[1] == "insufficient_scope: Missing permissions: chat:read"


def test_with_our_sock_nothing_is_sent_to_whoever_was_shut_out(api, serve, tracebacks):
    sock = Sock(api.app)
    api.sent = []

    @sock.route("/news")
    @requires_login
    def news(ws):
        while True:
            ws.send("news")
            assert ws.receive(timeout=0) is None
            api.sent.append(1)
            api.change("set_active", False, name="bob")

    serve(api)
    with tracebacks(), connect(f"{api.ws}/news", additional_headers=header_of(api.log_in("bob"))) as socket:
        assert socket.recv(timeout=10) == "news"
        assert closed(socket)[0] == 1008
    assert api.sent == [1]


@pytest.fixture
def room(api, serve):
    """Serve a room in which everybody hears what one says; it may be entered with a permission of its own."""
    api.inside = []

    @Sock(api.app).route("/rooms/<room>")
    @requires_permissions("chat:{room}")
    def in_room(ws, room):
        api.inside.append(ws)
        while True:
            message = ws.receive()
            for one in list(api.inside):
                try:
                    one.send(message)
                except simple_websocket.ConnectionClosed:
                    api.inside.remove(one)

    return serve(api)


@pytest.mark.parametrize("end", ["logout", "right"])
def test_with_our_sock_what_one_connection_sends_into_another_is_judged_by_who_hears_it(room, tracebacks, end):
    alice, bob = room.log_in(), room.log_in("bob")
    address = f"{room.ws}/rooms/read"
    with (
        tracebacks(),
        connect(address, additional_headers=header_of(alice)) as speaker,
        connect(address, additional_headers=header_of(bob)) as hearer,
    ):
        # Who was answered is inside; whether the other was already is chance.
        assert say(speaker, "hello") == "hello"
        hearer.send("hi")
        assert speaker.recv(timeout=10) == "hi"
        while hearer.recv(timeout=10) != "hi":
            pass
        if end == "logout":
            assert bob.post(f"{room.url}/auth/logout").status_code == 204
        else:
            room.change("revoke", "chat:read", name="bob")
        assert say(speaker, "secret") == "secret"
        # The thread of the speaker may be slower to send the first one than that of the hearer the second.
        code, reason = closed(hearer, late=["hello"])
        assert code == 1008
        assert reason.startswith({"logout": "invalid_token: ", "right": "insufficient_scope: "}[end])
        assert say(speaker, "still here") == "still here"
        # Who sends is shut out by their own standing, whoever hears it.
        room.change("revoke", "chat:read")
        assert closed(speaker, "and now")[0] == 1008


def test_with_our_sock_a_thread_without_a_request_may_send(room, tracebacks):
    bob = room.log_in("bob")
    with tracebacks(), connect(f"{room.ws}/rooms/read", additional_headers=header_of(bob)) as hearer:
        assert say(hearer, "hello") == "hello"
        raised = []

        def send():
            try:
                room.inside[0].send("news")
            except simple_websocket.ConnectionClosed as error:
                raised.append(error.reason)

        def send_elsewhere(count):
            threads = [threading.Thread(target=send) for _ in range(count)]
            for one in threads:
                one.start()
            for one in threads:
                one.join()

        send_elsewhere(1)
        assert hearer.recv(timeout=10) == "news"
        assert raised == []
        assert bob.post(f"{room.url}/auth/logout").status_code == 204
        send_elsewhere(4)
        assert closed(hearer)[0] == 1008
        assert len(raised) == 4


@pytest.mark.parametrize(("status", "code"), [(404, 1008), (400, 1008), (500, 1011), (503, 1011)])
def test_with_our_sock_an_http_error_of_a_view_closes_the_connection(api, serve, tracebacks, status, code):
    @Sock(api.app).route("/open")
    def in_the_open(ws):
        chat(ws)

    serve(api)
    with tracebacks(), connect(f"{api.ws}/open") as socket:
        assert closed(socket, f"abort {status}")[0] == code


def test_a_reason_is_never_longer_than_a_close_frame_may_hold(api, serve):
    @flask_sock.Sock(api.app).route("/open")
    def in_the_open(ws):
        ws.receive()
        check_permissions(*(f"project:{'x' * 40}{number}:edit" for number in range(9)))

    serve(api)
    with connect(f"{api.ws}/open", additional_headers=header_of(api.log_in())) as socket:
        code, reason = closed(socket, "go")
    assert code == 1008
    assert len(reason.encode()) == 123


def test_a_database_that_is_down_closes_a_connection_with_try_again_later(served, monkeypatch):
    with connect(f"{served.ws}/chat", additional_headers=header_of(served.log_in())) as socket:
        assert say(socket, "write") == "write"
        freshness = served.app.extensions["permjwt"].freshness
        monkeypatch.setattr(freshness._feed, "read", lambda **_: 1 / 0)
        monkeypatch.setattr(freshness, "_max_staleness", 0)
        freshness.next_at = freshness._asked_at = freshness._contact_at = float("-inf")
        code, reason = closed(socket, "write")
    assert (code, reason.split(":")[0]) == (1013, "temporarily_unavailable")


def test_a_cookie_is_not_renewed_by_a_connection_that_slides(build_api, serve):
    api = build_api(cookie_sliding=True)

    @flask_sock.Sock(api.app).route("/chat")
    @requires_permissions("chat:read")
    def chatting(ws):
        chat(ws)

    serve(api)
    session = api.log_in(delivery="cookie")
    api.clock.advance(800)
    with connect(f"{api.ws}/chat", additional_headers=cookie_of(session)) as socket:
        api.clock.advance(800)
        assert say(socket, "write") == "write"
