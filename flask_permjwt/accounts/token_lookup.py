"""Looking a token up: what it is worth now, for whoever asks us about it or wants it revoked."""

import time
from dataclasses import dataclass
from typing import Any, Final

from flask_permjwt.accounts.clients import Clients
from flask_permjwt.accounts.feeds.freshness import Freshness
from flask_permjwt.accounts.personal_tokens import PersonalTokens
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.standing import is_verified
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.policy.permissions import Grants, valid_grants
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenCodec, TokenType, VerifiedToken
from flask_permjwt.tokens.personal import PREFIX
from flask_permjwt.tokens.revocation import Standing


@dataclass(frozen=True, slots=True)
class LivingToken:
    """A token that is good now.

    Attributes:
        token: what it says.
        username: whose it is; None for a client's.
        granted: what it may be used for now; None for a refresh token, which opens no view.
    """

    token: VerifiedToken
    username: str | None
    granted: Grants | None


class TokenLookup:
    """Looks tokens of one app up, in what is known of revocations and in the database.

    Args:
        codec: reads them.
        freshness: knows what was revoked.
        store: where users live.
        clients: where clients live.
        sessions: the session rows.
        personal: the personal access tokens; None where they are not taken.
        require_verified: users whose e-mail address is not verified cannot refresh.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        codec: TokenCodec,
        freshness: Freshness,
        store: UserStore[Any],
        clients: Clients,
        sessions: Sessions,
        personal: PersonalTokens | None,
        *,
        require_verified: bool = False,
        clock: Clock = time.time,
    ) -> None:
        self._codec: Final = codec
        self._freshness: Final = freshness
        self._store: Final = store
        self._clients: Final = clients
        self._sessions: Final = sessions
        self._personal: Final = personal
        self._require_verified: Final = require_verified
        self._clock: Final = clock

    def unrevoked(self, text: str) -> VerifiedToken | None:
        """Return an access or refresh token that has neither expired nor been revoked; None for any other text.

        Raises:
            OutdatedError: 503, nobody can be asked what was revoked.
        """
        try:
            token = self._codec.decode(text, *TokenType, now=self._clock())
        except InvalidTokenError:
            return None
        self._freshness.catch_up()
        return None if self._freshness.state.judge(token) is Standing.VOID else token

    def living(self, text: str) -> LivingToken | None:
        """Return what a token is worth now; None for any text that opens nothing.

        The database is asked, so that the answer is exact: whether the session lives, which refresh token of it is
        good now, and what the user or client may do.

        Raises:
            OutdatedError: 503, nobody can be asked what was revoked.
        """
        return self._living_personal(text) if text.startswith(PREFIX) else self._living_signed(text)

    def _living_signed(self, text: str) -> LivingToken | None:
        token = self.unrevoked(text)
        if token is None:
            return None
        owners = self._store if token.principal.client_id is None else self._clients
        owner: Any = owners.get(token.subject)
        if owner is None or not owner.active or owner.token_version != token.version:
            return None
        if token.principal.client_id is not None:
            return LivingToken(token, None, _granted(token, owners.rights(owner).permissions))
        refresh_id = self._sessions.refresh_id(token.session_id, token.subject, now=int(self._clock()))
        if token.type is TokenType.ACCESS and refresh_id is not None:
            return LivingToken(token, owner.username, _granted(token, owners.rights(owner).permissions))
        if refresh_id != token.token_id or (self._require_verified and not is_verified(owner)):
            return None
        return LivingToken(token, owner.username, None)

    def _living_personal(self, text: str) -> LivingToken | None:
        from flask_permjwt.accounts.personal_use import as_verified  # noqa: PLC0415  # for those who take them

        if self._personal is None:
            return None
        try:
            token = as_verified(self._personal.with_text(text))
            self._codec.judge(token, self._clock())
        except InvalidTokenError:
            return None
        user = self._store.get(token.subject)
        if user is None or not user.active or user.token_version != token.version:
            return None
        if self._require_verified and not is_verified(user):
            return None
        return LivingToken(token, user.username, _granted(token, self._store.rights(user).permissions))


def _granted(token: VerifiedToken, permissions: frozenset[str]) -> Grants:
    held = Grants.of_valid(valid_grants(permissions))
    return held if token.limit is None else held.limited_to(token.limit)
