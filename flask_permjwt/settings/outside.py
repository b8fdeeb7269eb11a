"""Others: issuers, providers, and who issued tokens here before."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_permjwt.settings import kinds
from flask_permjwt.settings.field import setting


@dataclass(frozen=True, kw_only=True)
class OutsideSettings:
    """Others: issuers, providers, and who issued tokens here before."""

    issuers: tuple[Mapping[str, Any], ...] = setting(
        (),
        kinds.mappings,
        "Others whose access tokens are taken, such as Entra ID, Auth0 or Keycloak: a list of dicts, as "
        "docs/issuers.md tells. Needs the extra issuers.",
    )
    issuer_users: str | None = setting(
        None,
        kinds.optional_one_of(("find", "create")),
        "What current_user is for their tokens: None, the user linked to the issuer's subject ('find'), or such a "
        "user, made when there is none ('create').",
    )
    jwks_stale: float = setting(
        24 * 3600,
        kinds.seconds,
        "For how many seconds an issuer's keys are used beyond their lifetime while it cannot be reached.",
    )
    jwks_cooldown: int = setting(
        30,
        kinds.lifetime,
        "Seconds after a fetch of an issuer's keys before an unknown key, or a failure, brings another one.",
    )
    accept_flask_jwt_extended: bool | float | None = setting(
        None,
        kinds.last_moment,
        "Take the tokens that Flask-JWT-Extended issued here before, until they expire: the moment of the change, "
        "such as 2026-11-30 or 2026-11-30T12:00:00Z, after which none was issued; True where that is not known.",
    )
    flask_jwt_extended_user: Any = field(
        default="username",
        metadata={
            "read": kinds.former_user,
            "doc": "What their identity is of our user: 'username', 'email', 'id' (the primary key), 'public_id' "
            "or a function of header and claims that returns the user or None.",
        },
    )
    flask_jwt_extended_blocklist: Any = field(
        default=None,
        metadata={
            "read": kinds.optional_function,
            "doc": "A function of header and claims that tells whether such a token was revoked before the "
            "change, as for token_in_blocklist_loader.",
        },
    )
    providers: tuple[tuple[str, Mapping[str, Any]], ...] = field(
        default=(),
        repr=False,
        metadata={
            "read": kinds.named_mappings,
            "doc": "Where people may log in besides, such as Google, Microsoft or GitHub: a dict of dicts, as "
            "docs/providers.md tells. Needs the extra oauth.",
        },
    )
    provider_targets: tuple[str, ...] = setting(
        (),
        kinds.audience,
        "Addresses outside of the app to which such a login may take its one-time code: a list of exact ones.",
    )
    ratelimit_provider: str = setting(
        "100 per 15 minutes",
        kinds.limit,
        "Logins by a provider that one address may begin, and as many that may fail.",
    )
