"""The checks of settings, routes and processes: from facts to findings, and nothing else."""

from collections.abc import Callable, Iterator
from typing import Final

from flask_permjwt.cli.doctor.database_checks import DATABASE_CHECKS
from flask_permjwt.cli.doctor.facts import Facts
from flask_permjwt.cli.doctor.finding import Finding, Level

Check = Callable[[Facts], Iterator[Finding]]

_NAMED: Final = 5


def secret_per_process(facts: Facts) -> Iterator[Finding]:
    """A secret that each process makes for itself."""
    if facts.secrets is None:
        yield Finding(
            "secret-per-process",
            Level.UNKNOWN,
            "Whether every process has the same secret could not be told: the app could not be loaded a second "
            "time.",
            "Run it as `flask --app ... permjwt doctor`.",
        )
    elif len(set(facts.secrets)) > 1:
        yield Finding(
            "secret-per-process",
            Level.ERROR,
            "The secret is another one in each process: tokens of one worker are refused by the next, and a "
            "restart logs everybody out.",
            'Make one with `python -c "import secrets; print(secrets.token_urlsafe(64))"`, keep it where secrets '
            "are kept, and set SECRET_KEY or PERMJWT_SECRET_KEY from there.",
        )


def cookie_not_secure(facts: Facts) -> Iterator[Finding]:
    """Cookies that are sent over plain http."""
    if facts.settings.cookies and not facts.settings.cookie_secure:
        yield Finding(
            "cookie-not-secure",
            Level.WARNING if facts.development else Level.ERROR,
            "PERMJWT_COOKIE_SECURE is off: browsers send the tokens over plain http too.",
            "Take the setting out; serve over https, also behind your proxy.",
        )


def cookie_outlives_token(facts: Facts) -> Iterator[Finding]:
    """A cookie that browsers keep for longer than the token in it is good."""
    for one in facts.cookies:
        if one.kept > one.lasts:
            yield Finding(
                "cookie-outlives-token",
                Level.WARNING,
                f"The cookie {one.name} is kept for {one.kept} s, and the token in it lasts {one.lasts} s: for "
                "the rest, requests bring a token that is refused.",
                "Let PermJWT set its cookies alone: take out what sets a cookie of this name, or its Max-Age.",
            )


def csrf_off(facts: Facts) -> Iterator[Finding]:
    """Tokens in cookies, with nothing against other sites."""
    if facts.settings.cookies and not facts.settings.csrf_protect:
        yield Finding(
            "csrf-off",
            Level.ERROR,
            "PERMJWT_CSRF_PROTECT is off, and tokens are taken from cookies: other sites can let a user's browser "
            "act here.",
            "Take the setting out; or take 'cookies' out of PERMJWT_TOKEN_LOCATIONS.",
        )


def throttle_in_memory(facts: Facts) -> Iterator[Finding]:
    """Attempts that each worker counts by itself, or that nobody counts."""
    settings = facts.settings
    # Without the blueprint, a view of the app's own may ask check_password, or nobody.
    level = Level.WARNING if facts.takes_passwords else Level.UNKNOWN
    if not settings.ratelimit_enabled:
        yield Finding(
            "throttle-off",
            level,
            "PERMJWT_RATELIMIT_ENABLED is off: passwords can be tried without end.",
            "Take the setting out, unless something in front of the app counts attempts by user.",
        )
    elif settings.ratelimit_storage_uri.startswith("memory:"):
        problem = "PERMJWT_RATELIMIT_STORAGE_URI is memory://: each worker counts attempts by itself"
        remedy = "Set it to redis://..., and install flask-permjwt[redis]."
        if facts.workers is None:
            yield Finding(
                "throttle-in-memory",
                Level.UNKNOWN,
                f"{problem}, and it is not known how many there are.",
                f"Say how many with --workers. With more than one: {remedy[0].lower()}{remedy[1:]}",
            )
        elif facts.workers > 1:
            yield Finding(
                "throttle-in-memory",
                level,
                f"{problem}, so that {facts.workers} workers take {facts.workers} times as many.",
                remedy,
            )


def cors_wildcard(facts: Facts) -> Iterator[Finding]:
    """Answers with credentials for scripts of any site."""
    if facts.cors:
        yield Finding(
            "cors-wildcard",
            Level.ERROR,
            f"Any site may read answers that are given to a user's cookies: {_names(facts.cors)}.",
            "Name the origins of your own pages (Flask-CORS: CORS_ORIGINS), or turn credentials off "
            "(CORS_SUPPORTS_CREDENTIALS).",
        )


def undeclared_views(facts: Facts) -> Iterator[Finding]:
    """Views that are open because nobody said anything."""
    if facts.undeclared and not facts.settings.default_deny:
        yield Finding(
            "undeclared-views",
            Level.ERROR,
            f"Nobody said who may use these, so everybody may: {_names(facts.undeclared)}.",
            "Guard them or mark them @public(reason=...); `flask permjwt routes` lists all. PERMJWT_DEFAULT_DENY "
            "= True closes what is forgotten.",
        )


def epoch_file(facts: Facts) -> Iterator[Finding]:
    """The file by which the processes of one machine tell each other of revocations."""
    if facts.epoch_path is None:
        return
    remedy = (
        "Set PERMJWT_REVOCATION_EPOCH_FILE to a path on a local disk that this user alone can write, or to 'off'."
    )
    if facts.epoch_mount is not None:
        yield Finding(
            "epoch-file-on-network",
            Level.WARNING,
            f"{facts.epoch_path} lies on {facts.epoch_mount}: memory that is mapped from there is not shared "
            "between machines, and its locks may hang.",
            remedy,
        )
    elif not facts.epoch_usable:
        yield Finding(
            "epoch-file-unusable",
            Level.WARNING,
            f"{facts.epoch_path} cannot be used: processes learn of each other's revocations within "
            "PERMJWT_REVOCATION_INTERVAL only.",
            remedy,
        )


def former_tokens(facts: Facts) -> Iterator[Finding]:
    """Tokens of Flask-JWT-Extended that are taken without an end, or although none is left."""
    given = facts.settings.accept_flask_jwt_extended
    if given is True:
        yield Finding(
            "former-tokens-without-end",
            Level.WARNING,
            "PERMJWT_ACCEPT_FLASK_JWT_EXTENDED is True: whoever has the former key can make such tokens for ever, "
            "and somebody new of an old name is taken for the old one.",
            "Set it to the moment of the change, such as 2026-11-30T12:00:00Z.",
        )
    elif given is not None and given + facts.settings.refresh_token_expires < facts.now:
        yield Finding(
            "former-tokens-over",
            Level.WARNING,
            "No token of Flask-JWT-Extended is left that would be taken.",
            "Take out PERMJWT_ACCEPT_FLASK_JWT_EXTENDED, PERMJWT_FLASK_JWT_EXTENDED_... and the JWT_... settings.",
        )


def _names(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


CHECKS: Final[tuple[Check, ...]] = (
    secret_per_process,
    cookie_not_secure,
    cookie_outlives_token,
    csrf_off,
    throttle_in_memory,
    cors_wildcard,
    undeclared_views,
    epoch_file,
    former_tokens,
    *DATABASE_CHECKS,
)


def examine(facts: Facts) -> list[Finding]:
    """Ask every check; return what they say, the worst first."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(found, key=lambda finding: list(Level).index(finding.level))
