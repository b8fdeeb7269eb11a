"""The app that test_real_clients.py serves with gunicorn."""

from argon2 import PasswordHasher
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT, current_principal, current_user, requires_permissions

db = SQLAlchemy()
permjwt = PermJWT(db=db)


def create_app():
    app = Flask("served")
    app.config.from_prefixed_env()
    db.init_app(app)
    permjwt.init_app(app)
    # With the least work that argon2 allows: passwords are not what is tested here.
    permjwt._shared.passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
    app.register_blueprint(permjwt.well_known_blueprint)

    @app.get("/reports")
    @requires_permissions("reports:read")
    def reports():
        return {"who": current_principal.client_id or current_user.username}

    return app
