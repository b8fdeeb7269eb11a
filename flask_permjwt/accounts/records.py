"""Records: what the use-cases write down - sessions, rotations, one-time codes, what changed and what happened.

Their subjects are no foreign keys: users may live elsewhere. Times are naive UTC in whole seconds.
"""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from flask_permjwt.accounts.columns import new_id, serial_column, text_column


class SessionMixin:
    """A session: opened by a login, carried on by refreshes, over at its absolute end at the latest.

    No token is kept, only the id of the refresh token that is good now. The subject is no foreign key: users
    may live elsewhere.

    Attributes:
        id: 32 random hexadecimal digits: the ``sid`` of tokens.
        subject: the public id of the user.
        created_at: when it was opened; all times are naive UTC, whole seconds.
        authenticated_at: when the user last proved who they are (``auth_time``, OpenID Connect Core section 2).
        last_used_at: when it was opened or last refreshed.
        expires_at: its absolute end, however often it is refreshed.
        ended_at: when it was ended before that, or None.
        opened_by: how, such as ``"password"``.
        user_agent: what the client called itself, shortened to 255 characters.
        address: the client's address.
        refresh_id: the ``jti`` of the refresh token that is good now.
        rotated_at: when the one before was exchanged for it; None for the first.
    """

    id: Mapped[str] = mapped_column(text_column(32), primary_key=True, default=new_id)
    subject: Mapped[str] = mapped_column(text_column(255))
    created_at: Mapped[datetime] = mapped_column(DateTime)
    authenticated_at: Mapped[datetime] = mapped_column(DateTime)
    last_used_at: Mapped[datetime] = mapped_column(DateTime)
    expires_at: Mapped[datetime] = mapped_column(DateTime)
    ended_at: Mapped[datetime | None] = mapped_column(DateTime)
    opened_by: Mapped[str] = mapped_column(text_column(32))
    user_agent: Mapped[str | None] = mapped_column(text_column(255))
    address: Mapped[str | None] = mapped_column(text_column(64))
    refresh_id: Mapped[str] = mapped_column(text_column(32), default=new_id)
    rotated_at: Mapped[datetime | None] = mapped_column(DateTime)


class IdentityMixin:
    """Somebody as another issuer knows them, and the user here that they are.

    Attributes:
        id: the primary key.
        owner: the public id of the user.
        issuer: ``iss``, as the issuer writes it.
        subject: ``sub`` there; unique together with ``issuer``.
        created_at: when they were linked; naive UTC, whole seconds.
    """

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    owner: Mapped[str] = mapped_column(text_column(255))
    issuer: Mapped[str] = mapped_column(text_column(255))
    subject: Mapped[str] = mapped_column(text_column(255))
    created_at: Mapped[datetime] = mapped_column(DateTime)


class RotationMixin:
    """An exchange of a refresh token, remembered for as long as the old one may be presented again.

    Attributes:
        token_id: the ``jti`` of the token that was exchanged.
        session_id: the session that it belonged to.
        rotated_at: when.
    """

    token_id: Mapped[str] = mapped_column(text_column(32), primary_key=True)
    session_id: Mapped[str] = mapped_column(text_column(32))
    rotated_at: Mapped[datetime] = mapped_column(DateTime)


class CodeMixin:
    """A one-time code that was sent to somebody, as its hash.

    Attributes:
        digest: the SHA-256 of the code, which holds 256 random bits, as 64 hexadecimal digits.
        purpose: what it is good for, such as ``"reset"``.
        subject: the public id of the user; empty where there is none, so that the same work is done.
        detail: what it is bound to, such as the address that is being verified.
        created_at: when it was made.
        expires_at: when it is good for nothing.
    """

    digest: Mapped[str] = mapped_column(text_column(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(text_column(16))
    subject: Mapped[str] = mapped_column(text_column(255))
    detail: Mapped[str | None] = mapped_column(text_column(255))
    created_at: Mapped[datetime] = mapped_column(DateTime)
    expires_at: Mapped[datetime] = mapped_column(DateTime)


class ChangeMixin:
    """Something that voids tokens or makes their permissions stale: an entry of the revocation feed.

    Attributes:
        id: counts up; not in the order of the commits.
        kind: what it is about, such as ``"session"``.
        target: which token, session, user or role.
        version: the count since then, where users and roles count; else 0.
        lasts: for how many seconds there may be tokens that it touches.
        expires_at: when that is over.
    """

    id: Mapped[int] = mapped_column(serial_column(), primary_key=True)
    kind: Mapped[str] = mapped_column(text_column(16))
    target: Mapped[str] = mapped_column(text_column(255))
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    lasts: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[datetime] = mapped_column(DateTime)


class AuditMixin:
    """Something that happened; never holds a secret.

    Attributes:
        id: counts up.
        at: when it happened.
        event: the name of the signal, such as ``"login_failed"``.
        subject: the public id of the user whom it happened to, if known.
        actor: the public id of the user who did it, if known.
        session_id: in which session.
        address: from which address.
        user_agent: what the client called itself.
        detail: what else the event says, as a JSON object.
    """

    id: Mapped[int] = mapped_column(serial_column(), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime)
    event: Mapped[str] = mapped_column(text_column(48))
    subject: Mapped[str | None] = mapped_column(text_column(255))
    actor: Mapped[str | None] = mapped_column(text_column(255))
    session_id: Mapped[str | None] = mapped_column(text_column(32))
    address: Mapped[str | None] = mapped_column(text_column(64))
    user_agent: Mapped[str | None] = mapped_column(text_column(255))
    detail: Mapped[str | None] = mapped_column(Text)
