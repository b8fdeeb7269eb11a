"""Stand-ins: made-up users whom the requests of a test act for, with no database behind them.

A request says in its WSGI environment whom it stands in for, under a key that no header can set. It is read by
what takes the place of an app's ``AccessTokens`` when a test asks for a stand-in: the code that serves knows
nothing of it.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Final, cast

from flask import Flask, Request, request

from flask_permjwt.errors import TokenTooLargeError
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.policy.principal import Principal
from flask_permjwt.signals import AccessDenied
from flask_permjwt.tokens.codec import TokenType, VerifiedToken
from flask_permjwt.web.state import REQUEST_KEY, AppState, RequestState, app_state
from flask_permjwt.web.transports import Source

KEY: Final = "flask_permjwt.testing.stand_in"
"""Where the stand-in is found in a WSGI environment."""

HEARD: Final = "flask_permjwt.testing.heard"
"""Where a list is found in a WSGI environment that denials are noted in."""

_ASKED_OF_USERS: Final = ("public_id", "username", "active", "token_version")
_SUBJECT: Final = "stand-in|"
_LIFETIME: Final = 60
_MAX_SUBJECT: Final = 255


@dataclass(frozen=True, slots=True)
class MadeUpUser:
    """What ``current_user`` is for a stand-in with a name; it reads like an ``Account``."""

    username: str
    public_id: str
    email: str | None = None
    password_hash: str | None = field(default=None, repr=False)
    active: bool = True
    token_version: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class StandIn:
    """Whom a request stands in for.

    Attributes:
        user: what ``current_user`` is.
        permissions: the grants, wildcards included.
        proved: how many seconds ago the user proved who they are; None for never.
    """

    user: Any
    permissions: Collection[str]
    proved: float | None = 0

    @classmethod
    def named(cls, name: str, permissions: Collection[str], *, proved: float | None = 0) -> "StandIn":
        """Make one with a made-up user of this name."""
        return cls(MadeUpUser(name, f"{_SUBJECT}{name}"), permissions, proved)


class StandInTokens:
    """Takes the place of ``AccessTokens``: knows stand-ins, and asks it about all other requests.

    Args:
        state: of the app.
    """

    def __init__(self, state: AppState) -> None:
        self._state: Final = state
        self._real: Final = state.tokens
        self.vary: Final = state.tokens.vary
        self.vary_with_cookies: Final = state.tokens.vary_with_cookies

    def known(self, state: RequestState, incoming: Request) -> Principal | None:
        """Return who the request acts for, as ``AccessTokens.known``; for a stand-in, ``of`` says it."""
        return None if KEY in incoming.environ else self._real.known(state, incoming)

    def of(self, incoming: Request) -> tuple[Principal, VerifiedToken, Source]:
        """Return who the request acts for, as ``AccessTokens.of``; what a header says wins."""
        stand_in = _stand_in_of(incoming, self._state)
        if stand_in is None:
            return self._real.of(incoming)
        token = self._token(stand_in)
        state: RequestState = incoming.__dict__[REQUEST_KEY]
        state.user = stand_in.user
        return token.principal, token, Source.HEADER

    def again(self, token: VerifiedToken) -> Principal:
        """Return who a token acts for now, as ``AccessTokens.again``; it is never a stand-in's."""
        return self._real.again(token)

    def is_good(self, token: VerifiedToken) -> bool:
        """Tell whether a token has not been revoked, as ``AccessTokens.is_good``."""
        return self._real.is_good(token)

    def forget(self) -> None:
        """Forget what was remembered, as ``AccessTokens.forget``."""
        self._real.forget()

    def _token(self, stand_in: StandIn) -> VerifiedToken:
        """Sign and verify a token as the app does, so that views find the claims that they would find."""
        codec, now = self._state.codec, int(self._state.clock())
        proved = {} if stand_in.proved is None else {"auth_time": max(0, now - int(stand_in.proved))}
        claims = {
            "sub": stand_in.user.public_id,
            "jti": secrets.token_hex(16),
            "sid": secrets.token_hex(16),
            "ver": stand_in.user.token_version,
            "iat": now,
            "exp": now + _LIFETIME,
            "roles": [],
            **proved,
        }
        try:
            text = codec.encode(TokenType.ACCESS, claims, stand_in.permissions)
        except TokenTooLargeError:
            # As a login does then: the token names none, and they are found elsewhere.
            token = codec.verify(codec.encode(TokenType.ACCESS, claims, None), TokenType.ACCESS)
            principal = replace(token.principal, grants=Grants(stand_in.permissions))
            return replace(token, principal=principal)
        return codec.verify(text, TokenType.ACCESS)


class StandInRecorder:
    """Takes the place of ``Recorder`` for refusals of stand-ins, of whom nothing is written into a database.

    Args:
        state: of the app.
    """

    def __init__(self, state: AppState) -> None:
        self._state: Final = state
        self._real: Final = state.recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def record_denial(self, event: AccessDenied) -> None:
        """Send the signal of a refusal; that of a stand-in is written down nowhere."""
        _note_denial()
        if _stand_in_of(request, self._state) is None:
            self._real.record_denial(event)
        else:
            self._real.announce(event)

    def count_denial(self) -> None:
        """Count a refusal of nobody known, as ``Recorder.count_denial``."""
        _note_denial()
        self._real.count_denial()


def _note_denial() -> None:
    heard = request.environ.get(HEARD)
    if isinstance(heard, list):
        heard.append(request.path)


def check_user(user: Any) -> None:
    """Check that a stand-in's user reads like an ``Account``.

    Raises:
        TypeError: it does not.
    """
    lacking = [name for name in _ASKED_OF_USERS if getattr(user, name, None) is None]
    if lacking:
        raise TypeError(
            f"user= is a name, or an object that reads like an Account: {type(user).__name__} has no "
            f"{' and no '.join(lacking)} (of a row, they are there once it was committed)"
        )
    if not str(user.public_id).isprintable() or not 0 < len(str(user.public_id)) <= _MAX_SUBJECT:
        raise TypeError(f"user={user.username!r} can be in no token: it is too long, or cannot be printed")


def _stand_in_of(incoming: Request, state: AppState) -> StandIn | None:
    """Return whom a request stands in for, unless it brings a header of its own."""
    if incoming.environ.get(state.transport.header_key):
        return None
    found = incoming.environ.get(KEY)
    return found if isinstance(found, StandIn) else None


def take_stand_ins(app: Flask) -> AppState:
    """Let the requests of an app be made by stand-ins, from now on; return its state.

    Raises:
        RuntimeError: there is no PermJWT on the app.
    """
    state = app_state(app)
    if not isinstance(cast("object", state.tokens), StandInTokens):
        # What init_app built does not change while an app serves; here it does, for tests.
        object.__setattr__(state, "tokens", StandInTokens(state))
        object.__setattr__(state, "recorder", StandInRecorder(state))
    return state
