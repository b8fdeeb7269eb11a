"""The verifier: a token of another issuer is held against what the settings say of that issuer.

The issuer is matched exactly, before any key is looked up; and it is the only word of a token that is believed
before its signature was found right.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.policy.principal import Principal
from flask_permjwt.tokens import claims as reading
from flask_permjwt.tokens.codec import TokenType, VerifiedToken
from flask_permjwt.tokens.compact import payload_of, split
from flask_permjwt.tokens.issuers.config import Issuer
from flask_permjwt.tokens.issuers.mapping import grants_for, read_values
from flask_permjwt.tokens.issuers.protocol import Keys
from flask_permjwt.tokens.issuers.signatures import is_right

_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt", "application/jwt"})
_MAX_KEY: Final = 255
_DIGEST: Final = "sha256-"

_log = logging.getLogger("flask_permjwt.issuers")


@dataclass(frozen=True, slots=True, eq=False)
class Trusted:
    """An issuer and its keys."""

    issuer: Issuer
    keys: Keys


@dataclass(frozen=True, slots=True)
class Outside:
    """A verified token of another issuer.

    Attributes:
        token: what it says. Its subject, session and id hold the issuer's name: they are nobody's here.
        subject: ``sub``, as the issuer knows it.
        issuer: whose it is.
        holds: for how many seconds its key is known to be good.
    """

    token: VerifiedToken
    subject: str
    issuer: Issuer
    holds: float


def known_as(issuer: str, subject: str) -> str:
    """Return the one text of at most 255 characters by which a subject of an issuer is known here.

    No two are alike: an issuer's name holds no ``|``, and digests look like no subject that is written out.
    """
    text = f"{issuer}|{subject}"
    if len(text) > _MAX_KEY or subject.startswith(_DIGEST):
        text = f"{issuer}|{_DIGEST}{sha256(subject.encode()).hexdigest()}"
    return text


class Issuers:
    """Verifies tokens of others.

    Args:
        trusted: the issuers, with their keys.
    """

    def __init__(self, trusted: Iterable[Trusted]) -> None:
        self._by_name: Final = {one.issuer.name: one for one in trusted}

    def verify(self, token: str, judge: Callable[[VerifiedToken], None]) -> Outside | None:
        """Check a token; None is returned for one that names none of these issuers.

        Args:
            token: the text that was presented.
            judge: judges its time, before anything is fetched for it; raises what is wrong with it.

        Raises:
            InvalidTokenError: something is wrong with it; the description says which check failed.
            KeysUnavailableError: 503, its key cannot be had now.
        """
        header, payload, _ = split(token)
        claims = reading.parse_object(payload_of(payload), "payload")
        name = claims.get("iss")
        trusted = self._by_name.get(name) if isinstance(name, str) else None
        if trusted is None:
            return None
        try:
            return self._verify(trusted, token, header, claims, judge)
        except InvalidTokenError as refusal:
            _log.info("a token of %s was refused: %s", trusted.issuer.name, refusal.description)
            raise

    def check_named(self, token: str, *, ours: str | None) -> None:
        """Check that a token names no issuer but us: then something else is wrong with it.

        Raises:
            InvalidTokenError: it names another one.
        """
        claims = reading.parse_object(payload_of(split(token)[1]), "payload")
        if claims.get("iss") not in (None, ours):
            _log.info("a token was refused: its issuer is none of PERMJWT_ISSUERS")
            raise InvalidTokenError("The token is of another issuer.")

    def _verify(
        self,
        trusted: Trusted,
        token: str,
        header: str,
        claims: dict[str, Any],
        judge: Callable[[VerifiedToken], None],
    ) -> Outside:
        issuer = trusted.issuer
        kid, algorithm = _read_header(header, issuer)
        # Nothing is fetched for a token that would be refused anyway.
        _check_audience(claims, issuer)
        _check_kind(claims, issuer)
        subject = reading.text(claims, "sub")
        verified = _read_claims(claims, issuer, subject)
        judge(verified)
        key, holds = trusted.keys.find(kid, algorithm)
        if key is None:
            raise InvalidTokenError("The token was not signed with a key that its issuer publishes.")
        signed, _, signature = token.rpartition(".")
        if not is_right(signature, signed.encode("ascii"), key.key, algorithm):
            raise InvalidTokenError("The token's signature is not valid.")
        # Only now: 'map' is the app's code, and nobody else's words are for it.
        grants = grants_for(read_values(claims, issuer.permissions), issuer.translate, issuer=issuer.name)
        verified = replace(verified, principal=replace(verified.principal, grants=grants))
        return Outside(verified, subject, issuer, holds)


def _read_header(segment: str, issuer: Issuer) -> tuple[str | None, str]:
    """Return ``kid`` and ``alg``. They choose among the issuer's keys, and nothing else in a header is looked at.

    ``jku``, ``jwk``, ``x5u`` and ``x5c`` bring keys of the token's own: never used (RFC 8725 section 3.10).
    ``crit`` is refused, for no extension is understood (RFC 7515 section 4.1.11), and so is ``b64`` (RFC 7797).
    """
    header = reading.parse_object(payload_of(segment), "header")
    if "crit" in header or "b64" in header:
        raise InvalidTokenError("The token needs an extension that is not understood.")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise InvalidTokenError("The token is of another type.")
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in issuer.algorithms:
        raise InvalidTokenError("The token's signature is of a kind that is not taken.")
    if kid is not None and not isinstance(kid, str):
        raise InvalidTokenError("The token was not signed with a key that its issuer publishes.")
    return kid, algorithm


def _check_audience(claims: Mapping[str, Any], issuer: Issuer) -> None:
    """Check that the token is for us (RFC 7519 section 4.1.3)."""
    given = next((claims[name] for name in issuer.audience_claims if name in claims), None)
    named = [given] if isinstance(given, str) else given
    if (
        not isinstance(named, list)
        or not all(isinstance(one, str) for one in named)
        or issuer.audience.isdisjoint(named)
    ):
        raise InvalidTokenError("The token is for another audience.")


def _check_kind(claims: Mapping[str, Any], issuer: Issuer) -> None:
    """Refuse tokens for clients: who has logged in or out is no key to an API (RFC 9068 section 5)."""
    if not issuer.refused.isdisjoint(claims):
        raise InvalidTokenError("The token is an ID token or a logout token, and an access token is needed.")
    if issuer.needs and not any(claims.get(name) for name in issuer.needs):
        raise InvalidTokenError(f"The token has no {' or '.join(issuer.needs)}, so it is no access token.")
    for name, value in issuer.claims.items():
        if claims.get(name) != value:
            raise InvalidTokenError(f"The claim {name} is missing or not the one that is needed.")


def _read_claims(claims: dict[str, Any], issuer: Issuer, subject: str) -> VerifiedToken:
    expires_at = reading.date(claims, "exp")
    not_before = reading.date(claims, "nbf") if "nbf" in claims else None
    issued_at = reading.date(claims, "iat") if "iat" in claims else 0
    authenticated_at = reading.date(claims, "auth_time") if "auth_time" in claims else None
    known = known_as(issuer.name, subject)
    principal = Principal(
        subject=known,
        issuer=issuer.name,
        claims=claims,
        expiry=expires_at,
        authenticated_at=authenticated_at,
    )
    return VerifiedToken(
        type=TokenType.ACCESS,
        subject=known,
        token_id=known_as(issuer.name, f"jti {claims.get('jti')}"),
        session_id=known_as(issuer.name, f"sid {claims.get('sid')}"),
        version=0,
        issued_at=issued_at,
        not_before=not_before,
        expires_at=expires_at,
        csrf=None,
        rights_versions={},
        rights_in_store=False,
        claims=principal.claims,
        principal=principal,
    )
