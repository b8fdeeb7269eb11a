"""Columns: the types that compare exactly, and random ids."""

import secrets

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.types import TypeEngine


def text_column(length: int) -> String:
    """Return a text type that compares exactly.

    MySQL's and MariaDB's default collations take ``é`` for ``e`` and ``A`` for ``a``: there, a binary one.
    """
    return String(length).with_variant(String(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def long_text_column() -> Text:
    """Return a type for text of any length that compares as that of ``text_column``."""
    return Text().with_variant(Text(collation="utf8mb4_bin"), "mysql", "mariadb")


def serial_column() -> TypeEngine[int]:
    """Return an integer of 64 bits that the database counts up; SQLite does so for its plain INTEGER only."""
    return BigInteger().with_variant(Integer, "sqlite")


def new_id() -> str:
    """Return a random 128-bit id: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def clean(text: str | None, limit: int) -> str | None:
    """Make text from a header fit for every database: PostgreSQL takes no NUL, none takes surrogates."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode().replace("\0", "")[:limit]
