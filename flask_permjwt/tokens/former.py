"""Former tokens: those that Flask-JWT-Extended issued before an app came here, read as strictly as our own.

Their format is that of its ``tokens.py`` (4.x): a JWT with the claims ``type``, ``fresh``, ``jti``, ``iat``,
``exp``, the identity and, for cookies, ``csrf``; in the header nothing but ``alg`` and ``typ`` is asked for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from flask_permjwt.errors import ExpiredTokenError, InvalidTokenError
from flask_permjwt.tokens import claims as reading
from flask_permjwt.tokens.compact import payload_of, split
from flask_permjwt.tokens.keys import Key
from flask_permjwt.tokens.prepared import read_header
from flask_permjwt.tokens.signatures import Signer

_TYP: Final = "JWT"
_NUMBERS: Final[tuple[object, ...]] = (int, float)


class FormerType(StrEnum):
    """The claim ``type``."""

    ACCESS = "access"
    REFRESH = "refresh"


@dataclass(frozen=True, slots=True)
class FormerToken:
    """A token that Flask-JWT-Extended issued, verified and judged.

    Attributes:
        type: what it is for.
        subject: its identity, as text; None where it is none and need not be.
        token_id: ``jti``.
        issued_at: ``iat``, in seconds since 1970-01-01 UTC.
        expires_at: ``exp``, likewise.
        fresh: it was issued to somebody who had just proved who they are, and still counts as such.
        csrf: the CSRF value that is bound to it, if it was issued for a cookie.
        header: its header.
        claims: everything it says.
    """

    type: FormerType
    subject: str | None
    token_id: str
    issued_at: float
    expires_at: float
    fresh: bool
    csrf: str | None = field(repr=False)
    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)


class FormerCodec:
    """Reads tokens that Flask-JWT-Extended issued.

    Args:
        keys: what verifies them: one for each algorithm.
        identity: the claim that says whose they are (``JWT_IDENTITY_CLAIM``).
        any_identity: it may be anything, for whoever calls knows what to make of it; else it is text or a whole
            number.
        issuer: ``iss``: one of them is required; empty for none.
        audience: ``aud``: a token that names any must name one of them.
        needs_audience: it must name one, where there is any.
        leeway: seconds by which clocks may differ.
        issued_until: no such token was issued after that moment, in seconds since 1970-01-01 UTC; None where that
            is not known.
        ends_at: from when on none is taken, likewise.
    """

    def __init__(
        self,
        keys: Iterable[Key],
        *,
        identity: str = "sub",
        any_identity: bool = False,
        issuer: tuple[str, ...] = (),
        audience: tuple[str, ...] = (),
        needs_audience: bool = True,
        leeway: float = 0,
        issued_until: float | None = None,
        ends_at: float | None = None,
    ) -> None:
        self._signers: Final = {key.algorithm: Signer(key) for key in keys}
        self._identity: Final = identity
        self._any_identity: Final = any_identity
        self._issuer: Final = issuer
        self._audience: Final = audience
        self._needs_audience: Final = bool(audience) and needs_audience
        self._leeway: Final = leeway
        self._issued_until: Final = issued_until
        self._ends_at: Final = ends_at

    def is_former(self, token: str) -> bool:
        """Tell whether a token looks like one of Flask-JWT-Extended: what it looks like proves nothing."""
        try:
            header = read_header(split(token)[0])
        except InvalidTokenError:
            return False
        return header.get("typ") == _TYP and "kid" not in header and self._signer(header) is not None

    def decode(self, token: str, accepted: FormerType, *, now: float) -> FormerToken:
        """Verify a token and judge its time.

        Args:
            token: the text that was presented.
            accepted: the type that will do; every other is refused.
            now: seconds since 1970-01-01 UTC.

        Raises:
            ExpiredTokenError: its time is over, or that of all such tokens.
            InvalidTokenError: anything else is wrong with it.
        """
        head, payload, signature = split(token)
        header = read_header(head)
        signer = self._signer(header)
        if signer is None or header.get("typ") != _TYP:
            raise InvalidTokenError("The token was not signed with a key of this API.")
        signer.check(token[: -len(signature) - 1].encode("ascii"), signature)
        claims = reading.parse_object(payload_of(payload), "payload")
        if claims.get("type") != accepted.value:
            raise InvalidTokenError("The token is of another type.")
        self._check_whose(claims)
        found = self._read(accepted, header, claims, now)
        self._judge(found, claims, now)
        return found

    def _signer(self, header: Mapping[str, Any]) -> Signer | None:
        named = header.get("alg")
        return self._signers.get(named) if isinstance(named, str) else None

    def _check_whose(self, claims: Mapping[str, Any]) -> None:
        issuer = claims.get("iss")
        if self._issuer and not (isinstance(issuer, str) and issuer in self._issuer):
            raise InvalidTokenError("The token is of another issuer.")
        given = claims.get("aud")
        named = [given] if isinstance(given, str) else given
        if (named is not None or self._needs_audience) and not (
            isinstance(named, list)
            and all(isinstance(one, str) for one in named)
            and not set(self._audience).isdisjoint(named)
        ):
            raise InvalidTokenError("The token is for another audience.")

    def _read(
        self, kind: FormerType, header: Mapping[str, Any], claims: dict[str, Any], now: float
    ) -> FormerToken:
        csrf, fresh = claims.get("csrf"), claims.get("fresh", False)
        return FormerToken(
            type=kind,
            subject=self._subject(claims),
            token_id=reading.text(claims, "jti"),
            issued_at=reading.date(claims, "iat"),
            expires_at=reading.date(claims, "exp"),
            # True, or until when.
            fresh=fresh is True or (type(fresh) in _NUMBERS and now < fresh),
            csrf=csrf if isinstance(csrf, str) else None,
            header=header,
            claims=claims,
        )

    def _subject(self, claims: Mapping[str, Any]) -> str | None:
        identity = claims.get(self._identity)
        if type(identity) is int:
            # Before 4.7, it wrote numbers as such.
            identity = str(identity)
        if not self._any_identity:
            return reading.text({self._identity: identity}, self._identity)
        if self._identity not in claims:
            raise InvalidTokenError(f"The claim {self._identity} is missing or not valid.")
        return identity if isinstance(identity, str) else None

    def _judge(self, token: FormerToken, claims: Mapping[str, Any], now: float) -> None:
        # Written so that a clock which gives no number lets nothing pass.
        if not now < token.expires_at + self._leeway:
            raise ExpiredTokenError
        if self._ends_at is not None and not now < self._ends_at:
            raise ExpiredTokenError
        not_before = reading.date(claims, "nbf") if "nbf" in claims else token.issued_at
        if not max(not_before, token.issued_at) <= now + self._leeway:
            raise InvalidTokenError("The token is not valid yet.")
        if self._issued_until is not None and not token.issued_at <= self._issued_until:
            raise InvalidTokenError("The token was issued after such tokens ceased to be.")
