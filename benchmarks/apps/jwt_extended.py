"""Flask-JWT-Extended without any store, as its documentation shows."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import wraps
from typing import Any

from flask import Flask, jsonify
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_csrf_token,
    get_jwt,
    jwt_required,
    verify_jwt_in_request,
)

from benchmarks.apps import plain
from benchmarks.apps.common import (
    NEEDED,
    bearer,
    cookie_headers,
    forge,
    hello,
    key_pair,
    make_app,
    over_bare,
    permissions,
)
from benchmarks.case import Case, Environ, Exchange, Place

ACCESS_EXPIRES = timedelta(hours=1)


def permission_required(permission: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Check the claims of the token.

    https://flask-jwt-extended.readthedocs.io/en/stable/custom_decorators.html
    """

    def wrapper(fn: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(fn)
        def decorator(*args: Any, **kwargs: Any) -> Any:
            verify_jwt_in_request()
            claims = get_jwt()
            if permission in claims["permissions"]:
                return fn(*args, **kwargs)
            return jsonify(msg="Permission missing!"), 403

        return decorator

    return wrapper


def make(name: str, **config: object) -> Flask:
    """Make an app with a route of each kind.

    https://flask-jwt-extended.readthedocs.io/en/stable/basic_usage.html
    """
    app = make_app(name, JWT_ACCESS_TOKEN_EXPIRES=ACCESS_EXPIRES, **config)
    JWTManager(app)
    app.add_url_rule("/plain", "plain", jwt_required()(hello))
    app.add_url_rule("/reports", "reports", permission_required(NEEDED)(hello), methods=["GET", "POST"])
    return app


def token_of(app: Flask, identity: Any = "alice", count: int = 1) -> str:
    """Make a token with so many permissions.

    https://flask-jwt-extended.readthedocs.io/en/stable/add_custom_data_claims.html
    """
    with app.app_context():
        return create_access_token(identity, additional_claims={"permissions": permissions(count)})


def cases(_: Place) -> Iterator[Case]:
    """Measure header and cookie, and RS256."""
    app = make("jwt-extended")
    token = token_of(app)

    def case(key: str, label: str, path: str, token: str, status: int = 200) -> Case:
        return over_bare(f"jwt-extended/{key}", label, app, path, bearer(token), status=status)

    flask_alone = Exchange.to(plain.make(), "/bare")
    yield Case("jwt-extended/bare", "its bare route, over Flask alone", Exchange.to(app, "/bare"), flask_alone)
    yield case("plain", "@jwt_required()", "/plain", token)
    yield case("permissions", "permissions decorator", "/reports", token)
    yield case(
        "permissions-1000", "permissions decorator, 1,000 permissions", "/reports", token_of(app, count=1000)
    )
    yield case("forged", "a forged token refused", "/reports", forge(token), 422)
    yield from _cookie()
    yield from _rs256()


def _cookie() -> Iterator[Case]:
    """Send the token as cookie, with CSRF protection.

    https://flask-jwt-extended.readthedocs.io/en/stable/token_locations.html#cookies
    """
    app = make("jwt-extended-cookie", JWT_TOKEN_LOCATION=["headers", "cookies"])
    token = token_of(app)
    with app.app_context():
        cookies = {"access_token_cookie": token, "csrf_access_token": get_csrf_token(token)}
    sent = cookie_headers(cookies, "csrf_access_token")
    label = "permissions decorator, cookie with CSRF, POST"
    yield over_bare("jwt-extended/cookie", label, app, "/reports", sent, method="POST")


def _rs256() -> Iterator[Case]:
    """Sign with RSA.

    https://flask-jwt-extended.readthedocs.io/en/stable/options.html#JWT_PRIVATE_KEY
    """
    private, public = key_pair("RS256")
    app = make("jwt-extended-rs256", JWT_ALGORITHM="RS256", JWT_PRIVATE_KEY=private, JWT_PUBLIC_KEY=public)
    header = bearer(token_of(app))
    yield over_bare("jwt-extended/rs256", "permissions decorator, RS256", app, "/reports", header)


def serve(_: Place) -> tuple[Flask, Environ]:
    """Return the app and the header of a request to /reports, for a server."""
    app = make("jwt-extended-served")
    return app, bearer(token_of(app))
