"""What the use-cases change about a user, beyond the public face of the store."""

from sqlalchemy import select

from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.names import compare_key
from flask_permjwt.accounts.passwords import PasswordHash
from flask_permjwt.accounts.savepoints import begin_to_write
from flask_permjwt.accounts.sql_base import SQLStoreBase, UserT
from flask_permjwt.accounts.standing import JoinedStore, Standing
from flask_permjwt.signals import EmailLost, EmailVerified, PasswordChanged


class UserChanges(SQLStoreBase[UserT], JoinedStore):
    """Changes of single users by themselves. A ``PasswordHash`` in place of a password is stored as it is."""

    def hash_password(self, password: str) -> PasswordHash:
        """Hash a new password before anything is read or written, so that no connection waits for that work.

        Raises:
            InvalidPasswordError: it is empty or longer than 1,024 characters.
            BusyError: too many hashes are being worked on.
        """
        return self._passwords.hash(password)

    def hold(self, subject: str, *, to_change: bool = False) -> Standing | None:
        """Lock a user's row until the transaction ends, and return what it says now; None when there is none.

        It comes before the rows of sessions are written, here and wherever passwords are changed: whoever is
        logging in comes before that, and the session is ended by it, or after it, and finds another password.

        Args:
            subject: the public id of the user.
            to_change: the row is about to be changed; else others may hold it too.
        """
        model = self._models.user
        begin_to_write(self._session, model)
        wanted = select(
            model.public_id,
            model.active,
            model.token_version,
            model.password_hash,
            model.email,
            model.email_verified_at,
        ).where(model.public_id == subject)
        # Columns, not the user: one that was loaded would be returned as it was.
        lock = wanted.with_for_update(key_share=True) if to_change else wanted.with_for_update(read=True)
        row = self._session.execute(lock).first()
        if row is None or row.public_id != subject:
            return None
        return Standing(
            row.active, row.token_version, row.password_hash, row.email, row.email_verified_at is not None
        )

    def free_email(self, email: str, *, created_before: int) -> bool:
        """Take an address from a user who was created before then and never verified it.

        Args:
            email: the address.
            created_before: seconds since 1970-01-01 UTC.

        Returns:
            Whether there was one, so that the address is free.
        """
        model = self._models.user
        begin_to_write(self._session, model)
        user = self._session.scalar(
            select(model)
            .where(
                model.email_key == (compare_key(email) or ""),
                model.email_verified_at.is_(None),
                model.created_at <= to_datetime(created_before),
            )
            .with_for_update(key_share=True)
            .execution_options(populate_existing=True)
        )
        if user is None:
            return False
        subject = user.public_id
        self._owners.change(self._owners.user(user), email=None, email_key=None)
        self._record(EmailLost(subject=subject))
        return True

    def find_current(self, email: str) -> UserT | None:
        """Return the user with this e-mail address as ``find`` does, also one that our snapshot does not show."""
        model = self._models.user
        found: UserT | None = self._session.scalar(
            select(model)
            .where(model.email_key == (compare_key(email) or ""))
            .with_for_update(read=True, key_share=True)
            .execution_options(populate_existing=True)
        )
        return found

    def change_password(self, user: UserT, password: str) -> None:
        """Set a password that the user has chosen; tokens live on.

        Raises:
            InvalidPasswordError: it is empty or longer than 1,024 characters.
            UnknownUserError: the user was deleted.
        """
        owner, password_hash = self._owners.user(user), self._hashed(password)
        self._owners.lock(owner)
        subject = owner.instance.public_id
        self._owners.change(owner, password_hash=password_hash)
        self._record(PasswordChanged(subject=subject, by="user"))

    def reset_password(self, user: UserT, password: str) -> None:
        """Set a password with a code from a mail; everything that was ever issued to the user is void.

        Raises:
            InvalidPasswordError: it is empty or longer than 1,024 characters.
            UnknownUserError: the user was deleted.
        """
        owner, password_hash = self._owners.user(user), self._hashed(password)
        self._owners.lock(owner)
        subject = owner.instance.public_id
        self._void(owner, password_hash=password_hash)
        self._record(PasswordChanged(subject=subject, by="reset"))

    def mark_email_verified(self, user: UserT) -> None:
        """Note that the owner of the user's e-mail address proved to be the user.

        Raises:
            UnknownUserError: the user was deleted.
        """
        owner = self._owners.user(user)
        self._owners.lock(owner)
        subject = owner.instance.public_id
        self._owners.change(owner, email_verified_at=to_datetime(self._clock()))
        self._record(EmailVerified(subject=subject))

    def void_tokens(self, user: UserT) -> None:
        """End everything that was ever issued to the user.

        Raises:
            UnknownUserError: the user was deleted.
        """
        owner = self._owners.user(user)
        self._owners.lock(owner)
        self._void(owner)
