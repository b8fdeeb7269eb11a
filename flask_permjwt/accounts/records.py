"""Records: sessions, rotations, one-time codes, clients, what changed and what happened.

Their subjects are no foreign keys: users may live elsewhere. Times are naive UTC in whole seconds.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, DateTime, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column, validates

from flask_permjwt.accounts.columns import long_text_column, new_id, serial_column, text_column
from flask_permjwt.accounts.names import check_client_name
from flask_permjwt.tokens.claims import client_subject


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
        scope: what its tokens may be used for at most, as a scope (RFC 6749 section 3.3); None for no limit.
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
    scope: Mapped[str | None] = mapped_column(Text)


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


class PersonalTokenMixin:
    """A personal access token, as its hash.

    Attributes:
        id: 32 random hexadecimal digits: what it is called in lists and in the revocation feed.
        digest: the SHA-256 of the token, which holds 256 random bits, as 64 hexadecimal digits; unique.
        owner: the public id of the user.
        version: the user's ``token_version`` when it was made: it is void when that has risen.
        token_name: what the user calls it.
        scope: what it may be used for at most, as a scope (RFC 6749 section 3.3).
        created_at: when it was made; all times are naive UTC, whole seconds.
        expires_at: when it is good for nothing.
        last_used_at: when it was last seen, to within some minutes; None before that.
    """

    id: Mapped[str] = mapped_column(text_column(32), primary_key=True, default=new_id)
    digest: Mapped[str] = mapped_column(text_column(64))
    owner: Mapped[str] = mapped_column(text_column(255))
    version: Mapped[int] = mapped_column(BigInteger)
    token_name: Mapped[str] = mapped_column(text_column(100))
    scope: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime)
    expires_at: Mapped[datetime] = mapped_column(DateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime)


class ClientMixin:
    """A service account: a client with a secret and permissions of its own (RFC 6749 section 4.4).

    Attributes:
        id: the primary key.
        client_id: 32 random hexadecimal digits, never used again: the ``client_id`` of tokens.
        name: as typed. Setting it checks it and sets ``name_key``.
        name_key: what is compared (NFKC, case-folded); unique.
        secret_hash: the SHA-256 of the secret, which holds 256 random bits, as 64 hexadecimal digits.
        secret_set_at: when it was made; all times are naive UTC, whole seconds.
        former_secret_hash: of the one before, where that is good for a while yet.
        former_secret_until: until when.
        active: whether the client gets tokens.
        token_version: rises when all of the client's tokens must die: the ``ver`` claim.
        policy_version: rises when its permissions change.
        created_at: when it was created.
    """

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    client_id: Mapped[str] = mapped_column(text_column(32), default=new_id)
    name: Mapped[str] = mapped_column(text_column(255))
    name_key: Mapped[str] = mapped_column(text_column(255))
    secret_hash: Mapped[str] = mapped_column(text_column(64))
    secret_set_at: Mapped[datetime] = mapped_column(DateTime)
    former_secret_hash: Mapped[str | None] = mapped_column(text_column(64))
    former_secret_until: Mapped[datetime | None] = mapped_column(DateTime)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    token_version: Mapped[int] = mapped_column(Integer, default=1)
    policy_version: Mapped[int] = mapped_column(Integer, default=1)
    created_at: Mapped[datetime] = mapped_column(DateTime)

    @validates("name")
    def _set_name_key(self, _: str, name: str) -> str:
        self.name_key = check_client_name(name)
        return name

    @property
    def public_id(self) -> str:
        """The ``sub`` of its tokens."""
        return client_subject(self.client_id)


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
    detail: Mapped[str | None] = mapped_column(long_text_column())
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
