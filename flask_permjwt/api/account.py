"""One's own account: register, verify the e-mail address, change or reset the password."""

from flask import Response, jsonify, request

from flask_permjwt.api.body import load_body
from flask_permjwt.api.endpoints import committed, endpoint, field, own_user, self_service
from flask_permjwt.api.schemas import (
    AddressSchema,
    CodeSchema,
    PasswordSchema,
    RegisterSchema,
    ResetSchema,
)
from flask_permjwt.errors import FeatureOffError, InvalidBodyError
from flask_permjwt.web.decorators import public, requires_login
from flask_permjwt.web.identity import current_principal
from flask_permjwt.web.state import app_state

_SENT = "If there is an account with this address, a mail is on its way."


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


@public(reason="the code is the credential")
@endpoint
@committed
def verify() -> Response:
    """POST /verify."""
    self_service().verify_email(load_body(request, CodeSchema())["token"])
    return Response(status=204)


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


@requires_login
@endpoint
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
