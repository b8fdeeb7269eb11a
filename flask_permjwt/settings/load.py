"""All settings in one frozen value, read from an app's configuration."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.settings import kinds
from flask_permjwt.settings.accounts import AccountSettings
from flask_permjwt.settings.contradictions import refuse_contradictions
from flask_permjwt.settings.documents import DocumentSettings
from flask_permjwt.settings.enforcement import EnforcementSettings
from flask_permjwt.settings.oauth import OAuthSettings
from flask_permjwt.settings.outside import OutsideSettings
from flask_permjwt.settings.signing import SigningSettings
from flask_permjwt.settings.transport import TransportSettings

PREFIX: Final = "PERMJWT_"


# The groups stand in the order of the reference from the last to the first: so do dataclasses take them.
@dataclass(frozen=True, kw_only=True)
class Settings(
    DocumentSettings,
    OAuthSettings,
    OutsideSettings,
    EnforcementSettings,
    AccountSettings,
    TransportSettings,
    SigningSettings,
):
    """Every setting, checked: ``access_token_expires`` is ``PERMJWT_ACCESS_TOKEN_EXPIRES``, and so on."""

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
    def keys_reread(self) -> float:
        """Seconds after which a process reads PERMJWT_KEYS_DIR again.

        It looks when revocations are asked for, so their interval comes on top: both together take no longer than
        PERMJWT_KEYS_REFRESH where that is twice the interval or more. Never 0: each forged token would read.
        """
        return max(self.keys_refresh - self.revocation_interval, self.keys_refresh / 2)

    @property
    def cookies(self) -> bool:
        """Whether tokens are taken from cookies."""
        return "cookies" in self.token_locations

    @property
    def takes_personal_tokens(self) -> bool:
        """Whether users make personal access tokens."""
        return self.headers if self.personal_tokens is None else self.personal_tokens

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
