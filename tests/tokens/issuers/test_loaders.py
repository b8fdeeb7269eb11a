"""Loaders: discovery, addresses, files and fixed keys."""

import json

import pytest

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.issuers.config import read_issuers
from flask_permjwt.tokens.issuers.jwks import KeysError
from flask_permjwt.tokens.issuers.loaders import AddressLoader, DiscoveryLoader, FileLoader, FixedKeys
from flask_permjwt.tokens.issuers.protocol import Fetched

NAME = "https://login.example.com/tenant/v2.0"
DISCOVERY = f"{NAME}/.well-known/openid-configuration"
KEYS = "https://keys.example.com/jwks"


class Web:
    """Documents by address, and what was asked for."""

    def __init__(self, documents):
        self.documents, self.asked, self.lifetime = documents, [], None

    def fetch(self, url):
        self.asked.append(url)
        found = self.documents.get(url)
        if found is None:
            raise KeysError("not found")
        return Fetched(found if isinstance(found, bytes) else json.dumps(found).encode(), self.lifetime)


def issuer_named(name=NAME, **settings):
    (issuer,) = read_issuers([{"issuer": name, "audience": "a", "permissions": "scp", **settings}])
    return issuer


@pytest.fixture
def web(outsider):
    return Web({DISCOVERY: {"issuer": NAME, "jwks_uri": KEYS}, KEYS: outsider.jwks()})


@pytest.fixture
def discovery(web, fake_clock):
    return DiscoveryLoader(issuer_named(), web, monotonic=fake_clock)


def test_discovery_tells_where_the_keys_are_once_a_day(discovery, web, fake_clock):
    assert discovery.load().keys.find("k1", "RS256")
    fake_clock.advance(3600)
    discovery.load()
    assert web.asked == [DISCOVERY, KEYS, KEYS]
    fake_clock.advance(24 * 3600)
    discovery.load()
    assert web.asked == [DISCOVERY, KEYS, KEYS, DISCOVERY, KEYS]


def test_keys_that_have_moved_are_found(discovery, web, outsider):
    discovery.load()
    del web.documents[KEYS]
    web.documents[DISCOVERY] = {"issuer": NAME, "jwks_uri": f"{KEYS}2"}
    web.documents[f"{KEYS}2"] = outsider.jwks()
    with pytest.raises(KeysError):
        discovery.load()
    assert discovery.load().keys


def test_a_slash_at_the_end_of_an_issuer_is_part_of_its_name_and_not_of_the_path(outsider):
    web = Web(
        {
            "https://me.auth0.com/.well-known/openid-configuration": {
                "issuer": "https://me.auth0.com/",
                "jwks_uri": KEYS,
            },
            KEYS: outsider.jwks(),
        }
    )
    assert DiscoveryLoader(issuer_named("https://me.auth0.com/"), web).load().keys
    with pytest.raises(KeysError, match="another issuer"):
        DiscoveryLoader(issuer_named("https://me.auth0.com"), web).load()


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": f"{NAME}/", "jwks_uri": KEYS},
        {"issuer": "https://evil.example.com", "jwks_uri": KEYS},
        {"issuer": [NAME], "jwks_uri": KEYS},
        {"jwks_uri": KEYS},
        {"issuer": NAME},
        {"issuer": NAME, "jwks_uri": "http://keys.example.com/jwks"},
        {"issuer": NAME, "jwks_uri": "http://127.0.0.1/jwks"},
        {"issuer": NAME, "jwks_uri": "file:///etc/passwd"},
        {"issuer": NAME, "jwks_uri": [KEYS]},
        [NAME],
        b"\xff",
        b"{",
        b'{"issuer": "x", "issuer": "y"}',
        b"[" * 100_000,
    ],
)
def test_a_discovery_that_lies_is_not_followed(discovery, web, document):
    web.documents[DISCOVERY] = document
    with pytest.raises(KeysError) as caught:
        discovery.load()
    assert web.asked == [DISCOVERY]
    assert "evil" not in str(caught.value)


def test_an_issuer_on_this_machine_may_have_its_keys_there(outsider):
    name = "http://127.0.0.1:8000"
    web = Web(
        {
            f"{name}/.well-known/openid-configuration": {"issuer": name, "jwks_uri": f"{name}/keys"},
            f"{name}/keys": outsider.jwks(),
        }
    )
    assert DiscoveryLoader(issuer_named(name), web).load().keys


@pytest.mark.parametrize(("said", "kept"), [(None, 3600), (0, 300), (299, 300), (7200, 7200), (10**9, 86400)])
def test_keys_are_kept_for_as_long_as_their_server_says_within_bounds(web, said, kept):
    web.lifetime = said
    assert AddressLoader(issuer_named(), KEYS, web).load().lifetime == kept


def test_a_document_that_is_too_large_is_refused(web):
    web.documents[KEYS] = b" " * (512 * 1024 + 1)
    with pytest.raises(KeysError, match="512 KiB"):
        AddressLoader(issuer_named(), KEYS, web).load()


def test_a_file_is_read_again(tmp_path, outsider, make_outsider):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(outsider.jwks()))
    loader = FileLoader(issuer_named(), path)
    assert loader.load().lifetime == 60
    path.write_text(json.dumps(make_outsider("ES256", "k2").jwks()))
    assert loader.load().keys.find("k2", "ES256")
    path.write_text("{" * 600_000)
    with pytest.raises(KeysError, match="larger"):
        loader.load()
    path.unlink()
    with pytest.raises(KeysError, match="cannot be read"):
        loader.load()


@pytest.mark.parametrize(
    ("text", "word"),
    [("{}", "no JWK Set"), ("secret", "no JSON object"), ("", "no JSON object"), (None, "be read")],
)
def test_a_file_that_is_no_jwk_set_is_refused_at_the_start(tmp_path, text, word):
    path = tmp_path / "keys.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=word) as caught:
        FileLoader(issuer_named(), path)
    assert NAME in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_may_be_waiting_for_its_first_key(tmp_path, outsider):
    path = tmp_path / "keys.json"
    path.write_text('{"keys": []}')
    loader = FileLoader(issuer_named(), path)
    path.write_text(json.dumps(outsider.jwks()))
    assert loader.load().keys


def test_keys_in_the_settings_must_be_of_use(outsider):
    issuer = issuer_named()
    assert FixedKeys(issuer, outsider.jwks()).find("k1", "RS256")[0]
    for wrong, word in (
        ({}, "no JWK Set"),
        ({"keys": []}, "it is empty"),
        ({"keys": [{"kty": "XYZ"}]}, "not known here"),
    ):
        with pytest.raises(ConfigurationError, match=word) as caught:
            FixedKeys(issuer, wrong)
        assert NAME in str(caught.value)
