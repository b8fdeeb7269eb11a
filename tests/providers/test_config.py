"""The entries of PERMJWT_PROVIDERS: what cannot be meant stops the start and names the remedy."""

import subprocess
import sys

import pytest

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.providers.config import read_providers
from flask_permjwt.settings import Settings

TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
CLIENT = {"client_id": "an-id", "client_secret": "a-s3cret"}
OPENID = {**CLIENT, "metadata_url": "https://login.example.com/.well-known/openid-configuration"}
OAUTH = {
    **CLIENT,
    "issuer": "https://login.example.com",
    "authorize_url": "https://login.example.com/authorize",
    "token_url": "https://login.example.com/token",
    "userinfo_url": "https://login.example.com/user",
    "subject": "id",
}


def read(name="one", **entry):
    return read_providers([(name, entry)])[name]


def without(entry, *keys):
    return {key: value for key, value in entry.items() if key not in keys}


# Presets


def test_google_needs_a_client_and_no_more():
    google = read("google", **CLIENT)
    assert google.issuer == "https://accounts.google.com"
    assert google.metadata_url == "https://accounts.google.com/.well-known/openid-configuration"
    assert google.scopes == ("openid", "email")
    assert google.create is True


def test_github_is_known_by_a_name_that_never_changes():
    github = read("github", **CLIENT)
    assert (github.issuer, github.subject, github.metadata_url) == ("https://github.com", "id", None)
    assert github.userinfo_url == "https://api.github.com/user"
    assert github.token_auth == "client_secret_post"


def test_a_preset_may_have_any_name_and_what_is_said_outweighs_it():
    one = read("work", preset="google", scopes="openid profile", claims={"hd": "example.com"}, **CLIENT)
    assert (one.name, one.scopes, one.claims) == ("work", ("openid", "profile"), {"hd": "example.com"})
    own = read("google", **OPENID)
    assert own.issuer == "https://login.example.com"


@pytest.mark.parametrize(
    ("tenant", "issuer"),
    [
        (TENANT, f"https://login.microsoftonline.com/{TENANT}/v2.0"),
        ("consumers", "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
        ("common", "https://login.microsoftonline.com/{tenantid}/v2.0"),
        ("organizations", "https://login.microsoftonline.com/{tenantid}/v2.0"),
    ],
)
def test_microsofts_issuer_is_that_of_the_tenant(tenant, issuer):
    one = read("microsoft", tenant=tenant, **CLIENT)
    assert one.issuer == issuer
    assert one.metadata_url == f"https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration"


@pytest.mark.parametrize("tenant", [None, "", "contoso.onmicrosoft.com", TENANT.upper(), f"{TENANT}/x", 7])
def test_a_tenant_is_an_id_or_says_whom_it_lets_in(tenant):
    with pytest.raises(ConfigurationError, match="'tenant'"):
        read("microsoft", tenant=tenant, **CLIENT)


def test_the_issuers_of_all_tenants_are_told_by_their_shape():
    one = read("microsoft", tenant="common", **CLIENT)
    assert one.is_issuer(f"https://login.microsoftonline.com/{TENANT}/v2.0")
    for other in (
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://login.microsoftonline.com//v2.0",
        "https://login.microsoftonline.com/v2.0",
        f"https://login.microsoftonline.com/{TENANT}/v2.0/",
        f"https://login.microsoftonline.com/{TENANT}/../x/v2.0",
        f"https://evil.example/{TENANT}/v2.0",
        "",
    ):
        assert not one.is_issuer(other)


# Faults


@pytest.mark.parametrize(
    ("name", "entry", "match"),
    [
        ("One", OPENID, "name"),
        ("", OPENID, "name"),
        ("a/b", OPENID, "name"),
        ("a" * 33, OPENID, "name"),
        ("password", OPENID, "name"),
        ("one", {**OPENID, "clientsecret": "x"}, "did you mean 'client_secret'"),
        ("one", {**OPENID, "preset": "gogle"}, "'preset'"),
        ("one", {**OPENID, "preset": ["google"]}, "'preset'"),
        ("one", CLIENT, "'issuer' is missing"),
        ("one", without(OPENID, "client_id"), "'client_id'"),
        ("one", {**OPENID, "client_id": 7}, "'client_id'"),
        ("one", {**OPENID, "client_id": "a\nb"}, "'client_id'"),
        ("one", without(OPENID, "client_secret"), "'token_auth': 'none'"),
        ("one", {**OPENID, "client_secret": ""}, "'client_secret'"),
        ("one", {**OPENID, "metadata_url": "http://login.example.com/x"}, "https"),
        ("one", {**OPENID, "metadata_url": "https://login.example.com/metadata"}, "'issuer' is missing"),
        ("one", {**OPENID, "metadata_url": 7}, "'metadata_url'|'issuer'"),
        ("one", {**OPENID, "issuer": "https://a b"}, "'issuer'"),
        ("one", {**OPENID, "issuer": "https://" + "a" * 200}, "'issuer'"),
        ("one", {**OPENID, "tenant": TENANT}, "'tenant'"),
        ("one", {**OPENID, "scopes": ["email"]}, "'openid'"),
        ("one", {**OPENID, "scopes": [7]}, "'scopes'"),
        ("one", {**OPENID, "userinfo_url": "https://login.example.com/user"}, "leave out userinfo_url"),
        ("one", {**OPENID, "subject": "email"}, "leave out userinfo_url"),
        ("one", {**OPENID, "token_auth": "private_key_jwt"}, "'token_auth'"),
        ("one", {**OPENID, "authorize_params": {"state": "x"}}, "may not set state"),
        ("one", {**OPENID, "authorize_params": {"prompt": 7}}, "'authorize_params'"),
        ("one", {**OPENID, "claims": {"hd": ["a"]}}, "'claims'"),
        ("one", {**OPENID, "create": "no"}, "'create'"),
        ("one", {**OPENID, "redirect_uri": "/auth"}, "'redirect_uri'"),
        ("one", without(OAUTH, "issuer"), "'issuer' is missing"),
        ("one", without(OAUTH, "token_url"), "token_url"),
        ("one", without(OAUTH, "userinfo_url"), "userinfo_url"),
        ("one", without(OAUTH, "subject"), "never an e-mail address"),
        ("one", {**OAUTH, "authorize_url": "javascript:alert(1)"}, "https"),
    ],
)
def test_what_cannot_be_meant_is_refused(name, entry, match):
    with pytest.raises(ConfigurationError, match=match) as caught:
        read(name, **entry)
    assert "a-s3cret" not in str(caught.value)


def test_two_entries_are_never_one_issuer():
    with pytest.raises(ConfigurationError, match="same issuer"):
        read_providers([("one", OPENID), ("two", OPENID)])


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("common", "aaaabbbb-0000-cccc-1111-dddd2222eeee", False),
        ("organizations", "aaaabbbb-0000-cccc-1111-dddd2222eeee", False),
        ("common", "consumers", False),
        ("common", "organizations", False),
        ("organizations", "consumers", True),
        ("aaaabbbb-0000-cccc-1111-dddd2222eeee", "11112222-0000-cccc-1111-dddd2222eeee", True),
    ],
)
def test_nor_is_one_a_tenant_of_the_other(one, other, apart):
    entries = [
        (name, {"preset": "microsoft", "client_id": "an-id", "client_secret": "a-s3cret", "tenant": tenant})
        for name, tenant in (("one", one), ("other", other))
    ]
    for pair in (entries, entries[::-1]):
        if apart:
            assert len(read_providers(pair)) == 2
        else:
            with pytest.raises(ConfigurationError, match="among its tenants"):
                read_providers(pair)


def test_a_public_client_says_so():
    assert read(**without(OPENID, "client_secret"), token_auth="none").client_secret is None


def test_secrets_are_in_no_repr():
    assert "a-s3cret" not in repr(read(**OPENID))
    assert "a-s3cret" not in repr(Settings(providers=(("one", OPENID),)))


@pytest.mark.parametrize("value", [[OPENID], "google", {"google": "secret"}, {1: {}}, None])
def test_the_setting_is_a_dict_of_dicts(make_site, value):
    with pytest.raises(ConfigurationError, match="PERMJWT_PROVIDERS"):
        make_site(value)


def test_the_name_of_a_setting_is_told_when_the_limit_makes_no_sense(make_site):
    with pytest.raises(ConfigurationError, match="PERMJWT_RATELIMIT_PROVIDER"):
        make_site({"one": OPENID}, ratelimit_provider="often")


# What it needs


MISSING = """
import sys


class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, *rest):
        return None if name.split(".")[0] in sys.argv[1:] else self.finder.find_spec(name, *rest)


sys.meta_path[:] = [Without(one) for one in sys.meta_path]
"""
APP = """
import secrets, sys
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_permjwt import PermJWT

app = Flask("app")
app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
"""


def run(script, *arguments):
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("missing", [["authlib", "requests"], ["authlib", "cryptography", "requests", "urllib3"]])
def test_without_the_packages_the_start_names_the_extra(missing):
    script = (
        f"{MISSING}{APP}app.config['PERMJWT_PROVIDERS'] = {{'one': {OPENID}}}\nPermJWT(app, db=SQLAlchemy(app))"
    )
    last = run(script, *missing).stderr.splitlines()[-1]
    assert "ConfigurationError: PERMJWT_PROVIDERS needs Authlib and " in last
    assert "pip install 'flask-permjwt[oauth]'" in last


def test_without_providers_nothing_of_it_is_loaded():
    script = f"""{APP}
permjwt = PermJWT(app, db=SQLAlchemy(app))
app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
print([name for name in ("authlib", "requests", "urllib3") if name in sys.modules])
"""
    assert run(script).stdout == "[]\n"


def test_users_that_live_elsewhere_are_found_and_not_made(make_site, openid):
    class Elsewhere:
        def find(self, name):
            return None

        def get(self, subject):
            return None

        def rights(self, user):
            return None

        def save_password_hash(self, user, password_hash):
            pass

    with pytest.raises(ConfigurationError, match="'create': False"):
        make_site({"openid": openid.entry()}, parts={"user_store": Elsewhere()})
    site = make_site({"openid": openid.entry(create=False)}, parts={"user_store": Elsewhere()})
    assert site.browser().log_in().json["error"] == "identity_refused"
