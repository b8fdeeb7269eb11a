"""Flask-SocketIO: who is let in, what is judged with each event, and how a connection ends; with real clients."""

import threading

import flask_socketio
import pytest
import socketio
from live_api import cookie_of, header_of

from flask_permjwt import (
    ConfigurationError,
    InsufficientScopeError,
    check_permissions,
    current_principal,
    current_user,
    has_permissions,
    requires_login,
    requires_permissions,
)
from flask_permjwt.live import recheck
from flask_permjwt.live.socketio import SocketIO

# What is refused in an event is raised in a thread, and the library's own SocketIO lets it go through.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

KINDS = {"plain": flask_socketio.SocketIO, "ours": SocketIO}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


def make_server(api, kind, **options):
    return kind(api.app, async_mode="threading", **options)


@pytest.fixture
def served(api, serve, kind):
    server = make_server(api, kind)

    @server.on("connect")
    @requires_permissions("chat:read")
    def connected(auth=None):
        pass

    @server.on("write")
    @requires_permissions("chat:write")
    def write(message):
        return message

    @server.on("check")
    def check(message):
        check_permissions("chat:write")
        return message

    @server.on("ask")
    def ask(message):
        return [
            has_permissions("chat:write"),
            current_user.username if current_principal else None,
        ]

    return serve(api)


@pytest.fixture
def join():
    """Return what opens a connection; it is closed at the end."""
    clients = []

    def make(url, namespace="/", said=None, origin=None, **options):
        extra = {} if origin is None else {"origin": origin}
        client = socketio.Client(reconnection=False, websocket_extra_options=extra)
        client.over = threading.Event()
        client.on("disconnect", lambda *_: client.over.set(), namespace=namespace)
        client.on("connect_error", (said if said is not None else []).append, namespace=namespace)
        clients.append(client)
        client.connect(url, namespaces=[namespace], wait_timeout=10, **options)
        return client

    yield make
    for client in clients:
        client.disconnect()


EVIL = "https://evil.example"
TRANSPORTS = [["websocket"], ["polling"], None]


def refused(join, url, **options):
    """Return what the server says of a connection that it refuses, whichever the namespace."""
    said = []
    with pytest.raises(socketio.exceptions.ConnectionError):
        join(url, said=said, **options)
    return said[0]["message"]


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_a_connection_without_a_token_is_refused(served, join, tracebacks, transports):
    with tracebacks():
        assert "An access token is needed." in refused(join, served.url, transports=transports)


def test_a_connection_of_somebody_without_the_permission_is_refused(served, join, tracebacks):
    alice = served.log_in()
    served.change("revoke", "chat:read")
    with tracebacks():
        assert "Missing permissions: chat:read" in refused(join, served.url, headers=header_of(alice))


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_a_connection_is_let_in_by_header(served, join, transports):
    client = join(served.url, headers=header_of(served.log_in()), transports=transports)
    assert client.call("write", "hello", timeout=10) == "hello"
    assert client.call("ask", "", timeout=10) == [True, "alice"]


@pytest.mark.parametrize("transports", TRANSPORTS)
def test_a_connection_is_let_in_by_cookie(served, join, transports):
    cookies = cookie_of(served.log_in(delivery="cookie"))
    client = join(served.url, headers=cookies, transports=transports)
    assert client.call("check", "hello", timeout=10) == "hello"


def test_a_session_that_was_ended_is_disconnected_at_its_next_event(served, join):
    alice = served.log_in()
    client = join(served.url, headers=header_of(alice))
    assert client.call("check", "hello", timeout=10) == "hello"
    assert alice.post(f"{served.url}/auth/logout").status_code == 204
    client.emit("check", "again")
    assert client.over.wait(10)


def test_a_permission_that_was_taken_away_is_missing_at_the_next_event(served, join):
    client = join(served.url, headers=header_of(served.log_in()))
    assert client.call("ask", "", timeout=10)[0] is True
    served.change("revoke", "chat:write")
    assert client.call("ask", "", timeout=10)[0] is False
    served.change("grant", "chat:write")
    assert client.call("write", "hello", timeout=10) == "hello"


def test_a_connection_goes_on_beyond_its_access_token_while_its_session_lives(served, join):
    alice = served.log_in()
    client = join(served.url, headers=header_of(alice))
    for _ in range(3):
        served.clock.advance(901)
        assert client.call("write", "hello", timeout=10) == "hello"
    served.log_in().post(f"{served.url}/auth/logout-all")
    served.clock.advance(10_000)
    client.emit("write", "again")
    assert client.over.wait(10)


def test_a_ticket_opens_a_connection_once(served, join):
    alice = served.log_in()
    ticket = served.ticket(alice, "/socket.io/")
    client = join(f"{served.url}?ticket={ticket}")
    assert client.call("write", "hello", timeout=10) == "hello"
    served.clock.advance(2000)
    assert client.call("write", "hello", timeout=10) == "hello"
    assert "wrong, used up or too old" in refused(join, f"{served.url}?ticket={ticket}")
    alice.headers["Authorization"] = header_of(served.log_in())["Authorization"]
    served.change("void_tokens")
    client.emit("write", "again")
    assert client.over.wait(10)


def test_a_page_of_another_site_cannot_use_the_cookies_of_its_visitor(api, serve, join):
    server = make_server(api, SocketIO, cors_allowed_origins="*")
    server.on("connect")(requires_login(lambda auth=None: None))
    serve(api)
    cookies = cookie_of(api.log_in(delivery="cookie"))
    for transports in TRANSPORTS:
        said = refused(
            join,
            api.url,
            # Polling sends the one, a WebSocket the other.
            headers={**cookies, **({} if transports == ["websocket"] else {"Origin": EVIL})},
            origin=EVIL,
            transports=transports,
        )
        assert "pages of this site" in said
    join(api.url, headers=cookies).disconnect()


@pytest.fixture
def ours(api, serve):  # noqa: C901  # a handler of each kind
    server = make_server(api, SocketIO)
    api.heard = []

    @requires_permissions("chat:read")
    @server.on("connect")
    def connected(auth=None):
        pass

    @requires_permissions("chat:write")
    @server.on("above")
    def above(message):
        return message

    @server.on("below")
    @requires_permissions("chat:write")
    def below(message):
        return message

    @requires_permissions("room:{room}:enter")
    @server.on("enter")
    def enter(room):
        return room

    @server.on("unguarded")
    def unguarded(message):
        api.heard.append(message)
        return message

    @server.on("recheck")
    def ask_again(message):
        recheck()
        return message

    @server.on("disconnect")
    def gone(reason=None):
        api.heard.append("gone")

    class Lobby(flask_socketio.Namespace):
        @requires_login
        def on_connect(self, auth=None):
            pass

        @requires_permissions("chat:write")
        def on_write(self, message):
            return message

        def on_unguarded(self, message):
            return message

    server.on_namespace(Lobby("/lobby"))
    return serve(api)


DENIED = {"error": "insufficient_scope", "error_description": "Missing permissions: chat:write"}


def test_a_guard_above_a_handler_protects_as_one_below_it(ours, join, tracebacks):
    assert "An access token is needed." in refused(join, ours.url)
    with tracebacks():
        client = join(ours.url, headers=header_of(ours.log_in()))
        for event in ("above", "below"):
            assert client.call(event, "hello", timeout=10) == "hello"
        ours.change("revoke", "chat:write")
        for event in ("above", "below"):
            assert client.call(event, "hello", timeout=10) == DENIED
        assert client.call("unguarded", "still there", timeout=10) == "still there"


def test_a_template_is_filled_with_the_arguments_of_the_event(ours, join):
    ours.change("grant", "room:7:enter")
    client = join(ours.url, headers=header_of(ours.log_in()))
    assert client.call("enter", "7", timeout=10) == "7"
    for room in ("8", "*", "7:enter", None, [], {"room": "7"}, "7\0"):
        answer = client.call("enter", room, timeout=10)
        assert answer["error"] == "insufficient_scope", room


def test_a_handler_that_asks_nothing_hears_nobody_whose_session_was_ended(ours, join, tracebacks):
    with tracebacks():
        alice = ours.log_in()
        client = join(ours.url, headers=header_of(alice))
        assert client.call("unguarded", "one", timeout=10) == "one"
        alice.post(f"{ours.url}/auth/logout")
        client.emit("unguarded", "two")
        assert client.over.wait(10)
    assert ours.heard[0] == "one"
    assert "two" not in ours.heard


def test_class_based_namespaces_are_judged_too(ours, join, tracebacks):
    with tracebacks():
        assert "An access token" in refused(join, ours.url, namespace="/lobby")
        alice = ours.log_in()
        client = join(ours.url, headers=header_of(alice), namespace="/lobby")
        assert client.call("write", "hello", timeout=10, namespace="/lobby") == "hello"
        ours.change("revoke", "chat:write")
        assert client.call("write", "hello", timeout=10, namespace="/lobby") == DENIED
        alice.post(f"{ours.url}/auth/logout")
        client.emit("unguarded", "again", namespace="/lobby")
        assert client.over.wait(10)


def test_an_error_handler_of_the_app_shapes_what_is_refused(api, serve, join):
    server = make_server(api, SocketIO)
    seen = []

    @server.on_error_default
    def shape(error):
        seen.append(error)
        return {"refused": error.code}

    @server.on("write")
    @requires_permissions("chat:write")
    def write(message):
        return message

    serve(api)
    api.change("revoke", "chat:write")
    client = join(api.url, headers=header_of(api.log_in()))
    assert client.call("write", "hello", timeout=10) == {"refused": 403}
    assert isinstance(seen[0], InsufficientScopeError)


def test_a_guard_above_a_handler_of_the_librarys_own_stops_the_app(api):
    server = make_server(api, flask_socketio.SocketIO)

    @requires_permissions("chat:write")
    @server.on("write")
    def write_unheard(message):
        return message

    with pytest.raises(ConfigurationError, match=r"write_unheard.*flask_permjwt\.live\.socketio"):
        api.permjwt.check(api.app)


def test_a_release_that_calls_handlers_in_another_way_is_refused(api, monkeypatch):
    monkeypatch.delattr(flask_socketio.SocketIO, "_handle_event")
    with pytest.raises(ConfigurationError, match="release"):
        make_server(api, SocketIO)


def test_an_anonymous_connection_that_the_app_lets_in_is_not_judged(api, serve, join):
    server = make_server(api, SocketIO)
    server.on("hello")(lambda message: message)
    server.on("write")(requires_permissions("chat:write")(lambda message: message))
    serve(api)
    client = join(api.url)
    assert client.call("hello", "there", timeout=10) == "there"
    client.emit("write", "hello")
    assert client.over.wait(10)
