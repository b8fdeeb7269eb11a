"""Where metadata stand: of identifiers that are addresses, and of this API (RFC 8414 and RFC 9728)."""

import re
from functools import cached_property
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from flask import Flask

if TYPE_CHECKING:
    # Named and not needed, as in state.py.
    from flask_permjwt.settings import Settings

AUTHORIZATION_SERVER: Final = "/.well-known/oauth-authorization-server"
PROTECTED_RESOURCE: Final = "/.well-known/oauth-protected-resource"

# Of URLs (RFC 3986), what may stand in a quoted string too.
_PLAIN: Final = re.compile(r"[!$%&'()*+,./0-9:;=@A-Z\[\]_a-z~-]+")


def read_identifier(text: str) -> SplitResult | None:
    """Read the identifier of an issuer or a resource as an address; None when it is none.

    It is one of https, or of http on this machine; without user, query and fragment (RFC 8414 section 2, RFC 9728
    section 1.2).
    """
    if not _PLAIN.fullmatch(text):
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or "@" in parts.netloc:
        return None
    return parts if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host)) else None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(identifier: SplitResult) -> str:
    """Return scheme, host and port of an identifier, as they are written in it."""
    return f"{identifier.scheme}://{identifier.netloc}"


def issuer_path(identifier: SplitResult) -> str:
    """Return what follows the well-known path of an issuer (RFC 8414 section 3.1)."""
    return identifier.path.rstrip("/")


def resource_path(identifier: SplitResult) -> str:
    """Return what follows the well-known path of a resource (RFC 9728 section 3.1)."""
    return "" if identifier.path == "/" else identifier.path


class ResourceMetadata:
    """What challenges tell of the metadata of this API (RFC 9728 section 5.1).

    Args:
        app: the app.
        settings: name the API: by the first audience that is an address, or else by the issuer.
    """

    def __init__(self, app: Flask, settings: "Settings") -> None:
        self._app: Final = app
        names = (*settings.audience, *filter(None, [settings.issuer])) if settings.headers else ()
        found = [name for name in names if read_identifier(name) is not None]
        self.resource: Final = found[0] if found else None
        """The identifier of this API; None where it has none, or takes no tokens in headers."""

    @cached_property
    def url(self) -> str | None:
        """The address of the metadata; None where this app does not show them there.

        Asked only while a request is served: then the app's routes are final.
        """
        parts = None if self.resource is None else read_identifier(self.resource)
        if parts is None or not any(rule.rule == PROTECTED_RESOURCE for rule in self._app.url_map.iter_rules()):
            return None
        return origin_of(parts) + PROTECTED_RESOURCE + resource_path(parts)
