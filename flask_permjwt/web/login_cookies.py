"""Login cookies: what a browser keeps of a login that it began at a provider."""

from typing import Final

from flask import Request, Response
from werkzeug.http import dump_cookie

from flask_permjwt.providers.attempts import LIFETIME, Attempt, Seal

_MOST: Final = 5
"""Logins that one browser may have under way: a page that begins one after the other fills no header."""


class LoginCookies:
    """Sets, reads and deletes them.

    They are cookies of our own and not a part of Flask's session: that one may be Strict, kept on a server, or not
    in use at all, and all that an app writes into it would be spoilt by two tabs. They are always Lax, which a
    browser sends along when the provider sends it back by GET (``response_mode=query``), and never when another
    page posts.

    Args:
        seal: seals what they hold.
        secure: send them over https only; then, no other host of the domain can set one.
    """

    def __init__(self, seal: Seal, *, secure: bool) -> None:
        self._seal: Final = seal
        self._secure: Final = secure

    def keep(self, request: Request, response: Response, attempt: Attempt, *, now: float) -> None:
        """Have the browser keep an attempt, and forget the oldest ones beyond a few, and all that are over."""
        name = self._seal.cookie_name(attempt.state, secure=self._secure)
        self._set(response, name, self._seal.close(attempt), LIFETIME)
        prefix = self._seal.cookie_prefix(secure=self._secure)
        kept = []
        for other, value in request.cookies.items():
            if other.startswith(prefix) and other != name:
                found = self._seal.open(value, now=now)
                kept.append((-1 if found is None else found.begun_at, other))
        kept.sort(reverse=True)
        for place, (begun_at, other) in enumerate(kept, start=1):
            if begun_at < 0 or place >= _MOST:
                self._set(response, other, "", 0)

    def find(self, request: Request, state: str, *, now: float) -> Attempt | None:
        """Return the attempt that this very browser began with a state."""
        sealed = request.cookies.get(self._seal.cookie_name(state, secure=self._secure), "")
        attempt = self._seal.open(sealed, now=now)
        return attempt if attempt is not None and attempt.state == state else None

    def drop(self, response: Response, state: str) -> Response:
        """Have the browser forget an attempt."""
        self._set(response, self._seal.cookie_name(state, secure=self._secure), "", 0)
        return response

    def _set(self, response: Response, name: str, value: str, max_age: int) -> None:
        cookie = dump_cookie(
            name,
            value,
            max_age=max_age,
            expires=0 if max_age == 0 else None,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
            max_size=0,
        )
        response.headers.add("Set-Cookie", cookie)
