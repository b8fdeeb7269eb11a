"""Settings that contradict each other are refused at start-up."""

from typing import Any

from flask_permjwt.errors import ConfigurationError


def refuse_contradictions(settings: Any) -> None:
    """Refuse settings that contradict each other.

    Args:
        settings: of the class ``Settings``, which stands above.

    Raises:
        ConfigurationError: some do; the message names them and the remedy.
    """

    def refuse(when: bool, message: str) -> None:  # noqa: FBT001  # reads as "refuse when ..."
        if when:
            raise ConfigurationError(message)

    refuse(
        settings.access_token_expires > settings.refresh_token_expires,
        "PERMJWT_ACCESS_TOKEN_EXPIRES is longer than PERMJWT_REFRESH_TOKEN_EXPIRES, which ends the session: "
        "make it shorter",
    )
    refuse(
        settings.header_name.casefold() in {"cookie", "host", settings.csrf_header_name.casefold()},
        "PERMJWT_HEADER_NAME is the name of a header with another meaning: use Authorization or one of your own",
    )
    refuse(
        settings.revocation_max_staleness <= settings.revocation_interval,
        "PERMJWT_REVOCATION_MAX_STALENESS must be longer than PERMJWT_REVOCATION_INTERVAL: between two questions, "
        "nothing is known",
    )
    refuse(
        settings.keys_dir is not None and settings.keys_lead < 2 * settings.keys_refresh,
        "PERMJWT_KEYS_LEAD must be at least twice PERMJWT_KEYS_REFRESH: every process must know a key before it "
        "signs",
    )
    refuse(
        settings.keys_dir is not None and settings.keys_refresh < settings.revocation_interval,
        "PERMJWT_KEYS_REFRESH must not be shorter than PERMJWT_REVOCATION_INTERVAL: keys are looked at with the "
        "revocations",
    )
    refuse(
        # A directory beside these is refused later: one command moves keys.
        settings.private_key is not None and settings.key_file is not None,
        "PERMJWT_PRIVATE_KEY and PERMJWT_KEY_FILE are two places for the key that signs: set one of them",
    )
    refuse(
        settings.accept_flask_jwt_extended is None and settings.flask_jwt_extended_blocklist is not None,
        "PERMJWT_FLASK_JWT_EXTENDED_BLOCKLIST is about tokens of PERMJWT_ACCEPT_FLASK_JWT_EXTENDED, which is not "
        "set: set it, or leave both out",
    )
    refuse(
        settings.cookie_sliding and not settings.cookies,
        "PERMJWT_COOKIE_SLIDING renews cookies: add 'cookies' to PERMJWT_TOKEN_LOCATIONS, or leave it out",
    )
    refuse(
        settings.personal_tokens and not settings.headers,
        "PERMJWT_PERSONAL_TOKENS takes tokens in the header: add 'headers' to PERMJWT_TOKEN_LOCATIONS",
    )
    refuse(
        bool(settings.issuers) and not settings.headers,
        "PERMJWT_ISSUERS takes tokens in the header: add 'headers' to PERMJWT_TOKEN_LOCATIONS",
    )
    refuse(
        settings.issuer_users is not None and not settings.issuers,
        "PERMJWT_ISSUER_USERS is about tokens of PERMJWT_ISSUERS, and there are none: leave it out",
    )
    refuse(
        bool(settings.provider_targets) and not (settings.providers and settings.headers),
        "PERMJWT_PROVIDER_TARGETS are for codes of PERMJWT_PROVIDERS that become tokens for the header: leave it "
        "out, or add what is missing",
    )
    if not settings.cookies:
        return
    refuse(
        settings.cookie_samesite == "None" and not settings.cookie_secure,
        "PERMJWT_COOKIE_SAMESITE = 'None' needs PERMJWT_COOKIE_SECURE = True: browsers drop such cookies",
    )
    refuse(
        settings.cookie_partitioned and not settings.cookie_secure,
        "PERMJWT_COOKIE_PARTITIONED needs PERMJWT_COOKIE_SECURE = True: browsers drop such cookies otherwise",
    )
    names = settings.cookie_names
    refuse(
        len(set(names)) < len(names),
        "the four cookie names (PERMJWT_ACCESS_COOKIE_NAME, PERMJWT_REFRESH_COOKIE_NAME, "
        "PERMJWT_ACCESS_CSRF_COOKIE_NAME, PERMJWT_REFRESH_CSRF_COOKIE_NAME) must differ from each other",
    )
    refuse(
        any(name.casefold().startswith(("__secure-", "__host-")) for name in names) and not settings.cookie_secure,
        "a cookie name with __Secure- or __Host- needs PERMJWT_COOKIE_SECURE = True",
    )
    refuse(
        any(name.casefold().startswith("__host-") for name in names) and settings.cookie_domain is not None,
        "a cookie name with __Host- needs PERMJWT_COOKIE_DOMAIN = None",
    )
    refuse(
        settings.refresh_cookie_name.casefold().startswith("__host-"),
        "PERMJWT_REFRESH_COOKIE_NAME cannot start with __Host-, which needs Path=/: its Path is the auth "
        "blueprint's; use __Secure-",
    )


def refuse_two_places(settings: Any) -> None:
    """Refuse a directory of keys beside another place for the key that signs.

    Raises:
        ConfigurationError: there are two.
    """
    if settings.keys_dir is not None and (settings.private_key is not None or settings.key_file is not None):
        raise ConfigurationError(
            "PERMJWT_PRIVATE_KEY, PERMJWT_KEY_FILE and PERMJWT_KEYS_DIR are three places for the key that signs: "
            "set one of them (flask permjwt keys generate --adopt moves a key into the directory)"
        )
