"""What the endpoints of OAuth 2 take and answer, as schemas for the OpenAPI document."""

from marshmallow import EXCLUDE, INCLUDE, Schema, fields, validate

from flask_permjwt.accounts.names import MAX_TYPED
from flask_permjwt.accounts.passwords import MAX_PASSWORD
from flask_permjwt.settings import Settings

_HINTS = ("access_token", "refresh_token")


class ClientFormSchema(Schema):
    """How a client says who it is, where it does not in the header (RFC 6749 section 2.3.1)."""

    class Meta:
        """What is unknown is not looked at (RFC 6749 section 3.2)."""

        unknown = EXCLUDE

    client_id = fields.String(metadata={"description": "The client; or by HTTP Basic."})
    client_secret = fields.String(metadata={"description": "Its secret; or by HTTP Basic."})


class TokenFormSchema(ClientFormSchema):
    """The form of POST /token."""

    grant_type = fields.String(
        required=True, validate=validate.OneOf(["password", "refresh_token", "client_credentials"])
    )
    username = fields.String(validate=validate.Length(max=MAX_TYPED))
    password = fields.String(validate=validate.Length(max=MAX_PASSWORD), metadata={"format": "password"})
    refresh_token = fields.String()
    scope = fields.String(
        metadata={"description": "Permissions, parted by spaces: what the token may do at most."}
    )


class PresentedTokenFormSchema(ClientFormSchema):
    """The form of POST /revoke and POST /introspect."""

    token = fields.String(required=True)
    token_type_hint = fields.String(metadata={"description": f"{' or '.join(_HINTS)}; it is not needed."})


class TokenAnswerSchema(Schema):
    """Tokens (RFC 6749 section 5.1)."""

    access_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "In seconds."})
    refresh_token = fields.String()
    scope = fields.String(metadata={"description": "What the token may do."})


class IntrospectionSchema(Schema):
    """What a token is worth now (RFC 7662 section 2.2); of one that opens nothing, ``active`` alone."""

    active = fields.Boolean(required=True)
    scope = fields.String()
    client_id = fields.String()
    username = fields.String()
    token_type = fields.String()
    exp = fields.Integer()
    iat = fields.Integer()
    nbf = fields.Integer()
    sub = fields.String()
    aud = fields.Raw(metadata={"description": "A string, or a list of strings."})
    iss = fields.String()
    jti = fields.String()


class MetadataSchema(Schema):
    """Metadata, as their RFC describes them."""

    class Meta:
        """There may be more than is named here."""

        unknown = INCLUDE


class ServerMetadataSchema(MetadataSchema):
    """Where the endpoints are, and what they can do (RFC 8414 section 2)."""

    issuer = fields.String(required=True)
    token_endpoint = fields.String(required=True)


class ResourceMetadataSchema(MetadataSchema):
    """Who issues tokens for this API (RFC 9728 section 2)."""

    resource = fields.String(required=True)


def takes_passwords(settings: Settings) -> bool:
    """Tell whether POST /token takes the password of a user."""
    return settings.headers and settings.password_grant
