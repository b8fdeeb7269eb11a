"""Transports: where a token stands in a request, and how it is attached to a response.

They know headers and cookies and nothing of claims.
"""

import re
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from flask import Request, Response
from werkzeug.datastructures import Headers
from werkzeug.http import dump_cookie

from flask_permjwt.errors import InvalidRequestError, TokenTooLargeError

if TYPE_CHECKING:
    # Named and not needed, as in state.py.
    from flask_permjwt.accounts.issuing import IssuedTokens
    from flask_permjwt.settings import Settings

# RFC 6750 section 2.1. The token's own grammar is narrower and is the codec's business.
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_SCHEME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# What browsers keep of a cookie, its name and attributes included (RFC 6265 section 6.1).
_COOKIE_LIMIT: Final = 4096


_ATTRIBUTES: Final = "=; Domain=; Path=; Max-Age=3153600000; HttpOnly; Secure; SameSite=Strict; Partitioned"
_LONG_PATH: Final = 128


class Source(Enum):
    """Where a credential was found."""

    HEADER = "header"
    COOKIE = "cookie"
    BODY = "body"
    TICKET = "ticket"


_HEADER: Final = Source.HEADER  # an attribute of an enumeration costs more


class Credential(NamedTuple):
    """A token as presented, not yet looked at.

    Attributes:
        token: the text.
        source: where it was found.
    """

    token: str
    source: Source

    def __repr__(self) -> str:
        """Tell where it was found, and not what it is."""
        return f"Credential(source={self.source})"


class Transport:
    """Finds and attaches tokens as the settings say."""

    def __init__(self, settings: "Settings") -> None:
        self._settings: Final = settings
        self._header: Final = _environ_key(settings.header_name)
        self.header_key: Final = self._header if settings.headers else ""
        """Where the header stands in the WSGI environment; empty where headers are not in use."""
        self.takes_cookies: Final = settings.cookies
        """Whether tokens are taken from cookies."""
        self._scheme: Final = settings.header_type.casefold()
        self.csrf_key: Final = _environ_key(settings.csrf_header_name)
        """Where the CSRF value stands in the WSGI environment."""

    def from_header(self, request: Request) -> Credential | None:
        """Return the token in the header; None when there is no credential of ours.

        Raises:
            InvalidRequestError: our scheme with anything but exactly one token (RFC 6750 section 3.1).
        """
        value = request.environ.get(self.header_key)
        if not value:
            return None
        text = str(value).strip(" \t")
        if self._scheme:
            match = _SCHEME.match(text)
            if match is None or match[0].casefold() != self._scheme:
                return None
            text = text[match.end() :]
            if not text.startswith(" "):
                text = ""
        elif self._header == "HTTP_AUTHORIZATION" and " " in text:
            return None  # another scheme
        text = text.lstrip(" ")
        if _B64TOKEN.fullmatch(text) is None:
            expected = f"{self._settings.header_type} and one token" if self._scheme else "one token"
            raise InvalidRequestError(f"The {self._settings.header_name} header must hold {expected}.")
        return Credential(text, _HEADER)

    def from_access_cookie(self, request: Request) -> Credential | None:
        """Return the token in the access cookie, if cookies are in use and there is one."""
        return self._from_cookie(request, self._settings.access_cookie_name)

    def from_refresh_cookie(self, request: Request) -> Credential | None:
        """Return the token in the refresh cookie, if cookies are in use and there is one."""
        return self._from_cookie(request, self._settings.refresh_cookie_name)

    def brings_cookies(self, request: Request) -> bool:
        """Tell whether a token came in a cookie, whatever else came."""
        return any(read(request) is not None for read in (self.from_access_cookie, self.from_refresh_cookie))

    def _from_cookie(self, request: Request, name: str) -> Credential | None:
        token = request.cookies.get(name) if self._settings.cookies else None
        return Credential(token, Source.COOKIE) if token else None

    def needs_csrf(self, request: Request) -> bool:
        """Tell whether a cookie alone is not enough: an unsafe method (RFC 9110 section 9.2.1)."""
        return self._settings.csrf_protect and request.method not in SAFE_METHODS

    def attach_cookies(self, response: Response, tokens: "IssuedTokens", root: str, prefix: str) -> None:
        """Set the four cookies of a login, or the two of an access token that was renewed.

        Args:
            response: where they are set.
            tokens: what was issued, with CSRF values.
            root: the path of the app (its script root).
            prefix: the path of the auth blueprint: refresh cookies go nowhere else.

        Raises:
            TokenTooLargeError: a browser would silently drop a cookie of this size.
        """
        settings = self._settings
        access_age = tokens.access_expires_at - tokens.now
        refresh_age = tokens.refresh_expires_at - tokens.now
        for name, value, path, max_age, readable in (
            (settings.access_cookie_name, tokens.access_token, root, access_age, False),
            (settings.access_csrf_cookie_name, tokens.access_csrf, root, access_age, True),
            (settings.refresh_cookie_name, tokens.refresh_token, prefix, refresh_age, False),
            (settings.refresh_csrf_cookie_name, tokens.refresh_csrf, root, refresh_age, True),
        ):
            if value is not None:
                self._set_cookie(response, name, value, path, max_age, readable=readable)

    def sets_access_cookie(self, headers: Headers) -> bool:
        """Tell whether the headers of a response set or delete the access cookie already."""
        start = f"{self._settings.access_cookie_name}="
        return any(cookie.startswith(start) for cookie in headers.getlist("Set-Cookie"))

    def clear_cookies(self, response: Response, root: str, prefix: str) -> None:
        """Delete the four cookies, with the attributes that they were set with."""
        settings = self._settings
        if not settings.cookies:
            return
        for name, path, readable in (
            (settings.access_cookie_name, root, False),
            (settings.access_csrf_cookie_name, root, True),
            (settings.refresh_cookie_name, prefix, False),
            (settings.refresh_csrf_cookie_name, root, True),
        ):
            self._set_cookie(response, name, "", path, 0, readable=readable)

    def _set_cookie(
        self, response: Response, name: str, value: str, path: str, max_age: int, *, readable: bool
    ) -> None:
        settings = self._settings
        cookie = dump_cookie(
            name,
            value,
            max_age=max_age,
            # Without it, clients that know no Max-Age keep a deleted cookie.
            expires=0 if max_age == 0 else None,
            # A name with this prefix is only kept with this path (RFC 6265bis section 4.1.3.2).
            path="/" if name.casefold().startswith("__host-") else quote(path, safe="/:!$&'()*+,=@~") or "/",
            domain=settings.cookie_domain,
            secure=settings.cookie_secure,
            httponly=not readable,
            samesite=settings.cookie_samesite,
            partitioned=settings.cookie_partitioned,
            max_size=0,
        )
        if len(cookie) > _COOKIE_LIMIT:
            raise TokenTooLargeError
        response.headers.add("Set-Cookie", cookie)


def cookie_room(settings: "Settings") -> int:
    """Return how long a token in the access cookie may be, with room left for the path of an app."""
    names = len(settings.access_cookie_name) + len(settings.cookie_domain or "")
    return _COOKIE_LIMIT - names - len(_ATTRIBUTES) - _LONG_PATH


def _environ_key(header: str) -> str:
    key = header.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
