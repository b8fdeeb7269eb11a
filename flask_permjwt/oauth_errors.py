"""The errors of OAuth 2 (RFC 6749 section 5.2) and of its clients, in the tree of ``errors``.

Descriptions keep to the letters that the RFC allows.
"""

from flask_permjwt.errors import AccountError, AuthError, UnauthenticatedError


class InvalidClientError(UnauthenticatedError):
    """A client that did not prove who it is, in the same words whatever was wrong (RFC 6749 section 5.2)."""

    error = "invalid_client"
    default_description = "The client is unknown, or its secret is wrong."


class ClientTakenError(AccountError):
    """Another client has this name, or one that compares equal (NFKC, case-folded)."""

    error = "client_taken"
    default_description = "This client exists already."


class UnknownClientError(AccountError, LookupError):
    """A client that does not exist, or no longer."""

    error = "unknown_client"
    status = 404
    default_description = "There is no such client."


class OAuthError(AuthError):
    """A request that an endpoint of OAuth 2 refuses."""


class InvalidFormError(OAuthError):
    """A request that lacks a parameter, repeats one, or is malformed in another way."""


class FormTooLargeError(InvalidFormError):
    """A form longer than any request of this API needs."""

    status = 413
    default_description = "The body is too large."


class ClientNotAcceptedError(OAuthError):
    """A client that did not prove who it is."""

    error = "invalid_client"
    default_description = "The client is unknown, or its secret is wrong."


class ClientChallengedError(ClientNotAcceptedError):
    """Likewise, and told how to: it tried by HTTP Basic (RFC 7617), or asked about a token (RFC 7662)."""

    status = 401


class InvalidGrantError(OAuthError):
    """A password or refresh token that is not good, or a token of another client."""

    error = "invalid_grant"


class UnauthorizedClientError(OAuthError):
    """A client that may not use this kind of grant."""

    error = "unauthorized_client"
    default_description = "This client may not use this grant type."


class UnsupportedGrantTypeError(OAuthError):
    """A kind of grant that this API does not offer."""

    error = "unsupported_grant_type"
    default_description = "This API does not offer this grant type."


class InvalidScopeError(OAuthError):
    """A scope that is malformed, or of which nothing is granted."""

    error = "invalid_scope"
    default_description = "Nothing of this scope is granted."
