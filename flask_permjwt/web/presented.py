"""The access token of a request: found, verified unless it was seen before, and judged.

Remembered are a signature and what the token says. Time and the CSRF value are judged on every request; what was
revoked or changed, whenever anything was since the last time.
"""

import time
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import TYPE_CHECKING, Final, Protocol

from flask import Request

from flask_permjwt.accounts.current_rights import CurrentRights
from flask_permjwt.accounts.feeds.freshness import Freshness
from flask_permjwt.errors import CsrfError, ExpiredTokenError, InvalidTokenError, MissingTokenError, OutdatedError
from flask_permjwt.policy.principal import Principal
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.cache import ANY_LENGTH, LONGEST, BoundedCache
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenCodec, TokenType, VerifiedToken
from flask_permjwt.tokens.personal import PREFIX
from flask_permjwt.tokens.revocation import Standing
from flask_permjwt.web.state import RequestState
from flask_permjwt.web.transports import SAFE_METHODS, Source, Transport

if TYPE_CHECKING:
    from flask_permjwt.accounts.outside import OutsideTokens
    from flask_permjwt.accounts.personal_use import PersonalUse
    from flask_permjwt.web.tickets import PresentedTickets

_NEVER: Final = -1
# Read on every request; an attribute of an enumeration costs more.
_HEADER: Final = Source.HEADER
_COOKIE: Final = Source.COOKIE


@dataclass(slots=True, eq=False)
class SeenToken:
    """A token that verified.

    Attributes:
        token: what it says.
        starts: when its time comes, with the leeway, in seconds since 1970-01-01 UTC.
        ends: when its time is over, likewise.
        holds_until: when its key and user must be asked for again, in seconds of the clock that only goes forward.
        is_signed: it was signed by us: what it says need not be asked for again.
        judged: at which epoch of the revocation state it was judged last, and who it speaks for since. Both in
            one value, as another thread may be judging it too.
    """

    token: VerifiedToken
    starts: float
    ends: float
    csrf: bytes
    judged: tuple[int, Principal]
    holds_until: float = float("inf")
    is_signed: bool = True


class TokenFinder(Protocol):
    """What finds out who a request acts for."""

    @property
    def vary(self) -> tuple[str, ...]:
        """What responses depend on besides Cookie."""
        ...

    @property
    def vary_with_cookies(self) -> tuple[str, ...]:
        """What those depend on for which cookies were looked at."""
        ...

    def known(self, state: RequestState, request: Request, /) -> Principal | None:
        """Return who a request acts for, and note it, if all that it brings was seen before."""
        ...

    def of(self, request: Request, /) -> tuple[Principal, VerifiedToken, Source]:
        """Return who the request acts for, by which token, and where that was found."""
        ...

    def again(self, token: VerifiedToken, /) -> Principal:
        """Return who a token that was accepted before acts for now."""
        ...

    def is_good(self, token: VerifiedToken) -> bool:
        """Tell whether a token that was accepted has not been revoked since."""
        ...

    def forget(self) -> None:
        """Forget what was remembered."""
        ...


class AccessTokens:
    """Finds, verifies and judges access tokens for one app.

    Args:
        settings: say where tokens are looked for, and how many are remembered.
        transport: finds their text.
        codec: verifies and judges them.
        freshness: knows what was revoked or changed.
        rights: reads permissions that a token does not tell, or no longer.
        outside: verifies tokens of other issuers; None where there are none.
        personal: verifies personal access tokens; None where there are none.
        tickets: takes tickets; None where there are none.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        codec: TokenCodec,
        freshness: Freshness,
        rights: CurrentRights,
        outside: "OutsideTokens | None" = None,
        personal: "PersonalUse | None" = None,
        tickets: "PresentedTickets | None" = None,
        *,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        size = settings.token_cache_size
        self._cookies: Final = settings.cookies
        self._leeway: Final = settings.leeway
        self._header_key: Final = transport.header_key
        self._csrf_key: Final = transport.csrf_key
        self._csrf_protect: Final = settings.csrf_protect
        # Where cookies are renewed, it takes a closer look.
        self._takes_known_cookies: Final = settings.cookies and not settings.cookie_sliding
        self._transport: Final = transport
        self._codec: Final = codec
        self._freshness: Final = freshness
        self._state: Final = freshness.state
        self._rights: Final = rights
        self._outside: Final = outside
        self._personal: Final = personal
        self._tickets: Final = tickets
        if outside is not None:
            outside.on_dropped = self.forget
        self._clock: Final = clock
        self._monotonic: Final = monotonic
        self._size: Final = size
        # A header that was seen before need not be parsed again: its very text is the key. A token of many
        # permissions is long; what stands around it need not be.
        self._before_token: Final = len(f"{settings.header_type} " if settings.header_type else "")
        self._by_header: BoundedCache[SeenToken] = BoundedCache(size, longest=ANY_LENGTH)
        # So for a Cookie header; but that may change with every request while the token in it stays.
        self._by_line: Final[BoundedCache[SeenToken]] = BoundedCache(size)
        self._by_cookie: Final[BoundedCache[SeenToken]] = BoundedCache(size, longest=ANY_LENGTH)
        self.vary: Final = _vary(settings)
        """What responses depend on besides Cookie (RFC 9110 section 12.5.5)."""
        self.vary_with_cookies: Final = ("Cookie", *self.vary)
        """What those depend on for which cookies were looked at."""

    def known(self, state: RequestState, request: Request) -> Principal | None:
        """Return who a request acts for, and note it, if what it brings was seen before and nothing has changed.

        That is all that most requests pay for; ``of`` says it of all others, and None here says nothing of them.
        """
        environ = request.environ
        header = environ.get(self._header_key)
        if header:
            seen = self._by_header.younger.get(header)
        elif self._takes_known_cookies and "ticket=" not in environ.get("QUERY_STRING", ""):
            seen = self._by_line.younger.get(environ.get("HTTP_COOKIE", ""))
        else:
            return None
        if seen is None:
            return None
        freshness, (epoch, principal) = self._freshness, seen.judged
        if not (
            seen.starts <= self._clock() < seen.ends
            and freshness.next_at > self._monotonic() < seen.holds_until
            and freshness.host.counter[0] == freshness.seen_at_host
            and epoch == self._state.epoch
        ):
            return None
        if header:
            state.source, vary = _HEADER, self.vary
        else:
            unsafe = self._csrf_protect and request.method not in SAFE_METHODS
            if unsafe and not _repeats(seen.csrf, environ.get(self._csrf_key, "")):
                return None
            state.source, vary = _COOKIE, self.vary_with_cookies
        if state.vary:
            state.depends_on(vary)
        else:
            state.vary = vary
        state.principal = principal
        return principal

    def of(self, request: Request) -> tuple[Principal, VerifiedToken, Source]:
        """Return who the request acts for, by which token, and where that was found.

        Raises:
            MissingTokenError: there is none.
            InvalidTokenError: it is not acceptable, or it was revoked.
            CsrfError: it came as a cookie without its CSRF value.
            InvalidRequestError: the header is malformed, which never falls through to the cookie.
            OutdatedError: 503, whether it was revoked cannot be told now.

        The header wins. A ticket, which somebody sent on purpose, wins over a cookie, which browsers send by
        themselves; beside a header, it is not looked at.
        """
        header = request.environ.get(self._header_key)
        if header:
            seen = self._by_header.get(header)
            if seen is not None and (seen.is_signed or self._still_holds(seen)):
                return self._judge(seen, self._by_header, header), seen.token, _HEADER
            credential = self._transport.from_header(request)
            if credential is not None:
                remembered = self._by_header  # before: what is forgotten meanwhile takes this one along
                seen = self._verify_any(credential.token, request.remote_addr)
                principal = self._judge(seen, remembered, header)
                if len(header) <= max(LONGEST, self._before_token + len(credential.token)):
                    remembered.put(header, seen)
                return principal, seen.token, _HEADER
        if self._tickets is not None and "ticket=" in request.environ.get("QUERY_STRING", ""):
            token = self._tickets.of(request)
            if token is not None:
                return self.again(token), token, Source.TICKET
        if not self._cookies:
            raise MissingTokenError
        return self._in_cookie(request)

    def again(self, token: VerifiedToken) -> Principal:
        """Return who a token that was accepted before acts for now, wherever it came from.

        Raises:
            InvalidTokenError: its time is over, or it was revoked.
            OutdatedError: 503, whether it was revoked cannot be told now.
        """
        return self._judge(_seen(token, self._leeway), self._by_cookie, "")

    def is_good(self, token: VerifiedToken) -> bool:
        """Tell whether a token that was accepted has not been revoked since."""
        freshness = self._freshness
        try:
            if freshness.host.counter[0] != freshness.seen_at_host:
                freshness.catch_up()
        except OutdatedError:
            return False
        return self._state.judge(token) is not Standing.VOID

    def _in_cookie(self, request: Request) -> tuple[Principal, VerifiedToken, Source]:
        line = request.environ.get("HTTP_COOKIE")
        if not line:
            raise MissingTokenError
        seen = self._by_line.get(line)
        if seen is not None:
            principal = self._judge(seen, self._by_line, line)
        else:
            credential = self._transport.from_access_cookie(request)
            if credential is None:
                raise MissingTokenError
            text = credential.token
            seen = self._by_cookie.get(text) or self._verify(text)
            principal = self._judge(seen, self._by_cookie, text)
            self._by_cookie.put(text, seen)
            self._by_line.put(line, seen)
        if self._transport.needs_csrf(request):
            _check_csrf(seen.csrf, request.environ.get(self._csrf_key, ""))
        return principal, seen.token, Source.COOKIE

    def forget(self) -> None:
        """Forget what came in headers, because a key of another issuer is gone."""
        # Another one, and not this one emptied: a thread may be just moving or adding something.
        self._by_header = BoundedCache(self._size, longest=ANY_LENGTH)

    def _verify_any(self, text: str, address: str | None) -> SeenToken:
        """Verify a token that came in the header: ours, a personal one, or of another issuer that is taken."""
        if self._personal is not None and text.startswith(PREFIX):
            asked_at = self._monotonic()
            return self._seen_elsewhere(*self._personal.verify(text, address), asked_at)
        outside = self._outside
        if outside is None or self._codec.is_own(text):
            return self._verify(text)
        asked_at = self._monotonic()
        found = outside.verify(text, self._judge_time)
        if found is None:
            try:
                return self._verify(text)
            except InvalidTokenError:
                outside.check_named(text)
                raise
        return self._seen_elsewhere(*found, asked_at)

    def _seen_elsewhere(self, token: VerifiedToken, holds: float, asked_at: float) -> SeenToken:
        return replace(_seen(token, self._leeway), csrf=b"", holds_until=asked_at + holds, is_signed=False)

    def _still_holds(self, seen: SeenToken) -> bool:
        """Tell whether a token that was asked about elsewhere need not be asked about again."""
        if self._clock() >= seen.ends or self._monotonic() >= seen.holds_until:
            return False
        self._catch_up()
        state = self._state
        return state.judge(seen.token) is not Standing.VOID and not state.has_ended(seen.token.link)

    def _verify(self, text: str) -> SeenToken:
        return _seen(self._codec.verify(text, TokenType.ACCESS), self._leeway)

    def _judge(self, seen: SeenToken, remembered: BoundedCache[SeenToken], text: str) -> Principal:
        """Return who a verified token speaks for now."""
        try:
            self._codec.judge(seen.token, self._clock())
        except ExpiredTokenError:
            remembered.forget(text)
            raise
        self._catch_up()
        epoch, principal = seen.judged
        if epoch != self._state.epoch:
            principal = self._judge_anew(seen, remembered, text)
        return principal

    def _catch_up(self) -> None:
        freshness = self._freshness
        if self._monotonic() >= freshness.next_at or freshness.host.counter[0] != freshness.seen_at_host:
            freshness.catch_up()
            self._codec.keep_up()

    def _judge_time(self, token: VerifiedToken) -> None:
        self._codec.judge(token, self._clock())

    def _judge_anew(self, seen: SeenToken, remembered: BoundedCache[SeenToken], text: str) -> Principal:
        token = seen.token
        # Before anything is looked up: what is learnt meanwhile has a later one.
        epoch = self._state.epoch
        if not self._codec.knows(token.key_id):
            remembered.forget(text)
            raise InvalidTokenError("The token was signed with a key that is no longer in use.")
        standing = self._state.judge(token)
        if standing is Standing.VOID:
            raise InvalidTokenError("The token was revoked.")
        principal = token.principal
        # What another issuer grants does not change with what is granted here.
        if standing is Standing.STALE and (token.rights_in_store or principal.issuer is None):
            held = self._rights.of(token)
            principal = replace(principal, grants=held.grants, roles=held.roles)
            if not held.is_settled:
                return principal
        # A link that ended after it was looked at, and before this epoch: whoever asks next must see it.
        if not token.link or not self._state.has_ended(token.link):
            seen.judged = epoch, principal
        return principal


def _seen(token: VerifiedToken, leeway: float) -> SeenToken:
    starts = float("-inf") if token.not_before is None else token.not_before - leeway
    csrf = (token.csrf or "").encode()
    return SeenToken(token, starts, token.expires_at + leeway, csrf, (_NEVER, token.principal))


def check_csrf(transport: Transport, request: Request, token: VerifiedToken) -> None:
    """Check that an unsafe request repeats the CSRF value that is bound to the cookie's token.

    Raises:
        CsrfError: it does not, or the token was not issued for a cookie.
    """
    if transport.needs_csrf(request):
        _check_csrf((token.csrf or "").encode(), request.environ.get(transport.csrf_key, ""))


def _check_csrf(bound: bytes, repeated: str) -> None:
    if not _repeats(bound, repeated):
        raise CsrfError


def _repeats(bound: bytes, repeated: str) -> bool:
    return bool(bound) and compare_digest(bound, repeated.encode("latin-1", "replace"))


def _vary(settings: Settings) -> tuple[str, ...]:
    """Caches keep answers to requests with Authorization apart by themselves (RFC 9111 section 3.5)."""
    own_header = settings.headers and settings.header_name.casefold() != "authorization"
    return (settings.header_name,) if own_header else ()
