"""Users in a JSON file, in place of the database: a UserStore of one's own. Sessions stay in the database."""

import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock

from flask_permjwt import Rights
from flask_permjwt.accounts.names import check_email, check_username, compare_key
from flask_permjwt.accounts.passwords import Passwords


@dataclass(frozen=True)
class FileUser:
    username: str
    email: str | None
    password_hash: str | None
    permissions: list[str]
    active: bool = True
    token_version: int = 1  # raise it, and every token of this user is void
    policy_version: int = 1  # raise it with every change of the permissions
    public_id: str = field(default_factory=lambda: secrets.token_hex(16))  # never use it again


class FileUserStore:
    """Reads the file at each call and replaces it as a whole. One process at a time may write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()

    def find(self, username_or_email: str) -> FileUser | None:
        key = compare_key(username_or_email)
        return next((one for one in self._load().values() if key and key in _keys(one)), None)

    def get(self, subject: str) -> FileUser | None:
        return self._load().get(subject)

    def rights(self, user: FileUser) -> Rights:
        now = self.get(user.public_id)  # the user at hand may have been read a while ago
        return Rights(frozenset(now.permissions), (), {"u": now.policy_version}) if now else Rights()

    def save_password_hash(self, user: FileUser, password_hash: str) -> None:
        with self._lock:
            now = self.get(user.public_id)
            if now and now.password_hash == user.password_hash:  # else it was changed meanwhile
                self._save(replace(now, password_hash=password_hash))

    def create(self, username: str, password: str, email: str | None, permissions: list[str]) -> FileUser:
        keys = {check_username(username)} | ({check_email(email)} if email else set())
        user = FileUser(username, email, Passwords().hash(password), permissions)
        with self._lock:
            if any(keys & _keys(one) for one in self._load().values()):
                raise ValueError("the name or the address is taken")
            self._save(user)
        return user

    def _load(self) -> dict[str, FileUser]:
        rows = json.loads(self._path.read_text()) if self._path.exists() else []
        return {row["public_id"]: FileUser(**row) for row in rows}

    def _save(self, user: FileUser) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps([asdict(one) for one in {**self._load(), user.public_id: user}.values()]))
        new.replace(self._path)


def _keys(user: FileUser) -> set[str | None]:
    return {compare_key(user.username)} | ({compare_key(user.email)} if user.email else set())
