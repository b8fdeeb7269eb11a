"""The client: the app's own test client, and how it acts for somebody."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from flask_permjwt.accounts.issuing import IssuedTokens
from flask_permjwt.api.sessions import refresh
from flask_permjwt.policy.permissions import parse_grant
from flask_permjwt.testing.stand_in import KEY, StandIn, check_user, take_stand_ins
from flask_permjwt.web.set_cookies import set_cookies
from flask_permjwt.web.state import app_state

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_NAME = "tester"


class PermJWTClient(FlaskClient):
    """A test client, anonymous by itself, that makes others which act for somebody.

    Where the app has a ``test_client_class``, it is of that class too.
    """

    _csrf: tuple[str, str, str] | None = None

    def as_user(self, username: str) -> "PermJWTClient":
        """Return a new client that is logged in as a user of the app's store, whatever the password.

        It is an ordinary session: its rights are those that the user has, logging out ends it. It comes in the
        header or, where headers are not in use, in cookies with their CSRF value. The session is committed.

        Args:
            username: the name or the e-mail address.

        Raises:
            LookupError: there is no such user, or the user may not log in.
        """
        app = self.application
        state = app_state(app)
        cookies = not state.settings.headers
        with app.app_context():
            user = state.store.find(username)
            if user is None:
                raise LookupError(
                    f"there is no user {username!r} in the store: create and commit one first, or use "
                    f'with_permissions(..., user="{username}"), which needs no database'
                )
            if not user.active:
                raise LookupError(f"the user {username!r} is disabled and can have no session")
            with state.accounts.transaction():
                tokens = state.accounts.open_session(user.public_id, opened_by="testing", bind_csrf=cookies)
        return make_client(app).bring(tokens)

    def with_permissions(self, *permissions: object, user: Any = _NAME, fresh: bool = True) -> "PermJWTClient":
        """Return a new client whose requests have exactly these permissions. No database is needed.

        Args:
            permissions: grants, wildcards included; none for somebody who is merely logged in.
            user: what ``current_user`` is: the name of somebody made up, or an object of your own that reads like
                an ``Account``.
            fresh: the user has proved who they are just now; False for never, which ``fresh=`` of guards refuses.

        Raises:
            PermissionSyntaxError: one of them is not written as the grammar asks.
            TypeError: ``user`` is neither a name nor such an object, or was never committed.
        """
        proved = 0 if fresh else None
        granted = frozenset(map(parse_grant, permissions))
        if isinstance(user, str):
            stand_in = StandIn.named(user, granted, proved=proved)
        else:
            stand_in = StandIn(user, granted, proved)
        check_user(stand_in.user)
        return make_client(self.application).standing_in(stand_in)

    def standing_in(self, stand_in: StandIn) -> "PermJWTClient":
        """Let the requests of this client be made by a stand-in."""
        take_stand_ins(self.application)
        self.environ_base = {**self.environ_base, KEY: cast("str", stand_in)}
        return self

    def bring(self, tokens: IssuedTokens) -> "PermJWTClient":
        """Let the requests of this client bring tokens: in the header or, where it is not in use, in cookies."""
        app, state = self.application, app_state(self.application)
        settings = state.settings
        if settings.headers:
            text = f"{settings.header_type} {tokens.access_token}".strip()
            self.environ_base[state.transport.header_key] = text
            return self
        root = app.config["APPLICATION_ROOT"].rstrip("/")
        host = (app.config["SERVER_NAME"] or "localhost").partition(":")[0]
        response = app.response_class()
        state.transport.attach_cookies(response, tokens, root, root + _mounted_at(app))
        for one in set_cookies(response):
            domain = one.attributes.get("domain", "").lstrip(".") or host
            # Also for its subdomains: where the login was, nobody said.
            self.set_cookie(one.name, one.value, domain=domain, origin_only=False, path=one.attributes["path"])
        name = f"HTTP_{settings.csrf_header_name.upper().replace('-', '_')}"
        self._csrf = (name, tokens.access_csrf or "", tokens.refresh_csrf or "")
        return self

    def run_wsgi_app(
        self,
        environ: "WSGIEnvironment",
        buffered: bool = False,  # noqa: FBT001, FBT002  # as Werkzeug has it
    ) -> tuple[Iterable[bytes], str, Headers]:
        """Send a request; by cookies, it repeats the CSRF value of the token that it is about, as pages do."""
        if self._csrf is not None:
            name, access, refreshing = self._csrf
            environ.setdefault(name, refreshing if environ["PATH_INFO"].endswith("/refresh") else access)
        return super().run_wsgi_app(environ, buffered)


def make_client(app: Flask) -> PermJWTClient:
    """Return an anonymous client of an app; what the fixture ``permjwt_client`` is.

    Raises:
        RuntimeError: there is no PermJWT on the app.
        TypeError: it is no Flask app.
    """
    if not isinstance(app, Flask):
        raise TypeError(f"a test client is made of a Flask app, not of {app!r}: does your fixture app return one?")
    app_state(app)
    own = app.test_client_class or FlaskClient
    if issubclass(own, PermJWTClient):
        kind: type[FlaskClient] = own
    else:
        kind = PermJWTClient if own is FlaskClient else type("PermJWTClient", (PermJWTClient, own), {})
    make = cast("Callable[..., PermJWTClient]", kind)
    return make(app, app.response_class, use_cookies=True)


def _mounted_at(app: Flask) -> str:
    """Return the path of the login blueprint; empty where there is none."""
    for rule in app.url_map.iter_rules():
        if app.view_functions.get(rule.endpoint) is refresh:
            return rule.rule.partition("<")[0].rpartition("/")[0]
    return ""
