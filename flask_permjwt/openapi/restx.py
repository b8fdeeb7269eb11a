"""For Flask-RESTX: its own document (Swagger 2.0) says what the guards enforce."""

from typing import Any

import flask_restx
from flask import current_app

from flask_permjwt.openapi.entries import secure


class Api(flask_restx.Api):  # type: ignore[misc]  # it has no types
    """``flask_restx.Api``, whose document says what each operation needs."""

    @property
    def __schema__(self) -> dict[str, Any]:
        """The document, in an app context."""
        made: dict[str, Any] = super().__schema__
        if "paths" not in made:
            return made  # it could not be made, and says so
        return secure(made, current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug
