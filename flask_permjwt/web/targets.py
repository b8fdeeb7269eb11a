"""Targets: where somebody may be sent on to after a login, which must never be a place of an attacker's choice."""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, unquote, unquote_plus, urlencode, urlsplit, urlunsplit

from flask import Request, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from flask_permjwt.errors import InvalidTargetError

MAX_TARGET: Final = 1024

# Visible ASCII without the backslash, which browsers take for a slash (WHATWG URL, section 4.4).
_PATH: Final = re.compile(r"/[!-\[\]-~]*")
_ANSWERS: Final = frozenset({"code", "error", "error_description"})
_ROUNDS: Final = 4
_HIDDEN: Final = re.compile(r"[\\\x00-\x20\x7f-\x9f]")


def check_own(target: str, request: Request) -> str:
    """Return a path of this app as the browser sees it; a route of ours must take a GET of it.

    Args:
        target: what was asked for, with the query and fragment that it has.
        request: the current one.

    Raises:
        InvalidTargetError: it is another host, no path, hides something, or leads to no page of this app.
    """
    path = re.split("[?#]", target, maxsplit=1)[0]
    if len(target) > MAX_TARGET or _PATH.fullmatch(target) is None or _hides_something(path):
        raise InvalidTargetError
    root = request.script_root
    if root and not f"{path}/".startswith(f"{root}/"):
        raise InvalidTargetError
    adapter = current_app.create_url_adapter(request)
    assert adapter is not None  # noqa: S101  # there is a request
    try:
        found, _ = adapter.match(unquote(path[len(root) :]) or "/", method="GET")
    except RequestRedirect:
        return target  # to the same page with a slash
    except HTTPException:
        raise InvalidTargetError from None
    # A login that leads to the next one would go on for ever.
    if request.blueprint is not None and str(found).startswith(f"{request.blueprint}."):
        raise InvalidTargetError
    return target


def is_listed(target: str, listed: Iterable[str]) -> bool:
    """Tell whether an address is one of these, exactly; one on this machine may have any port (RFC 8252, 7.3)."""
    return any(target == one or _is_same_but_for_port(target, one) for one in listed)


def with_query(target: str, **added: str) -> str:
    """Return an address with something added to its query, in place of what stands there under a name of ours.

    Whoever reads the first of two values would read that of whoever made the link.
    """
    parts = urlsplit(target)
    kept = [one for one in parts.query.split("&") if one and unquote_plus(one.partition("=")[0]) not in _ANSWERS]
    query = "&".join([*kept, urlencode(added)])
    return urlunsplit(parts._replace(query=query))


def _hides_something(path: str) -> bool:
    """Tell whether a path, decoded however often, is read otherwise by one who looks at it less closely."""
    for _ in range(_ROUNDS):
        if "//" in path or _HIDDEN.search(path) or {".", ".."} & set(path.split("/")):
            return True
        plain = unquote(path)
        if plain == path:
            return False
        path = plain
    return True


def _is_same_but_for_port(target: str, listed: str) -> bool:
    one, other = _split(target), _split(listed)
    if one is None or other is None or other.scheme != "http" or not _is_loopback(other.hostname):
        return False
    host = f"[{other.hostname}]" if ":" in (other.hostname or "") else other.hostname
    return other.netloc == host and one.netloc == f"{host}:{one.port}" and one._replace(netloc=host) == other


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # which is only looked at when it is asked for
    except ValueError:
        return None
    return None if urlunsplit(parts) != url else parts


def _is_loopback(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False
