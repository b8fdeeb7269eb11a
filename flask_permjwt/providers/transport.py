"""Transport: how Authlib's client reaches a provider - with our limits of time and size, and no redirects."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any, Final, Protocol

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from flask_permjwt.tokens.issuers import addresses
from flask_permjwt.tokens.issuers.http import Answer
from flask_permjwt.tokens.issuers.jwks import KeysError

_REDIRECTS: Final = range(300, 400)


class Sender(Protocol):
    """Sends requests."""

    def send(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send one request.

        Raises:
            KeysError: nothing comes in time, or too much.
        """
        ...


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


class BoundedAdapter(BaseAdapter):
    """What a ``requests`` session sends its requests by.

    Args:
        sender: sends them.
    """

    def __init__(self, sender: Sender) -> None:
        super().__init__()
        self._sender: Final = sender

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """Send a request; a secret goes where it was meant to, and nowhere else.

        Raises:
            KeysError: no answer that could be used came in time.
        """
        url = request.url or ""
        if addresses.fault(url, loopback=True) is not None:
            raise KeysError("an address of the provider is not https")
        body = request.body.encode() if isinstance(request.body, str) else request.body
        assert body is None or isinstance(body, bytes)  # noqa: S101  # nothing is streamed
        headers = {name: _text(value) for name, value in request.headers.items()}
        answer = self._sender.send(request.method or "GET", url, headers=headers, body=body)
        if answer.status in _REDIRECTS:
            raise KeysError("the provider redirects where it should answer")
        response = Response()
        response.status_code = answer.status
        response.headers = CaseInsensitiveDict(answer.headers)
        response.raw = BytesIO(answer.body)
        response.encoding = "utf-8"
        response.url = url
        response.request = request
        return response

    def close(self) -> None:
        """Close nothing: every request has a connection of its own."""
