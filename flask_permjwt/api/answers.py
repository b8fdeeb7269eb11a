"""What the login blueprint answers and reads from the query string, as schemas for the OpenAPI document."""

from typing import Any, Final

from marshmallow import Schema, fields, validate

from flask_permjwt.accounts.names import MAX_TYPED
from flask_permjwt.api.schemas import MeSchema, TokensSchema

_MOMENT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"


def _texts() -> Any:
    return fields.List(fields.String(), required=True)


def _moment(*, allow_none: bool = False) -> Any:
    # A field for dates with a format of its own would be shown without any.
    shown = {"format": "date-time", "pattern": _MOMENT}
    return fields.String(required=True, allow_none=allow_none, metadata=shown)


class ErrorSchema(Schema):
    """Every refusal (RFC 6749 section 5.2)."""

    error = fields.String(required=True, metadata={"description": "A code for programs."})
    error_description = fields.String(required=True, metadata={"description": "A sentence for people."})


class FieldErrorsSchema(ErrorSchema):
    """A body that does not fit."""

    errors = fields.Dict(metadata={"description": "By field name, what is wrong with it."})


class StaleErrorSchema(ErrorSchema):
    """Credentials that are not good enough, or not any more (RFC 9470 section 3)."""

    max_age = fields.Integer(metadata={"description": "How many seconds ago the password may have been given."})


class TokensAnswerSchema(TokensSchema):
    """Tokens that were issued; those that were set as cookies are left out."""

    expires_in = fields.Integer(
        required=True, metadata={"description": "The lifetime of the access token, in seconds."}
    )
    token_type = fields.String(required=True)


class MeAnswerSchema(MeSchema):
    """The user whom a token stands for."""

    roles = _texts()
    permissions = _texts()


class SessionAnswerSchema(Schema):
    """One session; times are UTC (RFC 3339)."""

    id = fields.String(required=True)
    created_at = _moment()
    authenticated_at = _moment()
    last_used_at = _moment()
    expires_at = _moment()
    opened_by = fields.String(required=True, metadata={"description": "What it was opened with."})
    user_agent = fields.String(required=True, allow_none=True)
    address = fields.String(required=True, allow_none=True)
    current = fields.Boolean(required=True, metadata={"description": "It is that of the token that asks."})


class SessionsAnswerSchema(Schema):
    """The sessions of a user."""

    sessions = fields.List(fields.Nested(SessionAnswerSchema), required=True)


class TicketAnswerSchema(Schema):
    """A one-time ticket."""

    ticket = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "Its time, in seconds."})


class UserQuerySchema(Schema):
    """Whose sessions."""

    user = fields.String(
        validate=validate.Length(max=MAX_TYPED),
        metadata={"description": "Somebody else, by id, name or e-mail address; with `permjwt:sessions:manage`."},
    )


class PersonalTokenAnswerSchema(Schema):
    """One personal access token, but not the token itself; times are UTC (RFC 3339)."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    permissions = _texts()
    created_at = _moment()
    expires_at = _moment()
    last_used_at = _moment(allow_none=True)


class NewTokenAnswerSchema(PersonalTokenAnswerSchema):
    """A personal access token that was made."""

    token = fields.String(required=True, metadata={"description": "It is shown this once."})


class PersonalTokensSchema(Schema):
    """The personal access tokens of a user."""

    tokens = fields.List(fields.Nested(PersonalTokenAnswerSchema), required=True)


class RegisteredSchema(Schema):
    """A user who was registered."""

    username = fields.String(required=True)
    email = fields.String(required=True, allow_none=True)
    verification_required = fields.Boolean(required=True)


class MessageSchema(Schema):
    """A sentence for people."""

    message = fields.String(required=True)


class BeginQuerySchema(Schema):
    """How a login at a provider is to end."""

    delivery = fields.String(
        validate=validate.OneOf(["cookie", "code"]),
        metadata={"description": "Tokens in cookies, or a code for `POST /exchange`."},
    )
    code_challenge = fields.String(
        metadata={
            "description": "For a code: the S256 challenge of its verifier (RFC 7636 section 4.2).",
            "pattern": "^[A-Za-z0-9_-]{43}$",
        }
    )
    next = fields.String(metadata={"description": "Where to go on: the path of a page of this app."})
    fresh = fields.String(
        validate=validate.OneOf(["true", "false"]),
        metadata={"description": "Let the provider ask for the password again."},
    )


class ReturnQuerySchema(Schema):
    """What a provider sends back (RFC 6749 section 4.1.2, RFC 9207)."""

    state = fields.String(required=True)
    code = fields.String()
    iss = fields.String()
    error = fields.String()


class UrlSchema(Schema):
    """An address to go to."""

    url = fields.String(required=True)


class CameBackSchema(TokensSchema):
    """How a login at a provider ended: with cookies, with a code, or with a provider that is linked now."""

    token_type = fields.String()
    code = fields.String()
    linked = fields.String()


class ProviderSchema(Schema):
    """One provider."""

    name = fields.String(required=True)
    linked = fields.Boolean(required=True)
    linked_at = _moment(allow_none=True)


class ProvidersSchema(Schema):
    """The ways in which a user can log in."""

    providers = fields.List(fields.Nested(ProviderSchema), required=True)
    password = fields.Boolean(required=True, metadata={"description": "Whether the user has a password."})


class JwkSetSchema(Schema):
    """A JWK Set (RFC 7517 section 5)."""

    keys = fields.List(fields.Dict(), required=True)
