"""One's own account: register, verify the e-mail address, change or reset the password."""

from flask import Response, jsonify, request

from flask_permjwt.api.answers import MessageSchema, RegisteredSchema
from flask_permjwt.api.body import load_body
from flask_permjwt.api.describe import describe
from flask_permjwt.api.endpoints import (
    PROVING,
    committed,
    endpoint,
    field,
    in_full_session,
    own_user,
    self_service,
)
from flask_permjwt.api.schemas import (
    AddressSchema,
    CodeSchema,
    PasswordSchema,
    RegisterSchema,
    ResetSchema,
)
from flask_permjwt.errors import (
    BusyError,
    EmailTakenError,
    FeatureOffError,
    InvalidBodyError,
    InvalidCodeError,
    ThrottledError,
    UsernameTakenError,
)
from flask_permjwt.web.decorators import public, requires_login
from flask_permjwt.web.identity import current_principal
from flask_permjwt.web.state import AppState, app_state

_SENT = "If there is an account with this address, a mail is on its way."


def _sends_mail(app: AppState) -> bool:
    return app.self_service is not None and app.self_service.sends_mail


def _resets_passwords(app: AppState) -> bool:
    return app.self_service is not None and app.self_service.resets_passwords


@describe(
    "Register",
    body=RegisterSchema,
    answers={201: ("The user.", RegisteredSchema)},
    errors=(UsernameTakenError, EmailTakenError, ThrottledError, BusyError),
    available=lambda app: app.settings.registration and app.self_service is not None,
)
@public(reason="whoever registers has no account yet")
@endpoint
@committed
def register() -> Response:
    """POST /register."""
    if not app_state().settings.registration:
        raise FeatureOffError
    service = self_service()
    body = load_body(request, RegisterSchema())
    if service.require_verified and not body.get("email"):
        raise InvalidBodyError({"email": ["An e-mail address is needed."]})
    with field("password"):
        service.register(body["username"], body["password"], email=body.get("email"), address=request.remote_addr)
    shown = {
        "username": body["username"],
        "email": body.get("email"),
        "verification_required": service.require_verified,
    }
    response = jsonify(shown)
    response.status_code = 201
    return response


@describe(
    "Verify the e-mail address with the code from the mail",
    body=CodeSchema,
    answers={204: "The address is verified."},
    errors=(InvalidCodeError,),
    available=_sends_mail,
)
@public(reason="the code is the credential")
@endpoint
@committed
def verify() -> Response:
    """POST /verify."""
    self_service().verify_email(load_body(request, CodeSchema())["token"])
    return Response(status=204)


@describe(
    "Have the mail for the verification sent again",
    body=AddressSchema,
    answers={202: ("The same answer, whether somebody has this address or not.", MessageSchema)},
    errors=(ThrottledError, BusyError),
    available=_sends_mail,
)
@public(reason="answers the same whoever asks")
@endpoint
@committed
def send_verification() -> Response:
    """POST /verify/send."""
    service = self_service()
    if not service.sends_mail:
        raise FeatureOffError
    service.send_verification(load_body(request, AddressSchema())["email"], address=request.remote_addr)
    return _sent()


@describe(
    "Change the password",
    details="All other sessions end.",
    body=PasswordSchema,
    answers={204: "The password is changed."},
    errors=PROVING,
    available=lambda app: app.self_service is not None,
)
@requires_login
@endpoint
@in_full_session
@committed
def change_password() -> Response:
    """POST /password."""
    service = self_service()
    body = load_body(request, PasswordSchema())
    with field("new_password"):
        service.change_password(
            current_principal,
            own_user(),
            body["old_password"],
            body["new_password"],
            address=request.remote_addr,
        )
    return Response(status=204)


@describe(
    "Have a mail sent that lets a forgotten password be reset",
    body=AddressSchema,
    answers={202: ("The same answer, whether somebody has this address or not.", MessageSchema)},
    errors=(ThrottledError, BusyError),
    available=_resets_passwords,
)
@public(reason="answers the same whoever asks")
@endpoint
@committed
def forget_password() -> Response:
    """POST /password/forgot."""
    service = self_service()
    if not service.resets_passwords:
        raise FeatureOffError
    service.forget_password(load_body(request, AddressSchema())["email"], address=request.remote_addr)
    return _sent()


@describe(
    "Set a new password with the code from the mail",
    details="All sessions end.",
    body=ResetSchema,
    answers={204: "The password is set."},
    errors=(InvalidCodeError, BusyError),
    available=_resets_passwords,
)
@public(reason="the code is the credential")
@endpoint
@committed
def reset_password() -> Response:
    """POST /password/reset."""
    service = self_service()
    if not service.resets_passwords:
        raise FeatureOffError
    body = load_body(request, ResetSchema())
    with field("new_password"):
        service.reset_password(body["token"], body["new_password"])
    return Response(status=204)


def _sent() -> Response:
    response = jsonify({"message": _SENT})
    response.status_code = 202
    return response
