"""Security schemes: the ways in which an app takes credentials, and which of them a route needs."""

from collections.abc import Iterable
from typing import Any, Final

from flask import Flask, current_app, has_request_context, request

from flask_permjwt.api.describe import Takes, description_of
from flask_permjwt.openapi.needs import alternatives
from flask_permjwt.openapi.routes import template
from flask_permjwt.policy.decision import Rule
from flask_permjwt.settings import Settings
from flask_permjwt.web.marks import guards_in_chain
from flask_permjwt.web.state import app_state
from flask_permjwt.web.table import Entry, Need

BEARER: Final = "permjwt"
PASSWORD: Final = "permjwt_password"  # noqa: S105  # the name of a scheme
COOKIE: Final = "permjwt_cookie"
CSRF: Final = "permjwt_csrf"
REFRESH: Final = "permjwt_refresh"
REFRESH_COOKIE: Final = "permjwt_refresh_cookie"
REFRESH_CSRF: Final = "permjwt_refresh_csrf"
CLIENT: Final = "permjwt_client"

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

_Requirement = dict[str, list[str]]


class Schemes:
    """The security schemes of one app, in the words of one version of OpenAPI.

    Args:
        app: any app with PermJWT.
        version: the document's ``openapi`` or ``swagger`` field.
    """

    def __init__(self, app: Flask, version: str) -> None:
        self._settings: Final[Settings] = app_state(app).settings
        self.is_swagger: Final = version.startswith("2.")
        # Before 3.1, only OAuth 2.0 and OpenID Connect have scopes (OpenAPI 3.0.3 section 4.7.30).
        self._with_roles: Final = not version.startswith(("2.", "3.0"))
        self._token_url: Final = self._find_token_url(app)
        self._scopes: Final[dict[str, None]] = {}

    def _find_token_url(self, app: Flask) -> str | None:
        path = token_url(app) if _is_oauth(self._settings) else None
        if path is None or not self.is_swagger:
            return path
        # Swagger 2.0 takes no relative address there: its schema says "uri", and not "uri-reference".
        origin = _origin_of(app)
        return None if origin is None else origin + path

    def of_entry(self, entry: Entry, method: str) -> list[_Requirement] | None:
        """Return the security requirements of a route and method; None where the table asks for nothing.

        Raises:
            ConfigurationError: the app's declarations contradict each other.
        """
        if entry.need is not None:
            return self._of_need(entry.need, method)
        held = self.held_needs(entry)
        if held:
            # Functions that the view holds guard themselves, when it calls them.
            return _once([{}, *(one for need in held for one in self._of_need(need, method))])
        return None

    @staticmethod
    def held_needs(entry: Entry) -> list[Need]:
        """Return what functions need that a view holds, and that guard themselves when it calls them."""
        if entry.public is not None:
            return []
        return [guard.need for held in entry.holds for guard in guards_in_chain(held)]

    def of_own(self, takes: Iterable[Takes], method: str) -> list[_Requirement]:
        """Return the security requirements of a view that looks at credentials by itself."""
        found: list[_Requirement] = []
        for one in takes:
            if one is Takes.ACCESS:
                found += self._access(method, ())
            elif one is Takes.REFRESH:
                found += self._refresh(method)
            else:
                found.append({CLIENT: []} if one is Takes.CLIENT else {})
        return found

    def _of_need(self, need: Need, method: str) -> list[_Requirement]:
        sets = [()] if need is None or isinstance(need, Rule) else alternatives(need)
        return _once([one for scopes in sets for one in self._access(method, scopes)])

    def _access(self, method: str, scopes: tuple[str, ...]) -> list[_Requirement]:
        roles = list(scopes) if self._with_roles else []
        found: list[_Requirement] = []
        if self._settings.headers:
            found.append({BEARER: roles})
        if self._token_url is not None:
            self._scopes.update(dict.fromkeys(scopes))
            found.append({PASSWORD: list(scopes)})
        if self._settings.cookies:
            found.append({COOKIE: list(roles), **({CSRF: []} if self._asks_csrf(method) else {})})
        return found

    def _refresh(self, method: str) -> list[_Requirement]:
        found: list[_Requirement] = []
        if self._settings.headers:
            found.append({REFRESH: []})
        if self._settings.cookies:
            found.append({REFRESH_COOKIE: [], **({REFRESH_CSRF: []} if self._asks_csrf(method) else {})})
        return found

    def _asks_csrf(self, method: str) -> bool:
        return self._settings.csrf_protect and method not in _SAFE

    def definitions(self) -> dict[str, dict[str, Any]]:
        """Return every scheme of the app, with the scopes that were named so far."""
        settings = self._settings
        found: dict[str, dict[str, Any]] = {}
        if settings.headers:
            found[BEARER] = self._in_header("An access token")
            found[REFRESH] = self._in_header("A refresh token, which opens nothing else")
        if self._token_url is not None:
            found[PASSWORD] = self._oauth(self._token_url)
        if settings.cookies:
            found[COOKIE] = self._in_cookie(settings.access_cookie_name, "The access token")
            found[REFRESH_COOKIE] = self._in_cookie(settings.refresh_cookie_name, "The refresh token")
        if settings.cookies and settings.csrf_protect:
            for name, cookie in (
                (CSRF, settings.access_csrf_cookie_name),
                (REFRESH_CSRF, settings.refresh_csrf_cookie_name),
            ):
                found[name] = {
                    "type": "apiKey",
                    "in": "header",
                    "name": settings.csrf_header_name,
                    "description": f"The value of the cookie `{cookie}`, which scripts can read.",
                }
        found[CLIENT] = {"type": "basic"} if self.is_swagger else {"type": "http", "scheme": "basic"}
        return found

    def _in_header(self, what: str) -> dict[str, Any]:
        settings = self._settings
        if _is_bearer(settings) and not self.is_swagger:
            return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": f"{what}."}
        written = f", after `{settings.header_type}` and a space" if settings.header_type else ""
        name = settings.header_name
        return {"type": "apiKey", "in": "header", "name": name, "description": f"{what}{written}."}

    def _in_cookie(self, name: str, what: str) -> dict[str, Any]:
        described = f"{what}, set by a login with `delivery: cookie`."
        if self.is_swagger:
            # There, an apiKey stands in a header or in the query alone.
            return {"type": "apiKey", "in": "header", "name": "Cookie", "description": f"`{name}`: {described}"}
        return {"type": "apiKey", "in": "cookie", "name": name, "description": described}

    def _oauth(self, url: str) -> dict[str, Any]:
        scopes = {scope: _told(scope) for scope in sorted(self._scopes)}
        described = "User name and password, for a token with all permissions or with those of some scopes."
        if self.is_swagger:
            flow = {"flow": "password", "tokenUrl": url, "scopes": scopes}
            return {"type": "oauth2", **flow, "description": described}
        flow = {"tokenUrl": url, "scopes": scopes}
        return {"type": "oauth2", "flows": {"password": flow}, "description": described}


def _once(requirements: list[_Requirement]) -> list[_Requirement]:
    """Leave out repetitions: alternatives that differ by their scopes alone, where scopes are not written."""
    return [one for index, one in enumerate(requirements) if one not in requirements[:index]]


def token_url(app: Flask) -> str | None:
    """Return the address at which the app takes user names and passwords by OAuth 2.0; None where it does not."""
    state = app_state(app)
    for rule in app.url_map.iter_rules():
        description = description_of(app.view_functions.get(rule.endpoint))
        if description is None or not description.available(state) or not description.grants_password(state):
            continue
        if not rule.arguments and not rule.host and not rule.subdomain:
            return root_of(app) + template(rule.rule)
    return None


def root_of(app: Flask) -> str:
    """Return the path under which the app is served, without a slash at its end."""
    if _is_asked(app):
        return request.script_root
    return str(app.config["APPLICATION_ROOT"] or "").rstrip("/")


def _origin_of(app: Flask) -> str | None:
    """Return the scheme and the host at which the app is served; None where nothing tells them."""
    if _is_asked(app):
        return request.host_url.rstrip("/")
    server = app.config["SERVER_NAME"]
    return None if server is None else f"{app.config['PREFERRED_URL_SCHEME']}://{server}"


def _is_asked(app: Flask) -> bool:
    return has_request_context() and current_app._get_current_object() is app  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug


def _is_bearer(settings: Settings) -> bool:
    return settings.header_name.casefold() == "authorization" and settings.header_type.casefold() == "bearer"


def _is_oauth(settings: Settings) -> bool:
    # Its tokens are used as RFC 6750 says.
    return settings.headers and _is_bearer(settings)


def _told(scope: str) -> str:
    return f"`{scope}`, filled with the values of the path" if "{" in scope else f"`{scope}`"
