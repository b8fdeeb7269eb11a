"""The principal: who a request acts for and what was granted to them, as an immutable value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from flask_permjwt.policy.frozen import freeze
from flask_permjwt.policy.permissions import Grants
from flask_permjwt.policy.requirements import NO_VALUES, Values, all_of

_SKEW: Final = 30
"""Seconds by which the clocks of two machines may differ."""

_NO_CLAIMS: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request acts for.

    Attributes:
        subject: the user's public id (``sub``, RFC 7519 section 4.1.2); None when anonymous. Of a token that
            another issuer signed, the issuer's name, ``|`` and its ``sub``; of a client's, ``client:`` and its
            id: never the id of a user here.
        grants: the permissions, ready for matching.
        roles: names of the roles held when the token was issued; for display, never for a decision.
        claims: all claims of the token; what is given is copied and made read-only all the way down.
        token_id: ``jti`` (RFC 7519 section 4.1.7).
        session_id: ``sid``, the session that the token was issued in.
        expiry: ``exp``, in seconds since 1970-01-01 UTC.
        authenticated_at: ``auth_time`` (OpenID Connect Core section 2): when the user last proved who they are, by
            a password say; likewise.
        issuer: whose token it is, where PERMJWT_ISSUERS names others; None for our own.
        client_id: which client acts in its own name (RFC 6749 section 4.4); None where a user acts.
        local_user: the public id of the user here whom that issuer's subject stands for, if that was asked for.
        token_name: what its owner calls the personal access token that came; None for every other token.

    Raises:
        ValueError: ``claims`` are nested deeper than 32 levels.
    """

    subject: str | None
    grants: Grants = field(default_factory=Grants, repr=False)
    roles: frozenset[str] = frozenset()
    claims: Mapping[str, object] = field(default_factory=lambda: _NO_CLAIMS, repr=False, compare=False)
    token_id: str | None = None
    session_id: str | None = None
    expiry: float | None = None
    authenticated_at: float | None = None
    issuer: str | None = None
    local_user: str | None = None
    token_name: str | None = None
    client_id: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "claims", freeze(self.claims))

    @property
    def permissions(self) -> frozenset[str]:
        """The grants as text, wildcards included."""
        return self.grants.all

    def __bool__(self) -> bool:
        """Whether a valid token came with the request, so that ``if current_principal:`` means that."""
        return self.is_authenticated

    @property
    def is_authenticated(self) -> bool:
        """Whether a valid token came with the request."""
        return self.subject is not None

    @property
    def is_anonymous(self) -> bool:
        """Whether no valid token came with the request."""
        return self.subject is None

    @property
    def is_personal(self) -> bool:
        """Whether a personal access token came, which has no session and is never fresh."""
        return self.token_name is not None

    def is_fresh(self, max_age: float, *, now: float) -> bool:
        """Tell whether the user proved who they are lately enough (RFC 9470 section 4).

        Args:
            max_age: how many seconds ago it may be at most.
            now: seconds since 1970-01-01 UTC.
        """
        if self.authenticated_at is None:
            return False
        age = now - self.authenticated_at
        # In the future by more than clocks differ: one was set back since, and nobody knows how old it is.
        return -min(max_age, _SKEW) <= age <= max_age

    def can(self, *permissions: object, values: Values = NO_VALUES) -> bool:
        """Tell whether all these permissions are granted.

        Args:
            permissions: strings, string enum members, ``any_of`` or ``all_of`` groups.
            values: what templates such as ``project:{project_id}:edit`` are filled with, by name.

        Raises:
            PermissionSyntaxError: there is none, or one is not written as the grammar asks.
        """
        requirement = all_of(*permissions)
        return self.is_authenticated and requirement.met_by(self.grants, values)


ANONYMOUS: Final = Principal(subject=None)
