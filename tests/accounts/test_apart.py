"""Apart: nothing is read or written there where a connection would be shared."""

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.pool import NullPool, SingletonThreadPool, StaticPool

from flask_permjwt import PermJWT
from flask_permjwt.errors import ConfigurationError

SECRET = "a secret of the tests, 48 characters long or more"


def make(url, pool, *, late=False):
    app = Flask("apart")
    app.config.update(SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=url, TESTING=True)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {} if pool is None else {"poolclass": pool}
    db = SQLAlchemy()
    permjwt = PermJWT(db=db)
    for extension in (permjwt, db) if late else (db, permjwt):
        extension.init_app(app)
    return app


@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool])
def test_a_pool_that_shares_one_connection_to_a_database_that_others_reach_is_refused_at_the_start(tmp_path, pool):
    with pytest.raises(ConfigurationError, match="QueuePool or NullPool"):
        make(f"sqlite:///{tmp_path / 'x.db'}", pool)


def test_it_is_refused_with_the_first_request_where_the_database_is_set_up_later(tmp_path):
    app = make(f"sqlite:///{tmp_path / 'x.db'}", StaticPool, late=True)
    with app.app_context(), pytest.raises(ConfigurationError, match="QueuePool or NullPool"):
        app.extensions["permjwt"].freshness.catch_up()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
@pytest.mark.parametrize("pool", [None, StaticPool])
def test_a_database_in_memory_may_have_one_connection(url, pool):
    app = make(url, pool)
    with app.app_context():
        app.extensions["permjwt"].freshness.catch_up()


def test_connections_that_are_not_kept_are_apart(tmp_path):
    make(f"sqlite:///{tmp_path / 'x.db'}", NullPool)
