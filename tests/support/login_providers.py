"""Real providers to log in with, on this machine: one of OpenID Connect, and one of OAuth 2 alone, as GitHub is.

The protocol is that of Authlib's server side: codes that are good once and for one client, redirect addresses that
must be registered, PKCE, secrets. What the providers say can be made to lie.
"""

import secrets
import threading
import time
from collections import Counter
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

import pytest
from argon2 import PasswordHasher
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, grants
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, Response, current_app, jsonify, request
from flask_sqlalchemy import SQLAlchemy
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from werkzeug.serving import make_server

from flask_permjwt import PermJWT, current_user, requires_login
from flask_permjwt.accounts.passwords import Passwords

SECRET = "0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopqrstuvwxyz"
PASSWORD = "correct horse battery staple"
HOST = "https://app.example.com"
NEVER = object()


class Client(ClientMixin):
    """The app, as a provider knows it."""

    client_id, client_secret = "the-app", "s3cret of/the:app"

    def __init__(self) -> None:
        self.redirect_uris: list[str] = []

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret):
        return client_secret == self.client_secret

    def check_endpoint_auth_method(self, method, endpoint):
        return True

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code"


class Code(AuthorizationCodeMixin):
    """A code that a provider gave away."""

    def __init__(self, asked: Any) -> None:
        said = asked.payload.data
        self.redirect_uri = asked.payload.redirect_uri
        self.scope = asked.payload.scope
        self.nonce = said.get("nonce")
        self.max_age = said.get("max_age")
        self.code_challenge = said.get("code_challenge")
        self.code_challenge_method = said.get("code_challenge_method")

    def get_redirect_uri(self):
        return self.redirect_uri

    def get_scope(self):
        return self.scope


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def save_authorization_code(self, code, request):
        current_app.provider.codes[code] = Code(request)

    def query_authorization_code(self, code, client):
        return current_app.provider.codes.get(code)

    def delete_authorization_code(self, authorization_code):
        provider = current_app.provider
        provider.codes = {code: one for code, one in provider.codes.items() if one is not authorization_code}
        provider.redeemed = authorization_code

    def authenticate_user(self, authorization_code):
        return "somebody"


class LoginProvider:
    """A provider that lets one person in, whoever asks.

    Attributes:
        openid: whether it speaks OpenID Connect.
        person: what it says of them.
        id_token: what its ID tokens say otherwise than they should; None leaves a claim out.
        discovery: what its metadata say otherwise; likewise.
        emails: what ``/user/emails`` says.
        answers: what is answered instead, by path: status, body and headers.
        gate: nothing is answered until it is set.
        asked: how often each path was asked for.
        sent: the last form that came to the token endpoint, with the Authorization header.
        returns: what is added to what people bring back.
    """

    def __init__(self, *, openid: bool) -> None:
        self.openid = openid
        self.person: dict[str, Any] = {"id": 1234, "login": "alice", "email": None}
        if openid:
            self.person = {"sub": "alice-there", "email": "alice@there.example", "email_verified": True}
        self.emails: Any = [{"email": "alice@there.example", "primary": True, "verified": True}]
        self.id_token: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.returns: dict[str, str] = {}
        self.gate: threading.Event | None = None
        self.asked: Counter[str] = Counter()
        self.sent: dict[str, str] = {}
        self.codes: dict[str, Code] = {}
        self.redeemed: Code | None = None
        self.tokens: set[str] = set()
        self.client = Client()
        self.key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"})
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self.gate is not None:
            self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def entry(self, **more: Any) -> dict[str, Any]:
        """Return what PERMJWT_PROVIDERS says of it."""
        usual: dict[str, Any] = {"client_id": self.client.client_id, "client_secret": self.client.client_secret}
        if self.openid:
            usual["metadata_url"] = f"{self.address}/.well-known/openid-configuration"
        else:
            usual.update(
                issuer=self.address,
                authorize_url=f"{self.address}/authorize",
                token_url=f"{self.address}/token",
                userinfo_url=f"{self.address}/user",
                emails_url=f"{self.address}/user/emails",
                subject="id",
                scopes=["read:user", "user:email"],
                token_auth="client_secret_post",
            )
        return {**usual, **more}

    def _app(self) -> Flask:  # noqa: C901  # its views
        app = Flask("provider", static_folder=None)
        app.provider = self
        server = AuthorizationServer(
            app,
            query_client=lambda client_id: self.client if client_id == self.client.client_id else None,
            save_token=lambda token, _: self.tokens.add(token["access_token"]),
        )
        server.register_grant(CodeGrant, [CodeChallenge(required=True)])

        @app.before_request
        def instead() -> Response | None:
            self.asked[request.path] += 1
            if self.gate is not None:
                self.gate.wait(30)
            if request.path in self.answers:
                status, body, headers = self.answers[request.path]
                return Response(body, status, {"Content-Type": "application/json", **headers})
            return None

        @app.get("/.well-known/openid-configuration")
        def metadata() -> Response:
            usual = {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
                # What Authlib's session takes as keywords of its own must not reach it.
                "client_id": "somebody-else",
                "default_timeout": 1,
            }
            return jsonify(_without({**usual, **self.discovery}))

        @app.get("/keys")
        def keys() -> Response:
            return jsonify(KeySet([self.key]).as_dict(private=False))

        @app.get("/authorize")
        def authorize() -> Response:
            grant = server.get_consent_grant(end_user="somebody")
            response: Response = server.create_authorization_response(grant_user="somebody", grant=grant)
            if self.returns and "Location" in response.headers:
                query = "&".join(f"{name}={value}" for name, value in self.returns.items())
                response.headers["Location"] += f"&{query}"
            return response

        @app.post("/token")
        def token() -> Response:
            self.sent = {**request.form, "Authorization": request.headers.get("Authorization", "")}
            response: Response = server.create_token_response()
            if response.status_code == 200 and self.openid:
                said = response.get_json()
                response = jsonify({**said, "id_token": self.make_id_token(self.redeemed.nonce)})
            return response

        @app.get("/user")
        def user() -> Response:
            return self._told(self.person)

        @app.get("/user/emails")
        def emails() -> Response:
            return self._told(self.emails)

        return app

    def _told(self, what: Any) -> Response:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        return jsonify(what) if kind == "Bearer" and token in self.tokens else Response(status=401)

    def make_id_token(self, nonce: str | None, key: Any = None, kid: str = "k1") -> str:
        now = int(time.time())
        usual = {
            "iss": self.address,
            "aud": self.client.client_id,
            "nonce": nonce,
            "iat": now,
            "exp": now + 300,
            **self.person,
        }
        if self.redeemed is not None and self.redeemed.max_age is not None:
            usual["auth_time"] = now
        said = _without({**usual, **self.id_token})
        return jwt.encode({"alg": "ES256", "kid": kid}, said, key or self.key, algorithms=["ES256"])


def _without(said: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if value is not None}


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def go(url: str) -> str:
    """Ask for an address as a browser without cookies; return where that redirects to."""
    try:
        build_opener(ProxyHandler({}), _Stay).open(url, timeout=10).close()
    except HTTPError as answer:
        with answer:
            return str(answer.headers["Location"])
    raise AssertionError("this redirects to nowhere")


class Site:
    """An app that people log in to with the providers, and a way to do so."""

    def __init__(self, app: Flask, permjwt: PermJWT, db: SQLAlchemy) -> None:
        self.app, self.permjwt, self.db = app, permjwt, db

    def browser(self) -> Any:
        """Return a browser without cookies."""
        return Browser(self)

    def told(self, *events: str) -> list[Any]:
        """Return the rows of the audit, perhaps of some events only."""
        with self.app.app_context():
            found = self.app.extensions["permjwt"].recorder.read()
            self.db.session.remove()
        return [one for one in found if not events or one.event in events]

    def create(self, name: str, password: str | None = PASSWORD, **options: Any) -> str:
        """Create a user and return the public id."""
        with self.app.app_context():
            user = self.permjwt.users.create(name, password, **options)
            self.permjwt.users.commit()
            public_id: str = user.public_id
            self.db.session.remove()
        return public_id

    def change(self, what: Any) -> Any:
        with self.app.app_context():
            found = what(self.permjwt.users)
            self.permjwt.users.commit()
            self.db.session.remove()
        return found

    def users(self) -> list[tuple[str, str | None, bool]]:
        """Return names, e-mail addresses and whether these are verified."""
        with self.app.app_context():
            users = self.permjwt.users.list_users()
            found = [(one.username, one.email, one.email_verified_at is not None) for one in users]
            self.db.session.remove()
        return found

    def owner(self, issuer: str, subject: str) -> str | None:
        with self.app.app_context():
            found = self.permjwt.identities.user_of(issuer, subject)
            self.db.session.remove()
        return None if found is None else found.public_id


class Browser:
    """A browser: its cookies at the app, and what it does at a provider. Nothing is followed by itself."""

    def __init__(self, site: Site) -> None:
        self.client = site.app.test_client()

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, base_url=HOST, **options)

    def post(self, path: str, *, method: str = "POST", **options: Any) -> Any:
        """Send with the CSRF value, if there is one."""
        csrf = self.client.get_cookie("csrf_access_token", "app.example.com")
        headers = {"X-CSRF-TOKEN": csrf.value} if csrf is not None else {}
        return self.client.open(
            path, method=method, base_url=HOST, headers={**headers, **options.pop("headers", {})}, **options
        )

    def begin(self, provider: str = "openid", **query: str) -> Any:
        return self.get(f"/auth/login/{provider}", query_string=query)

    def at_provider(self, url: str) -> str:
        """Log in there; return where the provider sends the browser back to, without the host."""
        location = go(url)
        assert location.startswith(f"{HOST}/"), location
        return location.removeprefix(HOST)

    def log_in(self, provider: str = "openid", **query: str) -> Any:
        """Go all the way; return the last answer."""
        begun = self.begin(provider, **query)
        assert begun.status_code == 303, begun.text
        return self.get(self.at_provider(begun.location))

    def log_in_with_password(self, name: str, password: str = PASSWORD) -> Any:
        body = {"username": name, "password": password, "delivery": "cookie"}
        answer = self.client.post("/auth/login", base_url=HOST, json=body)
        assert answer.status_code == 200, answer.text

    def cookies(self) -> list[str]:
        """Return the names of the login cookies that it holds."""
        return [name for _, _, name in self.client._cookies if "permjwt_login_" in name]

    @staticmethod
    def asked(url: str) -> dict[str, str]:
        """Return what a request to a provider says."""
        return dict(parse_qsl(urlsplit(url).query))


@pytest.fixture
def make_provider(monkeypatch):
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    made = []

    def make(*, openid: bool = True, name: str | None = None) -> LoginProvider:
        provider = LoginProvider(openid=openid)
        provider.client.redirect_uris.append(f"{HOST}/auth/callback/{name or ('openid' if openid else 'oauth')}")
        made.append(provider)
        return provider

    yield make
    for provider in made:
        provider.stop()


@pytest.fixture
def openid(make_provider) -> LoginProvider:
    return make_provider()


@pytest.fixture
def oauth(make_provider) -> LoginProvider:
    return make_provider(openid=False)


@pytest.fixture
def make_site(monkeypatch):
    """Build an app; settings as keywords, those of the extension in lower case."""
    monkeypatch.setattr(
        "flask_permjwt.shared.Passwords",
        lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
    )
    made = []

    def make(providers: dict[str, Any], *, url: str = "sqlite://", parts: Any = None, **settings: Any) -> Site:
        app = Flask("site", static_folder=None)
        app.config.update(TESTING=True, SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI=url)
        app.config["PERMJWT_PROVIDERS"] = providers
        app.config.update({f"PERMJWT_{name.upper()}": value for name, value in settings.items()})
        db = SQLAlchemy(app)
        permjwt = PermJWT(app, db=db, **(parts or {}))
        app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

        @app.get("/home/")
        @requires_login
        def home() -> dict[str, Any]:
            return {"you": current_user.username, "id": current_user.public_id}

        @app.get("/app/<path:page>")
        def page(page: str) -> str:
            return page

        @app.post("/only-post")
        def only_post() -> str:
            return ""

        with app.app_context():
            db.create_all()
        made.append((app, db))
        return Site(app, permjwt, db)

    yield make
    for app, db in made:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def site(make_site, openid, oauth) -> Site:
    return make_site({"openid": openid.entry(), "oauth": oauth.entry()})
