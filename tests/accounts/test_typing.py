"""What a strict type checker sees of the models and the store."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).parents[2]

RIGHT = """
from pathlib import Path
from typing import assert_type

from flask_permjwt import Account, UserMixin, UserStore
from flask_permjwt.accounts.sql_store import SQLUserStore
from flask_permjwt.accounts.store import Rights
from own_user_store import FileUser, FileUserStore


class User(UserMixin):
    pass


def use(users: SQLUserStore[User], store: UserStore[User]) -> None:
    user = users.create("alice", permissions=["a"])
    assert_type(user, User)
    assert_type(user.public_id, str)
    assert_type(user.email, str | None)
    assert_type(user.active, bool)
    assert_type(users.find("alice"), User | None)
    assert_type(users.revoke(user, "a"), frozenset[str])
    assert_type(store.rights(user), Rights)
    store = users
    own: UserStore[FileUser] = FileUserStore(Path("users.json"))
    account: type[Account] = FileUser
"""
WRONG = """
from flask_permjwt import UserMixin
from flask_permjwt.accounts.sql_store import SQLUserStore


def use(users: SQLUserStore[UserMixin], user: UserMixin) -> None:
    users.grant("alice", "a")
    users.create(7)
    user.usrname
"""


def check(tmp_path, code):
    file = tmp_path / "typed.py"
    file.write_text(code)
    command = [sys.executable, "-m", "mypy", "--strict", str(file)]
    environment = {"MYPYPATH": str(ROOT / "docs" / "examples"), "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.stdout


def test_a_strict_type_checker_sees_what_attributes_are(tmp_path):
    assert check(tmp_path, RIGHT).startswith("Success")


def test_a_strict_type_checker_finds_what_would_fail(tmp_path):
    found = check(tmp_path, WRONG)
    assert "Found 3 errors" in found
    assert (
        all(code in found for code in ("[type-var]", "[arg-type]", "[attr-defined]"))
        or found.count("[arg-type]") == 2
    )
