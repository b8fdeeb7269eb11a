"""The keys of an app, from its settings: one that signs, or a directory of them, and what is derived beside."""

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from flask import Flask

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.settings import Settings
from flask_permjwt.settings.contradictions import refuse_two_places
from flask_permjwt.tokens.algorithms import algorithm
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.key_source import FixedKeys, KeySource, Reader, WatchedKeys
from flask_permjwt.tokens.keys import Key, KeyRing, derive_secret, hmac_key
from flask_permjwt.tokens.lifecycle import ManagedKey

if TYPE_CHECKING:
    from flask_permjwt.tokens.key_files import KeyDirectory

_MAKE_ONE: Final = 'make one with: python -c "import secrets; print(secrets.token_urlsafe(64))"'

_COMMANDS: Final = frozenset({"permjwt", "db", "shell", "routes"})
"""Commands, of ours, of Flask-Migrate and of Flask, that serve nobody: they do without a key that signs.

A command of any other name may be a server.
"""
_WITH_VALUE: Final = frozenset({"-A", "--app", "-e", "--env-file"})
"""Options of ``flask`` after which comes something that is no command."""

_log = logging.getLogger("flask_permjwt")


@dataclass(frozen=True, slots=True)
class AppKeys:
    """What an app signs with.

    Attributes:
        source: gives the keys of the moment.
        root: what else is to be kept apart or bound is derived from it: it stays when keys rotate.
        directory: where the keys are kept; None where they are settings.
    """

    source: KeySource
    root: bytes = field(repr=False)
    directory: "KeyDirectory | None" = None


def app_keys(
    app: Flask, settings: Settings, *, clock: Clock, monotonic: Clock, lost: Callable[[], None]
) -> AppKeys:
    """Return the keys of an app.

    Args:
        app: the app.
        settings: its settings.
        clock: returns the time in seconds since 1970-01-01 UTC.
        monotonic: returns seconds, by a clock that only goes forward.
        lost: called after a key is gone.

    Raises:
        ConfigurationError: there is none, or one is too short, weak or of the wrong kind.
    """
    others = [one for given in settings.verification_keys for one in _verification_keys(app, settings, given)]
    if settings.keys_dir is None:
        signing = _signing_key(app, settings)
        derived_from = _root(app, settings) or signing.secret or signing.pair.encode()
        return AppKeys(FixedKeys(KeyRing(signing, others)), derived_from)
    root = _root(app, settings)
    if root is None:
        raise ConfigurationError(
            f"set SECRET_KEY (or PERMJWT_SECRET_KEY): it signs no token, but CSRF values are made from it; "
            f"{_MAKE_ONE}"
        )
    from flask_permjwt.tokens.key_files import KeyDirectory  # noqa: PLC0415  # needs locks that Windows has not

    directory = KeyDirectory(Path(settings.keys_dir), allow_weak=app.testing)
    is_command = _is_command()
    if not is_command:
        refuse_two_places(settings)
    source = WatchedKeys(
        # Commands that are about keys read them again, and say what is wrong.
        _leniently(directory) if is_command else directory.read,
        also=others,
        refresh=settings.keys_reread,
        lasts=tokens_last(settings),
        clock=clock,
        monotonic=monotonic,
    )
    source.lost = lost
    if source.ring.signing is None and not is_command:
        raise ConfigurationError(
            f"PERMJWT_KEYS_DIR {settings.keys_dir} has no key that signs: make one with flask permjwt keys "
            "generate"
        )
    return AppKeys(source, root, directory)


def _leniently(directory: "KeyDirectory") -> Reader:
    def read(report: Callable[[ConfigurationError], None] | None) -> Sequence[ManagedKey]:
        try:
            return directory.read(report or (lambda _: None))
        except ConfigurationError:
            return ()

    return read


def tokens_last(settings: Settings) -> float:
    """Return for how many seconds after a key ceased to sign there may be a token that it signed.

    Processes learn of a new key within the refresh time, and their clocks may differ by the leeway.
    """
    longest = max(settings.access_token_expires, settings.refresh_token_expires)
    return longest + 2 * settings.leeway + settings.keys_refresh


def settings_key(app: Flask, settings: Settings) -> Key:
    """Return the key that signs where there is no directory: where no pair is set, that of the secret.

    Raises:
        ConfigurationError: there is none, or it is too short, weak or of the wrong kind.
    """
    if settings.private_key is None and settings.key_file is None:
        return _secret_key(app, settings)
    return _signing_key(app, replace(settings, keys_dir=None))


def _signing_key(app: Flask, settings: Settings) -> Key:
    if settings.private_key is not None:
        return _pair(settings, "PERMJWT_PRIVATE_KEY", settings.private_key)
    if settings.key_file is not None:
        return _key_in_file(app, settings, settings.key_file)
    if not algorithm(settings.algorithm).secret_size:
        raise ConfigurationError(
            f"PERMJWT_ALGORITHM {settings.algorithm} needs a key pair: set PERMJWT_PRIVATE_KEY, PERMJWT_KEY_FILE "
            "or PERMJWT_KEYS_DIR, where flask permjwt keys generate makes one"
        )
    return _secret_key(app, settings)


def _secret_key(app: Flask, settings: Settings) -> Key:
    """Return the setting's own secret, or one derived from the app's SECRET_KEY."""
    name = settings.algorithm if algorithm(settings.algorithm).secret_size else "HS256"
    if settings.secret_key is not None:
        if settings.secret_key == _as_bytes(app.secret_key):
            _log.warning("PERMJWT_SECRET_KEY equals SECRET_KEY: leave it out, and a key is derived")
        return _key(app, "PERMJWT_SECRET_KEY", settings.secret_key, name)
    if not app.secret_key:
        raise ConfigurationError(f"set PERMJWT_SECRET_KEY (or the app's SECRET_KEY); {_MAKE_ONE}")
    master = _key(app, "SECRET_KEY", _as_bytes(app.secret_key), "HS256")
    size = algorithm(name).secret_size
    return hmac_key(derive_secret(master.secret, b"flask_permjwt tokens " + name.encode(), size), name)


def _root(app: Flask, settings: Settings) -> bytes | None:
    """Return what CSRF values and names on servers are derived from; None where there is no secret at all."""
    if settings.secret_key is None and not app.secret_key:
        return None
    return _secret_key(app, settings).secret


def _pair(settings: Settings, setting: str, given: object) -> Key:
    from flask_permjwt.tokens.pairs import read_key  # noqa: PLC0415  # only where there are key pairs

    try:
        key = read_key(given, default=settings.algorithm)
    except ConfigurationError as fault:
        raise ConfigurationError(f"{setting}: {fault}") from None
    if not key.signs:
        raise ConfigurationError(f"{setting} is a public key, which signs nothing: give the private one")
    if key.algorithm != settings.algorithm:
        raise ConfigurationError(
            f"{setting} is a key for {key.algorithm}, and PERMJWT_ALGORITHM is {settings.algorithm}: make them "
            "the same"
        )
    return key


def _key_in_file(app: Flask, settings: Settings, path: str) -> Key:
    from flask_permjwt.tokens.key_files import read_private_file  # noqa: PLC0415  # as above
    from flask_permjwt.tokens.pairs import is_pair  # noqa: PLC0415

    try:
        there = Path(path).exists()
    except (OSError, ValueError):  # longer than any name of a file, or with a NUL in it
        there = False
    found = read_private_file(Path(path)) if there else None
    if found is None:
        # What was given is not repeated: it may be a key, and no name at all.
        raise ConfigurationError(
            "PERMJWT_KEY_FILE: there is no such file; a key itself is given as PERMJWT_PRIVATE_KEY, and a secret "
            "as PERMJWT_SECRET_KEY"
        )
    data = found[0]
    if is_pair(data):
        return _pair(settings, "PERMJWT_KEY_FILE", data)
    # Editors end the last line.
    return _key(app, "PERMJWT_KEY_FILE", data.rstrip(b"\r\n"), settings.algorithm)


def _verification_keys(app: Flask, settings: Settings, given: object) -> tuple[Key, ...]:
    from flask_permjwt.tokens.jwk import public_half  # noqa: PLC0415  # as above
    from flask_permjwt.tokens.pairs import read_keys  # noqa: PLC0415

    try:
        keys = read_keys(given, default=settings.algorithm, allow_weak=app.testing)
    except ConfigurationError as fault:
        raise ConfigurationError(f"PERMJWT_VERIFICATION_KEYS: {fault}") from None
    return tuple(map(public_half, keys))


def _is_command() -> bool:
    """Tell whether this is a command that serves nobody, and asks for no one who serves."""
    context = click.get_current_context(silent=True)
    if context is None:
        return False
    command = below = None
    while context.parent is not None:
        command, below = context.info_name, command
        context = context.parent
    if (command, below) == ("permjwt", "doctor"):
        return False  # it looks for what would stop a server
    # Flask loads the app before it knows the command, by which the group of ours comes.
    return (_first_word(sys.argv[1:]) if command is None else command) in _COMMANDS


def _first_word(arguments: Sequence[str]) -> str | None:
    """Return the first argument that is neither an option nor the value of one: an app may be called as we are."""
    left = iter(arguments)
    for one in left:
        if one in _WITH_VALUE:
            next(left, None)
        elif not one.startswith("-"):
            return one
    return None


def _key(app: Flask, setting: str, secret: bytes, name: str) -> Key:
    try:
        return hmac_key(secret, name, allow_weak=app.testing)
    except ConfigurationError as fault:
        raise ConfigurationError(f"{setting}: {fault}") from None


def _as_bytes(secret: str | bytes | None) -> bytes:
    if secret is None:
        return b""
    if not isinstance(secret, str | bytes):
        raise ConfigurationError("SECRET_KEY must be a string or bytes (in the environment, quote digits)")
    return secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
