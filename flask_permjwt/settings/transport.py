"""Where tokens stand in requests and responses, and how long they live."""

from dataclasses import dataclass
from typing import Final

from flask_permjwt.settings import kinds
from flask_permjwt.settings.field import setting

SAME_SITE: Final = ("Lax", "Strict", "None")


@dataclass(frozen=True, kw_only=True)
class TransportSettings:
    """Where tokens stand in requests and responses, and how long they live."""

    token_locations: tuple[str, ...] = setting(
        kinds.LOCATIONS,
        kinds.locations,
        "Where access tokens are looked for: 'headers', 'cookies' or both. The header wins.",
    )
    header_name: str = setting("Authorization", kinds.name, "The header that carries a token.")
    header_type: str = setting(
        "Bearer", kinds.scheme, "The scheme before the token (RFC 6750); empty: the header is the token itself."
    )
    access_token_expires: int = setting(
        15 * 60, kinds.lifetime, "Lifetime of an access token, in seconds or as a timedelta."
    )
    refresh_token_expires: int = setting(
        30 * 24 * 3600,
        kinds.lifetime,
        "Lifetime of a session, in seconds or as a timedelta: rotating the refresh token never extends it.",
    )
    refresh_grace: float = setting(
        10,
        kinds.seconds,
        "For so many seconds after a rotation, the rotated refresh token is answered with the same successor "
        "again (two tabs, a lost answer). 0 turns it off.",
    )
    access_cookie_name: str = setting("access_token", kinds.name, "The cookie that carries the access token.")
    refresh_cookie_name: str = setting("refresh_token", kinds.name, "The cookie that carries the refresh token.")
    cookie_secure: bool = setting(
        True, kinds.boolean, "Send cookies over https only. Switch it off only for plain http on your own machine."
    )
    cookie_samesite: str = setting(
        "Lax", kinds.one_of(SAME_SITE), "The SameSite attribute: 'Lax', 'Strict' or 'None' (which needs Secure)."
    )
    cookie_domain: str | None = setting(
        None, kinds.domain, "The Domain attribute; None keeps the cookies on the very host that set them."
    )
    cookie_partitioned: bool = setting(
        False, kinds.boolean, "The Partitioned attribute, for a site that is embedded in others (needs Secure)."
    )
    csrf_protect: bool = setting(
        True, kinds.boolean, "Ask for the CSRF header on unsafe methods when the token came in a cookie."
    )
    csrf_header_name: str = setting("X-CSRF-TOKEN", kinds.name, "The header that repeats the CSRF value.")
    access_csrf_cookie_name: str = setting(
        "csrf_access_token", kinds.name, "The readable cookie with the access token's CSRF value."
    )
    refresh_csrf_cookie_name: str = setting(
        "csrf_refresh_token", kinds.name, "The readable cookie with the refresh token's CSRF value."
    )
    cookie_sliding: bool = setting(
        False,
        kinds.boolean,
        "Renew an access cookie that is past half its life in the response to the request that brought it, until "
        "the session's absolute end.",
    )
    tickets: bool | tuple[str, ...] = setting(
        True,
        kinds.ticket_paths,
        "Where one-time tickets, `?ticket=`, may be used: True for every GET that a client asks one for, False "
        "for none, or a list of paths of the app, such as ['/events', '/exports/*'].",
    )
    websocket_origins: tuple[str, ...] = setting(
        (),
        kinds.origins,
        "Other sites whose pages may open WebSockets here with a cookie: a list of origins, such as "
        "['https://app.example.com'].",
    )
