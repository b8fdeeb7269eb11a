"""Settings: read once, and refused at start-up when they cannot be meant."""

from dataclasses import fields
from datetime import timedelta

import pytest
from flask import Flask

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.settings import Settings, load_settings


def load(**settings):
    return load_settings({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})


def test_defaults_are_those_of_the_documentation():
    assert load() == Settings()
    assert Settings().access_token_expires == 900
    assert Settings().refresh_token_expires == 30 * 24 * 3600
    assert Settings().token_locations == ("headers", "cookies")


def test_lifetimes_are_seconds_or_timedeltas():
    assert load(access_token_expires=60).access_token_expires == 60
    assert load(access_token_expires=timedelta(minutes=2)).access_token_expires == 120


def test_an_unknown_key_is_refused_naming_the_nearest():
    with pytest.raises(ConfigurationError, match="did you mean PERMJWT_ACCESS_TOKEN_EXPIRES"):
        load(access_token_expire=60)
    with pytest.raises(ConfigurationError, match="did you mean PERMJWT_"):
        load(zzz=1)


def test_keys_of_others_are_left_alone():
    assert load_settings({"JWT_SECRET_KEY": 1, "SECRET_KEY": "x"}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("algorithm", "none"),
        ("algorithm", None),
        ("algorithm", "RS256x"),
        ("token_locations", ["query_string"]),
        ("token_locations", []),
        ("token_locations", [["headers"]]),
        ("token_locations", 1),
        ("header_name", "X Token"),
        ("header_name", ""),
        ("header_type", "Bearer "),
        ("access_token_expires", 0),
        ("access_token_expires", -1),
        ("access_token_expires", True),
        ("access_token_expires", "900"),
        ("access_token_expires", float("nan")),
        ("access_token_expires", float("inf")),
        ("access_token_expires", 10**12),
        ("access_token_expires", timedelta(0)),
        ("access_token_expires", None),
        ("refresh_grace", -1),
        ("leeway", -1),
        ("leeway", False),
        ("cookie_secure", "true"),
        ("cookie_secure", 1),
        ("cookie_samesite", "Laxx"),
        ("cookie_samesite", None),
        ("cookie_domain", ""),
        ("cookie_domain", "https://example.com"),
        ("cookie_domain", ".."),
        ("cookie_domain", "exa mple.com"),
        ("cookie_domain", "example.com; Path=/x"),
        ("cookie_domain", "example.com\r\nX: y"),
        ("cookie_domain", "example.com\n"),
        ("cookie_domain", f"{'x' * 64}.com"),
        ("cookie_domain", "x." * 126 + "com"),
        ("access_token_expires", 10**400),
        ("access_cookie_name", "a;b"),
        ("issuer", 5),
        ("issuers", {"issuer": "x"}),
        ("issuers", "https://login.example.com"),
        ("issuers", ["https://login.example.com"]),
        ("issuers", None),
        ("issuer_users", True),
        ("issuer_users", "email"),
        ("jwks_stale", -1),
        ("jwks_cooldown", 0),
        ("issuer", ""),
        ("audience", []),
        ("audience", [""]),
        ("audience", 5),
        ("secret_key", 12345678901234567890),
        ("permissions_claim", ""),
        ("password_reset", 1),
        ("password_min_length", 7),
        ("password_min_length", 65),
        ("password_min_length", True),
        ("reset_url", "https://example.com/reset"),
        ("reset_url", "javascript:alert({token})"),
        ("verify_url", "https://example.com/{token}\n"),
        ("reset_token_expires", 0),
        ("ratelimit_login", "often"),
        ("ratelimit_login", "0 per minute"),
        ("ratelimit_login", "5 per minute; 6 per hour"),
        ("ratelimit_mail", 5),
        ("ratelimit_storage_uri", "localhost:6379"),
        ("ratelimit_storage_uri", None),
        ("ratelimit_storage_failure", "open"),
        ("token_cache_size", -1),
        ("token_cache_size", 10**8),
        ("token_cache_size", False),
        ("token_cache_size", 1.5),
        ("audit", 0),
        ("audit_expires", 0),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_naming_its_key(name, value):
    with pytest.raises(ConfigurationError, match=f"PERMJWT_{name.upper()} must be"):
        load(**{name: value})


def test_a_secret_is_never_shown():
    with pytest.raises(ConfigurationError) as refusal:
        load(secret_key=1234567890)
    assert "1234567890" not in str(refusal.value)
    with pytest.raises(ConfigurationError) as refusal:
        load(algorithm="a secret under the wrong key")
    assert "a secret" not in str(refusal.value)
    assert "hunter2" not in repr(load(secret_key="hunter2" * 10))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"access_token_expires": 100, "refresh_token_expires": 50}, "PERMJWT_REFRESH_TOKEN_EXPIRES"),
        ({"cookie_samesite": "None", "cookie_secure": False}, "PERMJWT_COOKIE_SECURE"),
        ({"cookie_partitioned": True, "cookie_secure": False}, "PERMJWT_COOKIE_SECURE"),
        ({"access_cookie_name": "refresh_token"}, "PERMJWT_ACCESS_COOKIE_NAME"),
        ({"access_cookie_name": "__Secure-a", "cookie_secure": False}, "PERMJWT_COOKIE_SECURE"),
        ({"access_cookie_name": "__Host-a", "cookie_domain": "example.com"}, "PERMJWT_COOKIE_DOMAIN"),
        ({"refresh_cookie_name": "__Host-r"}, "PERMJWT_REFRESH_COOKIE_NAME"),
        ({"refresh_cookie_name": "__host-r"}, "PERMJWT_REFRESH_COOKIE_NAME"),
        ({"access_cookie_name": "session"}, "SESSION_COOKIE_NAME"),
        ({"cookie_sliding": True, "token_locations": ["headers"]}, "PERMJWT_TOKEN_LOCATIONS"),
        ({"header_name": "Cookie"}, "PERMJWT_HEADER_NAME"),
        ({"header_name": "X-Csrf-Token"}, "PERMJWT_HEADER_NAME"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, named):
    with pytest.raises(ConfigurationError, match=named):
        load(**settings)


@pytest.mark.parametrize("domain", ["example.com", ".example.com", "localhost", "a-b.example.co.uk"])
def test_a_cookie_domain_is_a_host_name(domain):
    assert load(cookie_domain=domain).cookie_domain == domain


def test_two_underscores_in_the_environment_are_told_apart_from_one(monkeypatch):
    monkeypatch.setenv("FLASK_PERMJWT__COOKIE_SECURE", "false")
    app = Flask(__name__)
    app.config.from_prefixed_env()
    with pytest.raises(ConfigurationError, match="one underscore"):
        load_settings(app.config)


def test_cookie_settings_do_not_matter_where_cookies_are_not_used():
    settings = load(token_locations=["headers"], cookie_samesite="None", cookie_secure=False)
    assert settings.headers
    assert not settings.cookies


def test_names_are_read_in_any_case_and_locations_in_any_order():
    settings = load(algorithm="hs512", cookie_samesite="strict", token_locations=("cookies", "headers"))
    assert (settings.algorithm, settings.cookie_samesite) == ("HS512", "Strict")
    assert settings.token_locations == ("headers", "cookies")


def test_everything_can_come_from_the_environment(monkeypatch):
    given = {
        "SECRET_KEY": '"0123456789012345678901234567890123456789"',
        "ALGORITHM": "HS384",
        "TOKEN_LOCATIONS": '["cookies"]',
        "HEADER_NAME": "X-Token",
        "HEADER_TYPE": '""',
        "ACCESS_TOKEN_EXPIRES": "60",
        "REFRESH_TOKEN_EXPIRES": "3600",
        "REFRESH_GRACE": "2.5",
        "ACCESS_COOKIE_NAME": "a",
        "REFRESH_COOKIE_NAME": "r",
        "COOKIE_SECURE": "true",
        "COOKIE_SAMESITE": "Strict",
        "COOKIE_DOMAIN": "example.com",
        "COOKIE_PARTITIONED": "true",
        "CSRF_PROTECT": "false",
        "CSRF_HEADER_NAME": "X-XSRF",
        "ACCESS_CSRF_COOKIE_NAME": "ca",
        "REFRESH_CSRF_COOKIE_NAME": "cr",
        "PRIVATE_KEY": "-----BEGIN PRIVATE KEY-----",
        "VERIFICATION_KEYS": '[{"kty": "oct"}]',
        "KEYS_REFRESH": "30",
        "KEYS_LEAD": "600",
        "ISSUER": "https://example.com",
        "AUDIENCE": '["api", "admin"]',
        "LEEWAY": "5",
        "ACCEPT_FLASK_JWT_EXTENDED": "2026-11-30",
        "FLASK_JWT_EXTENDED_USER": "id",
        "FLASK_JWT_EXTENDED_BLOCKLIST": "shop.tokens:is_revoked",
        "DEFAULT_DENY": "true",
        "PERMISSIONS_CLAIM": "data.permissions",
        "COOKIE_SLIDING": "true",
        "PERMISSIONS_IN_TOKEN": "false",
        "REVOCATION_INTERVAL": "0.5",
        "REVOCATION_MAX_STALENESS": "10",
        "REVOCATION_URL": "redis://127.0.0.1:6379/1",
        "REVOCATION_EPOCH_FILE": "off",
        "REGISTRATION": "true",
        "REQUIRE_VERIFIED": "true",
        "PASSWORD_RESET": "false",
        "PASSWORD_MIN_LENGTH": "16",
        "RESET_TOKEN_EXPIRES": "600",
        "VERIFY_TOKEN_EXPIRES": "7200",
        "RESET_URL": "https://example.com/reset?token={token}",
        "VERIFY_URL": "https://example.com/verify#{token}",
        "RATELIMIT_ENABLED": "false",
        "RATELIMIT_STORAGE_URI": "redis://localhost:6379",
        "RATELIMIT_STORAGE_FAILURE": "refuse",
        "RATELIMIT_LOGIN": "5 per minute",
        "RATELIMIT_LOGIN_ADDRESS": "50/hour",
        "RATELIMIT_REGISTER": "1 per day",
        "RATELIMIT_MAIL": "2 per 30 minutes",
        "TOKEN_CACHE_SIZE": "100",
        "PERSONAL_TOKEN_EXPIRES": "86400",
        "PERSONAL_TOKENS_PER_USER": "5",
        "AUDIT": "false",
        "AUDIT_EXPIRES": "3600",
        "JWKS_STALE": "7200",
        "JWKS_COOLDOWN": "60",
        "PROVIDERS": '{"google": {"client_id": "a", "client_secret": "b"}}',
        "RATELIMIT_PROVIDER": "9 per hour",
        "API_TITLE": "Reports",
        "API_VERSION": "2.0.1",
        "DOCS_PUBLIC": "true",
        "PERSONAL_TOKENS": "false",
        "PASSWORD_GRANT": "false",
        "PUBLIC_CLIENTS": '["web"]',
        "TICKETS": "false",
        "WEBSOCKET_ORIGINS": '["https://app.example.com"]',
    }
    for name, value in given.items():
        monkeypatch.setenv(f"FLASK_PERMJWT_{name}", value)
    app = Flask(__name__)
    app.config.from_prefixed_env()
    settings = load_settings(app.config)
    assert settings.secret_key == b"0123456789012345678901234567890123456789"
    assert settings.token_locations == ("cookies",)
    assert settings.audience == ("api", "admin")
    assert settings.header_type == ""
    assert settings.default_deny
    untouched = [
        name
        for name in (one.name for one in fields(Settings))
        if getattr(settings, name) == getattr(Settings(), name)
    ]
    # Issuers and codes need headers, and the key that signs stands in one place.
    assert sorted(untouched) == [
        "cookie_secure",
        "issuer_users",
        "issuers",
        "key_file",
        "keys_dir",
        "provider_targets",
    ]
    assert settings.providers == (("google", {"client_id": "a", "client_secret": "b"}),)


@pytest.mark.parametrize(
    ("refresh", "interval", "reread"), [(60, 1, 59), (2, 1, 1), (1, 1, 0.5), (0.5, 0.25, 0.25), (60, 0, 60)]
)
def test_keys_are_never_read_at_every_look(refresh, interval, reread):
    assert load(keys_refresh=refresh, revocation_interval=interval).keys_reread == reread


def test_issuers_can_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("FLASK_PERMJWT_ISSUERS", '[{"preset": "google", "audience": "my-client"}]')
    monkeypatch.setenv("FLASK_PERMJWT_ISSUER_USERS", "Find")
    app = Flask(__name__)
    app.config.from_prefixed_env()
    settings = load_settings(app.config)
    assert settings.issuers == ({"preset": "google", "audience": "my-client"},)
    assert settings.issuer_users == "find"


def test_issuers_need_headers_and_users_need_issuers():
    with pytest.raises(ConfigurationError, match="PERMJWT_TOKEN_LOCATIONS"):
        load(issuers=[{"preset": "google"}], token_locations=["cookies"])
    with pytest.raises(ConfigurationError, match="PERMJWT_ISSUERS"):
        load(issuer_users="create")


def test_the_environment_may_name_locations_with_a_comma(monkeypatch):
    monkeypatch.setenv("FLASK_PERMJWT_TOKEN_LOCATIONS", "headers,cookies")
    app = Flask(__name__)
    app.config.from_prefixed_env()
    assert load_settings(app.config).token_locations == ("headers", "cookies")


def test_the_file_of_the_hosts_epoch_lies_in_a_folder_that_is_there(tmp_path):
    config = {"PERMJWT_REVOCATION_EPOCH_FILE": str(tmp_path / "app.epoch")}
    assert load_settings(config).revocation_epoch_file == str(tmp_path / "app.epoch")
    assert load_settings({"PERMJWT_REVOCATION_EPOCH_FILE": "OFF"}).revocation_epoch_file == "off"
    for wrong in ("no", "relative/app.epoch", str(tmp_path), str(tmp_path / "missing" / "app.epoch"), 7, ""):
        with pytest.raises(ConfigurationError, match="PERMJWT_REVOCATION_EPOCH_FILE"):
            load_settings({"PERMJWT_REVOCATION_EPOCH_FILE": wrong})
