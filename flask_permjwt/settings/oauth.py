"""The endpoints that speak OAuth 2."""

from dataclasses import dataclass

from flask_permjwt.settings import kinds
from flask_permjwt.settings.field import setting


@dataclass(frozen=True, kw_only=True)
class OAuthSettings:
    """The endpoints that speak OAuth 2."""

    password_grant: bool = setting(
        True,
        kinds.boolean,
        "Let POST /token take a user's password (grant_type=password), as POST /login does. It is for your own "
        "programs: where others write clients of this API, switch it off (RFC 9700 section 2.4).",
    )
    public_clients: tuple[str, ...] = setting(
        (),
        kinds.audience,
        "The client_id by which programs without a secret may call themselves at POST /token: a list. They may "
        "leave it out, too.",
    )
