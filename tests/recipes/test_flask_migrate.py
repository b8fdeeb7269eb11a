"""Flask-Migrate, with its own commands: a new database, an older one, and one with users of its own."""

import re
from datetime import datetime

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

WITHOUT_KEY = ["FLASK_SECRET_KEY"]
NOTHING_TO_DO = "No new upgrade operations detected."


class Migrated:
    """A page's folder with its migrations, on a database.

    Args:
        recipe: the page.
        url: of the database.
    """

    def __init__(self, recipe, url):
        self.recipe = recipe
        recipe.environment["FLASK_SQLALCHEMY_DATABASE_URI"] = url
        self.engine = create_engine(url, poolclass=NullPool)

    def flask(self, *command, app="app:create_schema_app", fails=False):
        """Run a command of Flask, with no key to sign with."""
        return self.recipe.run("flask", "--app", app, *command, fails=fails, without=WITHOUT_KEY)

    def last_written(self):
        """Return the file that was written last."""
        return max(
            (self.recipe.folder / "migrations" / "versions").glob("*.py"), key=lambda one: one.stat().st_mtime_ns
        )

    def execute(self, statement, *values):
        """Run a statement, once with each of the values if there are any; return the rows."""
        with self.engine.begin() as connection:
            result = connection.execute(text(statement), list(values) or None)
            return list(result) if result.returns_rows else []


@pytest.fixture
def migrated(recipe, database_url):
    return Migrated(recipe("flask-migrate"), database_url)


def test_the_console_gives_what_it_shows_and_needs_no_key_for_the_schema(recipe):
    recipe("flask-migrate").play()


def test_a_new_database_is_made_without_a_key_and_both_factories_see_the_same_schema(migrated):
    migrated.flask("db", "init")
    migrated.flask("db", "migrate")
    migrated.flask("db", "upgrade")
    assert NOTHING_TO_DO in migrated.flask("db", "check")
    assert NOTHING_TO_DO in migrated.recipe.run("flask", "--app", "app:create_app", "db", "check")


def test_an_older_schema_is_brought_up_to_date_with_what_is_in_it(migrated):
    """As it was before identities and the versions of roles: a table and a column less, and rows."""
    migrated.flask("db", "init")
    migrated.flask("db", "migrate")
    first = migrated.last_written()
    content = first.read_text()
    older = re.sub(
        r"\n    op\.create_table\('permjwt_identities',.*?\n    \)", "", content, count=1, flags=re.DOTALL
    )
    older = re.sub(
        r"\n    with op\.batch_alter_table\('permjwt_identities'.*?(?=\n\n|\n    #)", "", older, flags=re.DOTALL
    )
    older = re.sub(r"\n    op\.drop_table\('permjwt_identities'\)", "", older)
    older = re.sub(r"\n    sa\.Column\('email_verified_at'[^\n]*", "", older, count=1)
    assert "identities" not in older
    assert "email_verified_at" not in older
    first.write_text(older)
    migrated.flask("db", "upgrade")
    migrated.execute(
        "INSERT INTO permjwt_users (public_id, username, username_key, active, token_version, policy_version,"
        " created_at, updated_at) VALUES (:id, 'Alice', 'alice', true, 3, 2, :now, :now)",
        {"id": "ab" * 16, "now": datetime(2026, 1, 1)},  # noqa: DTZ001  # as the columns have it
    )
    assert "permjwt_identities" in migrated.flask("db", "check", fails=True)
    migrated.flask("db", "migrate")
    migrated.flask("db", "upgrade")
    assert NOTHING_TO_DO in migrated.flask("db", "check")
    assert "permjwt_identities" in inspect(migrated.engine).get_table_names()
    [row] = migrated.execute("SELECT username, token_version, email_verified_at FROM permjwt_users")
    assert tuple(row) == ("Alice", 3, None)
    shown = migrated.recipe.run("flask", "--app", "app:create_app", "permjwt", "show", "alice")
    assert re.search("user +Alice", shown)


def prepare(migrated, *people):
    migrated.flask("db", "init", app="before:create_schema_app")
    migrated.flask("db", "migrate", app="before:create_schema_app")
    migrated.flask("db", "upgrade", app="before:create_schema_app")
    migrated.execute("INSERT INTO people (login) VALUES (:login)", *({"login": one} for one in people))
    migrated.flask("db", "migrate", app="after:create_schema_app")
    return migrated.last_written()


def follow(migration):
    """Do to a migration what the page says."""
    content = migration.read_text()
    upgrade, downgrade = content.split("def downgrade")
    start = upgrade.index("with op.batch_alter_table('people'")
    end = upgrade.find("\n\n", start)
    block = upgrade[start:end]
    assert block.count("nullable=False") == 8
    upgrade = upgrade[:start] + block.replace("nullable=False", "nullable=True") + upgrade[end:]
    migration.write_text(f"from fill import fill\n\n{upgrade.rstrip()}\n    fill()\n\n\ndef downgrade{downgrade}")


def test_a_table_of_users_with_rows_in_it_becomes_ours_as_the_page_says(migrated):
    follow(prepare(migrated, "Alice", "bob"))
    migrated.flask("db", "upgrade", app="after:create_schema_app")
    assert NOTHING_TO_DO in migrated.flask("db", "check", app="after:create_schema_app")
    rows = migrated.execute("SELECT id, login, username_key, public_id, active FROM people ORDER BY id")
    assert [(row.id, row.login, row.username_key) for row in rows] == [(1, "Alice", "alice"), (2, "bob", "bob")]
    assert len({row.public_id for row in rows}) == 2
    assert all(row.active for row in rows)
    columns = {one["name"]: one for one in inspect(migrated.engine).get_columns("people")}
    assert not any(
        columns[name]["nullable"] for name in ("public_id", "username", "username_key", "token_version")
    )


def test_what_is_written_for_such_a_table_does_not_run_as_it_stands_on_rows(recipe, make_database_url):
    migrated = Migrated(recipe("flask-migrate"), make_database_url("sqlite"))
    prepare(migrated, "Alice")
    assert "NOT NULL constraint failed" in migrated.flask(
        "db", "upgrade", app="after:create_schema_app", fails=True
    )


@pytest.mark.parametrize("wrong", ["a@b", "ALICE"], ids=["an address", "another spelling"])
def test_a_name_that_nobody_may_have_stops_the_migration(recipe, make_database_url, wrong):
    migrated = Migrated(recipe("flask-migrate"), make_database_url("sqlite"))
    follow(prepare(migrated, "alice", wrong))
    migrated.flask("db", "upgrade", app="after:create_schema_app", fails=True)
