"""A plug-in of apispec: whatever document it makes says what the app's guards enforce."""

from typing import Any, Final

from flask import Flask

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.openapi.entries import secure

try:
    from apispec import APISpec, BasePlugin
except ImportError:
    raise ConfigurationError("PermJWTPlugin needs apispec: pip install 'flask-permjwt[openapi]'") from None


class PermJWTPlugin(BasePlugin):
    """Writes the entries about security into a document when it is asked for: only then are the guards final.

    Args:
        app: whose routes the document describes.
    """

    def __init__(self, app: Flask) -> None:
        self._app: Final = app

    def init_spec(self, spec: APISpec) -> None:
        """Be there whenever the document is asked for."""
        super().init_spec(spec)
        make = spec.to_dict

        def to_dict() -> dict[str, Any]:
            return secure(make(), self._app)

        # apispec asks its plug-ins while a document is being made, and not when it is done.
        spec.to_dict = to_dict  # type: ignore[method-assign]
