"""A protected machine-learning API, and the example that flask_permjwt's documentation tells its story with.

Three users (viewer, analyst, admin) may do different things with one scikit-learn model. Read this file
first, then `example_app.api`: the guards stand there.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from example_app import api, errors, first_start, headers, pages
from example_app.extensions import db, permjwt
from example_app.model_store import ModelStore
from example_app.settings import default_settings, instance_folder
from example_app.state import ExampleState

__all__ = ["create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Build the app; on its first start, also make the key, the database, the users and the model.

    Args:
        config: settings that win over the defaults and over the environment (``FLASK_...``). With
            ``EXAMPLE_INSTANCE_PATH``, everything the app stores is kept in that folder.
    """
    folder = instance_folder(config or {})
    app = Flask(__name__, instance_path=None if folder is None else str(folder))
    with first_start.alone(Path(app.instance_path)):
        app.config.update(default_settings(Path(app.instance_path)))
        app.config.from_prefixed_env()
        app.config.update(config or {})

        db.init_app(app)
        permjwt.init_app(app)
        app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
        app.register_blueprint(permjwt.docs_blueprint, url_prefix="/docs")
        app.register_blueprint(api.blueprint)
        app.register_blueprint(pages.blueprint)
        errors.init_app(app)
        headers.init_app(app)
        # A declaration that contradicts another stops the start here rather than the first request.
        permjwt.check(app)

        models = ModelStore(Path(app.instance_path) / "model.json")
        users_are_new = first_start.make_what_is_missing(app, models)
        app.extensions["example_app"] = ExampleState(models, users_are_new=users_are_new)
    return app
