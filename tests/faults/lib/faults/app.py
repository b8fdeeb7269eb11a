"""The app of the fault tests: served by gunicorn's workers, and used by the test as another machine would be."""

import json
import os
import time

from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.pool import QueuePool

from flask_permjwt import PermJWT, extension, requires_permissions
from flask_permjwt.accounts.passwords import Passwords

PASSWORD = "correct horse battery staple"
SECRET = "the same on every machine, and 64 bytes long or a little bit more, as is asked for"

TIME_OUTS = {
    # As docs/revocation.md recommends, in shorter.
    "postgresql": {"connect_timeout": 2, "tcp_user_timeout": 1000, "keepalives_idle": 1, "keepalives_interval": 1},
    "mysql": {"connect_timeout": 1, "read_timeout": 1, "write_timeout": 1},
}

extension.Passwords = lambda: Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def create_app(url=None, settings=None):
    """Make the app; what is not given comes from the environment."""
    app = Flask("faults")
    url = url or os.environ["FAULTS_URL"]
    app.config.update(SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=url, PERMJWT_RATELIMIT_ENABLED=False)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        "poolclass": QueuePool,
        "pool_pre_ping": True,
        "pool_timeout": 1,
        "connect_args": TIME_OUTS.get(url.partition("+")[0], {}),
    }
    app.config.update(settings or json.loads(os.environ["FAULTS_SETTINGS"]))
    db = SQLAlchemy(app)
    permjwt = PermJWT(app, db=db)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    app.extensions["faults"] = permjwt, db

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return {}

    @app.get("/slow")
    @requires_permissions("reports:read")
    def slow():
        # So that the requests of one moment meet several workers.
        time.sleep(0.02)
        return {}

    @app.after_request
    def name_worker(response):
        response.headers["X-Worker"] = str(os.getpid())
        return response

    return app
