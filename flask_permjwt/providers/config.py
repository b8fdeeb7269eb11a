"""The settings of a provider: read once, and refused at start-up with the remedy."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final
from urllib.parse import urlsplit

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.providers.presets import CONSUMERS, PRESETS
from flask_permjwt.tokens.issuers import addresses
from flask_permjwt.tokens.issuers.config import MAX_NAME
from flask_permjwt.tokens.issuers.tenants import TENANT, TENANT_ID, is_shared

KNOWN: Final = (
    "preset",
    "client_id",
    "client_secret",
    "metadata_url",
    "tenant",
    "scopes",
    "issuer",
    "authorize_url",
    "token_url",
    "userinfo_url",
    "emails_url",
    "subject",
    "token_auth",
    "redirect_uri",
    "authorize_params",
    "claims",
    "create",
)
WELL_KNOWN: Final = "/.well-known/openid-configuration"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
_AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post", "none")
_OURS: Final = frozenset(
    {
        "client_id",
        "client_secret",
        "code",
        "code_challenge",
        "code_challenge_method",
        "code_verifier",
        "nonce",
        "redirect_uri",
        "request",
        "request_uri",
        "response_mode",
        "response_type",
        "scope",
        "state",
    }
)
"""Parameters of the request that nobody else may set."""

_ENDPOINTS: Final = ("authorize_url", "token_url", "userinfo_url")
# What would be a login by a password, or by nothing.
_RESERVED: Final = frozenset({"password", "confirm", "change"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Provider:
    """Where people may log in.

    Attributes:
        name: in our addresses, in sessions and in the audit.
        issuer: by which its subjects are known here; with ``{tenantid}`` in it, many are.
        client_id: what this app is called there.
        client_secret: what it proves that by; None for a public client.
        scopes: what is asked for.
        metadata_url: where an OpenID provider describes itself; None for one of OAuth 2 alone.
        authorize_url: where people are sent; None where metadata tells.
        token_url: where a code becomes tokens; likewise.
        userinfo_url: where one of OAuth 2 alone tells who somebody is.
        emails_url: where it tells whose e-mail addresses are verified, as GitHub does.
        subject: the member of that answer that is never somebody else's.
        token_auth: how the secret is sent; None where metadata tells.
        redirect_uri: where people come back to; None for the address of our endpoint, as the request names it.
        authorize_params: what is asked for besides.
        claims: what an ID token or that answer must say besides, exactly.
        create: make a user for whoever is not known yet.
        personal: of many tenants, that of Microsoft's personal accounts is one.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scopes: tuple[str, ...]
    metadata_url: str | None
    authorize_url: str | None
    token_url: str | None
    userinfo_url: str | None
    emails_url: str | None
    subject: str
    token_auth: str | None
    redirect_uri: str | None
    authorize_params: Mapping[str, str]
    claims: Mapping[str, str]
    create: bool
    personal: bool = True

    @property
    def is_microsoft(self) -> bool:
        """Whether many issuers share its keys, and administrators of tenants write the addresses."""
        return is_shared(self.issuer)

    def is_issuer(self, name: str) -> bool:
        """Tell whether identities of this issuer are this provider's."""
        if TENANT not in self.issuer:
            return name == self.issuer
        start, _, end = self.issuer.partition(TENANT)
        tenant = name[len(start) : len(name) - len(end)]
        known = TENANT_ID.fullmatch(tenant) is not None and (self.personal or tenant != CONSUMERS)
        return known and name == f"{start}{tenant}{end}"


def read_providers(given: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Provider]:
    """Read all entries of PERMJWT_PROVIDERS.

    Raises:
        ConfigurationError: something about one cannot be meant; the message names the remedy, and never a secret.
    """
    found = {name: _read(name, entry) for name, entry in given}
    for one, other in combinations(found.values(), 2):
        if one.issuer == other.issuer or one.is_issuer(other.issuer) or other.is_issuer(one.issuer):
            raise ConfigurationError(
                f"PERMJWT_PROVIDERS: {one.name!r} and {other.name!r} have the same issuer, or one has that of the "
                "other among its tenants, whose subjects could not be told apart: leave one out"
            )
    return found


def check_targets(targets: Iterable[str]) -> None:
    """Check where codes may go besides routes of the app.

    Raises:
        ConfigurationError: one is no address that can be checked exactly.
    """
    for target in targets:
        parts = urlsplit(target)
        web = addresses.fault(target, loopback=True) is None
        private = _SCHEME.fullmatch(parts.scheme) is not None and bool(parts.netloc or parts.path)
        if not (web or private) or "#" in target or "*" in target or re.search(r"[\s\\\x00-\x1f\x7f]", target):
            raise ConfigurationError(
                f"PERMJWT_PROVIDER_TARGETS: {target!r} must be an exact address: https, http on this machine, or "
                "a scheme of your app's own with a dot in it, such as 'com.example.app:/login' (RFC 8252, 7.1)"
            )


def _read(name: str, given: Mapping[str, Any]) -> Provider:
    where = f"PERMJWT_PROVIDERS[{name!r}]"
    if _NAME.fullmatch(name) is None or name in _RESERVED:
        raise ConfigurationError(
            f"{where}: a provider's name is part of an address: 1 to 32 of a-z, 0-9, - and _, and none of "
            f"{', '.join(sorted(_RESERVED))}"
        )
    for key in given:
        if key not in KNOWN:
            nearest = difflib.get_close_matches(str(key), KNOWN, n=1, cutoff=0)
            raise ConfigurationError(f"{where} has {key!r}, which is no setting; did you mean {nearest[0]!r}?")
    merged = {**_preset(where, name, given), **given}
    metadata_url = _metadata_url(where, merged)
    provider = Provider(
        name=name,
        issuer=_issuer(where, merged, metadata_url),
        client_id=_text(where, merged, "client_id"),
        client_secret=None if merged.get("client_secret") is None else _text(where, merged, "client_secret"),
        scopes=_scopes(where, merged, needs_openid=metadata_url is not None),
        metadata_url=metadata_url,
        authorize_url=_address(where, merged, "authorize_url"),
        token_url=_address(where, merged, "token_url"),
        userinfo_url=_address(where, merged, "userinfo_url"),
        emails_url=_address(where, merged, "emails_url"),
        subject=_text(where, {"subject": "sub", **merged}, "subject"),
        token_auth=merged.get("token_auth"),
        redirect_uri=_address(where, merged, "redirect_uri"),
        authorize_params=_texts(where, merged, "authorize_params"),
        claims=_texts(where, merged, "claims"),
        create=_boolean(where, merged, "create"),
        personal=merged.get("tenant") != "organizations",
    )
    _refuse_contradictions(where, provider, merged)
    return provider


def _preset(where: str, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    says_where = any(given.get(key) is not None for key in ("metadata_url", *_ENDPOINTS))
    preset = given.get("preset", name if name in PRESETS and not says_where else None)
    if preset is None:
        return {}
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ConfigurationError(f"{where}: 'preset' must be one of {', '.join(map(repr, PRESETS))}")
    return PRESETS[preset]


def _metadata_url(where: str, merged: Mapping[str, Any]) -> str | None:
    url, tenant = merged.get("metadata_url"), merged.get("tenant")
    if isinstance(url, str) and "{tenant}" in url:
        if not isinstance(tenant, str) or (
            tenant not in {"common", "organizations", "consumers"} and TENANT_ID.fullmatch(tenant) is None
        ):
            raise ConfigurationError(
                f"{where}: 'tenant' must be the id of your tenant, as in 'aaaabbbb-0000-cccc-1111-dddd2222eeee', "
                "or 'organizations', 'consumers' or 'common', which let in people of every tenant, personal "
                "accounts, or both"
            )
        url = url.replace("{tenant}", tenant)
    elif tenant is not None:
        raise ConfigurationError(f"{where}: 'tenant' is for the preset 'microsoft': leave it out")
    return _address(where, {"metadata_url": url}, "metadata_url")


def _issuer(where: str, merged: Mapping[str, Any], metadata_url: str | None) -> str:
    issuer = merged.get("issuer")
    tenant = merged.get("tenant")
    if issuer is None and tenant is not None:
        of_tenant = {"consumers": CONSUMERS, "common": TENANT, "organizations": TENANT}.get(tenant, tenant)
        issuer = f"https://login.microsoftonline.com/{of_tenant}/v2.0"
    elif issuer is None and metadata_url is not None and metadata_url.endswith(WELL_KNOWN):
        issuer = metadata_url.removesuffix(WELL_KNOWN)
    if not isinstance(issuer, str) or not issuer:
        raise ConfigurationError(
            f"{where}: 'issuer' is missing: for an OpenID provider, what stands in its metadata; for another, an "
            "address that names it, and that you never change, for users are known by it"
        )
    if len(issuer) > MAX_NAME or "|" in issuer or not issuer.isprintable() or any(map(str.isspace, issuer)):
        raise ConfigurationError(f"{where}: 'issuer' must be at most {MAX_NAME} characters, without spaces and |")
    return issuer


def _refuse_contradictions(where: str, provider: Provider, merged: Mapping[str, Any]) -> None:
    if provider.metadata_url is None:
        missing = [key for key in _ENDPOINTS if getattr(provider, key) is None]
        if missing:
            raise ConfigurationError(
                f"{where}: 'metadata_url' is missing; a provider without OpenID Connect needs {', '.join(missing)}"
            )
        if "subject" not in merged:
            raise ConfigurationError(
                f"{where}: 'subject' must name the member of its userinfo that is an id which is never given to "
                "anybody else, such as 'id': never an e-mail address or a login name"
            )
    elif any(key in merged for key in ("userinfo_url", "emails_url", "subject")):
        raise ConfigurationError(
            f"{where}: of an OpenID provider, the ID token says who somebody is: leave out userinfo_url, "
            "emails_url and subject"
        )
    if provider.token_auth is not None and provider.token_auth not in _AUTH_METHODS:
        raise ConfigurationError(f"{where}: 'token_auth' must be one of {', '.join(map(repr, _AUTH_METHODS))}")
    if provider.client_secret is None and provider.token_auth != "none":  # noqa: S105  # no secret
        raise ConfigurationError(
            f"{where}: 'client_secret' is missing; for a client that has none, say 'token_auth': 'none'"
        )
    ours = sorted(_OURS & set(provider.authorize_params))
    if ours:
        raise ConfigurationError(f"{where}: 'authorize_params' may not set {', '.join(ours)}")


def _text(where: str, merged: Mapping[str, Any], key: str) -> str:
    value = merged.get(key)
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ConfigurationError(f"{where}: {key!r} must be text that is not empty")
    return value


def _address(where: str, merged: Mapping[str, Any], key: str) -> str | None:
    value = merged.get(key)
    if value is None:
        return None
    fault = addresses.fault(value, loopback=True)
    if fault is not None:
        raise ConfigurationError(f"{where}: {key!r} {fault}: it must be https (http for this machine)")
    return str(value)


def _scopes(where: str, merged: Mapping[str, Any], *, needs_openid: bool) -> tuple[str, ...]:
    value = merged.get("scopes", ("openid", "email") if needs_openid else ())
    given = value.split() if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) and one for one in given):
        raise ConfigurationError(f"{where}: 'scopes' must be a list, or a string with spaces between them")
    if needs_openid and "openid" not in given:
        raise ConfigurationError(f"{where}: 'scopes' must have 'openid', or there is no ID token")
    return tuple(given)


def _texts(where: str, merged: Mapping[str, Any], key: str) -> Mapping[str, str]:
    value = merged.get(key, {})
    if not isinstance(value, Mapping) or not all(
        isinstance(one, str) and one for pair in value.items() for one in pair
    ):
        raise ConfigurationError(f"{where}: {key!r} must be a dict from text to text")
    return dict(value)


def _boolean(where: str, merged: Mapping[str, Any], key: str) -> bool:
    value = merged.get(key, True)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{where}: {key!r} must be True or False")
    return value
