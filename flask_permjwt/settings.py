"""The settings: every ``PERMJWT_*`` key of ``app.config``, read once into a frozen value.

Whatever is wrong with them is refused at start-up: an unknown key (with the nearest known one), a value of
the wrong type, settings that contradict each other. Values may come from the environment through
``app.config.from_prefixed_env()``, which reads them as JSON: ``FLASK_PERMJWT_COOKIE_SECURE=false``.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from flask_permjwt import setting_types as kinds
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.setting_contradictions import refuse_contradictions

PREFIX: Final = "PERMJWT_"
ALGORITHMS: Final = (
    *("HS256", "HS384", "HS512"),
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    *("EdDSA", "Ed25519"),
)
SYNONYMS: Final = {"ESP256": "ES256", "ESP384": "ES384", "ESP512": "ES512"}
"""The names of RFC 9864 for what JSON Web Tokens call by another name that says as much."""

SAME_SITE: Final = ("Lax", "Strict", "None")


def _setting(default: object, read: Callable[[Any], Any], doc: str) -> Any:
    return field(default=default, metadata={"read": read, "doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, checked: ``access_token_expires`` is ``PERMJWT_ACCESS_TOKEN_EXPIRES``, and so on."""

    secret_key: bytes | None = field(
        default=None,
        repr=False,
        metadata={
            "read": kinds.secret,
            "doc": "Signs the tokens. At least 32 random bytes (48 for HS384, 64 for HS512; RFC 7518 section "
            "3.2). Without it, a key is derived from the app's SECRET_KEY by HKDF (RFC 5869). Where a key pair or "
            "PERMJWT_KEYS_DIR signs, only the CSRF values are made from it.",
        },
    )
    algorithm: str = _setting(
        "HS256",
        kinds.one_of(ALGORITHMS, SYNONYMS),
        "Signature algorithm of the tokens (RFC 7518 section 3, RFC 8037, RFC 9864): HS256, RS256, PS256, ES256, "
        "each also with 384 and 512, EdDSA or Ed25519. With PERMJWT_KEYS_DIR, that of new keys.",
    )
    private_key: object = field(
        default=None,
        repr=False,
        metadata={
            "read": kinds.key,
            "doc": "Signs the tokens where the algorithm takes a key pair: a private key in PEM or a JWK, as text "
            "or as an object. Needs the extra keys.",
        },
    )
    key_file: str | None = _setting(
        None,
        kinds.path,
        "The file of the key that signs, in place of the key itself: PEM, a JWK or, for HMAC, the bytes of the "
        "secret. Others must not be able to read it (mode 0600).",
    )
    verification_keys: tuple[object, ...] = field(
        default=(),
        repr=False,
        metadata={
            "read": kinds.keys,
            "doc": "Further keys that verify and do not sign, such as the one before: a list of PEM, JWKs and "
            "(for HMAC) secrets, or a JWK Set.",
        },
    )
    keys_dir: str | None = _setting(
        None,
        kinds.path,
        "The directory of the keys that `flask permjwt keys` makes, rotates and retires, in place of one key.",
    )
    keys_refresh: float = _setting(
        60,
        kinds.seconds,
        "How long it takes at most, in seconds, until a process notices what changed in PERMJWT_KEYS_DIR.",
    )
    keys_lead: float = _setting(
        60 * 60,
        kinds.seconds,
        "How long a new key is published before it signs, in seconds or as a timedelta: twice "
        "PERMJWT_KEYS_REFRESH at least, and as long as others keep our JWKS.",
    )
    token_locations: tuple[str, ...] = _setting(
        kinds.LOCATIONS,
        kinds.locations,
        "Where access tokens are looked for: 'headers', 'cookies' or both. The header wins.",
    )
    header_name: str = _setting("Authorization", kinds.name, "The header that carries a token.")
    header_type: str = _setting(
        "Bearer", kinds.scheme, "The scheme before the token (RFC 6750); empty: the header is the token itself."
    )
    access_token_expires: int = _setting(
        15 * 60, kinds.lifetime, "Lifetime of an access token, in seconds or as a timedelta."
    )
    refresh_token_expires: int = _setting(
        30 * 24 * 3600,
        kinds.lifetime,
        "Lifetime of a session, in seconds or as a timedelta: rotating the refresh token never extends it.",
    )
    refresh_grace: float = _setting(
        10,
        kinds.seconds,
        "For so many seconds after a rotation, the rotated refresh token is answered with the same successor "
        "again (two tabs, a lost answer). 0 turns it off.",
    )
    access_cookie_name: str = _setting("access_token", kinds.name, "The cookie that carries the access token.")
    refresh_cookie_name: str = _setting("refresh_token", kinds.name, "The cookie that carries the refresh token.")
    cookie_secure: bool = _setting(
        True, kinds.boolean, "Send cookies over https only. Switch it off only for plain http on your own machine."
    )
    cookie_samesite: str = _setting(
        "Lax", kinds.one_of(SAME_SITE), "The SameSite attribute: 'Lax', 'Strict' or 'None' (which needs Secure)."
    )
    cookie_domain: str | None = _setting(
        None, kinds.domain, "The Domain attribute; None keeps the cookies on the very host that set them."
    )
    cookie_partitioned: bool = _setting(
        False, kinds.boolean, "The Partitioned attribute, for a site that is embedded in others (needs Secure)."
    )
    csrf_protect: bool = _setting(
        True, kinds.boolean, "Ask for the CSRF header on unsafe methods when the token came in a cookie."
    )
    csrf_header_name: str = _setting("X-CSRF-TOKEN", kinds.name, "The header that repeats the CSRF value.")
    access_csrf_cookie_name: str = _setting(
        "csrf_access_token", kinds.name, "The readable cookie with the access token's CSRF value."
    )
    refresh_csrf_cookie_name: str = _setting(
        "csrf_refresh_token", kinds.name, "The readable cookie with the refresh token's CSRF value."
    )
    cookie_sliding: bool = _setting(
        False,
        kinds.boolean,
        "Renew an access cookie that is past half its life in the response to the request that brought it, until "
        "the session's absolute end.",
    )
    registration: bool = _setting(
        False, kinds.boolean, "Let people register at POST /register of the auth blueprint."
    )
    require_verified: bool = _setting(
        False, kinds.boolean, "Let users log in only when their e-mail address is verified. Needs a mailer."
    )
    password_reset: bool | None = _setting(
        None,
        kinds.optional_boolean,
        "Let people reset a forgotten password by mail. None: where there is a mailer.",
    )
    password_min_length: int = _setting(
        12,
        kinds.length,
        "Characters that a new password must have at least (NIST SP 800-63B-4 section 3.1.1.2), 8 to 64.",
    )
    reset_token_expires: int = _setting(
        30 * 60, kinds.lifetime, "Lifetime of the code for a new password, in seconds or as a timedelta."
    )
    verify_token_expires: int = _setting(
        24 * 3600, kinds.lifetime, "Lifetime of the code that verifies an address, in seconds or as a timedelta."
    )
    reset_url: str | None = _setting(
        None,
        kinds.url,
        "The page for a new password, with {token} in it; without it, the mail shows the code alone.",
    )
    verify_url: str | None = _setting(
        None,
        kinds.url,
        "The page that verifies an address, with {token} in it; without it, the mail shows the code alone.",
    )
    ratelimit_enabled: bool = _setting(
        True, kinds.boolean, "Limit how often passwords may be tried, users registered and mails asked for."
    )
    ratelimit_storage_uri: str = field(
        default="memory://",
        repr=False,
        metadata={
            "read": kinds.storage,
            "doc": "Where attempts are counted: memory:// in each worker by itself, redis:// in one for all.",
        },
    )
    ratelimit_storage_failure: str = _setting(
        "memory",
        kinds.one_of(("memory", "refuse", "allow")),
        "What happens while that store is down: 'memory' counts in each worker, 'refuse' answers 503, 'allow' "
        "counts nothing.",
    )
    ratelimit_login: str = _setting(
        "10 per 15 minutes",
        kinds.limit,
        "Wrong passwords for one user, from all unknown addresses together and from each address that logged in "
        "as this user before apart.",
    )
    ratelimit_login_address: str = _setting(
        "100 per 15 minutes",
        kinds.limit,
        "Wrong passwords from one address (of IPv6, one /64), whatever the user.",
    )
    ratelimit_register: str = _setting("20 per hour", kinds.limit, "Registrations from one address.")
    ratelimit_mail: str = _setting(
        "5 per hour",
        kinds.limit,
        "Mails that one address may ask for, and that one mailbox may be sent by request.",
    )
    audit: bool = _setting(True, kinds.boolean, "Write what happens to accounts into the audit table.")
    audit_expires: int = _setting(
        90 * 24 * 3600, kinds.lifetime, "How long rows of the audit table are kept, in seconds or as a timedelta."
    )
    issuer: str | None = _setting(
        None, kinds.optional_text, "The iss claim (RFC 7519 section 4.1.1); when set, it is required."
    )
    audience: tuple[str, ...] = _setting(
        (),
        kinds.audience,
        "The aud claim (RFC 7519 section 4.1.3), a string or a list; when set, one of them is required.",
    )
    leeway: float = _setting(
        0,
        kinds.seconds,
        "Seconds by which clocks may differ when exp and nbf are judged (RFC 7519 section 4.1.4).",
    )
    token_cache_size: int = _setting(
        4096,
        kinds.count,
        "How many verified access tokens each process remembers, so that their next request costs a look-up; 0 "
        "for none. Time and permissions are judged on every request all the same.",
    )
    permissions_in_token: bool | str = _setting(
        "auto",
        kinds.in_token,
        "Whether access tokens name the permissions: True, False (they are read from the user store, once per "
        "process and change), or 'auto', which names them unless a cookie or header could not hold the token.",
    )
    revocation_interval: float = _setting(
        1,
        kinds.seconds,
        "How long, in seconds, it takes at most until another machine's revocation is known. 0 asks on every "
        "request.",
    )
    revocation_max_staleness: float = _setting(
        30,
        kinds.seconds,
        "How long, in seconds, requests go on while nobody can be asked about revocations; then they are answered "
        "503. Longer than the interval.",
    )
    revocation_url: str | None = field(
        default=None,
        repr=False,
        metadata={
            "read": kinds.redis_url,
            "doc": "What carries revocations from machine to machine faster: redis://host:6379; None for the "
            "app's database alone, into which every revocation is written in any case.",
        },
    )
    revocation_epoch_file: str = _setting(
        "auto",
        kinds.epoch_file,
        "The file by which the processes of one machine tell each other at once: a path, 'auto' for one in the "
        "system's folder for temporary files (for none where the app is TESTING), or 'off'.",
    )
    issuers: tuple[Mapping[str, Any], ...] = _setting(
        (),
        kinds.mappings,
        "Others whose access tokens are taken, such as Entra ID, Auth0 or Keycloak: a list of dicts, as "
        "docs/issuers.md tells. Needs the extra issuers.",
    )
    issuer_users: str | None = _setting(
        None,
        kinds.optional_one_of(("find", "create")),
        "What current_user is for their tokens: None, the user linked to the issuer's subject ('find'), or such a "
        "user, made when there is none ('create').",
    )
    jwks_stale: float = _setting(
        24 * 3600,
        kinds.seconds,
        "For how many seconds an issuer's keys are used beyond their lifetime while it cannot be reached.",
    )
    jwks_cooldown: int = _setting(
        30,
        kinds.lifetime,
        "Seconds after a fetch of an issuer's keys before an unknown key, or a failure, brings another one.",
    )
    accept_flask_jwt_extended: bool | float | None = _setting(
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
    provider_targets: tuple[str, ...] = _setting(
        (),
        kinds.audience,
        "Addresses outside of the app to which such a login may take its one-time code: a list of exact ones.",
    )
    ratelimit_provider: str = _setting(
        "100 per 15 minutes",
        kinds.limit,
        "Logins by a provider that one address may begin, and as many that may fail.",
    )
    default_deny: bool = _setting(
        False, kinds.boolean, "Close every view that is neither guarded nor marked @public."
    )
    permissions_claim: str = _setting(
        "permissions", kinds.text, "The claim that holds the permissions; dots lead into nested objects."
    )

    def __post_init__(self) -> None:
        refuse_contradictions(self)

    @property
    def cookie_names(self) -> tuple[str, ...]:
        """The names of all cookies that are set."""
        return (
            self.access_cookie_name,
            self.refresh_cookie_name,
            self.access_csrf_cookie_name,
            self.refresh_csrf_cookie_name,
        )

    @property
    def cookies(self) -> bool:
        """Whether tokens are taken from cookies."""
        return "cookies" in self.token_locations

    @property
    def headers(self) -> bool:
        """Whether tokens are taken from the header."""
        return "headers" in self.token_locations


def _known() -> dict[str, Any]:
    return {PREFIX + one.name.upper(): one for one in fields(Settings)}


def load_settings(config: Mapping[str, object]) -> Settings:
    """Read all ``PERMJWT_*`` keys of an app's configuration.

    Raises:
        ConfigurationError: a key is unknown, a value is of the wrong type, or two values contradict.
    """
    known = _known()
    for key in config:
        if key == "PERMJWT":
            raise ConfigurationError(
                "PERMJWT is no setting: in the environment, write FLASK_PERMJWT_NAME with one underscore each"
            )
        if key.startswith(PREFIX) and key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0)
            raise ConfigurationError(f"{key} is no setting of flask_permjwt; did you mean {nearest[0]}?")
    values = {}
    for key, one in known.items():
        value = config.get(key, one.default)
        try:
            values[one.name] = one.metadata["read"](value)
        except kinds.WrongValueError as wrong:
            # Without the value: it may be a secret that was put under the wrong key.
            raise ConfigurationError(f"{key} must be {wrong}; a {type(value).__name__} was given") from None
    settings = Settings(**values)
    _refuse_clash(settings, str(config.get("SESSION_COOKIE_NAME", "session")))
    return settings


def _refuse_clash(settings: Settings, session_cookie: str) -> None:
    if settings.cookies and session_cookie in settings.cookie_names:
        raise ConfigurationError(
            f"the cookie {session_cookie!r} is the app's own (SESSION_COOKIE_NAME): give ours another name"
        )
