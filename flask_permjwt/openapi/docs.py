"""The pages of the documentation: the OpenAPI document, and Swagger UI that shows it, from this server alone."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

from flask import Blueprint, Flask, Response, current_app, request, send_file
from flask.blueprints import BlueprintSetupState
from markupsafe import Markup
from werkzeug.exceptions import NotFound

from flask_permjwt.api.describe import hidden
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.openapi.document import build_document
from flask_permjwt.openapi.routes import template
from flask_permjwt.openapi.schemes import root_of
from flask_permjwt.tokens.forks import after_fork
from flask_permjwt.web.decorators import public
from flask_permjwt.web.marks import DECLARED
from flask_permjwt.web.state import app_state

_REASON: Final = "the documentation"
_HOUR: Final = 3600
_MOST: Final = 8
_OWN: Final = Path(__file__).parent / "static"
_SCRIPT: Final = "page.js"
_ASSETS: Final = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
# No inline script, no eval; Swagger UI's own pictures are data: addresses in its style sheet.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE: Final = Markup(
    "<!doctype html>\n"
    '<html lang="en">\n'
    '<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>{title}</title>\n"
    '<link rel="icon" href="assets/favicon-32x32.png">\n'
    '<link rel="stylesheet" href="assets/swagger-ui.css">\n'
    '<div id="swagger-ui"{data}></div>\n'
    '<noscript>The documentation is shown by a script; <a href="openapi.json">the document itself</a> is not.'
    "</noscript>\n"
    '<script src="assets/swagger-ui-bundle.js"></script>\n'
    '<script src="assets/page.js"></script>\n'
)


def make_docs_blueprint() -> Blueprint:
    """Make the blueprint; the app mounts it under a prefix of its choice.

    Raises:
        ConfigurationError: what it shows the document with is not installed.
    """
    assets = _find_assets()
    blueprint = Blueprint("permjwt_docs", __name__, url_prefix="/docs")

    def set_up(state: BlueprintSetupState) -> None:
        app = cast("Flask", state.app)
        documents = _Documents(app)
        views: dict[str, tuple[str, Callable[..., Response]]] = {
            "page": ("/", lambda **_: _page()),
            "document": ("/openapi.json", lambda **_: documents.answer()),
            "asset": ("/assets/<name>", lambda name, **_: _asset(assets, name)),
        }
        # Of each app its own: what is declared on a function holds wherever it is a view.
        for endpoint, (path, view) in views.items():
            hidden(view)
            if app_state(app).settings.docs_public:
                public(reason=_REASON)(view)
            state.add_url_rule(path, endpoint, view)

    blueprint.record(set_up)
    return blueprint


class _Documents:
    """The document of one app as text, made anew only when something was declared since."""

    def __init__(self, app: Flask) -> None:
        self._app: Final = app
        self._written: dict[tuple[str, int], str] = {}
        self._renew_lock()
        after_fork(self._renew_lock)

    def _renew_lock(self) -> None:
        """Forget who holds the lock: after a fork, that thread is not here."""
        self._lock = Lock()

    def answer(self) -> Response:
        key = (root_of(self._app), DECLARED[0])
        with self._lock:
            text = self._written.get(key)
            if text is None:
                text = json.dumps(build_document(self._app), separators=(",", ":"))
                # Whoever chooses the paths under which an app is served could choose any number.
                self._written = {**(self._written if len(self._written) < _MOST else {}), key: text}
        response = _guarded(Response(text, mimetype="application/json"))
        response.add_etag()
        response.make_conditional(request)
        return response


def _page() -> Response:
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug
    title = app_state(app).settings.api_title or app.name
    data = Markup("").join(Markup(' data-{}="{}"').format(name, value) for name, value in _facts(app).items())
    response = _guarded(Response(_PAGE.format(title=title, data=data), mimetype="text/html"))
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _asset(folder: Path, name: str) -> Response:
    if name != _SCRIPT and name not in _ASSETS:
        raise NotFound
    path = (_OWN if name == _SCRIPT else folder) / name
    response = send_file(path, conditional=True, max_age=_HOUR)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _guarded(response: Response) -> Response:
    # Asked for again each time: what it shows may be guarded, and changes with the app.
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _facts(app: Flask) -> dict[str, str]:
    """Return what the page's script must know of the app."""
    settings = app_state(app).settings
    facts: dict[str, Any] = {"logout": _address(app, "logout"), "refresh": _address(app, "refresh")}
    if settings.cookies and settings.csrf_protect:
        facts["csrf-header"] = settings.csrf_header_name
        facts["access-csrf"] = settings.access_csrf_cookie_name
        facts["refresh-csrf"] = settings.refresh_csrf_cookie_name
    return {name: value for name, value in facts.items() if value is not None}


def _address(app: Flask, endpoint: str) -> str | None:
    """Return where an endpoint of the auth blueprint stands in an app, if it does."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        own = (getattr(view, "__module__", None) or "").startswith("flask_permjwt.api.")
        if own and rule.endpoint.rpartition(".")[2] == endpoint and not rule.arguments:
            return root_of(app) + template(rule.rule)
    return None


def _find_assets() -> Path:
    found = find_spec("flask_swagger_ui")
    if found is None or found.origin is None:
        raise ConfigurationError(
            "the pages of the documentation need flask-swagger-ui: pip install 'flask-permjwt[openapi]'"
        )
    folder = Path(found.origin).parent / "dist"
    missing = [name for name in _ASSETS if not (folder / name).is_file()]
    if missing:
        raise ConfigurationError(
            f"this version of flask-swagger-ui has no {missing[0]}: pip install --upgrade 'flask-permjwt[openapi]'"
        )
    return folder
