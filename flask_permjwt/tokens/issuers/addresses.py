"""Addresses: where keys may be fetched from."""

import ipaddress
import re
from contextlib import suppress
from typing import Final
from urllib.parse import SplitResult, urlsplit

_WRITABLE: Final = re.compile(r"[!-~]+")
_PORTS: Final = {"https": 443, "http": 80}


def fault(url: object, *, loopback: bool) -> str | None:
    """Say what is wrong with an address to fetch from; None when nothing is.

    Args:
        url: the address.
        loopback: whether plain http on this very machine will do, for development and tests.
    """
    if not isinstance(url, str) or _WRITABLE.fullmatch(url) is None:
        return "is no address"
    parts = _split(url)
    if parts is None or not parts.hostname:
        return "is no address"
    if parts.username is not None or parts.password is not None:
        return "holds a user name"
    if parts.fragment:
        return "has a fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and loopback and is_loopback(parts.hostname)):
        return None
    return "is not https"


def is_loopback(host: str) -> bool:
    """Tell whether a host is this very machine, by its name or address alone (RFC 6761 section 6.3, RFC 1122)."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def is_local(url: str) -> bool:
    """Tell whether an address is plain http on this machine."""
    parts = _split(url)
    return parts is not None and parts.scheme == "http" and is_loopback(parts.hostname or "")


def host(url: str) -> str:
    """Return the host of an address; nothing of what is none."""
    parts = _split(url)
    return "" if parts is None else parts.hostname or ""


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address without a fault (RFC 6454 section 4)."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _split(url: str) -> SplitResult | None:
    with suppress(ValueError):
        parts = urlsplit(url)
        _ = parts.port  # which is only looked at when it is asked for
        return parts
    return None
