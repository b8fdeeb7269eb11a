"""What the OpenAPI document says of the app, and who may read it."""

from dataclasses import dataclass

from flask_permjwt.settings import kinds
from flask_permjwt.settings.field import setting


@dataclass(frozen=True, kw_only=True)
class DocumentSettings:
    """What the OpenAPI document says of the app, and who may read it."""

    api_title: str | None = setting(
        None, kinds.optional_text, "The title of the app's OpenAPI document; None for the app's name."
    )
    api_version: str = setting("1.0.0", kinds.text, "The version of the app's API, for its OpenAPI document.")
    docs_public: bool = setting(
        False,
        kinds.boolean,
        "Declare the pages of permjwt.docs_blueprint @public: for an app that closes what declares nothing.",
    )
