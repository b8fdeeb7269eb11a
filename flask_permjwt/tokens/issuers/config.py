"""The settings of an issuer: read once, and refused at start-up with the remedy."""

import difflib
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flask_permjwt.errors import ConfigurationError, PermissionSyntaxError
from flask_permjwt.policy.permissions import parse_grant
from flask_permjwt.settings.signing import SYNONYMS
from flask_permjwt.tokens.algorithms import ONE_AND_THE_SAME
from flask_permjwt.tokens.issuers import addresses
from flask_permjwt.tokens.issuers.algorithms import FAMILIES, SAFE
from flask_permjwt.tokens.issuers.mapping import Path as ClaimPath
from flask_permjwt.tokens.issuers.presets import PRESETS

KNOWN: Final = (
    "preset",
    "issuer",
    "audience",
    "audience_claim",
    "permissions",
    "map",
    "client",
    "jwks",
    "algorithms",
    "claims",
    "id_tokens",
)
MAX_NAME: Final = 180
"""Characters of an issuer's name: with the digest of a subject, it must fit into a column of 255."""
# Who has logged out (OpenID Connect Back-Channel Logout section 2.4): neither an access token nor an ID token.
_OF_LOGOUT_TOKENS: Final = frozenset({"events"})
# What ties an ID token to a login and to what was issued along with it (OpenID Connect Core sections 2, 3.3.2.11).
_OF_OTHERS: Final = _OF_LOGOUT_TOKENS | {"nonce", "at_hash", "c_hash", "s_hash"}
_CLIENT: Final = "<client>"
_MAX_PATH: Final = 8

_log = logging.getLogger("flask_permjwt.issuers")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Issuer:
    """Whose tokens are taken, and what their words mean here.

    Attributes:
        name: ``iss`` (RFC 7519 section 4.1.1), compared exactly.
        audience: one of these must be named by the token.
        audience_claims: where; the first of them that the token has counts.
        permissions: where permissions stand; none when a local user's own count.
        translate: what gives the grants that a value stands for; None when each stands for itself.
        jwks: the keys themselves, the address of a JWK Set, or a file; None for OpenID Connect Discovery.
        algorithms: of signatures, in order of preference.
        claims: what a token must say besides, exactly.
        refused: claims that no access token has: one that does is an ID token or a logout token.
        needs: one of these must be there; empty for none.
    """

    name: str
    audience: frozenset[str]
    audience_claims: tuple[str, ...]
    permissions: tuple[ClaimPath, ...]
    translate: Callable[[str], object] | None
    jwks: Mapping[str, Any] | str | Path | None = field(repr=False)
    algorithms: tuple[str, ...]
    claims: Mapping[str, str]
    refused: frozenset[str]
    needs: tuple[str, ...]


def read_issuers(given: Iterable[Mapping[str, Any]], *, ours: str | None = None) -> tuple[Issuer, ...]:
    """Read PERMJWT_ISSUERS.

    Args:
        given: the setting.
        ours: ``PERMJWT_ISSUER``, which cannot be somebody else's too.

    Raises:
        ConfigurationError: something about it cannot be meant; the message names the remedy.
    """
    issuers = tuple(_read(f"PERMJWT_ISSUERS[{number}]", one) for number, one in enumerate(given))
    names = [one.name for one in issuers]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"PERMJWT_ISSUERS names {name!r} twice: one entry holds all its audiences")
        if name == ours:
            raise ConfigurationError(
                f"PERMJWT_ISSUERS names {name!r}, which is PERMJWT_ISSUER: our own tokens need no entry"
            )
    return issuers


def _read(where: str, given: Mapping[str, Any]) -> Issuer:
    for key in given:
        if key not in KNOWN:
            nearest = difflib.get_close_matches(str(key), KNOWN, n=1, cutoff=0)
            raise ConfigurationError(f"{where} has {key!r}, which is no setting; did you mean {nearest[0]!r}?")
    preset = given.get("preset")
    if preset is not None and (not isinstance(preset, str) or preset not in PRESETS):
        raise ConfigurationError(f"{where}: 'preset' must be one of {', '.join(map(repr, PRESETS))}")
    merged = {**(PRESETS[preset] if preset is not None else {}), **given}
    name = _name(where, merged)
    where = f"{where} ({name})"
    doubt = _doubt(name, preset)
    if doubt is not None:
        _log.warning("%s: %s; no token may ever match it", where, doubt)
    if "permissions" not in merged:
        raise ConfigurationError(
            f"{where}: 'permissions' is missing: name the claim that holds them, such as 'scp', or () when the "
            "permissions of users of this app count (PERMJWT_ISSUER_USERS)"
        )
    id_tokens = _boolean(where, merged, "id_tokens")
    audience = _texts(where, merged, "audience", "the name of this API at the issuer, such as 'api://reports'")
    return Issuer(
        name=name,
        audience=frozenset(audience),
        audience_claims=_texts(where, {"audience_claim": "aud", **merged}, "audience_claim", "a claim or several"),
        permissions=_paths(where, merged, audience),
        translate=_translation(where, merged.get("map")),
        jwks=_jwks(where, merged.get("jwks"), name),
        algorithms=_algorithms(where, merged),
        claims=_claims(where, merged.get("claims", {}), PRESETS[preset].get("claims", {}) if preset else {}),
        refused=_OF_LOGOUT_TOKENS if id_tokens else _OF_OTHERS - frozenset(merged.get("may_have", ())),
        needs=() if id_tokens else merged.get("needs", ()),
    )


def _name(where: str, merged: Mapping[str, Any]) -> str:
    name = merged.get("issuer")
    if not isinstance(name, str) or not name:
        raise ConfigurationError(f"{where}: 'issuer' is missing: write it exactly as in the tokens' iss")
    if len(name) > MAX_NAME or "|" in name or not name.isprintable() or any(map(str.isspace, name)):
        raise ConfigurationError(f"{where}: 'issuer' must be at most {MAX_NAME} characters, without spaces and |")
    if "{" in name or (merged.get("preset") == "entra" and _is_shared_by_tenants(name)):
        raise ConfigurationError(
            f"{where}: {name!r} stands for many tenants, and each has an issuer of its own: name the tenant "
            "instead, one entry for each"
        )
    if merged.get("jwks") is None:
        fault = addresses.fault(name, loopback=True)
        if fault is None and "?" in name:
            fault = "has a query"
        if fault is not None:
            raise ConfigurationError(
                f"{where}: the issuer {name!r} {fault}: it must be an https address, from which discovery starts "
                "(http for this machine only), or 'jwks' must say where its keys are"
            )
    return name


def _doubt(name: str, preset: str | None) -> str | None:
    """Say what is odd about an issuer's name, which is compared to the letter: it may be meant so all the same."""
    host = addresses.host(name)
    if "/.well-known/" in name:
        return "this is the address of a discovery document, and the issuer is what stands before /.well-known/"
    if (preset == "auth0" or host.endswith(".auth0.com")) and not name.endswith("/"):
        return "issuers of Auth0 end with a slash"
    if host == "login.microsoftonline.com" and not name.endswith("/v2.0"):
        return "issuers of Entra there end with /v2.0"
    return None


def _is_shared_by_tenants(name: str) -> bool:
    return any(f"/{one}/" in f"{name}/" for one in ("common", "organizations", "consumers"))


def _texts(where: str, merged: Mapping[str, Any], key: str, what: str) -> tuple[str, ...]:
    value = merged.get(key)
    given = [value] if isinstance(value, str) else value
    if (
        not isinstance(given, list | tuple | set | frozenset)
        or not given
        or not all(isinstance(one, str) and one for one in given)
    ):
        raise ConfigurationError(f"{where}: {key!r} must be {what} (a string, or a list of strings)")
    return tuple(given)


def _paths(where: str, merged: Mapping[str, Any], audience: tuple[str, ...]) -> tuple[ClaimPath, ...]:
    value = merged["permissions"]
    if not value and isinstance(value, list | tuple):
        return ()
    texts = _texts(where, merged, "permissions", "a claim, a dotted path such as 'realm_access.roles', or several")
    clients = (
        audience if merged.get("client") is None else _texts(where, merged, "client", "a client id or several")
    )
    paths = []
    for text in texts:
        parts = tuple(text.split("."))
        if not all(parts) or len(parts) > _MAX_PATH:
            raise ConfigurationError(
                f"{where}: the path {text!r} in 'permissions' has an empty part, or more than {_MAX_PATH}"
            )
        named = clients if _CLIENT in parts else ("",)
        paths += [tuple(client if part == _CLIENT else part for part in parts) for client in named]
    if merged.get("client") is not None and not any(_CLIENT in text for text in texts):
        raise ConfigurationError(f"{where}: 'client' is for paths with {_CLIENT} in 'permissions'; leave it out")
    return tuple(paths)


def _translation(where: str, given: object) -> Callable[[str], object] | None:
    if given is None or (callable(given) and not isinstance(given, Mapping)):
        return given
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"{where}: 'map' must be a dict from their values to our permissions, or a callable"
        )
    translated: dict[str, tuple[str, ...]] = {}
    for value, grants in given.items():
        several = grants if isinstance(grants, list | tuple | set | frozenset) else [grants]
        try:
            translated[value] = tuple(parse_grant(one) for one in several)
        except PermissionSyntaxError as fault:
            raise ConfigurationError(
                f"{where}: 'map' gives {value!r} something that is no grant: {fault}"
            ) from None
    return translated.get


def _jwks(where: str, given: object, name: str) -> Mapping[str, Any] | str | Path | None:
    if given is None or isinstance(given, Mapping):
        return given
    if isinstance(given, str) and "://" in given:
        fault = addresses.fault(given, loopback=True)
        if fault is not None:
            raise ConfigurationError(
                f"{where}: the address in 'jwks' {fault}: it must be https (http for this machine)"
            )
        return given
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        try:
            there = path.is_file()
        except OSError:  # longer than any name of a file
            there = False
        if not there:
            # What was given is not repeated: it may be a key, and no name at all.
            raise ConfigurationError(
                f"{where}: 'jwks' is neither an address nor a file that is there; a JWK Set itself is given as a "
                "dict, and not as text"
            )
        # Servers may go to another directory later, and the file is read again and again.
        return path.absolute()
    raise ConfigurationError(
        f"{where}: 'jwks' must be a JWK Set as a dict, its address or a file; leave it out to have it found from "
        f"{name!r}"
    )


def _algorithms(where: str, merged: Mapping[str, Any]) -> tuple[str, ...]:
    if merged.get("algorithms") is None:
        return SAFE
    names: list[str] = []
    for given in _texts(where, merged, "algorithms", f"some of {', '.join(SAFE)}"):
        name = SYNONYMS.get(given, given)
        # Two names of one algorithm (RFC 9864 section 2.2): issuers change from one to the other.
        names += ONE_AND_THE_SAME if name in ONE_AND_THE_SAME else [name]
        if name not in FAMILIES:
            raise ConfigurationError(
                f"{where}: {name!r} in 'algorithms' cannot be taken from others: use some of {', '.join(SAFE)}"
            )
    return tuple(dict.fromkeys(names))


def _claims(where: str, given: object, demanded: Mapping[str, str]) -> Mapping[str, str]:
    if not isinstance(given, Mapping) or not all(
        isinstance(one, str) and one for pair in given.items() for one in pair
    ):
        raise ConfigurationError(f"{where}: 'claims' must be a dict from claims to the text that each must be")
    return {**demanded, **given}


def _boolean(where: str, merged: Mapping[str, Any], key: str) -> bool:
    value = merged.get(key, False)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{where}: {key!r} must be True or False")
    return value
