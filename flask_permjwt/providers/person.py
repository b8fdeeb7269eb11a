"""Person: what a provider says of somebody, and when that is believed."""

import hmac
from collections.abc import Mapping
from typing import Any, Final

from flask_permjwt.accounts.provider_logins import Person
from flask_permjwt.errors import IdentityRefusedError
from flask_permjwt.providers.config import Provider
from flask_permjwt.tokens.issuers.jwks import KeysError
from flask_permjwt.tokens.issuers.tenants import TENANT

LEEWAY: Final = 60
"""Seconds by which the provider's clock and ours may differ."""

_MAX_SUBJECT: Final = 255


def of_id_token(
    provider: Provider, claims: Mapping[str, Any], *, nonce: str, now: float, asked_at: float | None
) -> Person:
    """Return who the claims of a verified ID token are about (OpenID Connect Core section 3.1.3.7).

    Args:
        provider: who signed it.
        claims: what it says; the signature, ``iss``, ``aud``, ``exp`` and ``nbf`` were found right.
        nonce: what it must repeat.
        now: seconds since 1970-01-01 UTC.
        asked_at: since when the user must have logged in there; None where that does not matter.

    Raises:
        KeysError: it is not the answer to our question.
        IdentityRefusedError: it is, and whoever it is about is not let in.
    """
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "replace"), nonce.encode()):
        raise KeysError("the ID token has another nonce")
    audience = claims.get("aud")
    # One or several: the verifier let nothing else pass.
    several = not isinstance(audience, str) and len(audience or ()) > 1
    if (several or "azp" in claims) and claims.get("azp") != provider.client_id:
        raise KeysError("the ID token was issued to another client")
    issued_at = _moment(claims, "iat")
    if issued_at is None or issued_at > now + LEEWAY:
        raise KeysError("the ID token has no iat, or one that is to come")
    if TENANT in provider.issuer and provider.issuer.replace(TENANT, str(claims.get("tid"))) != claims.get("iss"):
        raise KeysError("the ID token is of one tenant and names another")
    proved_at = _moment(claims, "auth_time")
    if asked_at is not None and (proved_at is None or proved_at < asked_at - LEEWAY):
        raise IdentityRefusedError("The provider did not ask who you are again.")
    _check_claims(provider, claims)
    return Person(
        provider=provider.name,
        issuer=str(claims.get("iss")),
        subject=_subject(claims.get("sub")),
        # Whatever Microsoft's tokens say of it: any administrator of a tenant writes addresses, of others too.
        email=None if provider.is_microsoft else verified_email(claims),
        authenticated_at=int(now if proved_at is None else max(0, min(proved_at, now))),
    )


def of_userinfo(provider: Provider, said: Mapping[str, Any], emails: object, *, now: float) -> Person:
    """Return who a provider without OpenID Connect says that its access token is of.

    Raises:
        KeysError: it does not say.
        IdentityRefusedError: it does, and they are not let in.
    """
    _check_claims(provider, said)
    return Person(
        provider=provider.name,
        issuer=provider.issuer,
        subject=_subject(said.get(provider.subject)),
        email=verified_email(said) or _primary_email(emails),
        authenticated_at=int(now),
    )


def verified_email(said: Mapping[str, Any]) -> str | None:
    """Return an e-mail address whose owner is this person: only where the provider says so, in so many words."""
    email = said.get("email")
    return email if isinstance(email, str) and email and said.get("email_verified") is True else None


def _primary_email(emails: object) -> str | None:
    """Return the verified address that somebody prefers, in GitHub's way to tell."""
    for one in emails if isinstance(emails, list) else ():
        if isinstance(one, dict) and one.get("primary") is True and one.get("verified") is True:
            email = one.get("email")
            return email if isinstance(email, str) and email else None
    return None


def _subject(value: object) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_SUBJECT or not text.isprintable():
        raise KeysError("the provider does not say who it is")
    return text


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _check_claims(provider: Provider, said: Mapping[str, Any]) -> None:
    if any(said.get(name) != value for name, value in provider.claims.items()):
        raise IdentityRefusedError
