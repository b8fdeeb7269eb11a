"""The codec: tokens to text and back.

A token is accepted in two steps: what does not depend on time (``verify``, which may be remembered) and what
does (``judge``, on every request). Checks of our own may only refuse; a signature is accepted by PyJWT alone,
in ``signatures``.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from flask_permjwt.errors import ExpiredTokenError, InvalidTokenError, TokenTooLargeError
from flask_permjwt.policy.permissions import NO_GRANTS, Grants, valid_grants
from flask_permjwt.policy.principal import Principal
from flask_permjwt.tokens import claims as reading
from flask_permjwt.tokens.compact import MAX_LENGTH, payload_of, split
from flask_permjwt.tokens.key_source import FixedKeys, KeySource
from flask_permjwt.tokens.keys import KeyRing, base64url
from flask_permjwt.tokens.prepared import Prepared, UnknownKeyError, read_header
from flask_permjwt.tokens.signatures import Signer


class TokenType(StrEnum):
    """What a token is for: its ``typ`` header, explicit after RFC 8725 section 3.11."""

    ACCESS = "at+jwt"
    """RFC 9068 section 2.1."""

    REFRESH = "rt+jwt"


_TYPES: Final = tuple(TokenType)


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token whose signature, type, issuer, audience and shape are right. Its time is not judged here.

    Attributes:
        type: what it is for.
        subject: ``sub``.
        token_id: ``jti``.
        session_id: ``sid``, the session that it was issued in; empty where it is a client's.
        version: ``ver``, the count of the user that rises when all of that user's tokens must die.
        issued_at: ``iat``, in seconds since 1970-01-01 UTC.
        not_before: ``nbf``, likewise, if it has one.
        expires_at: ``exp``, likewise.
        csrf: the CSRF value that is bound to it, if it was issued for a cookie.
        rights_versions: ``pv``, what was counted when its permissions were read: the user's own changes at
            ``"u"``, those of each role at its public id.
        rights_in_store: it names no permissions: they are read from the user store.
        claims: everything it says, read-only all the way down.
        principal: who it speaks for; a refresh token's principal has no permissions.
        key_id: the name of the key of ours that signed it; empty where it was none of ours.
        limit: what it may be used for at most, whatever its user may do; None for all that.
        link: of a token of another issuer, what tells when it was last looked up whom it stands for here: when
            the revocation state has heard of this text, that is to be looked up again.
    """

    type: TokenType
    subject: str
    token_id: str
    session_id: str
    version: int
    issued_at: float
    not_before: float | None
    expires_at: float
    csrf: str | None = field(repr=False)
    rights_versions: Mapping[str, int] = field(repr=False)
    rights_in_store: bool
    claims: Mapping[str, Any] = field(repr=False)
    principal: Principal
    key_id: str = ""
    limit: Grants | None = None
    link: str = ""


class TokenCodec:
    """Writes and reads the tokens of one app.

    Args:
        keys: what signs and verifies: a ring that stays, or what gives the ring of the moment.
        issuer: ``iss``, written and then required; None for none.
        audience: ``aud``, written and then one of them required; empty for none.
        leeway: seconds by which clocks may differ.
        access_lifetime: of access tokens, in seconds; one that was issued for longer ends then all the same, as
            what was revoked is remembered for no longer. None for any.
        permissions_claim: where the permissions stand; dots lead into nested objects.

    Raises:
        ConfigurationError: ``permissions_claim`` leads into a claim with a meaning of its own.
    """

    def __init__(
        self,
        keys: KeyRing | KeySource,
        *,
        issuer: str | None = None,
        audience: tuple[str, ...] = (),
        leeway: float = 0,
        access_lifetime: int | None = None,
        permissions_claim: str = "permissions",
    ) -> None:
        self._keys: Final[KeySource] = FixedKeys(keys) if isinstance(keys, KeyRing) else keys
        self._issuer: Final = issuer
        self._audience: Final = audience
        self._leeway: Final = leeway
        self._access_lifetime: Final = access_lifetime
        self._permissions_path: Final = reading.check_permissions_claim(permissions_claim)
        self._ready = Prepared(self._keys.ring, _TYPES)

    def encode(
        self,
        token_type: TokenType,
        claims: Mapping[str, object],
        permissions: Iterable[str] | None = (),
        *,
        limit: Grants | None = None,
    ) -> str:
        """Sign a token.

        Args:
            token_type: what it is for.
            claims: everything but issuer, audience and permissions.
            permissions: grants, written sorted at the permissions claim of access tokens; None when they are to
                be read from the user store.
            limit: what an access token may be used for at most, written as ``scope`` (RFC 9068 section 2.2.3);
                of the permissions, only what it allows is written. None for no limit.

        Raises:
            TokenTooLargeError: it would be longer than ``verify`` takes.
            TypeError: ``permissions`` is a single string, which would be taken letter by letter; or a claim is
                no JSON; or something that is no object stands where the permissions claim leads.
            ValueError: a number in the claims is not finite.
        """
        if isinstance(permissions, str):
            raise TypeError("permissions is a collection of strings, not one string")
        payload: dict[str, Any] = dict(claims)
        if self._issuer is not None:
            payload["iss"] = self._issuer
        if self._audience:
            payload["aud"] = self._audience[0] if len(self._audience) == 1 else list(self._audience)
        if token_type is TokenType.ACCESS:
            if limit is not None:
                payload[reading.SCOPE] = limit.as_scope()
                if permissions is not None:
                    told = Grants.of_valid(valid_grants(list(permissions)))
                    permissions = told.limited_to(limit).all
            if permissions is None:
                payload["rights"] = reading.RIGHTS_IN_STORE
            else:
                payload = reading.write_path(payload, self._permissions_path, sorted(permissions))
        text = json.dumps(payload, separators=(",", ":"), allow_nan=False)
        token = self._prepared().sign(token_type, base64url(text.encode()))
        if len(token) > MAX_LENGTH:
            raise TokenTooLargeError(
                "The token is larger than 16 KiB: grant wildcards instead of single permissions."
            )
        return token

    def decode(self, token: str, *accepted: TokenType, now: float) -> VerifiedToken:
        """Verify a token and judge its time.

        Raises:
            ExpiredTokenError: its time is over.
            InvalidTokenError: anything else is wrong with it.
        """
        verified = self.verify(token, *accepted)
        self.judge(verified, now)
        return verified

    def judge(self, token: VerifiedToken, now: float) -> None:
        """Judge what depends on time (RFC 7519 sections 4.1.4 and 4.1.5).

        Args:
            token: a verified token.
            now: seconds since 1970-01-01 UTC.

        Raises:
            ExpiredTokenError: its time is over.
            InvalidTokenError: its time has not come.
        """
        # Written so that a clock which gives no number lets nothing pass.
        if not now < token.expires_at + self._leeway:
            raise ExpiredTokenError
        if token.not_before is not None and not token.not_before <= now + self._leeway:
            raise InvalidTokenError("The token is not valid yet.")

    def verify(self, token: str, *accepted: TokenType) -> VerifiedToken:
        """Check everything about a token that does not depend on time.

        Args:
            token: the text that was presented.
            accepted: the types that will do; every other is refused.

        Raises:
            InvalidTokenError: something is wrong with it; the description says which check failed.
        """
        header, payload, signature = split(token)
        signer, token_type = self._prepared().own_headers.get(header) or self._read_header(header)
        if token_type not in accepted:
            raise InvalidTokenError("The token is of another type.")
        signer.check(token[: -len(signature) - 1].encode("ascii"), signature)
        claims = reading.parse_object(payload_of(payload), "payload")
        self.check_recipient(claims)
        return self._read_claims(signer.key.kid, token_type, claims)

    def check_recipient(self, claims: Mapping[str, Any]) -> None:
        """Check that claims are of the issuer that is asked for, and meant for this app.

        Raises:
            InvalidTokenError: they are not.
        """
        self._check_issuer(claims)
        self._check_audience(claims)

    def is_own(self, token: str) -> bool:
        """Tell whether a token begins as ours do, which need not be looked into to know whose it is."""
        return token.partition(".")[0] in self._prepared().own_headers

    def knows(self, key_id: str) -> bool:
        """Tell whether the key of a verified token is still good for verifying.

        Args:
            key_id: of the token; that of a token which was none of ours is none of our business.
        """
        return not key_id or self._prepared().ring.find(key_id) is not None

    @property
    def signing_key_id(self) -> str:
        """The name of the key that signs now; empty where nothing signs any more."""
        signing = self._prepared().ring.signing
        return "" if signing is None else signing.kid

    def keep_up(self) -> None:
        """Notice changes of the keys, when it is time to look."""
        self._keys.keep_up()

    def _prepared(self) -> Prepared[TokenType]:
        self._keys.keep_up()
        ready, ring = self._ready, self._keys.ring
        if ready.ring is not ring:
            ready = self._ready = Prepared(ring, _TYPES, ready)
        return ready

    def _read_header(self, segment: str) -> tuple[Signer, TokenType]:
        """Read a header that we did not write to the letter."""
        header = read_header(segment)
        try:
            token_type = TokenType(header.get("typ", ""))
        except ValueError:
            raise InvalidTokenError("The token is of another type.") from None
        with suppress(UnknownKeyError):
            return self._prepared().choose(header), token_type
        self._keys.seek()
        return self._prepared().choose(header), token_type

    def _check_issuer(self, claims: Mapping[str, Any]) -> None:
        if self._issuer is not None and claims.get("iss") != self._issuer:
            raise InvalidTokenError("The token is of another issuer.")

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        """Check the audience; where none is configured, a token that names one is not for us.

        RFC 7519 section 4.1.3.
        """
        if "aud" not in claims and not self._audience:
            return
        given = claims.get("aud")
        named = [given] if isinstance(given, str) else given
        if (
            not isinstance(named, list)
            or not all(isinstance(one, str) for one in named)
            or not set(named) & set(self._audience)
        ):
            raise InvalidTokenError("The token is for another audience.")

    def _read_claims(self, key_id: str, token_type: TokenType, claims: dict[str, Any]) -> VerifiedToken:
        subject, token_id = reading.text(claims, "sub"), reading.text(claims, "jti")
        client_id = reading.client(claims, subject)
        if client_id is not None and token_type is not TokenType.ACCESS:
            raise InvalidTokenError("A client has access tokens alone.")
        session_id = reading.text(claims, "sid") if client_id is None else ""
        version = reading.count(claims, "ver")
        issued_at, expires_at = reading.date(claims, "iat"), reading.date(claims, "exp")
        not_before = reading.date(claims, "nbf") if "nbf" in claims else None
        authenticated_at = reading.date(claims, "auth_time") if "auth_time" in claims else None
        if expires_at <= issued_at:
            raise InvalidTokenError("The token was never valid.")
        csrf = claims.get("csrf")
        access = token_type is TokenType.ACCESS
        if access and self._access_lifetime is not None:
            expires_at = min(expires_at, issued_at + self._access_lifetime)
        grants, limit = NO_GRANTS, None
        if access:
            grants = Grants.of_valid(valid_grants(reading.read_path(claims, self._permissions_path)))
            limit = reading.limit(claims)
            if limit is not None:
                grants = grants.limited_to(limit)
        principal = Principal(
            subject=subject,
            grants=grants,
            roles=reading.names(claims, "roles") if access else frozenset(),
            claims=claims,
            token_id=token_id,
            session_id=session_id or None,
            expiry=expires_at,
            authenticated_at=authenticated_at,
            client_id=client_id,
        )
        return VerifiedToken(
            type=token_type,
            subject=subject,
            token_id=token_id,
            session_id=session_id,
            version=version,
            issued_at=issued_at,
            not_before=not_before,
            expires_at=expires_at,
            csrf=csrf if isinstance(csrf, str) else None,
            rights_versions=reading.counts(claims, "pv"),
            rights_in_store=access and claims.get("rights") == reading.RIGHTS_IN_STORE,
            claims=principal.claims,
            principal=principal,
            key_id=key_id,
            limit=limit,
        )
