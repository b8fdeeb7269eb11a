"""A real OpenID provider on this machine, built on joserfc and the standard library. It can be made to lie."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from flask_permjwt import PermJWT, current_principal, current_user, requires_login, requires_permissions

AUDIENCE = "api://reports"
SECRET = "0123456789abcdefghijklmnopqrstuvwxyz-0123456789abcdefghijklmnopqrstuvwxyz"
WELL_KNOWN = "/.well-known/openid-configuration"


class Provider:
    """Discovery, keys and tokens.

    Attributes:
        keys: what is published; the last one signs.
        fetches: how often each path was asked for.
        discovery: what the discovery document says otherwise than it should.
        jwks: what is published instead of the keys, as bytes.
        gate: nothing is answered until it is set.
        status: of all answers.
        headers: of the keys.
    """

    def __init__(self) -> None:
        self.keys: list[Any] = []
        self.fetches: Counter[str] = Counter()
        self.discovery: dict[str, Any] = {}
        self.jwks: bytes | None = None
        self.gate: Event | None = None
        self.asked = Event()
        self.status = 200
        self.headers: dict[str, str] = {}
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()
        self.new_key("k1")

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._port}/tenant"

    def start(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # whoever does not wait for the answer hangs up

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.removeprefix("/tenant")
        self.fetches[path] += 1
        self.asked.set()
        if self.gate is not None:
            self.gate.wait(20)
        documents = {WELL_KNOWN: self._discovery, "/keys": self._keys}
        handler.send_response(self.status if path in documents else 404)
        handler.send_header("Content-Type", "application/json")
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if path in documents:
            handler.wfile.write(documents[path]())

    def _discovery(self) -> bytes:
        usual = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
        }
        return json.dumps({**usual, **self.discovery}).encode()

    def _keys(self) -> bytes:
        if self.jwks is not None:
            return self.jwks
        return json.dumps(KeySet(self.keys).as_dict(private=False)).encode()

    def new_key(self, kid: str, kind: str = "EC") -> Any:
        """Publish one more key, and sign with it."""
        parameters = {"kid": kid, "use": "sig"}
        made: Any = {
            "EC": lambda: ECKey.generate_key("P-256", parameters),
            "RSA": lambda: RSAKey.generate_key(2048, parameters),
            "OKP": lambda: OKPKey.generate_key("Ed25519", parameters),
        }[kind]()
        self.keys.append(made)
        return made

    def token(
        self, *permissions: str, key: Any = None, kid: str | None = None, kind: str = "JWT", **claims: Any
    ) -> str:
        key = key or self.keys[-1]
        algorithm = {"EC": "ES256", "RSA": "RS256", "OKP": "Ed25519"}[key.key_type]
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "alice",
            "iat": now,
            "exp": now + 3600,
            "scp": " ".join(permissions),
        }
        header = {"alg": algorithm, "typ": kind, "kid": kid or key.kid}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(header, said, key, algorithms=[algorithm])


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    if made.gate is not None:
        made.gate.set()
    made.stop()


class Protected:
    """An app that takes the provider's tokens; its monotonic clock stands still until it is told to go on."""

    def __init__(self, app: Flask, permjwt: PermJWT, db: SQLAlchemy, monotonic: Any) -> None:
        self.app, self.permjwt, self.db, self.monotonic = app, permjwt, db, monotonic

    def get(self, token: str, path: str = "/reports", **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return self.app.test_client().open(path, headers=headers, **options)


@pytest.fixture
def protect(provider: Provider, fake_clock: Any) -> Iterator[Callable[..., Protected]]:
    """Build an app; settings of the issuer as keywords, those of the app in ``app``."""
    made: list[Protected] = []

    def build(app: dict[str, Any] | None = None, *, clock: Any = time.time, **issuer: Any) -> Protected:
        flask = Flask(__name__, static_folder=None)
        entry = {"issuer": provider.issuer, "audience": AUDIENCE, "permissions": "scp", **issuer}
        usual = {"TESTING": True, "SECRET_KEY": SECRET, "SQLALCHEMY_DATABASE_URI": "sqlite://"}
        flask.config.update(
            usual, PERMJWT_ISSUERS=[entry], **{f"PERMJWT_{k.upper()}": v for k, v in (app or {}).items()}
        )
        db = SQLAlchemy(flask)
        permjwt = PermJWT(flask, db=db, clock=clock, monotonic=fake_clock)
        flask.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")

        @flask.get("/reports")
        @requires_permissions("reports:read")
        def reports() -> dict[str, Any]:
            return {"subject": current_principal.subject, "issuer": current_principal.issuer}

        @flask.get("/who")
        @requires_login
        def who() -> dict[str, Any]:
            return {
                "user": current_user.username if current_user else None,
                "may": sorted(current_principal.permissions),
            }

        @flask.post("/delete")
        @requires_login(fresh=300)
        def delete() -> dict[str, Any]:
            return {}

        with flask.app_context():
            db.create_all()
        made.append(Protected(flask, permjwt, db, fake_clock))
        return made[-1]

    yield build
    for one in made:
        with one.app.app_context():
            one.db.session.remove()
            one.db.engine.dispose()


@pytest.fixture
def protected(protect: Callable[..., Protected]) -> Protected:
    return protect()
