"""An app before a real provider: rotated, slowed, stopped, and made to lie. Fetches and refusals are counted."""

import json
import logging
import time
from base64 import urlsafe_b64encode
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from flask_permjwt.errors import AuthError
from flask_permjwt.tokens.cache import BoundedCache

HOUR = 3600
KEYS, DISCOVERY = "/keys", "/.well-known/openid-configuration"


@pytest.mark.parametrize("kind", ["EC", "RSA", "OKP"])
def test_tokens_of_the_provider_open_what_they_name(provider, protected, kind):
    provider.new_key("k2", kind)
    answer = protected.get(provider.token("reports:read"))
    assert answer.status_code == 200
    assert answer.json == {"subject": f"{provider.issuer}|alice", "issuer": provider.issuer}
    lacking = protected.get(provider.token("reports:write"))
    assert lacking.status_code == 403
    assert lacking.json["error_description"] == "Missing permissions: reports:read"


def test_a_thousand_tokens_bring_two_fetches(provider, protected):
    tokens = [provider.token("reports:read", sub=f"user{number}") for number in range(100)]
    assert {protected.get(token).status_code for token in tokens * 10} == {200}
    assert provider.fetches == {DISCOVERY: 1, KEYS: 1}


@pytest.mark.parametrize(
    ("claims", "description"),
    [
        (lambda: {"exp": int(time.time()) - 5}, "The token has expired."),
        (lambda: {"nbf": int(time.time()) + 500}, "The token is not valid yet."),
        (lambda: {"aud": "api://other"}, "The token is for another audience."),
    ],
)
def test_answer_and_log_say_which_check_failed(provider, protected, caplog, claims, description):
    token = provider.token("reports:read", **claims())
    for _ in range(2):
        with caplog.at_level(logging.INFO, "flask_permjwt.issuers"):
            answer = protected.get(token)
        assert answer.status_code == 401
        assert answer.json == {"error": "invalid_token", "error_description": description}
        assert description in caplog.text
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert not provider.fetches


def test_the_answer_tells_a_wrong_issuer_key_and_signature_apart(provider, protected):
    good = provider.keys[-1]
    forged = type(good).generate_key("P-256", {"kid": "k1"})
    for token, word in (
        (provider.token("reports:read", iss="https://other.example.com"), "of another issuer"),
        (provider.token("reports:read", kid="k9"), "not signed with a key that its issuer publishes"),
        (provider.token("reports:read", key=forged), "signature is not valid"),
    ):
        answer = protected.get(token)
        assert answer.status_code == 401
        assert word in answer.json["error_description"]


# Rotated


def test_a_rotation_refuses_nobody(provider, protected):
    old = provider.token("reports:read")
    assert protected.get(old).status_code == 200
    protected.monotonic.advance(60)
    provider.new_key("k2", "RSA")
    new = provider.token("reports:read")
    assert [protected.get(token).status_code for token in (old, new, old, new)] == [200] * 4
    assert provider.fetches == {DISCOVERY: 1, KEYS: 2}


def test_a_token_is_forgotten_when_its_key_goes(provider, protected):
    old = provider.token("reports:read")
    assert protected.get(old).status_code == 200
    protected.monotonic.advance(60)
    provider.new_key("k2")
    del provider.keys[0]
    assert protected.get(provider.token("reports:read")).status_code == 200
    gone = protected.get(old)
    assert gone.status_code == 401
    assert "key" in gone.json["error_description"]


def test_a_key_that_goes_is_noticed_although_no_new_token_comes(provider, protected):
    old = provider.token("reports:read", exp=int(time.time()) + 9 * HOUR)
    assert protected.get(old).status_code == 200
    provider.new_key("k2")
    del provider.keys[0]
    protected.monotonic.advance(0.9 * HOUR)
    assert protected.get(old).status_code == 401


def test_a_key_that_goes_while_a_token_is_being_verified_is_noticed(provider, protected, monkeypatch):
    token = provider.token("reports:read")
    tokens = protected.app.extensions["permjwt"].tokens
    judge = tokens._judge

    def forgetful(*arguments):
        tokens.forget()
        return judge(*arguments)

    monkeypatch.setattr(tokens, "_judge", forgetful)
    assert protected.get(token).status_code == 200
    assert len(tokens._by_header) == 0


def test_a_key_that_goes_while_a_token_is_being_found_is_noticed(provider, protected, monkeypatch):
    old, other = provider.token("reports:read"), provider.token("reports:read", sub="other")
    tokens = protected.app.extensions["permjwt"].tokens
    assert [protected.get(token).status_code for token in (old, other)] == [200, 200]
    remembered = tokens._by_header
    # What was found in the older half is on its way to the younger one.
    remembered.younger, remembered._older = {}, dict(remembered.younger)
    put = BoundedCache.put

    def put_late(cache, text, value):
        with monkeypatch.context() as patch:
            patch.setattr(BoundedCache, "put", put)
            protected.monotonic.advance(60)
            provider.new_key("k2")
            del provider.keys[0]
            assert protected.get(provider.token("reports:read")).status_code == 200
            put(cache, text, value)

    with monkeypatch.context() as patch:
        patch.setattr(BoundedCache, "put", put_late)
        protected.get(old)
    assert [protected.get(token).status_code for token in (old, other)] == [401, 401]


# Slowed


def test_while_a_slow_provider_is_asked_others_go_on(provider, protected):
    token = provider.token("reports:read")
    assert protected.get(token).status_code == 200
    protected.monotonic.advance(0.9 * HOUR)
    provider.gate, provider.asked = Event(), Event()
    slow = []
    fetching = provider.token("reports:read", sub="slow")
    thread = Thread(target=lambda: slow.append(protected.get(fetching).status_code))
    thread.start()
    assert provider.asked.wait(20)
    began = time.perf_counter()
    others = [provider.token("reports:read", sub=f"user{number}") for number in range(20)]
    assert {protected.get(one).status_code for one in others} == {200}
    assert time.perf_counter() - began < 2
    provider.gate.set()
    thread.join(20)
    assert slow == [200]
    assert provider.fetches == {DISCOVERY: 1, KEYS: 2}


# Stopped


def test_a_provider_that_is_down_stops_nobody_for_a_day(provider, protected):
    known = provider.token("reports:read")
    assert protected.get(known).status_code == 200
    provider.stop()
    statuses = []
    for hours in range(25):
        statuses.append(protected.get(provider.token("reports:read", sub=f"user{hours}")).status_code)
        protected.monotonic.advance(HOUR)
    assert statuses == [200] * 25
    answer = protected.get(provider.token("reports:read", sub="late"))
    assert answer.status_code == 503
    assert answer.json["error"] == "temporarily_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1
    provider.start()
    protected.monotonic.advance(60)
    assert protected.get(known).status_code == 200


def test_a_provider_that_was_never_there_closes_and_is_asked_once_per_pause(provider, protected, caplog):
    provider.status = 500
    token = provider.token("reports:read")
    statuses = [protected.get(token).status_code for _ in range(100)]
    assert statuses == [503] * 100
    assert provider.fetches == {DISCOVERY: 1}
    assert "answered 500" in caplog.text
    provider.status = 200
    protected.monotonic.advance(30)
    assert protected.get(token).status_code == 200


def test_our_own_tokens_do_not_depend_on_anybody(provider, protected):
    provider.stop()
    with protected.app.app_context():
        protected.permjwt.users.create("bob", "correct horse", permissions=["reports:read"])
        protected.permjwt.users.commit()
    body = {"username": "bob", "password": "correct horse"}
    tokens = protected.app.test_client().post("/auth/login", json=body).json
    assert protected.get(tokens["access_token"]).json["issuer"] is None


# Made to lie


@pytest.mark.parametrize("name", ["https://evil.example.com", "http://127.0.0.1", "", None, 5])
def test_a_wrong_issuer_in_discovery_is_believed_by_nobody(provider, protected, caplog, name):
    provider.discovery = {"issuer": name}
    assert protected.get(provider.token("reports:read")).status_code == 503
    assert provider.fetches == {DISCOVERY: 1}
    assert "names another issuer" in caplog.text


def test_a_redirect_to_elsewhere_is_not_followed(provider, protected, caplog):
    provider.status, provider.headers = 302, {"Location": "http://127.0.0.2/keys"}
    assert protected.get(provider.token("reports:read")).status_code == 503
    assert "redirects to elsewhere" in caplog.text


LIES = {
    "a huge document": b'{"keys": [' + b'{"kty": "XYZ"},' * 100_000 + b"{}]}",
    "too many keys": json.dumps({"keys": [{"kty": "XYZ"}] * 101}).encode(),
    "nested without end": b'{"keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no JSON": b"<html>",
    "no set": b'{"kty": "EC"}',
    "nothing": b"",
}


@pytest.mark.parametrize("lie", LIES)
def test_keys_that_are_none_close_at_first_and_later_change_nothing(provider, protected, lie):
    provider.jwks = LIES[lie]
    token = provider.token("reports:read")
    assert protected.get(token).status_code == 503
    provider.jwks = None
    protected.monotonic.advance(30)
    assert protected.get(token).status_code == 200
    provider.jwks = LIES[lie]
    protected.monotonic.advance(2 * HOUR)
    assert protected.get(provider.token("reports:read", sub="bob")).status_code == 200


def test_two_keys_of_one_name_are_both_out_of_use(provider, protected, caplog):
    twin = provider.new_key("k1")
    for key in (twin, provider.keys[0]):
        answer = protected.get(provider.token("reports:read", key=key))
        assert answer.status_code == 401
        assert "key" in answer.json["error_description"]
    assert "the name of another one" in caplog.text


def test_algorithms_that_discovery_offers_count_for_nothing(provider, protect):
    protected = protect(algorithms=["RS256"])
    assert protected.get(provider.token("reports:read")).status_code == 401
    provider.new_key("k2", "RSA")
    protected.monotonic.advance(30)
    assert protected.get(provider.token("reports:read")).status_code == 200


def test_ten_thousand_unknown_keys_bring_one_fetch_per_pause(provider, protected, capsys):
    """As fast as they come, by eight threads, with good tokens among them."""
    known = provider.token("reports:read")
    assert protected.get(known).status_code == 200
    protected.monotonic.advance(60)
    tokens = protected.app.extensions["permjwt"].tokens
    request = protected.app.test_request_context(headers={"Authorization": f"Bearer {known}"}).request
    _, payload, signature = provider.token("reports:read").split(".")

    def unknown(number):
        text = f"{header_of(number)}.{payload}.{signature}"
        try:
            tokens._verify_any(text, None)
        except AuthError as refusal:
            return type(refusal).__name__
        return "taken"

    def header_of(number):
        raw = json.dumps({"alg": "ES256", "kid": f"x{number}"}, separators=(",", ":"))
        return urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()

    began = time.perf_counter()
    waits = []
    with ThreadPoolExecutor(8) as threads:
        outcomes = threads.map(unknown, range(10_000), chunksize=100)
        for _ in range(200):
            since = time.perf_counter()
            with protected.app.app_context():
                assert tokens.of(request)[0].can("reports:read")
            waits.append(time.perf_counter() - since)
        counted = Counter(outcomes)
    seconds = time.perf_counter() - began
    assert counted["taken"] == 0
    assert max(waits) < 1
    assert sum(counted.values()) == 10_000
    assert provider.fetches == {DISCOVERY: 1, KEYS: 2}
    with capsys.disabled():
        print(  # noqa: T201  # the figures that were asked for
            f"\n10,000 unknown keys in {seconds:.2f} s: {provider.fetches[KEYS] - 1} fetch, "
            f"{counted['InvalidTokenError']} refused (401), {counted['KeysUnavailableError']} put off (503); "
            f"200 good requests meanwhile, the slowest {max(waits) * 1000:.1f} ms"
        )


def test_refusals_are_in_the_log_without_what_was_sent(provider, protected, caplog):
    with caplog.at_level(logging.INFO, "flask_permjwt.issuers"):
        protected.get(provider.token("reports:read", sub="evil\nline", aud="evil-audience"))
        protected.get(provider.token("reports:read", kid="evil-kid"))
    assert "another audience" in caplog.text
    assert "a key that its issuer publishes" in caplog.text
    assert "evil" not in caplog.text


def test_a_clock_that_is_set_back_keeps_no_token_whose_key_is_gone(provider, protect):
    """How long a key is known to be good is no matter of what time it is."""
    hours_back = 0
    protected = protect(clock=lambda: time.time() - 3600 * hours_back)
    token = provider.token("reports:read")
    assert protected.get(token).status_code == 200
    hours_back = 10
    provider.keys.clear()
    provider.new_key("k2")
    protected.monotonic.advance(3600)
    assert protected.get(token).status_code == 401
