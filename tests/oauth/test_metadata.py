"""The documents at fixed places (RFC 8414, RFC 9728), and the challenges that lead to them."""

import re
import secrets

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import MissingTokenError, PermJWT
from flask_permjwt.openapi.schemes import token_url
from flask_permjwt.tokens.jwk import whole_jwk
from flask_permjwt.tokens.pairs import generate
from flask_permjwt.web.metadata import read_identifier
from flask_permjwt.web.responses import challenge

SERVER = "/.well-known/oauth-authorization-server"
RESOURCE = "/.well-known/oauth-protected-resource"
ISSUER = "https://auth.example.com"


def ask(api, path, **options):
    return api.app.test_client().get(path, **options)


def test_an_authorization_server_tells_its_endpoints(make_api):
    api = make_api(issuer=ISSUER)
    answer = ask(api, SERVER)
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.json == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/auth/token",
        "revocation_endpoint": f"{ISSUER}/auth/revoke",
        "introspection_endpoint": f"{ISSUER}/auth/introspect",
        "response_types_supported": [],
        "grant_types_supported": ["password", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "Bearer"],
    }
    assert answer.cache_control.max_age == 300


def test_a_grant_that_is_off_is_not_told(make_api):
    api = make_api(issuer=ISSUER, password_grant=False)
    assert ask(api, SERVER).json["grant_types_supported"] == ["refresh_token", "client_credentials"]


def test_public_keys_are_told_where_there_are_any(make_api):
    api = make_api(issuer=ISSUER, algorithm="ES256", private_key=whole_jwk(generate("ES256")))
    told = ask(api, SERVER).json
    assert told["jwks_uri"] == f"{ISSUER}/.well-known/jwks.json"
    assert ask(api, "/.well-known/jwks.json").json["keys"]


def test_nothing_in_a_request_changes_what_is_told(make_api):
    api = make_api(issuer=ISSUER)
    plain = ask(api, SERVER).json
    told = ask(api, SERVER, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert told.json == plain


@pytest.mark.parametrize("issuer", ["https://example.com/tenant/one", "https://example.com/tenant/one/"])
def test_a_path_is_inserted_behind_the_well_known_one(make_api, issuer):
    api = make_api(issuer=issuer)
    assert ask(api, f"{SERVER}/tenant/one").json["issuer"] == issuer
    for wrong in ("", "/", "/tenant", "/tenant/one/", "/tenant/one/x", "/tenant/ONE", "//tenant/one"):
        assert ask(api, SERVER + wrong, follow_redirects=False).status_code != 200


def test_behind_a_prefix_of_the_server_endpoints_have_it(make_api):
    api = make_api(issuer="https://example.com/api")
    told = ask(api, f"{SERVER}/api", base_url="https://example.com/api").json
    assert told["token_endpoint"] == "https://example.com/api/auth/token"


@pytest.mark.parametrize("base_url", ["https://example.com", "https://example.com/api"])
@pytest.mark.parametrize("root", ["/api", "/api/"])
def test_a_proxy_that_names_no_prefix_at_the_root_of_the_host_changes_no_endpoint(make_api, root, base_url):
    key = whole_jwk(generate("ES256"))
    api = make_api(issuer="https://example.com/api", algorithm="ES256", private_key=key)
    api.app.config["APPLICATION_ROOT"] = root
    told = ask(api, f"{SERVER}/api", base_url=base_url).json
    assert told["token_endpoint"] == "https://example.com/api/auth/token"
    assert told["revocation_endpoint"] == "https://example.com/api/auth/revoke"
    assert told["introspection_endpoint"] == "https://example.com/api/auth/introspect"
    assert told["jwks_uri"] == "https://example.com/api/.well-known/jwks.json"


@pytest.mark.parametrize(
    "issuer",
    [
        None,
        "my-app",
        "http://example.com",
        "ftp://example.com",
        "https://example.com?x=1",
        "https://example.com#x",
        "https://user@example.com",
        "https://",
        "https://[::1",
        "https://example.com:x",
        "https://exa mple.com",
        'https://example.com/"',
        "https://ex\u00e4mple.com",
        "http://127.0.0.1.evil.example",
    ],
)
def test_where_the_issuer_is_no_address_there_is_no_document(make_api, issuer):
    api = make_api(issuer=issuer)
    assert ask(api, SERVER).status_code == ask(api, RESOURCE).status_code == 404
    assert "resource_metadata" not in ask(api, "/reports").headers["WWW-Authenticate"]


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:5000", "http://localhost:8000", "http://[::1]:8000"])
def test_on_this_machine_plain_http_will_do(make_api, issuer):
    assert ask(make_api(issuer=issuer), SERVER).json["token_endpoint"] == f"{issuer}/auth/token"


def test_where_tokens_go_into_cookies_only_there_is_nothing_to_tell(make_api):
    api = make_api(issuer=ISSUER, token_locations=["cookies"])
    assert ask(api, SERVER).status_code == ask(api, RESOURCE).status_code == 404


def make_app(*, prefix="/auth", well_known=None, **settings):
    """Build an app whose blueprints are mounted as told; None mounts nothing."""
    app = Flask("mounted")
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://", TESTING=True)
    app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
    permjwt = PermJWT(app, db=SQLAlchemy(app))
    for number, one in enumerate([prefix] if isinstance(prefix, str) else prefix or ()):
        app.register_blueprint(permjwt.auth_blueprint, url_prefix=one, name=f"renamed{number}")
    if well_known is not None:
        app.register_blueprint(permjwt.well_known_blueprint, url_prefix=well_known or None)
    app.add_url_rule("/me", view_func=lambda: "me")
    return app


def test_the_endpoints_are_where_the_blueprint_is_mounted_under_whatever_name():
    told = make_app(prefix="/api/v1", well_known="", issuer=ISSUER).test_client().get(SERVER).json
    assert told["token_endpoint"] == f"{ISSUER}/api/v1/token"


@pytest.mark.parametrize("prefix", [None, "/<tenant>/auth"])
def test_without_endpoints_that_can_be_told_there_is_no_document(prefix):
    app = make_app(prefix=prefix, well_known="", issuer=ISSUER)
    assert app.test_client().get(SERVER).status_code == 404
    assert app.test_client().get(RESOURCE).json["authorization_servers"] == [ISSUER]


def test_of_several_places_the_first_that_can_be_told_is_told():
    app = make_app(prefix=["/<tenant>/auth", "/auth", "/other"], well_known="", issuer=ISSUER)
    told = app.test_client().get(SERVER).json
    assert told["token_endpoint"] == f"{ISSUER}/auth/token"
    assert told["introspection_endpoint"] == f"{ISSUER}/auth/introspect"


def test_endpoints_on_a_host_of_their_own_are_told_with_it():
    app = Flask("hosts", subdomain_matching=True)
    app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://", TESTING=True)
    app.config.update(PERMJWT_ISSUER=ISSUER, SERVER_NAME="example.com")
    permjwt = PermJWT(app, db=SQLAlchemy(app))
    app.register_blueprint(permjwt.auth_blueprint, subdomain="login", url_prefix="/auth")
    app.register_blueprint(permjwt.well_known_blueprint)
    told = app.test_client().get(SERVER, base_url="http://example.com").json
    assert told["token_endpoint"] == "https://login.example.com/auth/token"


def test_a_resource_tells_who_issues_tokens_for_it(make_api):
    api = make_api(issuer=ISSUER)
    answer = ask(api, RESOURCE)
    assert answer.json == {
        "resource": ISSUER,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }
    assert answer.cache_control.max_age == 300


def test_an_audience_that_is_an_address_names_the_resource(make_api):
    api = make_api(issuer=ISSUER, audience=["api", "https://api.example.com/v1"])
    told = ask(api, f"{RESOURCE}/v1").json
    assert (told["resource"], told["authorization_servers"]) == ("https://api.example.com/v1", [ISSUER])
    assert ask(api, RESOURCE).status_code == 404
    challenge = ask(api, "/reports").headers["WWW-Authenticate"]
    assert f'resource_metadata="https://api.example.com{RESOURCE}/v1"' in challenge


def test_issuers_whose_tokens_are_taken_are_told_too(make_api):
    issuers = [{"issuer": "https://login.example.com", "audience": "api", "permissions": "scp"}]
    api = make_api(audience="https://api.example.com", issuers=issuers)
    assert ask(api, RESOURCE).json["authorization_servers"] == ["https://login.example.com"]


def test_a_resource_without_an_issuer_that_is_an_address_names_none(make_api):
    told = ask(make_api(issuer="my-app", audience="https://api.example.com/"), RESOURCE).json
    assert told == {"resource": "https://api.example.com/", "bearer_methods_supported": ["header"]}


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/reports", {}, 401),
        ("/reports", {"Authorization": "Bearer nonsense"}, 401),
        ("/reports", {"Authorization": "Bearer two words"}, 400),
    ],
)
@pytest.mark.parametrize("handled", [False, True])
def test_every_challenge_leads_to_the_document(make_api, path, headers, status, handled):
    api = make_api(issuer=ISSUER)
    if handled:
        api.app.register_error_handler(418, lambda error: "teapot")  # errors are raised then
    answer = ask(api, path, headers=headers)
    assert answer.status_code == status
    found = re.search(r'resource_metadata="([^"]+)"', answer.headers["WWW-Authenticate"])
    assert found[1] == ISSUER + RESOURCE
    assert ask(api, found[1].removeprefix(ISSUER)).json["resource"] == ISSUER


def test_a_missing_permission_leads_there_too(make_api):
    api = make_api(issuer=ISSUER)
    api.within(lambda: api.users.revoke(api.users.find("alice"), "reports:read"))
    answer = api.get("/reports", api.password().json["access_token"])
    assert answer.status_code == 403
    assert "resource_metadata" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("well_known", [None, "/elsewhere"])
def test_where_the_document_is_not_at_its_place_no_challenge_names_it(well_known):
    app = make_app(well_known=well_known, issuer=ISSUER)
    answer = app.test_client().get("/auth/me")
    assert answer.status_code == 401
    assert "resource_metadata" not in answer.headers["WWW-Authenticate"]


def test_where_it_stands_is_found_out_once(make_api, monkeypatch):
    api = make_api(issuer=ISSUER)
    ask(api, "/reports")
    monkeypatch.setattr(api.app.url_map, "iter_rules", lambda *_: pytest.fail("asked again"))
    for _ in range(3):
        assert "resource_metadata" in ask(api, "/reports").headers["WWW-Authenticate"]


def test_outside_of_an_app_an_error_is_told_all_the_same():
    assert challenge(MissingTokenError()) == 'Bearer realm="api"'


def test_an_identifier_keeps_its_letters():
    assert read_identifier("https://Example.com:8443/A/b").netloc == "Example.com:8443"


def test_the_openapi_document_lets_people_log_in_at_the_token_endpoint(make_api):
    assert token_url(make_api().app) == "/auth/token"
    assert token_url(make_api(password_grant=False).app) is None
    assert token_url(make_api(token_locations=["cookies"]).app) is None
