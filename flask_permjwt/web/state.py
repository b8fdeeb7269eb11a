"""What the extension keeps per app, and what it keeps per request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, current_app, globals, request  # noqa: A004  # Flask's name for it

from flask_permjwt.errors import AuthError
from flask_permjwt.policy.principal import Principal

if TYPE_CHECKING:
    # Named and not needed: whoever imports a decorator need not wait for what makes logins.
    from flask_permjwt.accounts.audit import Recorder
    from flask_permjwt.accounts.client_access import ClientAccess
    from flask_permjwt.accounts.clients import Clients
    from flask_permjwt.accounts.feeds.freshness import Freshness
    from flask_permjwt.accounts.former import FormerTokens
    from flask_permjwt.accounts.housekeeping import Housekeeping
    from flask_permjwt.accounts.personal_tokens import PersonalTokens
    from flask_permjwt.accounts.renewals import Renewals
    from flask_permjwt.accounts.revocations import Revocations
    from flask_permjwt.accounts.self_service import SelfService
    from flask_permjwt.accounts.service import Accounts
    from flask_permjwt.accounts.store import UserStore
    from flask_permjwt.accounts.token_lookup import TokenLookup
    from flask_permjwt.providers.directory import Directory
    from flask_permjwt.settings import Settings
    from flask_permjwt.tokens.clock import Clock
    from flask_permjwt.tokens.codec import TokenCodec, VerifiedToken
    from flask_permjwt.tokens.key_files import KeyDirectory
    from flask_permjwt.tokens.key_source import KeySource
    from flask_permjwt.tokens.keys import Key
    from flask_permjwt.web.metadata import ResourceMetadata
    from flask_permjwt.web.presented import TokenFinder
    from flask_permjwt.web.table import Entry, PolicyTable
    from flask_permjwt.web.tickets import PresentedTickets
    from flask_permjwt.web.transports import Source, Transport

EXTENSION: Final = "permjwt"
REQUEST_KEY: Final = "_permjwt_state"
CONTEXT: Final[Any] = getattr(globals, "_cv_request", None) or globals._cv_app  # noqa: SLF001  # as told below
"""Where Flask keeps the request: in one context or the other, by its version. Flask's proxies cost several times
as much, and every request would pay for them."""
_NOTHING: Final[frozenset[Any]] = frozenset()
_current_request: Final = request._get_current_object  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug


@dataclass(frozen=True, slots=True, eq=False)
class AppState:
    """Everything the extension built for one app, in ``app.extensions["permjwt"]``."""

    settings: Settings
    clock: Clock
    codec: TokenCodec
    keys: KeySource
    key_directory: KeyDirectory | None
    settings_key: Callable[[], Key]
    store: UserStore[Any]
    accounts: Accounts
    self_service: SelfService | None
    providers: Directory | None
    clients: Clients
    client_access: ClientAccess
    lookup: TokenLookup
    revocations: Revocations
    recorder: Recorder
    note_denial: Callable[[RequestState, Principal, AuthError], None]
    freshness: Freshness
    housekeeping: Housekeeping
    transport: Transport
    tokens: TokenFinder
    table: PolicyTable
    personal: PersonalTokens
    resource_metadata: ResourceMetadata
    renewals: Renewals
    tickets: PresentedTickets | None = None
    former: FormerTokens | None = None


class RequestState:
    """What is known about one request.

    It is bound to the request object: ``g`` lives as long as the application context, which may outlive one
    request, and the next, anonymous one would be served as the previous user.

    One is made for every guarded request: what is not known yet stands on the class, and no call makes it.

    Attributes:
        app: the state of the app that serves the request; set by whoever makes one.
        principal: who it acts for, once resolved; anonymous when the credentials were not acceptable.
        refusal: why the principal is anonymous, once resolved.
        user: the user's row, once loaded.
        entry: what the policy table says about the request's view and method.
        routed: the view's arguments as routing matched them.
        enforced: something was enforced and granted.
        decided: the guarded wrappers that the hook has let pass, as long as they have not used that up.
        vary: the headers that the response depends on; caches are told.
        ticket_came: the request brought a ticket, whether it was good or not.
        source: where the access token was found, once resolved.
        renews: the access token came in a cookie that is past half its life and is to be renewed.
        token: that token, then; or what a ticket stood for.
    """

    app: AppState
    principal: Principal | None = None
    refusal: AuthError | None = None
    user: Any = None
    entry: Entry | None = None
    routed: Mapping[str, object] | None = None
    enforced: bool = False
    decided: frozenset[Any] = _NOTHING
    vary: tuple[str, ...] = ()
    ticket_came: bool = False
    source: Source | None = None
    renews: bool = False
    token: VerifiedToken | None = None

    def uses_up(self, wrapper: Callable[..., Any]) -> bool:
        """Tell whether the hook has decided for a guarded wrapper; its decision is used up by the first call."""
        decided = self.decided
        if wrapper not in decided:
            return False
        self.decided = decided - {wrapper}
        return True

    def depends_on(self, headers: tuple[str, ...]) -> None:
        """Note that the response depends on headers of the request."""
        self.vary = (*self.vary, *[one for one in headers if one not in self.vary]) if self.vary else headers


class NotSetUpError(RuntimeError):
    """``init_app`` was not called for an app."""


def app_state(app: Flask | None = None) -> AppState:
    """Return what ``init_app`` built for an app (by default the current one).

    Raises:
        NotSetUpError: ``init_app`` was not called for it.
    """
    target = app or current_app
    try:
        state = target.extensions[EXTENSION]
    except KeyError:
        raise NotSetUpError(
            f"the app {target.name!r} has guarded views but no PermJWT: call permjwt.init_app(app)"
        ) from None
    assert isinstance(state, AppState)  # noqa: S101  # only init_app writes there
    return state


def request_state() -> RequestState:
    """Return the state of the current request, made on first use.

    Raises:
        RuntimeError: there is no current request, or no PermJWT on the app.
    """
    attributes = _current_request().__dict__
    state = attributes.get(REQUEST_KEY)
    if state is None:
        # Of the app that serves the request: within a context of another app, current_app is that one, and its
        # keys and users say nothing here.
        made = RequestState()
        made.app = app_state(CONTEXT.get().app)
        state = attributes.setdefault(REQUEST_KEY, made)  # another thread of the request may have been faster
    assert isinstance(state, RequestState)  # noqa: S101  # the key is private to this function
    return state
