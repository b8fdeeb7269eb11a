"""Afterwards: what is done once the caller has committed, and not at all when it was rolled back."""

import logging
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction, scoped_session

from flask_permjwt.accounts.savepoints import AnySession

Callback = Callable[[], object]

_PENDING: Final = "flask_permjwt.pending"
_READY: Final = "flask_permjwt.ready"

_log = logging.getLogger("flask_permjwt.signals")


def on_commit(session: AnySession, callback: Callback) -> None:
    """Call a function once the session's root transaction is committed.

    It is dropped when that is rolled back or closed, or when a savepoint is rolled back in which it was
    registered; the release of a savepoint calls nothing. Functions are called in order, when the session can be
    used again; what one raises is logged and harms neither the commit nor the others.

    Args:
        session: whose commit is waited for.
        callback: what to call.
    """
    found: Session = session() if isinstance(session, scoped_session) else session
    found.info.setdefault(_PENDING, []).append((_open_transactions(found), callback))


def _open_transactions(session: Session) -> list[SessionTransaction]:
    """Return the innermost transaction and all around it."""
    opened = []
    transaction: SessionTransaction | None = session.get_nested_transaction() or session.get_transaction()
    while transaction is not None:
        opened.append(transaction)
        transaction = transaction.parent
    return opened


# For every session of the process, once: sessions are too short-lived to listen to each.
@event.listens_for(Session, "after_commit")
def _after_commit(session: Session) -> None:
    # It is also told of the release of a savepoint.
    if not session.in_nested_transaction() and _PENDING in session.info:
        session.info[_READY] = session.info.pop(_PENDING)


@event.listens_for(Session, "after_soft_rollback")
def _after_rollback(session: Session, previous: SessionTransaction) -> None:
    pending: list[tuple[list[SessionTransaction], Callback]] = session.info.get(_PENDING, [])
    if previous.parent is None:
        pending.clear()
    else:
        pending[:] = [one for one in pending if previous not in one[0]]


@event.listens_for(Session, "after_transaction_end")
def _after_end(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is not None:
        return
    ready: list[tuple[Any, Callback]] = session.info.pop(_READY, [])
    if not ready:
        # Closed without a commit.
        session.info.pop(_PENDING, None)
    for _, callback in ready:
        try:
            callback()
        except Exception as error:  # noqa: BLE001  # whatever it is, the commit stands
            _log.error("what follows a commit failed: %s", type(error).__name__)  # its text may tell
