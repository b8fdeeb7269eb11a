"""For flask-smorest: its own document says what the guards enforce."""

from flask import Flask
from flask_smorest import Api

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.openapi.plugin import PermJWTPlugin


def secure_smorest(api: Api, app: Flask) -> None:
    """Let the document of an API say what each operation needs; once, at any time after ``api.init_app(app)``.

    Raises:
        ConfigurationError: the API is not set up on an app yet.
    """
    if api.spec is None:
        raise ConfigurationError("flask-smorest has no document yet: call api.init_app(app) first")
    PermJWTPlugin(app).init_spec(api.spec)
