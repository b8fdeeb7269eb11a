"""flask_permjwt, as its README sets it up: users on SQLite, header and cookies, the default settings."""

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import insert

from benchmarks.apps import plain
from benchmarks.apps.common import NEEDED, bearer, cookie_headers, forge, hello, make_app, over_bare, permissions
from benchmarks.case import Case, Environ, Exchange, Place
from flask_permjwt import PermJWT, current_user, public, requires_permissions
from flask_permjwt.tokens.codec import TokenType

NAME, PASSWORD = "alice", "correct horse battery staple"
CHUNK = 10_000


@dataclass(slots=True)
class World:
    """An app with a user who is logged in."""

    app: Flask
    db: SQLAlchemy
    permjwt: PermJWT
    login: dict[str, str]

    @property
    def token(self) -> str:
        """The access token of the login."""
        return self.login["access_token"]

    def reissued(self, *grants: str, **claims: object) -> str:
        """Sign the login's token again, with a new id, with other permissions or claims."""
        payload = self.token.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        granted = grants or said["permissions"]
        for written_by_codec in ("permissions", "iss", "aud"):
            said.pop(written_by_codec, None)
        codec = self.app.extensions["permjwt"].codec
        return codec.encode(TokenType.ACCESS, {**said, "jti": secrets.token_hex(16), **claims}, granted)


def make(
    place: Place, name: str, *, users: int = 1, routes: int = 0, fresh: bool = True, **settings: object
) -> World:
    """Make an app with so many users and further guarded routes, and log in.

    ``fresh=False`` makes another app on the tables that one of the same name has made.
    """
    app = make_app(
        name,
        SQLALCHEMY_DATABASE_URI=place.sqlite(f"permjwt-{name}"),
        PERMJWT_ACCESS_TOKEN_EXPIRES=3600,
        **settings,
    )
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    _add_views(app)
    for number in range(routes):
        app.add_url_rule(f"/r{number}", f"r{number}", requires_permissions(f"area{number}:read")(_another_view()))
    with app.app_context():
        engine = db.engine
        place.closing.callback(engine.dispose)
        if not fresh:
            return World(app, db, permjwt, {})
        db.create_all()
        permjwt.users.create(NAME, PASSWORD, permissions=[NEEDED])
        permjwt.users.commit()
        _fill(db, permjwt, users - 1)
    return World(app, db, permjwt, log_in(app, "header"))


def log_in(app: Flask, delivery: str) -> dict[str, str]:
    """Log in and return the tokens, or the cookies by their names."""
    client = app.test_client()
    body = {"username": NAME, "password": PASSWORD, "delivery": delivery}
    answer = client.post("/auth/login", json=body, base_url="https://localhost")
    if delivery == "header":
        return dict(answer.json)
    names = ("access_token", "csrf_access_token", "csrf_refresh_token")  # the refresh cookie has its own path
    found = {name: client.get_cookie(name, "localhost") for name in names}
    return {name: cookie.value for name, cookie in found.items() if cookie is not None}


def _add_views(app: Flask) -> None:
    @app.route("/reports", methods=["GET", "POST"])
    @requires_permissions(NEEDED)
    def reports() -> dict[str, str]:
        return hello()

    @app.get("/user")
    @requires_permissions(NEEDED)
    def user() -> dict[str, str]:
        return {"hello": current_user.username}

    @app.get("/public")
    @public(reason="to be measured")
    def open_to_all() -> dict[str, str]:
        return hello()

    @app.get("/projects/<int:project_id>")
    @requires_permissions("project:{project_id}:edit")
    def project(project_id: int) -> dict[str, str]:  # noqa: ARG001  # the guard reads it
        return hello()

    @app.get("/bare-projects/<int:project_id>")
    def bare_project(project_id: int) -> dict[str, str]:  # noqa: ARG001  # as above, without a guard
        return hello()


def _another_view() -> Callable[[], dict[str, str]]:
    return lambda: hello()  # noqa: PLW0108  # each route needs a function of its own


def _fill(db: SQLAlchemy, permjwt: PermJWT, count: int) -> None:
    for start in range(0, count, CHUNK):
        rows: list[dict[str, Any]] = [
            {"username": f"user{number}", "username_key": f"user{number}", "active": True}
            for number in range(start, min(start + CHUNK, count))
        ]
        with db.engine.begin() as connection:
            connection.execute(insert(permjwt.models.user.__table__), rows)


def cases(place: Place) -> Iterator[Case]:
    """Measure the app with the default settings."""
    world = make(place, "main")
    app, bare = world.app, Exchange.to(world.app, "/bare")
    flask_alone = Exchange.to(plain.make(), "/bare")
    with_database = Exchange.to(plain.make_with_sqlalchemy(place), "/bare")

    def case(key: str, label: str, path: str, token: str, status: int = 200) -> Case:
        return over_bare(f"permjwt/{key}", label, app, path, bearer(token), status=status)

    yield Case("permjwt/bare", "its bare route, over Flask alone", bare, flask_alone)
    opened = Exchange.to(app, "/public")
    yield Case("permjwt/public", "public view, over Flask with Flask-SQLAlchemy", opened, with_database)
    yield case("header", "warm, HS256, header", "/reports", world.token)
    yield Case(
        "permjwt/header-over-flask",
        "warm, HS256, header, over Flask alone",
        Exchange.to(app, "/reports", bearer(world.token)),
        Exchange.to(plain.make(), "/bare", bearer(world.token)),
    )
    yield case("permissions-100", "warm, 100 permissions", "/reports", world.reissued(*permissions(100)))
    yield case("permissions-1000", "warm, 1,000 permissions", "/reports", world.reissued(*permissions(1000)))
    yield case("wildcard", "warm, granted reports:*", "/reports", world.reissued("reports:*"))
    project = bearer(world.reissued("project:7:edit"))
    label = "warm, project:{project_id}:edit"
    yield over_bare("permjwt/template", label, app, "/projects/7", project, bare="/bare-projects/7")
    yield case("current-user", "warm, with current_user", "/user", world.token)
    yield case("forged", "a forged token refused", "/reports", forge(world.token), 401)
    cookies = cookie_headers(log_in(app, "cookie"), "csrf_access_token")
    yield over_bare("permjwt/cookie-get", "warm, cookie, GET", app, "/reports", cookies)
    yield over_bare("permjwt/cookie", "warm, cookie with CSRF, POST", app, "/reports", cookies, method="POST")


def serve(place: Place) -> tuple[Flask, Environ]:
    """Return the app and the header of a request to /reports, for a server."""
    world = make(place, "served")
    return world.app, bearer(world.token)


def counted(place: Place) -> tuple[Flask, Environ]:
    """Return the same for callgrind: as that is so slow, each lot would ask the feed several times."""
    world = make(place, "counted", PERMJWT_REVOCATION_INTERVAL=600, PERMJWT_REVOCATION_MAX_STALENESS=1200)
    return world.app, bearer(world.token)
