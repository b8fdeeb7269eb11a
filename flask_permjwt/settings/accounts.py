"""Users: what they may do for themselves, how often, and what is written down."""

from dataclasses import dataclass, field

from flask_permjwt.settings import kinds
from flask_permjwt.settings.field import setting


@dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """Users: what they may do for themselves, how often, and what is written down."""

    registration: bool = setting(
        False, kinds.boolean, "Let people register at POST /register of the auth blueprint."
    )
    require_verified: bool = setting(
        False, kinds.boolean, "Let users log in only when their e-mail address is verified. Needs a mailer."
    )
    password_reset: bool | None = setting(
        None,
        kinds.optional_boolean,
        "Let people reset a forgotten password by mail. None: where there is a mailer.",
    )
    password_min_length: int = setting(
        12,
        kinds.length,
        "Characters that a new password must have at least (NIST SP 800-63B-4 section 3.1.1.2), 8 to 64.",
    )
    reset_token_expires: int = setting(
        30 * 60, kinds.lifetime, "Lifetime of the code for a new password, in seconds or as a timedelta."
    )
    verify_token_expires: int = setting(
        24 * 3600, kinds.lifetime, "Lifetime of the code that verifies an address, in seconds or as a timedelta."
    )
    reset_url: str | None = setting(
        None,
        kinds.url,
        "The page for a new password, with {token} in it; without it, the mail shows the code alone.",
    )
    verify_url: str | None = setting(
        None,
        kinds.url,
        "The page that verifies an address, with {token} in it; without it, the mail shows the code alone.",
    )
    ratelimit_enabled: bool = setting(
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
    ratelimit_storage_failure: str = setting(
        "memory",
        kinds.one_of(("memory", "refuse", "allow")),
        "What happens while that store is down: 'memory' counts in each worker, 'refuse' answers 503, 'allow' "
        "counts nothing.",
    )
    ratelimit_login: str = setting(
        "10 per 15 minutes",
        kinds.limit,
        "Wrong passwords for one user, from all unknown addresses together and from each address that logged in "
        "as this user before apart.",
    )
    ratelimit_login_address: str = setting(
        "100 per 15 minutes",
        kinds.limit,
        "Wrong passwords from one address (of IPv6, one /64), whatever the user.",
    )
    ratelimit_register: str = setting("20 per hour", kinds.limit, "Registrations from one address.")
    ratelimit_mail: str = setting(
        "5 per hour",
        kinds.limit,
        "Mails that one address may ask for, and that one mailbox may be sent by request.",
    )
    personal_tokens: bool | None = setting(
        None,
        kinds.optional_boolean,
        "Let users make personal access tokens at POST /tokens of the auth blueprint. None: where tokens are "
        "taken in headers.",
    )
    personal_token_expires: int = setting(
        365 * 24 * 3600,
        kinds.lifetime,
        "Longest lifetime of a personal access token, in seconds or as a timedelta.",
    )
    personal_tokens_per_user: int = setting(
        50, kinds.count, "How many personal access tokens one user may have at a time."
    )
    audit: bool = setting(True, kinds.boolean, "Write what happens to accounts into the audit table.")
    audit_expires: int = setting(
        90 * 24 * 3600, kinds.lifetime, "How long rows of the audit table are kept, in seconds or as a timedelta."
    )
