"""What the login blueprint takes and gives, as marshmallow schemas. Unknown fields are refused."""

from typing import Final

from marshmallow import Schema, fields, validate

MAX_NAME: Final = 1024
MAX_PASSWORD: Final = 1024


class LoginSchema(Schema):
    """The body of POST /login."""

    username = fields.String(required=True, validate=validate.Length(min=1, max=MAX_NAME))
    password = fields.String(required=True, validate=validate.Length(min=1, max=MAX_PASSWORD), load_only=True)
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
