"""Addresses of clients: which of them are counted as one."""

import ipaddress
from typing import Final

_IPV6_SUBSCRIBER: Final = 64


def address_key(address: str | None) -> str:
    """Return under which key a client's address is counted.

    An IPv6 address counts with all of its /64, which is what one subscriber has (RFC 6177 section 2), and an
    IPv4-mapped one as the IPv4 address. What is no address counts with everything else that is none.
    """
    try:
        # Of an int, ip_address would make an address too.
        parsed = ipaddress.ip_address(address if isinstance(address, str) else "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed), _IPV6_SUBSCRIBER), strict=False))


def address_spellings(key: str) -> set[str]:
    """Return how an IPv4 address may be written by a server that listens on IPv6; of IPv6, there are too many."""
    return {key, f"::ffff:{key}"} if "." in key else set()
