"""The app that test_rotation.py serves with gunicorn and rotates the keys of."""

import os

from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, requires_permissions

db = SQLAlchemy()
permjwt = PermJWT(db=db)


def create_app():
    app = Flask("rotation")
    app.config.from_prefixed_env()
    app.config.update(PERMJWT_RATELIMIT_ENABLED=False, PERMJWT_AUDIT=False)
    db.init_app(app)
    permjwt.init_app(app)
    # With the least work that argon2 allows: the keys are to be busy here.
    permjwt._shared.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    app.register_blueprint(permjwt.well_known_blueprint)

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return {"worker": os.getpid()}

    return app
