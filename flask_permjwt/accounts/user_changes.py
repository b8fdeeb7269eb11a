"""What the use-cases change about a user, beyond the public face of the store."""

from flask_permjwt.accounts.moments import to_datetime
from flask_permjwt.accounts.sql_base import SQLStoreBase, UserT
from flask_permjwt.signals import EmailVerified, PasswordChanged


class UserChanges(SQLStoreBase[UserT]):
    """Changes of single users by themselves."""

    def change_password(self, user: UserT, password: str) -> None:
        """Set a password that the user has chosen; tokens live on.

        Raises:
            InvalidPasswordError: it is empty or longer than 1,024 characters.
            UnknownUserError: the user was deleted.
        """
        owner, password_hash = self._owners.user(user), self._passwords.hash(password)
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
        owner, password_hash = self._owners.user(user), self._passwords.hash(password)
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
