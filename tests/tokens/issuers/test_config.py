"""The settings of an issuer: whatever cannot be meant is refused, with the remedy."""

import pytest

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.issuers.algorithms import SAFE
from flask_permjwt.tokens.issuers.config import read_issuers

GOOD = {"issuer": "https://login.example.com", "audience": "api://reports", "permissions": "scp"}


def read(**settings):
    given = {name: value for name, value in {**GOOD, **settings}.items() if value != "LEFT OUT"}
    (issuer,) = read_issuers([given])
    return issuer


def test_what_is_left_out_is_safe():
    issuer = read()
    assert issuer.audience == {"api://reports"}
    assert issuer.audience_claims == ("aud",)
    assert issuer.permissions == (("scp",),)
    assert issuer.translate is None
    assert issuer.jwks is None
    assert issuer.algorithms == SAFE
    assert issuer.claims == {}
    assert {"nonce", "events", "at_hash", "c_hash", "s_hash"} == issuer.refused
    assert issuer.needs == ()


def test_no_algorithm_with_a_shared_secret_and_no_none_is_ever_safe():
    assert not [one for one in SAFE if one.startswith("HS") or one.casefold() == "none"]


def test_claims_are_dotted_paths_one_or_several():
    assert read(permissions=["scp", "realm_access.roles"]).permissions == (("scp",), ("realm_access", "roles"))
    assert read(permissions=()).permissions == ()
    assert read(permissions=[]).permissions == ()


def test_algorithms_are_those_that_are_named():
    assert read(algorithms="ES256").algorithms == ("ES256",)
    assert read(algorithms=["PS256", "RS256"]).algorithms == ("PS256", "RS256")


@pytest.mark.parametrize(
    ("named", "taken"),
    [
        (["ESP256", "ESP512"], ("ES256", "ES512")),
        (["ESP256", "ES256"], ("ES256",)),
        ("EdDSA", ("EdDSA", "Ed25519")),
        (["Ed25519", "EdDSA", "RS256"], ("EdDSA", "Ed25519", "RS256")),
    ],
)
def test_the_names_of_rfc_9864_are_taken_for_the_same(named, taken):
    assert read(algorithms=named).algorithms == taken


def test_a_map_gives_one_grant_or_several():
    translate = read(map={"a": "reports:*", "b": ["x:y", "z"]}).translate
    assert (translate("a"), translate("b"), translate("c")) == (("reports:*",), ("x:y", "z"), None)
    assert read(map=str.lower).translate is str.lower


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:8000", "http://localhost/realms/x", "http://[::1]:5"])
def test_plain_http_will_do_on_this_machine(issuer):
    assert read(issuer=issuer).name == issuer


def test_an_issuer_whose_keys_are_given_may_have_any_name(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text("{}")
    assert read(issuer="reports-service", jwks=str(file)).jwks == file
    assert read(issuer="reports-service", jwks=file).jwks == file
    assert read(issuer="reports-service", jwks={"keys": []}).jwks == {"keys": []}
    assert read(issuer="reports-service", jwks="https://example.com/keys").jwks == "https://example.com/keys"


WRONG = [
    ({"may_have": ["nonce"]}, "no setting"),
    ({"isuer": "x"}, "did you mean 'issuer'"),
    ({5: "x"}, "no setting"),
    ({"issuer": "LEFT OUT"}, "'issuer' is missing"),
    ({"issuer": ""}, "'issuer' is missing"),
    ({"issuer": 5}, "'issuer' is missing"),
    ({"issuer": "http://login.example.com"}, "https"),
    ({"issuer": "login.example.com"}, "https"),
    ({"issuer": "https://"}, "https"),
    ({"issuer": "https://login.example.com:x"}, "https"),
    ({"issuer": "https://login.example.com?x=1"}, "query"),
    ({"issuer": "https://login.example.com#x"}, "fragment"),
    ({"issuer": "https://a:b@login.example.com"}, "user name"),
    ({"issuer": "https://löwe.example.com"}, "no address"),
    ({"issuer": "https://a|b"}, "characters"),
    ({"issuer": "https://a b"}, "characters"),
    ({"issuer": f"https://{'a' * 180}"}, "180"),
    ({"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}, "name the tenant"),
    ({"issuer": "https://login.microsoftonline.com/common/v2.0", "preset": "entra"}, "name the tenant"),
    ({"issuer": "https://login.microsoftonline.com/organizations", "preset": "entra"}, "name the tenant"),
    ({"audience": "LEFT OUT"}, "'audience' must be"),
    ({"audience": ""}, "'audience' must be"),
    ({"audience": []}, "'audience' must be"),
    ({"audience": [5]}, "'audience' must be"),
    ({"permissions": "LEFT OUT"}, "'permissions' is missing"),
    ({"permissions": ""}, "'permissions' must be"),
    ({"permissions": None}, "'permissions' must be"),
    ({"permissions": "a..b"}, "empty part"),
    ({"permissions": ".".join("abcdefghi")}, "more than 8"),
    ({"permissions": "roles", "client": "x"}, "leave it out"),
    ({"map": "scp"}, "'map' must be"),
    ({"map": {"x": "no grant"}}, "no grant"),
    ({"map": {"x": None}}, "no grant"),
    ({"preset": "azure"}, "'auth0', 'entra'"),
    ({"preset": ["auth0"]}, "'auth0', 'entra'"),
    ({"jwks": "http://login.example.com/keys"}, "https"),
    ({"jwks": "/no/such/file"}, "a file that is there"),
    ({"jwks": '{"keys": []}'}, "as a dict"),
    ({"jwks": '{"keys": [' + "{}, " * 2000 + "]}"}, "as a dict"),
    ({"jwks": "nul\0"}, "a file that is there"),
    ({"jwks": 5}, "'jwks' must be"),
    ({"algorithms": ["HS256"]}, "cannot be taken from others"),
    ({"algorithms": ["none"]}, "cannot be taken from others"),
    ({"algorithms": []}, "'algorithms' must be"),
    ({"claims": "typ"}, "'claims' must be"),
    ({"claims": {"typ": 5}}, "'claims' must be"),
    ({"id_tokens": "yes"}, "'id_tokens' must be"),
]


@pytest.mark.parametrize(("settings", "word"), WRONG)
def test_what_cannot_be_meant_is_refused(settings, word):
    with pytest.raises(ConfigurationError, match=r"PERMJWT_ISSUERS\[0\]") as caught:
        read_issuers([{name: value for name, value in {**GOOD, **settings}.items() if value != "LEFT OUT"}])
    assert word in str(caught.value)


@pytest.mark.parametrize("secret", ["hunter2", '{"kty": "oct", "k": "hunter2"}', '{"x": "https://hunter2"}'])
def test_what_was_given_for_the_name_of_a_file_is_not_repeated(secret):
    with pytest.raises(ConfigurationError) as caught:
        read(jwks=secret)
    assert "hunter2" not in str(caught.value)


def test_a_file_is_the_same_wherever_the_server_goes(tmp_path, monkeypatch):
    (tmp_path / "keys.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert read(jwks="keys.json").jwks == tmp_path / "keys.json"


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"issuer": "https://me.auth0.com"}, "slash"),
        ({"issuer": "https://login.me.example.com", "preset": "auth0"}, "slash"),
        ({"issuer": "https://login.microsoftonline.com/t", "preset": "entra"}, "/v2.0"),
        ({"issuer": "https://login.microsoftonline.com/t/v2.0/"}, "/v2.0"),
        ({"issuer": "https://login.example.com/.well-known/openid-configuration"}, "discovery"),
    ],
)
def test_a_name_that_is_hardly_meant_is_told_of_at_the_start(caplog, settings, word):
    assert read(**settings).name == settings["issuer"]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("flask_permjwt.issuers", "WARNING")
    assert word in record.getMessage()


def test_names_as_they_are_usual_are_not(caplog):
    read()
    read(issuer="https://me.auth0.com/", preset="auth0")
    read(issuer="https://login.microsoftonline.com/t/v2.0", preset="entra")
    read(issuer="https://sts.windows.net/t/", preset="entra")
    read(issuer="reports-service", jwks={"keys": []})
    read(issuer="https://[reports", jwks={"keys": []})
    assert caplog.records == []


def test_no_issuer_is_named_twice_and_none_is_ourselves():
    with pytest.raises(ConfigurationError, match="twice"):
        read_issuers([GOOD, GOOD])
    with pytest.raises(ConfigurationError, match="PERMJWT_ISSUER"):
        read_issuers([GOOD], ours=GOOD["issuer"])


def test_what_is_set_outweighs_the_preset():
    issuer = read(preset="keycloak", permissions="groups", claims={"azp": "web"})
    assert issuer.permissions == (("groups",),)
    assert issuer.claims == {"typ": "Bearer", "azp": "web"}


def test_a_client_of_keycloak_is_the_audience_unless_named():
    preset = {"preset": "keycloak", "permissions": "LEFT OUT"}
    assert read(**preset).permissions == (("realm_access", "roles"), ("resource_access", "api://reports", "roles"))
    paths = read(**preset, client=["my.web", "app"]).permissions
    assert paths[1:] == (("resource_access", "my.web", "roles"), ("resource_access", "app", "roles"))
