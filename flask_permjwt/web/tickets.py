"""Tickets in requests: found in the query string, taken out of it, and good for one GET of one path."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus, unquote_to_bytes

from flask import Request

from flask_permjwt.accounts.tickets import LIFETIME, PREFIX, Tickets
from flask_permjwt.errors import InvalidBodyError, InvalidRequestError, InvalidTokenError, NoTicketError
from flask_permjwt.tokens.codec import VerifiedToken
from flask_permjwt.web.state import request_state

PARAMETER: Final = "ticket"

# What a path is made of in a URL (RFC 3986 section 3.3). Whatever else there is must be percent-encoded.
_PATH: Final = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+")
# Where servers keep the target of the request besides QUERY_STRING, for their logs.
_TARGETS: Final = ("RAW_URI", "REQUEST_URI")
_DERIVED: Final = ("args", "values", "url", "full_path")


class PresentedTickets:
    """Gives tickets for paths, and takes them from requests.

    Args:
        tickets: the use-cases.
        paths: where they may be used: True for everywhere, or the paths of the app; one that ends in ``*`` stands
            for all that begin so.
    """

    lifetime: Final = LIFETIME

    def __init__(self, tickets: Tickets, paths: bool | tuple[str, ...]) -> None:  # noqa: FBT001  # a setting
        self._tickets: Final = tickets
        self._paths: Final = paths

    def give(self, token: VerifiedToken, path: str, root: str) -> str:
        """Make a ticket for a path as it stands in URLs, with the prefix under which the app is mounted.

        Raises:
            InvalidBodyError: 422, it is no path of this app, or has a query string.
            NoTicketError: 403, the path takes no tickets, or the token is not that of a login.
        """
        if _PATH.fullmatch(path) is None or path.startswith("//"):
            raise InvalidBodyError({"path": ["A path as it stands in URLs, without host, query and fragment."]})
        plain, prefix = unquote_to_bytes(path), root.encode()
        if not plain.startswith(prefix + b"/"):
            raise InvalidBodyError({"path": [f"A path of this app, which begins with {root}/."]})
        if not self._is_open(plain[len(prefix) :].decode("utf-8", "replace")):
            raise NoTicketError
        return self._tickets.give(token, plain)

    def of(self, request: Request) -> VerifiedToken | None:
        """Use up the ticket that a request brings, and return what it stands for; None where there is none.

        Raises:
            InvalidRequestError: 400, there are several (RFC 6750 section 2).
            InvalidTokenError: the ticket is not good for this request.
            OutdatedError: 503, the database cannot be asked now.
        """
        # Not from request.args, which fails where bytes are no UTF-8.
        parts = request.environ.get("QUERY_STRING", "").split("&")
        found = [ticket for ticket in map(_ticket_in, parts) if ticket is not None]
        if not found:
            return None
        _take_out(request)
        request_state().ticket_came = True
        if len(found) > 1:
            raise InvalidRequestError("The request must bring one ticket.")
        # HEAD too: nobody sees what it answers, and the GET that it is to prepare would be refused.
        if request.method != "GET":
            raise InvalidTokenError("A ticket is good for GET alone.")
        return self._tickets.take(found[0], _path_of(request.environ))

    def _is_open(self, path: str) -> bool:
        if isinstance(self._paths, bool):
            return self._paths
        return any(path.startswith(one[:-1]) if one.endswith("*") else path == one for one in self._paths)


def _path_of(environ: Mapping[str, Any]) -> bytes:
    """Return the path that was requested, with percent-encoding undone, as WSGI gives it (PEP 3333)."""
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return path.encode("latin-1", "replace")


def _take_out(request: Request) -> None:
    """Take tickets out of the request: no view finds them, and no log of the app shows them.

    Nor does that of a server which reads its target from what it gave to the app, as gunicorn does.
    """
    environ = request.environ
    environ["QUERY_STRING"] = without_tickets(environ.get("QUERY_STRING", ""))
    for name in _TARGETS:
        target = environ.get(name)
        if isinstance(target, str) and "?" in target:
            path, _, query = target.partition("?")
            environ[name] = f"{path}?{without_tickets(query)}".removesuffix("?")
    request.query_string = environ["QUERY_STRING"].encode("latin-1", "replace")
    for name in _DERIVED:
        request.__dict__.pop(name, None)


def without_tickets(query: str) -> str:
    """Return a query string without the tickets in it."""
    return "&".join(part for part in query.split("&") if _ticket_in(part) is None)


def _ticket_in(part: str) -> str | None:
    name, _, value = part.partition("=")
    text = unquote_plus(value)
    return text if unquote_plus(name) == PARAMETER and text.startswith(PREFIX) else None
