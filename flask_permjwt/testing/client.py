"""The client: the app's own test client, and how it acts for somebody."""

from collections.abc import Callable
from typing import Any, cast

from flask import Flask
from flask.testing import FlaskClient

from flask_permjwt.accounts.issuing import IssuedTokens
from flask_permjwt.policy.permissions import parse_grant
from flask_permjwt.testing.stand_in import KEY, StandIn, take_stand_ins
from flask_permjwt.web.state import app_state

_NAME = "tester"


class PermJWTClient(FlaskClient):
    """A test client, anonymous by itself, that makes others which act for somebody.

    Where the app has a ``test_client_class``, it is of that class too.
    """

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
        return _brings(make_client(app), tokens, cookies=cookies)

    def with_permissions(self, *permissions: object, user: Any = _NAME, fresh: bool = True) -> "PermJWTClient":
        """Return a new client whose requests have exactly these permissions. No database is needed.

        Args:
            permissions: grants, wildcards included; none for somebody who is merely logged in.
            user: what ``current_user`` is: the name of somebody made up, or an object of your own that reads like
                an ``Account``.
            fresh: the user has proved who they are just now; False for never, which ``fresh=`` of guards refuses.

        Raises:
            PermissionSyntaxError: one of them is not written as the grammar asks.
        """
        proved = 0 if fresh else None
        granted = frozenset(map(parse_grant, permissions))
        if isinstance(user, str):
            stand_in = StandIn.named(user, granted, proved=proved)
        else:
            stand_in = StandIn(user, granted, proved)
        return make_client(self.application).standing_in(stand_in)

    def standing_in(self, stand_in: StandIn) -> "PermJWTClient":
        """Let the requests of this client be made by a stand-in."""
        take_stand_ins(self.application)
        self.environ_base = {**self.environ_base, KEY: cast("str", stand_in)}
        return self


def make_client(app: Flask) -> PermJWTClient:
    """Return an anonymous client of an app; what the fixture ``permjwt_client`` is.

    Raises:
        RuntimeError: there is no PermJWT on the app.
    """
    app_state(app)
    own = app.test_client_class
    kind = PermJWTClient if own in {None, FlaskClient} else type("PermJWTClient", (PermJWTClient, own), {})
    make = cast("Callable[..., PermJWTClient]", kind)
    return make(app, app.response_class, use_cookies=True)


def _brings(client: PermJWTClient, tokens: IssuedTokens, *, cookies: bool) -> PermJWTClient:
    state = app_state(client.application)
    settings = state.settings
    if not cookies:
        text = f"{settings.header_type} {tokens.access_token}".strip()
        client.environ_base[state.transport.header_key] = text
        return client
    for name, value in (
        (settings.access_cookie_name, tokens.access_token),
        (settings.access_csrf_cookie_name, tokens.access_csrf),
        (settings.refresh_cookie_name, tokens.refresh_token),
        (settings.refresh_csrf_cookie_name, tokens.refresh_csrf),
    ):
        client.set_cookie(name, value or "")
    client.environ_base[f"HTTP_{settings.csrf_header_name.upper().replace('-', '_')}"] = tokens.access_csrf or ""
    return client
