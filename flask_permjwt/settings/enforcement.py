"""What views need, what is remembered of tokens, and how soon a change is known."""

from dataclasses import dataclass, field

from flask_permjwt.settings import kinds
from flask_permjwt.settings.field import setting


@dataclass(frozen=True, kw_only=True)
class EnforcementSettings:
    """What views need, what is remembered of tokens, and how soon a change is known."""

    default_deny: bool = setting(
        False, kinds.boolean, "Close every view that is neither guarded nor marked @public."
    )
    token_cache_size: int = setting(
        4096,
        kinds.count,
        "How many verified access tokens each process remembers, so that their next request costs a look-up; 0 "
        "for none. A header of more than 8 KiB is remembered only where its token fills it. Time and permissions "
        "are judged on every request all the same.",
    )
    permissions_in_token: bool | str = setting(
        "auto",
        kinds.in_token,
        "Whether access tokens name the permissions: True, False (they are read from the user store, once per "
        "process and change), or 'auto', which names them unless a cookie or header could not hold the token.",
    )
    revocation_interval: float = setting(
        1,
        kinds.seconds,
        "How long, in seconds, it takes at most until another machine's revocation is known. 0 asks on every "
        "request.",
    )
    revocation_max_staleness: float = setting(
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
    revocation_epoch_file: str = setting(
        "auto",
        kinds.epoch_file,
        "The file by which the processes of one machine tell each other at once: a path, 'auto' for one in the "
        "system's folder for temporary files (for none where the app is TESTING), or 'off'.",
    )
