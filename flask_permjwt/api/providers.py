"""Log in with a provider: begin, come back, exchange a code; list, link and unlink providers."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flask import Response, after_this_request, jsonify, redirect, request, url_for
from markupsafe import escape

from flask_permjwt.api.answers import (
    BeginQuerySchema,
    CameBackSchema,
    ProvidersSchema,
    ReturnQuerySchema,
    TokensAnswerSchema,
    UrlSchema,
)
from flask_permjwt.api.body import has_body, load_body
from flask_permjwt.api.describe import describe
from flask_permjwt.api.endpoints import (
    FRESH,
    ISSUING,
    committed,
    deliver,
    endpoint,
    in_full_session,
    in_session,
    own_user,
    paths,
)
from flask_permjwt.api.provider_requests import asks_for_json, returned, wishes
from flask_permjwt.api.schemas import RFC_3339, ExchangeSchema, LinkSchema
from flask_permjwt.errors import (
    AuthError,
    BusyError,
    EmailNotVerifiedError,
    EmailTakenError,
    FeatureOffError,
    IdentityRefusedError,
    IdentityTakenError,
    InvalidAttemptError,
    InvalidCodeError,
    InvalidCredentialsError,
    InvalidRequestError,
    InvalidTargetError,
    InvalidTokenError,
    LastLoginError,
    ProviderDeniedError,
    ProviderError,
    ThrottledError,
    UnknownProviderError,
)
from flask_permjwt.providers.attempts import LIFETIME, Attempt, challenge_of, new_state
from flask_permjwt.web.decorators import public, requires_login
from flask_permjwt.web.identity import current_principal
from flask_permjwt.web.login_cookies import LoginCookies
from flask_permjwt.web.state import AppState, app_state
from flask_permjwt.web.targets import check_own, with_query

if TYPE_CHECKING:
    from flask_permjwt.accounts.provider_logins import Person
    from flask_permjwt.providers.client import ProviderClient
    from flask_permjwt.providers.directory import Directory

_DEPTH: Final = 2
_REFUSALS: Final = {IdentityRefusedError: "not let in", EmailTakenError: "address taken"}
"""What is written down after everything that was begun for it is undone."""

_BEGINNING: Final = (InvalidRequestError, UnknownProviderError, ThrottledError, BusyError, ProviderError)


def _has_providers(app: AppState) -> bool:
    return app.providers is not None


@describe(
    "Begin a login at a provider",
    query=BeginQuerySchema,
    answers={
        200: ("The address to go to, for a client that asks for JSON.", UrlSchema),
        303: "On to the provider.",
    },
    errors=(*_BEGINNING, InvalidTargetError),
    available=_has_providers,
)
@public(reason="begins a login at a provider")
@endpoint
def begin() -> Response:
    """GET /login/<provider>."""
    app, directory, client = _asked()
    directory.logins.count("begin", client.provider.name, request.remote_addr)
    return _send(app, directory, client, _attempt(app, client, **wishes(app)))


@describe(
    "Come back from a provider",
    details="Where the provider sends the browser; nobody else has a use for it.",
    query=ReturnQuerySchema,
    answers={200: ("How it ended, where there is no page to go on to.", CameBackSchema), 303: "On to that page."},
    errors=(
        *_BEGINNING,
        *ISSUING,
        InvalidAttemptError,
        InvalidCredentialsError,
        ProviderDeniedError,
        IdentityRefusedError,
        EmailNotVerifiedError,
        EmailTakenError,
        IdentityTakenError,
    ),
    available=_has_providers,
)
@public(reason="the browser that began it has a cookie")
@endpoint
def come_back() -> Response:
    """GET /callback/<provider>."""
    app, directory, client = _asked()
    counted = directory.logins.count("fail", client.provider.name, request.remote_addr)
    given = returned()
    cookies = _cookies(app, directory)
    attempt = cookies.find(request, given["state"], now=app.clock())
    if attempt is None or attempt.provider != client.provider.name:
        raise InvalidAttemptError
    # However it ends, this attempt is over.
    after_this_request(lambda response: cookies.drop(response, attempt.state))
    with app.accounts.transaction():
        directory.logins.spend(attempt.state, lifetime=LIFETIME)
    try:
        response = _finish(app, directory, client, attempt, given)
    except AuthError as error:
        if type(error) in _REFUSALS:
            with app.accounts.transaction():
                directory.logins.note_refusal(_REFUSALS[type(error)], client.provider.name)
        if attempt.cookie or attempt.target is None:
            raise
        # Nobody else would tell the app that waits for its code.
        response = _go(app, with_query(attempt.target, error=error.error, error_description=error.description))
    else:
        counted.give_back()
    app.housekeeping.tidy_up()
    return response


@describe(
    "Exchange the code of a login at a provider for tokens",
    body=ExchangeSchema,
    answers={200: ("The tokens.", TokensAnswerSchema)},
    errors=(*ISSUING, InvalidCodeError, InvalidCredentialsError, EmailNotVerifiedError, ThrottledError, BusyError),
    available=lambda app: app.providers is not None and app.settings.headers,
)
@public(reason="the code and its verifier are the credential")
@endpoint
def exchange() -> Response:
    """POST /exchange."""
    app, directory = _in_use()
    if not app.settings.headers:
        raise InvalidRequestError("This API gives tokens in cookies only.")
    body = load_body(request, ExchangeSchema())
    counted = directory.logins.count("exchange", "exchange", request.remote_addr)
    with app.accounts.transaction():
        tokens = directory.logins.exchange(
            body["code"],
            challenge_of(body["code_verifier"]),
            user_agent=request.user_agent.string,
            address=request.remote_addr,
        )
        response = deliver(app, tokens, cookie=False)
    counted.give_back()
    return response


@describe(
    "List the providers, and which of them are linked",
    answers={200: ("The providers.", ProvidersSchema)},
    available=_has_providers,
)
@requires_login
@endpoint
@in_session
@committed
def list_providers() -> Response:
    """GET /providers."""
    _, directory = _in_use()
    subject = own_user().public_id
    linked = directory.logins.linked(subject)
    shown: list[dict[str, Any]] = []
    for name, client in directory.clients.items():
        mine = [one.created_at for one in linked if client.provider.is_issuer(one.issuer)]
        linked_at = min(mine).strftime(RFC_3339) if mine else None
        shown.append({"name": name, "linked": bool(mine), "linked_at": linked_at})
    return jsonify({"providers": shown, "password": directory.logins.has_password(subject)})


@describe(
    "Begin to link a provider",
    body=LinkSchema,
    optional=True,
    answers={200: ("The address to go to.", UrlSchema)},
    errors=(*_BEGINNING, InvalidTargetError),
    available=_has_providers,
)
@requires_login(fresh=FRESH)
@endpoint
@in_full_session
def link() -> Response:
    """POST /providers/<provider>."""
    app, directory, client = _asked()
    subject, session_id = _own_session(app)
    directory.logins.count("begin", client.provider.name, request.remote_addr)
    body = load_body(request, LinkSchema()) if has_body(request) else {}
    target = check_own(body["next"], request) if "next" in body else None
    attempt = _attempt(app, client, cookie=True, target=target, subject=subject, session_id=session_id)
    return _send(app, directory, client, attempt, as_json=True)


@describe(
    "Unlink a provider",
    answers={204: "It is linked no more."},
    errors=(UnknownProviderError, LastLoginError),
    available=_has_providers,
)
@requires_login(fresh=FRESH)
@endpoint
@in_full_session
@committed
def unlink() -> Response:
    """DELETE /providers/<provider>."""
    app, directory, client = _asked()
    subject, session_id = _own_session(app)
    others = [one.provider.is_issuer for one in directory.clients.values() if one is not client]
    directory.logins.unlink(subject, session_id, client.provider.name, client.provider.is_issuer, others)
    return Response(status=204)


def _in_use() -> "tuple[AppState, Directory]":
    app = app_state()
    if app.providers is None:
        raise FeatureOffError
    return app, app.providers


def _asked() -> "tuple[AppState, Directory, ProviderClient]":
    """Return the provider that the address names.

    Raises:
        FeatureOffError, UnknownProviderError: 404, there is none.
    """
    app, directory = _in_use()
    return app, directory, directory.find((request.view_args or {})["provider"])


def _own_session(app: AppState) -> tuple[str, str]:
    """Return user and session of who asks.

    Raises:
        InvalidTokenError: 401, the session has ended, or the token is of another issuer.
    """
    own_user()
    subject, session_id = current_principal.subject, current_principal.session_id
    if subject is None or session_id is None or not app.accounts.is_living(current_principal):
        raise InvalidTokenError("The session has ended.")
    return subject, session_id


def _cookies(app: AppState, directory: "Directory") -> LoginCookies:
    return LoginCookies(directory.seal, secure=app.settings.cookie_secure)


def _attempt(app: AppState, client: "ProviderClient", **wished: Any) -> Attempt:
    now = int(app.clock())
    provider = client.provider.name
    return Attempt(state=new_state(), provider=provider, begun_at=now, expires_at=now + LIFETIME, **wished)


def _send(
    app: AppState,
    directory: "Directory",
    client: "ProviderClient",
    attempt: Attempt,
    *,
    as_json: bool = False,
) -> Response:
    """Send the browser to the provider, or say where that is."""
    seal = directory.seal
    url = client.url(
        redirect_uri=_redirect_uri(client),
        state=attempt.state,
        nonce=seal.nonce(attempt.state),
        challenge=challenge_of(seal.verifier(attempt.state)),
        fresh=attempt.fresh,
    )
    response = jsonify({"url": url}) if as_json or asks_for_json() else _redirect(url)
    response.headers["Vary"] = "Accept"
    _cookies(app, directory).keep(request, response, attempt, now=app.clock())
    return response


def _redirect_uri(client: "ProviderClient") -> str:
    """Return where people come back to: an address of each provider's own (RFC 9700 section 4.4.2)."""
    if client.provider.redirect_uri is not None:
        return client.provider.redirect_uri
    values = {**(request.view_args or {}), "provider": client.provider.name}
    return url_for(f"{request.blueprint}.provider_callback", _external=True, **values)


def _finish(
    app: AppState, directory: "Directory", client: "ProviderClient", attempt: Attempt, given: dict[str, str]
) -> Response:
    seal, logins = directory.seal, directory.logins
    # No connection to the database is held meanwhile.
    person = client.redeem(
        client.check_return(given),
        redirect_uri=_redirect_uri(client),
        verifier=seal.verifier(attempt.state),
        nonce=seal.nonce(attempt.state),
        asked_at=attempt.begun_at if attempt.fresh else None,
    )
    create = client.provider.create
    if attempt.subject is not None and attempt.session_id is not None:
        return _link(app, directory, attempt, person)
    with app.accounts.transaction():
        if attempt.challenge is not None:
            code = logins.make_code(person, create=create, challenge=attempt.challenge)
            return _hand_over(app, attempt, code)
        tokens = logins.log_in(
            person,
            create=create,
            bind_csrf=True,
            user_agent=request.user_agent.string,
            address=request.remote_addr,
        )
        response = deliver(app, tokens, cookie=True, depth=_DEPTH)
        target = attempt.target or _home()
        if target is None:
            return response
        onward = _go(app, target)
        app.transport.attach_cookies(onward, tokens, *paths(_DEPTH))
        return onward


def _link(app: AppState, directory: "Directory", attempt: Attempt, person: "Person") -> Response:
    assert attempt.subject is not None  # noqa: S101  # the caller looked
    assert attempt.session_id is not None  # noqa: S101  # likewise
    if current_principal.subject not in (None, attempt.subject):
        # Meanwhile, somebody else logged in here.
        raise InvalidAttemptError
    with app.accounts.transaction():
        directory.logins.link(person, attempt.subject, attempt.session_id)
    return jsonify({"linked": person.provider}) if attempt.target is None else _go(app, attempt.target)


def _hand_over(app: AppState, attempt: Attempt, code: str) -> Response:
    from flask_permjwt.accounts.provider_logins import CODE_LIFETIME  # noqa: PLC0415  # not without a provider

    if attempt.target is None:
        return jsonify({"code": code, "expires_in": CODE_LIFETIME})
    return _go(app, with_query(attempt.target, code=code))


def _home() -> str | None:
    """Return the first page of the app, if it has one."""
    home = f"{request.script_root}/"
    try:
        return check_own(home, request)
    except InvalidTargetError:
        return None


def _go(app: AppState, target: str) -> Response:
    """Send the browser on. The address that it leaves held a code: it is told to nobody."""
    if app.settings.cookies and app.settings.cookie_samesite == "Strict" and target.startswith("/"):
        # A redirect would still be the provider's doing, and would come without Strict cookies; this is ours.
        page = f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(target)}"><title>...</title>'
        response = Response(f'{page}<a href="{escape(target)}">Go on</a>', mimetype="text/html")
    else:
        response = _redirect(target)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


_redirect: Final[Callable[[str], Any]] = lambda url: redirect(url, 303)  # noqa: E731  # Flask's type is Werkzeug's
