"""PermJWT: the extension object. What it builds is loaded when it is made, not when the package is imported."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from flask import Blueprint, Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt.accounts.store import UserStore
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.web.state import EXTENSION, app_state

if TYPE_CHECKING:
    from flask_permjwt.accounts.clients import Clients
    from flask_permjwt.accounts.identities import Identities
    from flask_permjwt.accounts.models import Models
    from flask_permjwt.accounts.password_rules import ExtraRule
    from flask_permjwt.accounts.revocations import Revocations
    from flask_permjwt.accounts.sql_store import SQLUserStore
    from flask_permjwt.mail.message import Mailer
    from flask_permjwt.shared import Shared


class PermJWT:
    """The extension: permissions on views, tokens, and the user store. One object may serve several apps.

    Args:
        app: calls ``init_app`` at once when given.
        db: the app's Flask-SQLAlchemy object.
        user_model: the app's own user class, made with ``UserMixin``; by default one is supplied.
        user_store: where users live when they do not live in ``db``.
        mailer: sends mails, such as ``MailmanMailer()``; without one, nothing that needs mail is offered.
        password_check: judges new passwords too, beyond the rules of ``PasswordRules``: called with the password
            and the keywords ``username`` and ``email``, it returns why it is refused, or None.
        clock: returns the time in seconds since 1970-01-01 UTC; for tests.
        monotonic: returns seconds, by a clock that only goes forward; for tests.

    Raises:
        ConfigurationError: ``user_model`` and ``user_store`` are both given, or the app cannot be set up.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        db: SQLAlchemy,
        user_model: type[Any] | None = None,
        user_store: UserStore[Any] | None = None,
        mailer: Mailer | None = None,
        password_check: ExtraRule | None = None,
        clock: Clock = time.time,
        monotonic: Clock = time.monotonic,
    ) -> None:
        if user_model is not None and user_store is not None:
            raise ConfigurationError("give PermJWT a user_model (users in db) or a user_store, not both")
        from flask_permjwt.shared import build_shared  # noqa: PLC0415  # for those who make one

        self._shared: Final[Shared] = build_shared(
            db, user_model, user_store, mailer, password_check, clock=clock, monotonic=monotonic
        )
        self.models: Final[Models] = self._shared.models
        self.revocations: Final[Revocations] = self._shared.revocations
        self.identities: Final[Identities] = self._shared.identities
        self.clients: Final[Clients] = self._shared.clients
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read the settings, build everything for this app and register the hook and the commands.

        Raises:
            ConfigurationError: a setting is wrong, there is no good key, or it was called twice for this app.
        """
        if EXTENSION in app.extensions:
            raise ConfigurationError(
                f"PermJWT is set up on {app.name!r} already: pass app to PermJWT or call init_app, once"
            )
        from flask_permjwt.assembly import assemble  # noqa: PLC0415  # as above

        assemble(app, self._shared)

    @property
    def users(self) -> SQLUserStore[Any]:
        """The store's Python face; with a ``user_store`` of your own, that very object."""
        return cast("SQLUserStore[Any]", self._shared.store)

    @cached_property
    def auth_blueprint(self) -> Blueprint:
        """The login blueprint; mount it under a prefix, with ``register_blueprint(..., url_prefix="/auth")``."""
        # Loaded for those who mount it, and marshmallow with it.
        from flask_permjwt.api.blueprint import make_auth_blueprint  # noqa: PLC0415

        return make_auth_blueprint()

    @cached_property
    def well_known_blueprint(self) -> Blueprint:
        """Our public keys and metadata, which stand at fixed places (RFC 8615); mount it without a prefix."""
        # Loaded for those who mount it.
        from flask_permjwt.api.well_known import make_well_known_blueprint  # noqa: PLC0415

        return make_well_known_blueprint()

    @cached_property
    def docs_blueprint(self) -> Blueprint:
        """Pages that show the app's OpenAPI document, at ``/docs/`` unless it is mounted under another prefix.

        Raises:
            ConfigurationError: the extra ``openapi`` is not installed.
        """
        # Loaded for those who mount it.
        from flask_permjwt.openapi.docs import make_docs_blueprint  # noqa: PLC0415

        return make_docs_blueprint()

    def openapi(self, app: Flask) -> dict[str, Any]:
        """Return the OpenAPI 3.1 document of an app: every route, with what its guards enforce.

        Call it when the routes are final. In a request, addresses stand below the path under which the app is
        served; elsewhere, below APPLICATION_ROOT.

        Raises:
            ConfigurationError: the extra ``openapi`` is not installed, or the app's declarations contradict each
                other.
        """
        # Loaded for those who ask.
        from flask_permjwt.openapi.document import build_document  # noqa: PLC0415

        return build_document(app)

    def check_password(self, username: str, password: str) -> Any:
        """Return the user with this name or e-mail address and password, for a login of the app's own.

        Attempts are counted, slowed down and logged as at ``POST /login``; no session is opened. It joins
        ``db.session``: commit afterwards, also when it refuses.

        Args:
            username: the user name or the e-mail address, as typed.
            password: as typed.

        Raises:
            InvalidCredentialsError: 401, there is no such user, or the password is another one.
            AuthError: as ``POST /login`` answers: 403 where the address must be verified first, 429 after too many
                attempts, 503 while passwords cannot be checked. All are Werkzeug exceptions too.
        """
        from flask_permjwt.web.password_check import check_password  # noqa: PLC0415  # for those who ask

        return check_password(username, password)

    def check(self, app: Flask) -> None:
        """Compile the policy of the app's routes now; call it at the end of the app factory.

        Without it, the same faults are found when the first request comes, and no request is served.

        Raises:
            ConfigurationError: the declarations contradict each other, or a guard guards nothing.
        """
        app_state(app).table.compile()
