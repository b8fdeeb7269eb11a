"""The login blueprint: every endpoint with its path and method."""

from typing import Final

from flask import Blueprint

from flask_permjwt.api import (
    account,
    oauth_introspect,
    oauth_revoke,
    oauth_token,
    personal_tokens,
    providers,
    sessions,
    tickets,
)

_ENDPOINTS: Final = (
    ("POST", "/login", "login", sessions.log_in),
    ("POST", "/refresh", "refresh", sessions.refresh),
    ("POST", "/confirm", "confirm", sessions.confirm),
    ("POST", "/logout", "logout", sessions.log_out),
    ("POST", "/logout-all", "logout_all", sessions.log_out_everywhere),
    ("GET", "/sessions", "sessions", sessions.list_sessions),
    ("DELETE", "/sessions/<session_id>", "session", sessions.end_session),
    ("GET", "/me", "me", sessions.me),
    ("POST", "/ticket", "ticket", tickets.give_ticket),
    ("POST", "/register", "register", account.register),
    ("POST", "/verify", "verify", account.verify),
    ("POST", "/verify/send", "verify_send", account.send_verification),
    ("POST", "/password", "password", account.change_password),
    ("POST", "/password/forgot", "password_forgot", account.forget_password),
    ("POST", "/password/reset", "password_reset", account.reset_password),
    ("POST", "/tokens", "token_create", personal_tokens.create_token),
    ("GET", "/tokens", "tokens", personal_tokens.list_tokens),
    ("DELETE", "/tokens/<token_id>", "token_revoke", personal_tokens.revoke_token),
    ("GET", "/login/<provider>", "provider_login", providers.begin),
    ("GET", "/callback/<provider>", "provider_callback", providers.come_back),
    ("POST", "/exchange", "exchange", providers.exchange),
    ("GET", "/providers", "providers", providers.list_providers),
    ("POST", "/providers/<provider>", "provider_link", providers.link),
    ("DELETE", "/providers/<provider>", "provider_unlink", providers.unlink),
    ("POST", "/token", "token", oauth_token.token),
    ("POST", "/revoke", "revoke", oauth_revoke.revoke),
    ("POST", "/introspect", "introspect", oauth_introspect.introspect),
)


def make_auth_blueprint() -> Blueprint:
    """Make the blueprint; the app mounts it under a prefix of its choice."""
    blueprint = Blueprint("permjwt_auth", __name__)
    for method, path, endpoint, view in _ENDPOINTS:
        blueprint.add_url_rule(path, view_func=view, endpoint=endpoint, methods=[method])
    return blueprint
