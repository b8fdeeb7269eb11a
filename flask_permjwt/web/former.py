"""Former tokens in requests: the access token of Flask-JWT-Extended, where none of ours came."""

import hmac
from typing import Final

from flask import Request, Response

from flask_permjwt.accounts.former import FormerTokens
from flask_permjwt.errors import CsrfError
from flask_permjwt.policy.principal import Principal
from flask_permjwt.settings import Settings
from flask_permjwt.tokens.codec import VerifiedToken
from flask_permjwt.web.presented import AccessTokens
from flask_permjwt.web.transports import Credential, Source, Transport


class WithFormerTokens:
    """Takes the place of ``AccessTokens`` while former tokens are taken, and asks it about all others.

    Args:
        real: finds our own.
        former: takes the others.
        settings: say where tokens are looked for.
        transport: finds their text.
    """

    def __init__(self, real: AccessTokens, former: FormerTokens, settings: Settings, transport: Transport) -> None:
        self._real: Final = real
        self._former: Final = former
        self._settings: Final = settings
        self._transport: Final = transport
        self.known: Final = real.known
        self.vary: Final = real.vary
        self.vary_with_cookies: Final = real.vary_with_cookies

    def of(self, request: Request) -> tuple[Principal, VerifiedToken, Source]:
        """Return who the request acts for, as ``AccessTokens.of``.

        Raises:
            InvalidTokenError: the token is not acceptable.
            CsrfError: it came as a cookie without its CSRF value.
            OutdatedError: 503, the database cannot be asked now.
        """
        found = self._find(request)
        if found is None:
            return self._real.of(request)
        token = self._former.access(found.token)
        if found.source is Source.COOKIE:
            check_csrf(self._transport, request, token.csrf, self._former.config.csrf_headers[0])
        return token.principal, token, found.source

    def again(self, token: VerifiedToken) -> Principal:
        """Return who a token acts for now, as ``AccessTokens.again``; it is never a former one."""
        return self._real.again(token)

    def is_good(self, token: VerifiedToken) -> bool:
        """Tell whether a token has not been revoked, as ``AccessTokens.is_good``."""
        return self._real.is_good(token)

    def forget(self) -> None:
        """Forget what was remembered, as ``AccessTokens.forget``."""
        self._real.forget()

    def _find(self, request: Request) -> Credential | None:
        if request.environ.get(self._transport.header_key):
            given = self._transport.from_header(request)
            if given is not None:
                return given if self._former.is_former(given.token) else None
        if not self._settings.cookies:
            return None
        return former_cookie(
            request, self._former, self._former.config.access_cookie, self._settings.access_cookie_name
        )


def former_cookie(request: Request, former: FormerTokens, name: str, own: str) -> Credential | None:
    """Return the former token in a cookie, unless one of ours came too."""
    for cookie in dict.fromkeys((own, name)):
        text = request.cookies.get(cookie)
        if text:
            return Credential(text, Source.COOKIE) if former.is_former(text) else None
    return None


def check_csrf(transport: Transport, request: Request, bound: str | None, header: str) -> None:
    """Check that an unsafe request repeats the CSRF value that is bound to a former token in a cookie.

    Raises:
        CsrfError: it does not, or the token was not issued for a cookie.
    """
    if not transport.needs_csrf(request):
        return
    repeated = request.headers.get(header, "").encode("latin-1", "replace")
    if not bound or not hmac.compare_digest(bound.encode(), repeated):
        raise CsrfError


def clear_former_cookies(response: Response, former: FormerTokens, kept: tuple[str, ...]) -> None:
    """Delete the cookies that Flask-JWT-Extended has set, but for those whose names are ours too."""
    for name, path in former.config.cookies:
        if name not in kept:
            response.delete_cookie(name, path=path, domain=former.config.domain)
