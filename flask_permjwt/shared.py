"""What the extension builds once, for all the apps that it serves: models, and what works on them by itself."""

from dataclasses import dataclass
from typing import Any

from flask_sqlalchemy import SQLAlchemy

from flask_permjwt.accounts.audit import Recorder
from flask_permjwt.accounts.changes import ChangeLog
from flask_permjwt.accounts.clients import Clients
from flask_permjwt.accounts.identities import Identities
from flask_permjwt.accounts.models import Models, build_models
from flask_permjwt.accounts.password_rules import ExtraRule
from flask_permjwt.accounts.passwords import Passwords
from flask_permjwt.accounts.personal_tokens import PersonalTokens
from flask_permjwt.accounts.revocations import Revocations
from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.accounts.sessions import Sessions
from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.accounts.store import UserStore
from flask_permjwt.mail.message import Mailer
from flask_permjwt.mail.outbox import Outbox
from flask_permjwt.tokens.clock import Clock
from flask_permjwt.tokens.codec import TokenType, VerifiedToken
from flask_permjwt.web.origin import at_end_of_context, current_freshness, current_origin
from flask_permjwt.web.state import app_state


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """What all apps of one extension object share."""

    db: SQLAlchemy
    models: Models
    store: UserStore[Any]
    passwords: Passwords
    password_check: ExtraRule | None
    mailer: Mailer | None
    outbox: Outbox | None
    recorder: Recorder
    changes: ChangeLog
    sessions: Sessions
    revocations: Revocations
    identities: Identities
    personal: PersonalTokens
    clients: Clients
    clock: Clock
    monotonic: Clock


def build_shared(
    db: SQLAlchemy,
    user_model: type[Any] | None,
    user_store: UserStore[Any] | None,
    mailer: Mailer | None,
    password_check: ExtraRule | None,
    *,
    clock: Clock,
    monotonic: Clock,
) -> Shared:
    """Build them from what ``PermJWT`` was given."""
    passwords = Passwords()
    models = build_models(db, user_model, users=user_store is None)
    recorder = Recorder(db, models.audit, clock=clock, origin=current_origin, at_end=at_end_of_context)
    changes = ChangeLog(db, models.change, listener=current_freshness, clock=clock, monotonic=monotonic)
    sessions = Sessions(db, models, changes=changes)
    store: UserStore[Any] = user_store or SQLUserStore(
        db, models, passwords, clock=clock, recorder=recorder, changes=changes
    )

    personal = PersonalTokens(db, models, store, changes, recorder, clock=clock)

    def quiet_store_in(session: AnySession) -> SQLUserStore[Any]:
        return SQLUserStore(db, models, passwords, clock=clock, session=session)

    return Shared(
        db=db,
        models=models,
        store=store,
        passwords=passwords,
        password_check=password_check,
        mailer=mailer,
        outbox=None if mailer is None else Outbox(mailer),
        recorder=recorder,
        changes=changes,
        sessions=sessions,
        revocations=Revocations(db, changes, sessions, recorder, personal, verify=_verify_any, clock=clock),
        identities=Identities(
            db,
            models,
            store,
            create_in=quiet_store_in if user_store is None else None,
            recorder=recorder,
            changes=changes,
            clock=clock,
        ),
        personal=personal,
        clients=Clients(db, models, clock=clock, recorder=recorder, changes=changes),
        clock=clock,
        monotonic=monotonic,
    )


def _verify_any(text: str) -> VerifiedToken:
    return app_state().codec.verify(text, *TokenType)
