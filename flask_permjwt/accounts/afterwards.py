"""Afterwards: what is done once the caller has committed, and not at all when it was rolled back."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, SessionTransaction, scoped_session

from flask_permjwt.accounts.savepoints import AnySession
from flask_permjwt.signals import told_of

Callback = Callable[[], object]

_WAITING: Final = "flask_permjwt.afterwards"

_log = logging.getLogger("flask_permjwt.signals")


@dataclass(slots=True, eq=False)
class _Waiting:
    """What waits for the commit of a session.

    Attributes:
        callbacks: each with the transaction that decides about it: the innermost that is still open.
        committed: the transaction or savepoint that has just been committed or released, until it ends.
    """

    callbacks: list[tuple[SessionTransaction, Callback]] = field(default_factory=list)
    committed: SessionTransaction | None = None


def on_commit(session: AnySession, callback: Callback) -> None:
    """Call a function once the session's root transaction is committed.

    It is dropped when that is rolled back or closed, or a savepoint in which it was registered; the release of a
    savepoint calls nothing. A transaction is begun where there is none.

    Functions are called in order, after the end of the transaction: all is visible to others, and nothing is
    locked. They may use the session, where they must commit what they write; but while a ``with session.begin():``
    ends, SQLAlchemy lets nobody use it: a function that must always work opens a session of its own. What one
    raises is logged, without its words, and harms neither the commit nor the others.

    Args:
        session: whose commit is waited for.
        callback: what to call.
    """
    found: Session = session() if isinstance(session, scoped_session) else session
    if not found.in_transaction():
        found.begin()
    transaction = found.get_nested_transaction() or found.get_transaction()
    assert transaction is not None  # noqa: S101  # just begun
    found.info.setdefault(_WAITING, _Waiting()).callbacks.append((transaction, callback))


# For every session of the process, once: sessions are too short-lived to listen to each. At this event, a session
# cannot run SQL yet, so that it is only noted which transaction was committed.
@event.listens_for(Session, "after_commit")
def _note_commit(session: Session) -> None:
    waiting: _Waiting | None = session.info.get(_WAITING)
    if waiting is not None:
        waiting.committed = session.get_nested_transaction() or session.get_transaction()


# The one event that comes however a transaction ends: by a commit, a rollback, one that fails, or a close.
@event.listens_for(Session, "after_transaction_end")
def _follow(session: Session, ended: SessionTransaction) -> None:
    waiting: _Waiting | None = session.info.get(_WAITING)
    if waiting is None:
        return
    outer = _around(ended)
    if waiting.committed is not ended:
        waiting.callbacks = [one for one in waiting.callbacks if one[0] is not ended]
    elif outer is not None:
        waiting.callbacks = [(outer if by is ended else by, callback) for by, callback in waiting.callbacks]
    if ended.parent is not None:
        return
    # Before the calls, which may use the session and wait for its next commit.
    del session.info[_WAITING]
    if waiting.committed is ended:
        for _, callback in waiting.callbacks:
            _call(session, callback)


def _around(transaction: SessionTransaction) -> SessionTransaction | None:
    """Return the savepoint or root around a savepoint; a flush in between decides about nothing."""
    outer = transaction.parent
    while outer is not None and outer.parent is not None and not outer.nested:
        outer = outer.parent
    return outer


def _call(session: Session, callback: Callback) -> None:
    try:
        callback()
    except Exception as error:  # noqa: BLE001  # whatever it is, the commit stands
        _log.error("what follows a commit failed: %s", told_of(error))
        # It may have left a transaction that nobody else can go on with.
        with suppress(SQLAlchemyError):
            session.rollback()
