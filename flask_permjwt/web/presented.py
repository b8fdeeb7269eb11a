"""The access token of a request: found, and verified unless it was seen before.

Remembered is a signature and what the token says. Time is judged on every request, and so is the CSRF value.
"""

import hmac
from typing import Final

from flask import Request

from flask_permjwt.errors import CsrfError, ExpiredTokenError, MissingTokenError
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.cache import BoundedCache
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenCodec, TokenType, VerifiedToken
from flask_permjwt.web.transports import Source, Transport


class AccessTokens:
    """Finds and verifies access tokens for one app.

    Args:
        settings: say where tokens are looked for, and how many are remembered.
        transport: finds their text.
        codec: verifies and judges them.
        clock: returns the time in seconds since 1970-01-01 UTC.
    """

    def __init__(self, settings: Settings, transport: Transport, codec: TokenCodec, clock: Clock) -> None:
        size = settings.token_cache_size
        self._cookies: Final = settings.cookies
        self._transport: Final = transport
        self._codec: Final = codec
        self._clock: Final = clock
        # A header that was seen before need not be parsed again: its very text is the key.
        self._by_header: Final[BoundedCache[VerifiedToken]] = BoundedCache(size)
        # The Cookie header may change with every request while the token in it stays: two steps.
        self._cookie_texts: Final[BoundedCache[str]] = BoundedCache(size)
        self._by_cookie: Final[BoundedCache[VerifiedToken]] = BoundedCache(size)
        self.vary: Final = _vary(settings)
        """What responses depend on besides Cookie (RFC 9110 section 12.5.5)."""

    def of(self, request: Request) -> tuple[VerifiedToken, Source]:
        """Return the request's access token, and where it was found.

        Raises:
            MissingTokenError: there is none.
            InvalidTokenError: it is not acceptable.
            CsrfError: it came as a cookie without its CSRF value.
            InvalidRequestError: the header is malformed, which never falls through to the cookie.
        """
        header = self._transport.header_text(request)
        if header:
            token = self._by_header.get(header)
            if token is not None:
                try:
                    self._codec.judge(token, self._clock())
                except ExpiredTokenError:
                    self._by_header.forget(header)
                    raise
                return token, Source.HEADER
            credential = self._transport.from_header(request)
            if credential is not None:
                token = self._verify(credential.token)
                self._by_header.put(header, token)
                return token, Source.HEADER
        if not self._cookies:
            raise MissingTokenError
        return self._in_cookie(request), Source.COOKIE

    def _in_cookie(self, request: Request) -> VerifiedToken:
        line = request.environ.get("HTTP_COOKIE")
        if not line:
            raise MissingTokenError
        text = self._cookie_texts.get(line)
        token = None if text is None else self._by_cookie.get(text)
        if text is None or token is None:
            credential = self._transport.from_access_cookie(request)
            if credential is None:
                raise MissingTokenError
            text = credential.token
            token = self._by_cookie.get(text) or self._verify(text)
            self._by_cookie.put(text, token)
            self._cookie_texts.put(line, text)
        try:
            self._codec.judge(token, self._clock())
        except ExpiredTokenError:
            self._by_cookie.forget(text)
            raise
        check_csrf(self._transport, request, token)
        return token

    def _verify(self, text: str) -> VerifiedToken:
        return self._codec.decode(text, TokenType.ACCESS, now=self._clock())


def check_csrf(transport: Transport, request: Request, token: VerifiedToken) -> None:
    """Check that an unsafe request repeats the CSRF value that is bound to the cookie's token.

    Raises:
        CsrfError: it does not, or the token was not issued for a cookie.
    """
    if not transport.needs_csrf(request):
        return
    if not token.csrf or not hmac.compare_digest(token.csrf.encode(), transport.csrf_header(request)):
        raise CsrfError


def _vary(settings: Settings) -> tuple[str, ...]:
    """Caches keep answers to requests with Authorization apart by themselves (RFC 9111 section 3.5)."""
    own_header = settings.headers and settings.header_name.casefold() != "authorization"
    return (settings.header_name,) if own_header else ()
