"""Refreshing and logging out with tokens that Flask-JWT-Extended issued."""

from collections.abc import Callable, Iterator

from flask import Response, request

from flask_permjwt.accounts.former import FormerTokens
from flask_permjwt.api.body import has_body, load_body
from flask_permjwt.api.endpoints import deliver
from flask_permjwt.api.schemas import RefreshTokenSchema
from flask_permjwt.errors import AuthError, InvalidRequestError
from flask_permjwt.web.former import check_csrf, clear_former_cookies, former_cookie
from flask_permjwt.web.state import AppState, request_state
from flask_permjwt.web.transports import Credential, Source


def refresh_former(app: AppState) -> Response | None:
    """Answer a refresh with a former token; None where it is none.

    Raises:
        InvalidTokenError: 401, it is not acceptable, or was used before.
        InvalidRequestError: 400, it came in the body where tokens are given in cookies only.
    """
    former = app.former
    found = [] if former is None else list(_find(app, former, access=False))
    if former is None or not found:
        return None
    given = found[0]
    if given.source is Source.BODY and not app.settings.headers:
        raise InvalidRequestError("This API gives tokens in cookies only.")
    cookie = given.source is Source.COOKIE
    tokens = former.refresh(
        given.token,
        bind_csrf=cookie,
        check=_check(app, former, given),
        user_agent=request.user_agent.string,
        address=request.remote_addr,
    )
    response = deliver(app, tokens, cookie=cookie)
    if cookie:
        clear_former_cookies(response, former, app.settings.cookie_names)
    return response


def log_out_former(app: AppState) -> Response | None:
    """Answer a log-out with a former token, or with two in cookies; None where there is none.

    Raises:
        InvalidTokenError: 401, none is acceptable.
        CsrfError: 401, it came as a cookie without its CSRF value.
    """
    former = app.former
    found = [] if former is None else list(_find(app, former, access=True))
    if former is None or not found:
        return None
    refusals: list[AuthError] = []
    for given in found:
        # Whoever could repeat the value of one cookie has been shown to be the page.
        is_shown = len(refusals) < found.index(given)
        try:
            former.log_out(given.token, check=_nothing if is_shown else _check(app, former, given))
        except AuthError as error:
            # An access cookie that ran out must not hide a good refresh cookie.
            refusals.append(error)
    if len(refusals) == len(found):
        raise refusals[-1]
    response = Response(status=204)
    if found[0].source is Source.COOKIE:
        clear_former_cookies(response, former, ())
    return response


def _find(app: AppState, former: FormerTokens, *, access: bool) -> Iterator[Credential]:
    given = app.transport.from_header(request)
    if has_body(request):
        body = load_body(request, RefreshTokenSchema())
        if given is not None and body:
            return  # which is refused
        if body:
            given = Credential(body["refresh_token"], Source.BODY)
    if given is not None:
        if former.is_former(given.token):
            yield given
        return
    if not app.settings.cookies:
        return
    request_state().depends_on(("Cookie",))
    settings, config = app.settings, former.config
    names = [(config.refresh_cookie, settings.refresh_cookie_name)]
    if access:
        names.insert(0, (config.access_cookie, settings.access_cookie_name))
    for name, own in names:
        cookie = former_cookie(request, former, name, own)
        if cookie is not None:
            yield cookie


def _check(app: AppState, former: FormerTokens, given: Credential) -> Callable[[str | None], None]:
    config = former.config
    is_access = request.cookies.get(config.access_cookie) == given.token

    def check(bound: str | None) -> None:
        if given.source is Source.COOKIE:
            check_csrf(app.transport, request, bound, config.csrf_headers[0 if is_access else 1])

    return check


def _nothing(_: str | None) -> None:
    """Check nothing."""
