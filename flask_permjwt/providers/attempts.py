"""Attempts: what is remembered of a login that was sent to a provider, in a cookie of the browser that began it.

The cookie is sealed, so that only what was begun here comes back; what must stay secret from everybody, the nonce
and the PKCE verifier, is derived from ``state`` and is in no cookie.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

_COOKIE: Final = "permjwt_login_"
LIFETIME: Final = 10 * 60
"""Seconds that somebody has for logging in at a provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A login that was begun.

    Attributes:
        state: what the provider sends back (RFC 6749 section 10.12): 256 random bits.
        provider: which.
        expires_at: in seconds since 1970-01-01 UTC.
        begun_at: likewise.
        cookie: deliver tokens in cookies; else a code.
        target: where to go on; None for nowhere.
        challenge: what the code is bound to (RFC 7636 section 4.2).
        fresh: the provider shall ask who it is again.
        subject: of the user who links the provider, if that is what it is for.
        session_id: in which session.
    """

    state: str
    provider: str
    expires_at: int
    begun_at: int
    cookie: bool
    target: str | None = None
    challenge: str | None = None
    fresh: bool = False
    subject: str | None = None
    session_id: str | None = None


MAX_SEALED: Final = 3500
_BYTES: Final = 32
_SHORT: Final = 8
_NAMES: Final = frozenset(one.name for one in fields(Attempt))


class Seal:
    """Seals attempts, and derives what only we know about one.

    Args:
        secret: at least 32 random bytes, used for nothing else.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret: Final = secret
        # Of two apps on one host, neither takes the other's cookies for leftovers of its own.
        self._ours: Final = hmac.digest(secret, b"cookie", "sha256").hex()[:_SHORT]

    def close(self, attempt: Attempt) -> str:
        """Return the value of the cookie."""
        body = _encode(json.dumps(asdict(attempt), separators=(",", ":")).encode())
        return f"{body}.{self._mac('attempt', body)}"

    def open(self, sealed: str, *, now: float) -> Attempt | None:
        """Return what was sealed; None when it was not sealed by us, or is over."""
        body, _, mac = sealed.partition(".")
        if len(sealed) > MAX_SEALED or not hmac.compare_digest(
            mac.encode("utf-8", "replace"), self._mac("attempt", body).encode()
        ):
            return None
        said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        # One that another version has sealed may say other things.
        if set(said) != _NAMES:
            return None
        attempt = Attempt(**said)
        return attempt if now < attempt.expires_at else None

    def nonce(self, state: str) -> str:
        """Return what the ID token must repeat (OpenID Connect Core section 3.1.2.1)."""
        return self._mac("nonce", state)

    def verifier(self, state: str) -> str:
        """Return the PKCE verifier of our request (RFC 7636 section 4.1)."""
        return self._mac("verifier", state)

    def cookie_name(self, state: str, *, secure: bool) -> str:
        """Return the name of an attempt's cookie; of its own, so that two tabs do not spoil each other's login.

        ``__Host-`` keeps other hosts of the same domain from setting one (RFC 6265bis section 4.1.3.2).
        """
        digest = hashlib.sha256(state.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self.cookie_prefix(secure=secure)}{digest[: 2 * _SHORT]}"

    def cookie_prefix(self, *, secure: bool) -> str:
        """Return how the names of all of them begin."""
        return f"{'__Host-' if secure else ''}{_COOKIE}{self._ours}_"

    def _mac(self, purpose: str, text: str) -> str:
        message = f"{purpose} {text}".encode("utf-8", "surrogatepass")
        return _encode(hmac.digest(self._secret, message, "sha256"))


def new_state() -> str:
    """Return 256 random bits."""
    return secrets.token_urlsafe(_BYTES)


def challenge_of(verifier: str) -> str:
    """Return the challenge that belongs to a verifier: S256 (RFC 7636 section 4.2)."""
    return _encode(hashlib.sha256(verifier.encode("utf-8", "surrogatepass")).digest())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
