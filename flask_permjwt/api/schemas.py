"""What the login blueprint takes and gives, as marshmallow schemas. Unknown fields are refused."""

from collections.abc import Callable
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from flask_permjwt.accounts.names import check_email, check_username
from flask_permjwt.errors import InvalidNameError

MAX_NAME: Final = 1024
MAX_PASSWORD: Final = 1024
MAX_CODE: Final = 256
RFC_3339: Final = "%Y-%m-%dT%H:%M:%SZ"


def _valid(check: Callable[[str], str]) -> Callable[[str], None]:
    """Say what the store would refuse where it stands in the body."""

    def validator(value: str) -> None:
        try:
            check(value)
        except InvalidNameError as error:
            raise ValidationError(error.description) from None

    return validator


def _password() -> Any:
    return fields.String(required=True, validate=validate.Length(min=1, max=MAX_PASSWORD), load_only=True)


def _code() -> Any:
    return fields.String(required=True, validate=validate.Length(min=1, max=MAX_CODE), load_only=True)


class _Flag(fields.Boolean):
    """True or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class LoginSchema(Schema):
    """The body of POST /login."""

    username = fields.String(required=True, validate=validate.Length(min=1, max=MAX_NAME))
    password = _password()
    delivery = fields.String(validate=validate.OneOf(["header", "cookie"]))


class RefreshTokenSchema(Schema):
    """The body of POST /refresh and POST /logout; without a token when it comes in another way."""

    refresh_token = fields.String(validate=validate.Length(min=1), load_only=True)


class MeSchema(Schema):
    """The answer of GET /me."""

    id = fields.String(attribute="public_id")
    username = fields.String()
    email = fields.String(allow_none=True)


class TokensSchema(Schema):
    """The answer of POST /login and POST /refresh, besides the token type; tokens in cookies are left out."""

    access_token = fields.String()
    refresh_token = fields.String()
    expires_in = fields.Integer()


class ConfirmSchema(Schema):
    """The body of POST /confirm."""

    password = _password()


class LogoutAllSchema(Schema):
    """The body of POST /logout-all, which may be left out."""

    keep_current = _Flag()
    user = fields.String(validate=validate.Length(min=1, max=MAX_NAME))


class SessionSchema(Schema):
    """One session in the answer of GET /sessions; times are UTC (RFC 3339)."""

    id = fields.String()
    created_at = fields.NaiveDateTime(format=RFC_3339)
    authenticated_at = fields.NaiveDateTime(format=RFC_3339)
    last_used_at = fields.NaiveDateTime(format=RFC_3339)
    expires_at = fields.NaiveDateTime(format=RFC_3339)
    opened_by = fields.String()
    user_agent = fields.String(allow_none=True)
    address = fields.String(allow_none=True)


class RegisterSchema(Schema):
    """The body of POST /register. Nothing else is ever taken over."""

    username = fields.String(required=True, validate=_valid(check_username))
    password = _password()
    email = fields.String(validate=_valid(check_email))


class PasswordSchema(Schema):
    """The body of POST /password."""

    old_password = _password()
    new_password = _password()


class AddressSchema(Schema):
    """The body of POST /password/forgot and POST /verify/send."""

    email = fields.String(required=True, validate=validate.Length(min=1, max=MAX_NAME))


class ResetSchema(Schema):
    """The body of POST /password/reset."""

    token = _code()
    new_password = _password()


class ExchangeSchema(Schema):
    """The body of POST /exchange (RFC 7636 section 4.5)."""

    code = _code()
    code_verifier = fields.String(
        required=True, validate=validate.Regexp(r"\A[A-Za-z0-9._~-]{43,128}\Z"), load_only=True
    )


class LinkSchema(Schema):
    """The body of POST /providers/<provider>, which may be left out."""

    next = fields.String(validate=validate.Length(min=1))


class CodeSchema(Schema):
    """The body of POST /verify."""

    token = _code()
