"""Flask-Migrate: what autogenerate writes runs as it stands, and finds nothing more to do afterwards."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("flask_migrate")

ROOT = Path(__file__).parents[2]

HEAD = """
    import os
    import uuid
    from flask import Flask
    from flask_migrate import Migrate
    from flask_permjwt import PermJWT, UserMixin
    from flask_sqlalchemy import SQLAlchemy
    from sqlalchemy import MetaData, String
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
"""
TAIL = """
    def create_app():
        app = Flask(__name__)
        app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["URL"]
        app.config["SECRET_KEY"] = os.environ["SECRET"]
        db.init_app(app)
        permjwt.init_app(app)
        Migrate(app, db)
        return app
"""
APPS = {
    "default models": """
    db = SQLAlchemy()
    permjwt = PermJWT(db=db)
    """,
    "own user class": """
    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"})

    db = SQLAlchemy(model_class=Base)

    class User(UserMixin, db.Model):
        __tablename__ = "people"
        __table_args__ = {"comment": "our people"}
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
        nickname: Mapped[str | None] = mapped_column(String(50))

    permjwt = PermJWT(db=db, user_model=User)
    """,
}


@pytest.mark.parametrize("models", APPS)
def test_a_migration_runs_as_it_was_written_and_leaves_nothing_to_do(tmp_path, database_url, models):
    (tmp_path / "shop.py").write_text("".join(map(dedent, (HEAD, APPS[models], TAIL))))
    environment = {
        **os.environ,
        "URL": database_url,
        "SECRET": "".join(map(chr, range(60, 120))),
        "PYTHONPATH": str(ROOT),
    }

    def flask(*arguments):
        command = [sys.executable, "-m", "flask", "--app", "shop", *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    flask("db", "init")
    flask("db", "migrate")
    (migration,) = (tmp_path / "migrations" / "versions").glob("*.py")
    text = migration.read_text()
    assert "flask_permjwt" not in text
    assert "name=None" not in text
    flask("db", "upgrade")
    assert "No changes in schema detected" in flask("db", "migrate")
    assert list((tmp_path / "migrations" / "versions").glob("*.py")) == [migration]
    options = ("--password", "correct horse battery staple", "-p", "reports:read")
    assert "Created" in flask("permjwt", "create-user", "alice", *options)
    # Autogenerate's downgrade drops an index before its foreign key's table, which MariaDB refuses.
    if "mysql" not in database_url:
        flask("db", "downgrade", "base")
