"""The bodies that the API takes, as marshmallow schemas."""

import json
from typing import Any, Final

from flask import request
from marshmallow import RAISE, Schema, ValidationError, fields, validate

from example_app.errors import refuse
from example_app.iris import FEATURES
from example_app.model import DEFAULT_TEST_SHARE


class Number(fields.Float):
    """A JSON number: marshmallow's own field also takes "5.1" and true for one."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        number = super()._deserialize(value, attr, data, **kwargs)
        assert number is not None  # noqa: S101  # None was refused above
        return number


class WholeNumber(fields.Integer):
    """A JSON number without a fraction, and no boolean."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.make_error("invalid", input=value)
        number = super()._deserialize(value, attr, data, **kwargs)
        assert number is not None  # noqa: S101  # None was refused above
        return number


class _Strict(Schema):
    class Meta:
        unknown = RAISE


MeasurementsSchema: Final = _Strict.from_dict(
    {
        one.name: Number(
            required=True,
            validate=validate.Range(one.low, one.high, error="Must be between {min} and {max} cm, as on an iris."),
        )
        for one in FEATURES
    },
    name="MeasurementsSchema",
)


class TrainingSchema(_Strict):
    """How to train; everything is optional."""

    seed = WholeNumber(validate=validate.Range(0, 2**32 - 1))
    test_share = Number(load_default=DEFAULT_TEST_SHARE, validate=validate.Range(0.1, 0.5))


def load_body(schema: Schema, *, optional: bool = False) -> dict[str, Any]:
    """Read the request's JSON body.

    Args:
        schema: what it must look like.
        optional: whether no body at all stands for ``{}``.

    Raises:
        HTTPException: 400 for malformed JSON, 415 for another content type, 422 for fields that do not fit.
    """
    content = request.get_data()
    if optional and not content:
        content = b"{}"
    elif not request.is_json:
        refuse(415, "The body must be sent as application/json.")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        refuse(400, "The body is not valid JSON.")
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ValidationError as invalid:
        refuse(422, "Some fields are not valid.", errors=invalid.messages_dict)
    return loaded
