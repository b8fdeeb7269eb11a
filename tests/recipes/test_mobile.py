"""The client of the page about headers, against a real server."""

import importlib.util
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from callers import PASSWORD
from flask import request


@pytest.fixture
def app(load, recipe):
    app = load(recipe("mobile"), {"alice": ["reports:read"]}, PERMJWT_ACCESS_TOKEN_EXPIRES=31)
    app.refreshed = []

    @app.app.after_request
    def note(response):
        if request.path == "/auth/refresh":
            app.refreshed.append(response.status_code)
        return response

    return app


@pytest.fixture
def module(app, tmp_path):
    spec = importlib.util.spec_from_file_location("client_of_the_page", tmp_path / "client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def client(app, module, tmp_path):
    made = []

    def make():
        made.append(module.Client(app.url, tmp_path / "tokens.json"))
        return made[-1]

    yield make
    for one in made:
        one.http.close()


def age(client):
    """Let the access token be as good as over."""
    client.tokens = {**client.tokens, "ends": 0}


def test_it_logs_in_calls_and_keeps_its_tokens_from_others(client, tmp_path):
    alice = client()
    alice.log_in("alice", PASSWORD)
    assert alice.call("GET", "/reports").json() == {"for": "alice"}
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600
    assert client().call("GET", "/reports").json() == {"for": "alice"}


def test_it_renews_before_the_end_and_after_a_refusal(client, app):
    alice = client()
    alice.log_in("alice", PASSWORD)
    first = alice.tokens
    age(alice)
    assert alice.call("GET", "/reports").status_code == 200
    assert app.refreshed == [200]
    alice.tokens = {**alice.tokens, "access_token": first["access_token"][:-4] + "AAAA"}
    assert alice.call("GET", "/reports").status_code == 200
    assert app.refreshed == [200, 200]


def test_threads_that_find_it_over_renew_once(client, app):
    alice = client()
    alice.log_in("alice", PASSWORD)
    age(alice)
    ready = threading.Barrier(8)

    def call(_):
        ready.wait(10)
        return alice.call("GET", "/reports").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(call, range(8))) == {200}
    assert app.refreshed == [200]


def test_a_lost_answer_logs_nobody_out(client, app, monkeypatch):
    alice = client()
    alice.log_in("alice", PASSWORD)
    age(alice)
    keep = alice._keep

    def lose(answer):
        alice._keep = keep
        raise requests.ConnectionError("the answer was lost")

    alice._keep = lose
    with pytest.raises(requests.ConnectionError):
        alice.call("GET", "/reports")
    assert alice.call("GET", "/reports").status_code == 200
    assert app.refreshed == [200, 200]


def test_the_end_of_the_session_is_told_and_the_tokens_are_gone(client, app, module, tmp_path):
    alice, elsewhere = client(), client()
    alice.log_in("alice", PASSWORD)
    elsewhere.log_in("alice", PASSWORD)
    assert elsewhere.call("POST", "/auth/logout-all").status_code == 204
    with pytest.raises(module.SignedOut):
        alice.call("GET", "/reports")
    assert not (tmp_path / "tokens.json").exists()
    with pytest.raises(module.SignedOut):
        alice.call("GET", "/reports")


def test_when_nothing_can_be_said_the_tokens_are_kept(client, app, tmp_path):
    alice = client()
    alice.log_in("alice", PASSWORD)
    age(alice)

    app.app.view_functions["permjwt_auth.refresh"] = lambda: ({"error": "temporarily_unavailable"}, 503)
    with pytest.raises(requests.HTTPError):
        alice.call("GET", "/reports")
    assert (tmp_path / "tokens.json").exists()
    assert alice.tokens is not None


def test_logging_out_ends_the_session_there_too(client, app):
    alice = client()
    alice.log_in("alice", PASSWORD)
    token = alice.tokens["access_token"]
    alice.log_out()
    assert app.get("/reports", token).status == 401
