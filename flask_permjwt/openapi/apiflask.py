"""For APIFlask: its own document says what the guards enforce."""

from apiflask import APIFlask

from flask_permjwt.openapi.plugin import PermJWTPlugin


def secure_apiflask(app: APIFlask) -> None:
    """Let the app's document say what each operation needs; once, at any time.

    The app's own ``spec_processor`` comes after it.
    """
    app.spec_plugins.append(PermJWTPlugin(app))
