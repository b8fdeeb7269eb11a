"""What the database is and says."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Table, func, inspect, select, text
from sqlalchemy import Engine as SQLEngine

from flask_permjwt.accounts.apart import check_pool
from flask_permjwt.accounts.models import Models, built_models
from flask_permjwt.accounts.moments import to_seconds
from flask_permjwt.cli.doctor.facts import Engine
from flask_permjwt.errors import ConfigurationError

# https://www.postgresql.org/docs/current/libpq-envars.html
_LIBPQ: Final = {"PGHOST": "host", "PGHOSTADDR": "hostaddr", "PGCONNECT_TIMEOUT": "connect_timeout"}
_NOW: Final = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT unix_timestamp(sysdate(6))",
    "mariadb": "SELECT unix_timestamp(sysdate(6))",
}


def facts_of_database(app: Flask) -> dict[str, Any]:
    """Return what ``Facts`` says of the app's database; nothing where there is none."""
    db = app.extensions.get("sqlalchemy")
    models = built_models(db) if isinstance(db, SQLAlchemy) else None
    if not isinstance(db, SQLAlchemy) or models is None:
        return {}
    engine = db.session.get_bind(mapper=models.session.__mapper__).engine  # type: ignore[attr-defined]  # mapped
    found: dict[str, Any] = {"engine": describe_engine(app, db, models, engine)}
    try:
        with engine.connect() as connection:
            found["database_ahead"] = _ahead(connection)
            found["missing"] = missing_of(db, models)
            if not any(name.endswith(models.session.__tablename__) for name in found["missing"]):  # type: ignore[attr-defined]
                found["latest_row"] = _latest_row(connection, models)
            found["migrations"] = _migrations(connection)
    except Exception as error:  # noqa: BLE001  # of whichever driver; it is told by its class, and no address
        found["database_fault"] = type(error).__name__
    return found


def describe_engine(app: Flask, db: SQLAlchemy, models: Models, engine: SQLEngine) -> Engine:
    """Say what is known of a database without asking it."""
    url = engine.url
    in_memory = "memory" in dict(url.query).get("mode", "") or url.database in {None, "", ":memory:"}
    path = None if in_memory or url.database is None else url.database.removeprefix("file:")
    fault = None
    try:
        check_pool(db, models.session)
    except ConfigurationError as error:
        fault = str(error)
    return Engine(
        dialect=engine.dialect.name,
        driver=engine.dialect.driver,
        database=path if engine.dialect.name == "sqlite" else url.database,
        connect_args={
            **_told_in_environment(engine),
            **_told_in_address(engine),
            **_told_in_settings(app, db, engine),
        },
        pool_fault=fault,
    )


def path_of(engine: Engine | None) -> Path | None:
    """Return the file of an SQLite database."""
    if engine is None or engine.dialect != "sqlite" or engine.database is None:
        return None
    return Path(engine.database)


def missing_of(db: SQLAlchemy, models: Models) -> tuple[str, ...]:
    """Name the tables, and the columns of tables, that the models have and the database has not."""
    found: list[str] = []
    mapped: tuple[Any, ...] = (
        models.session,
        models.rotation,
        models.code,
        models.change,
        models.audit,
        models.identity,
        models.personal,
        models.client,
    )
    user_bind = None if models.user is None else db.session.get_bind(mapper=models.user.__mapper__).engine
    expected: list[tuple[Any, Table]] = [
        (db.session.get_bind(mapper=model.__mapper__).engine, model.__table__) for model in mapped
    ]
    expected.append((expected[-1][0], models.client_permissions))  # beside the clients
    if user_bind is not None:
        links = (models.user_permissions, models.role_permissions, models.user_roles)
        expected += [(user_bind, table) for table in (models.user.__table__, models.role.__table__, *links)]
    for engine, table in expected:
        inspector = inspect(engine)
        if not inspector.has_table(table.name, schema=table.schema):
            found.append(f"the table {table.name}")
            continue
        there = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
        found.extend(
            f"the column {table.name}.{column.name}" for column in table.columns if column.name not in there
        )
    return tuple(found)


def _told_in_environment(engine: SQLEngine) -> dict[str, Any]:
    if engine.dialect.name != "postgresql":
        return {}
    return {name: os.environ[variable] for variable, name in _LIBPQ.items() if variable in os.environ}


def _told_in_address(engine: SQLEngine) -> dict[str, Any]:
    with suppress(Exception):  # an address that the driver does not read is told when it is connected to
        return dict(engine.dialect.create_connect_args(engine.url)[1])
    return {}


def _told_in_settings(app: Flask, db: SQLAlchemy, engine: SQLEngine) -> dict[str, Any]:
    """Find the ``connect_args``, which an engine keeps nowhere, where Flask-SQLAlchemy takes them from."""
    key = next((key for key, one in db.engines.items() if one is engine), None)
    given: dict[str, Any] = {}
    for options in (
        getattr(db, "_engine_options", None),
        app.config.get("SQLALCHEMY_ENGINE_OPTIONS"),
        (app.config.get("SQLALCHEMY_BINDS") or {}).get(key),
    ):
        if isinstance(options, dict):
            given.update(options.get("connect_args") or {})
    return given


def _ahead(connection: Connection) -> float | None:
    """Return by how many seconds the server's clock is ahead of ours, which is read before and after."""
    statement = _NOW.get(connection.dialect.name)
    if statement is None:
        return None
    before = time.time()
    told = float(connection.execute(text(statement)).scalar_one())
    return told - (before + time.time()) / 2


def _latest_row(connection: Connection, models: Models) -> float | None:
    latest = connection.execute(select(func.max(models.session.last_used_at))).scalar()
    return None if latest is None else to_seconds(latest)


def _migrations(connection: Connection) -> bool | None:
    try:
        return _are_pending(connection)
    except Exception:  # noqa: BLE001  # they are modules of the app, and may do anything
        return None


def _are_pending(connection: Connection) -> bool:
    """Tell whether Flask-Migrate has migrations that were not applied."""
    if "migrate" not in current_app.extensions:
        return False
    from alembic.migration import MigrationContext  # noqa: PLC0415  # there with Flask-Migrate
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    told = current_app.extensions["migrate"]
    candidates = [Path(told.directory), Path(current_app.root_path).parent / told.directory]
    scripts = next((one for one in candidates if (one / "env.py").exists()), None)
    if scripts is None:
        return False
    heads = set(ScriptDirectory.from_config(told.migrate.get_config(str(scripts))).get_heads())
    where = {name: one for name, one in told.configure_args.items() if name.startswith("version_table")}
    return heads != set(MigrationContext.configure(connection, opts=where).get_current_heads())
