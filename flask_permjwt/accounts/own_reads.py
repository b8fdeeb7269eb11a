"""Own reads: a transaction that we began, and only to read, ends before long work that needs no database."""

from typing import Final

from sqlalchemy.orm import Session, scoped_session

from flask_permjwt.accounts.savepoints import AnySession


class OwnReads:
    """What a use-case has read so far. It is made when the use-case begins.

    Args:
        session: where it reads.
    """

    def __init__(self, session: AnySession) -> None:
        self._session: Final[Session] = session() if isinstance(session, scoped_session) else session
        self._is_ours: Final = not self._session.in_transaction()

    def end(self) -> None:
        """Give the connection back to its pool; call it before anything is written.

        A transaction that the app had begun is left alone, and so is what waits to be written. Rows that were
        loaded are read again when they are used next.
        """
        session = self._session
        if self._is_ours and not (session.new or session.dirty or session.deleted):
            session.rollback()
