"""What the login blueprint takes and gives, as marshmallow schemas. Unknown fields are refused."""

from collections.abc import Callable
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, validate

from flask_permjwt.accounts.names import MAX_EMAIL, MAX_TYPED, check_email, check_username
from flask_permjwt.accounts.names import MAX_NAME as KEPT_NAME
from flask_permjwt.accounts.passwords import MAX_PASSWORD
from flask_permjwt.errors import InvalidNameError, PermissionSyntaxError
from flask_permjwt.policy.permissions import parse_grant, read_scope

MAX_CODE: Final = 256
MAX_TOKEN_NAME: Final = 100
MAX_PERMISSIONS: Final = 100
MAX_PATH: Final = 2048
RFC_3339: Final = "%Y-%m-%dT%H:%M:%SZ"


def _valid(check: Callable[[str], str]) -> Callable[[str], None]:
    """Say what the store would refuse where it stands in the body."""

    def validator(value: str) -> None:
        try:
            check(value)
        except InvalidNameError as error:
            raise ValidationError(error.description) from None

    return validator


def _shown(longest: int) -> dict[str, int]:
    # For documents, which cannot read the functions above.
    return {"minLength": 1, "maxLength": longest}


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


class _Whole(fields.Integer):
    """A whole number, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if type(value) is not int:
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class LoginSchema(Schema):
    """The body of POST /login."""

    username = fields.String(required=True, validate=validate.Length(min=1, max=MAX_TYPED))
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
    user = fields.String(validate=validate.Length(min=1, max=MAX_TYPED))


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


def _check_grant(value: str) -> None:
    try:
        parse_grant(value)
    except PermissionSyntaxError as error:
        raise ValidationError(str(error)) from None


def _check_plain(value: str) -> None:
    """Refuse what no database keeps, and what could steer a terminal where names are listed."""
    if not value.isprintable() or not value.strip():
        raise ValidationError("Must be printable text.")


class NewTokenSchema(Schema):
    """The body of POST /tokens."""

    name = fields.String(required=True, validate=[validate.Length(min=1, max=MAX_TOKEN_NAME), _check_plain])
    permissions = fields.List(
        fields.String(validate=_check_grant), required=True, validate=validate.Length(max=MAX_PERMISSIONS)
    )
    expires_in = _Whole(validate=validate.Range(min=1))


class PersonalTokenSchema(Schema):
    """One personal access token in the answers of POST and GET /tokens; never the token itself."""

    id = fields.String()
    name = fields.String(attribute="token_name")
    permissions = fields.Function(lambda row: sorted(read_scope(row.scope).all))
    created_at = fields.NaiveDateTime(format=RFC_3339)
    expires_at = fields.NaiveDateTime(format=RFC_3339)
    last_used_at = fields.NaiveDateTime(format=RFC_3339, allow_none=True)


class RegisterSchema(Schema):
    """The body of POST /register. Nothing else is ever taken over."""

    username = fields.String(required=True, validate=_valid(check_username), metadata=_shown(KEPT_NAME))
    password = _password()
    email = fields.String(validate=_valid(check_email), metadata=_shown(MAX_EMAIL))


class PasswordSchema(Schema):
    """The body of POST /password."""

    old_password = _password()
    new_password = _password()


class AddressSchema(Schema):
    """The body of POST /password/forgot and POST /verify/send."""

    email = fields.String(required=True, validate=validate.Length(min=1, max=MAX_TYPED))


class ResetSchema(Schema):
    """The body of POST /password/reset."""

    token = _code()
    new_password = _password()


class ExchangeSchema(Schema):
    """The body of POST /exchange (RFC 7636 section 4.5)."""

    code = _code()
    code_verifier = fields.String(
        required=True,
        validate=validate.Regexp(r"\A[A-Za-z0-9._~-]{43,128}\Z"),
        load_only=True,
        metadata={"pattern": "^[A-Za-z0-9._~-]{43,128}$"},
    )


class LinkSchema(Schema):
    """The body of POST /providers/<provider>, which may be left out."""

    next = fields.String(validate=validate.Length(min=1))


class CodeSchema(Schema):
    """The body of POST /verify."""

    token = _code()


class TicketSchema(Schema):
    """The body of POST /ticket."""

    path = fields.String(required=True, validate=validate.Length(min=1, max=MAX_PATH))
    method = fields.String(load_default="GET", validate=validate.OneOf(["GET"]))
