"""Reading a body, and one of JSON: each thing that can be wrong with it has its status."""

import json
from typing import Any, Final

from flask import Request, current_app
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from flask_permjwt.errors import (
    BodyTooLargeError,
    InvalidBodyError,
    InvalidRequestError,
    UnsupportedMediaTypeError,
)

_MAX_BYTES: Final = 64 * 1024


def load_body(request: Request, schema: Schema) -> dict[str, Any]:
    """Read and check the JSON body of a request.

    Raises:
        UnsupportedMediaTypeError: 415, it is not declared as JSON.
        InvalidRequestError: 400, it is no JSON.
        InvalidBodyError: 422, it does not fit the schema.
        BodyTooLargeError: 413, it is longer than 64 KiB.
    """
    if not request.is_json:
        raise UnsupportedMediaTypeError
    try:
        body = json.loads(read_body(request))
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body is no valid JSON.") from None
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        messages = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise InvalidBodyError(messages) from None
    return loaded


def has_body(request: Request) -> bool:
    """Tell whether anything was sent as a body.

    Raises:
        BodyTooLargeError: 413, it is longer than 64 KiB.
    """
    return bool(read_body(request))


def read_body(request: Request) -> bytes:
    """Read the body of a request.

    Raises:
        BodyTooLargeError: 413, it is longer than 64 KiB.
    """
    limit = min(_MAX_BYTES, current_app.config["MAX_CONTENT_LENGTH"] or _MAX_BYTES)
    # One more, for a body without a Content-Length is cut at the limit without a word.
    request.max_content_length = limit + 1
    try:
        data = request.get_data()
    except RequestEntityTooLarge:
        raise BodyTooLargeError from None
    if len(data) > limit:
        raise BodyTooLargeError
    return data
