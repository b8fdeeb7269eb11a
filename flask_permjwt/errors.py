"""What can go wrong, as one tree.

Every error that ends a request is an [AuthError][flask_permjwt.errors.AuthError]: its class carries the
wire code (``error`` in the JSON answer) and the HTTP status. Nothing here knows HTTP beyond that number;
``flask_permjwt.web.responses`` turns these errors into Werkzeug exceptions of the same class.
"""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import ClassVar


class PermJWTError(Exception):
    """The root of everything this package raises on purpose."""


class ConfigurationError(PermJWTError):
    """The application is set up in a way that cannot be served safely; the message names the remedy."""


class PermissionSyntaxError(PermJWTError, ValueError):
    """A permission, a grant or a requirement that is not written as the grammar asks."""


class AuthError(PermJWTError):
    """A request that is refused.

    Attributes:
        error: the code in the JSON answer (RFC 6749 section 5.2, RFC 6750 section 3.1).
        status: the HTTP status code.
        description: one sentence for the client; it never holds a secret or an internal detail.
    """

    error: ClassVar[str] = "invalid_request"
    status: ClassVar[int] = 400
    default_description: ClassVar[str] = "The request is malformed."

    def __init__(self, description: str | None = None) -> None:
        self.description = description or self.default_description
        super().__init__(self.description)


class InvalidRequestError(AuthError):
    """Malformed credentials syntax or malformed JSON (RFC 6750 section 3.1, ``invalid_request``)."""


class UnauthenticatedError(AuthError):
    """No acceptable credentials: every 401."""

    error = "invalid_token"
    status = 401
    default_description = "Valid credentials are needed."


class MissingTokenError(UnauthenticatedError):
    """No credentials came at all.

    Its challenge carries no error code (RFC 6750 section 3.1, last paragraph).
    """

    default_description = "An access token is needed."


class InvalidTokenError(UnauthenticatedError):
    """A token that is malformed, forged, of the wrong type, revoked or not valid yet."""

    default_description = "The token is not valid."


class ExpiredTokenError(InvalidTokenError):
    """A token whose time is over (RFC 7519 section 4.1.4)."""

    default_description = "The token has expired."


class InvalidCredentialsError(UnauthenticatedError):
    """A login that failed, in the same words whatever was wrong with it."""

    error = "invalid_credentials"
    default_description = "The user name or the password is wrong."


class CsrfError(UnauthenticatedError):
    """A cookie came without the CSRF value that belongs to it."""

    error = "csrf_failed"
    default_description = "The CSRF value is missing or does not belong to the cookie."


class ForeignOriginError(UnauthenticatedError):
    """A connection that a page of another site opened, with a cookie that the browser sent along."""

    error = "foreign_origin"
    default_description = "Connections with a cookie are for pages of this site, and those that it allows."


class InsufficientScopeError(AuthError):
    """A valid token that lacks a permission (RFC 6750 section 3.1, ``insufficient_scope``).

    Attributes:
        missing: the permissions that are lacking; a template is named unfilled.
    """

    error = "insufficient_scope"
    status = 403
    default_description = "The token lacks a permission."

    def __init__(self, missing: Iterable[str] = (), description: str | None = None) -> None:
        self.missing = tuple(missing)
        if description is None and self.missing:
            description = f"Missing permissions: {' '.join(self.missing)}"
        super().__init__(description)


class UnsupportedMediaTypeError(AuthError):
    """A body that is not declared as JSON."""

    error = "unsupported_media_type"
    status = 415
    default_description = "The body must be sent as application/json."


class BodyTooLargeError(AuthError):
    """A body longer than any request of this API needs."""

    error = "body_too_large"
    status = 413
    default_description = "The body is too large."


class InvalidBodyError(AuthError):
    """A JSON body that does not fit its schema.

    Attributes:
        errors: messages by field name, as marshmallow gives them.
    """

    error = "validation_failed"
    status = 422
    default_description = "Some fields are not valid."

    def __init__(self, errors: Mapping[str, object], description: str | None = None) -> None:
        self.errors = dict(errors)
        super().__init__(description)


class TokenTooLargeError(AuthError):
    """The rights of a user do not fit: a browser would drop the cookie, a proxy the header, without a word."""

    error = "token_too_large"
    status = 500
    default_description = (
        "The access token is too large for a cookie (4,096 bytes) or a header (8,000): grant wildcards instead of "
        "single permissions, or set PERMJWT_PERMISSIONS_IN_TOKEN to 'auto'."
    )


class AccountError(AuthError):
    """A change to the user store that cannot be made."""

    status = 409


class UsernameTakenError(AccountError):
    """Another user has this name, or one that compares equal (NFKC, case-folded)."""

    error = "username_taken"
    default_description = "This user name is taken."


class EmailTakenError(AccountError):
    """Another user has this e-mail address, or one that compares equal."""

    error = "email_taken"
    default_description = "This e-mail address is taken."


class IdentityTakenError(AccountError):
    """An issuer's subject that is another user here."""

    error = "identity_taken"
    default_description = "This identity belongs to another user."


class LastLoginError(AccountError):
    """A way to log in that is the last one of its user."""

    error = "last_login"
    default_description = "This is the only way to log in: set a password or link another provider first."


class RoleTakenError(AccountError):
    """Another role has this name, or one that compares equal."""

    error = "role_taken"
    default_description = "This role exists already."


class InvalidNameError(AccountError, ValueError):
    """A user name, a role name or an e-mail address that can never be accepted."""

    error = "invalid_name"
    status = 422


class InvalidPasswordError(AccountError, ValueError):
    """A password that can never be accepted; the message never holds it."""

    error = "invalid_password"
    status = 422


class UnknownUserError(AccountError, LookupError):
    """A user who does not exist, or no longer."""

    error = "unknown_user"
    status = 404
    default_description = "There is no such user."


class UnknownRoleError(AccountError, LookupError):
    """A role that does not exist."""

    error = "unknown_role"
    status = 404
    default_description = "There is no such role."


class WeakPasswordError(InvalidPasswordError):
    """A new password that would be guessed early (NIST SP 800-63B-4, 3.1.1.2); the message never holds it."""

    error = "weak_password"
    default_description = "This password is too easy to guess."


class RetryLaterError(AuthError):
    """A request that may be answered when it is sent again later (RFC 9110 section 10.2.3).

    Attributes:
        retry_after: whole seconds until then, 1 or more.
    """

    def __init__(self, retry_after: float = 1, description: str | None = None) -> None:
        self.retry_after = max(1, ceil(retry_after))
        super().__init__(description)


class ThrottledError(RetryLaterError):
    """Too many attempts (RFC 6585 section 4)."""

    error = "too_many_requests"
    status = 429
    default_description = "Too many attempts: try again later."


class BusyError(RetryLaterError):
    """More work than can be done now, or no place to count attempts."""

    error = "temporarily_unavailable"
    status = 503
    default_description = "This cannot be answered now: try again later."


class OutdatedError(RetryLaterError):
    """A token that may have been revoked: for too long, nobody could be asked what was."""

    error = "temporarily_unavailable"
    status = 503
    default_description = "Whether the token was revoked cannot be told now: try again later."


class KeysUnavailableError(RetryLaterError):
    """A token of another issuer, whose keys cannot be had now."""

    error = "temporarily_unavailable"
    status = 503
    default_description = "The keys of the token's issuer cannot be had now: try again later."


class NoSigningKeyError(RetryLaterError):
    """A token that cannot be issued: no key of this API signs any more."""

    error = "temporarily_unavailable"
    status = 503
    default_description = "No token can be issued now: try again later."


class EmailNotVerifiedError(AuthError):
    """A login with the right password by a user whose e-mail address must be verified first."""

    error = "email_not_verified"
    status = 403
    default_description = "The e-mail address must be verified first."


class InvalidCodeError(AuthError):
    """A one-time code that is wrong, used up or too old."""

    error = "invalid_code"
    default_description = "The code is wrong, used up or too old: ask for a new one."


class InvalidAttemptError(AuthError):
    """A login at a provider that was not begun in this browser, took too long, or was ended before."""

    error = "invalid_state"
    default_description = "This login was not begun in this browser, took too long or is over: begin again."


class InvalidTargetError(AuthError):
    """A ``next`` that is no page of this app."""

    error = "invalid_target"
    default_description = "next must be the path of a page of this app."


class UnknownProviderError(AuthError):
    """A provider that is none of PERMJWT_PROVIDERS."""

    error = "unknown_provider"
    status = 404
    default_description = "There is no such provider."


class ProviderDeniedError(AuthError):
    """A provider that lets somebody log in no further, because they or it did not want to."""

    error = "access_denied"
    status = 403
    default_description = "The login was refused or broken off at the provider."


class IdentityRefusedError(AuthError):
    """Somebody who did log in at a provider, and is not let in here."""

    error = "identity_refused"
    status = 403
    default_description = "This account is not let in here."


class ProviderError(AuthError):
    """A provider that cannot be reached, or whose answer makes no sense; the log says which."""

    error = "provider_error"
    status = 502
    default_description = "The provider did not answer as it should: try again later."


class UnknownSessionError(AuthError):
    """A session that does not exist, or is somebody else's."""

    error = "unknown_session"
    status = 404
    default_description = "There is no such session."


class UnknownTokenError(AuthError):
    """A personal access token that does not exist, or is somebody else's."""

    error = "unknown_token"
    status = 404
    default_description = "There is no such token."


class TooManyTokensError(AccountError):
    """One personal access token more than a user may have."""

    error = "too_many_tokens"
    default_description = "There are as many personal access tokens as there may be: revoke one first."


class NoTicketError(AuthError):
    """A ticket that a token asked for which is not that of a login session, with all that its user may do."""

    error = "ticket_refused"
    status = 403
    default_description = "Tickets are given for the tokens of a login, and to paths that take them."


class FeatureOffError(AuthError):
    """An endpoint that the app has not switched on."""

    error = "not_found"
    status = 404
    default_description = "This API does not offer that."


class StaleAuthenticationError(UnauthenticatedError):
    """A valid token of a user who proved who they are too long ago (RFC 9470 section 3).

    Attributes:
        max_age: how many seconds ago it may be at most.
    """

    error = "insufficient_user_authentication"
    default_description = "More recent authentication is needed: confirm your password."

    def __init__(self, max_age: int, description: str | None = None) -> None:
        self.max_age = max_age
        super().__init__(description)
