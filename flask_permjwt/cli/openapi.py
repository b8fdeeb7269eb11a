"""The OpenAPI document of the app, printed."""

import json

import click
from flask import current_app
from flask.cli import with_appcontext

from flask_permjwt.cli import group
from flask_permjwt.errors import ConfigurationError


@click.command("openapi")
@with_appcontext
def openapi() -> None:
    """Print the OpenAPI document of the app's routes as JSON."""
    try:
        # Not all who use commands have the extra.
        from flask_permjwt.openapi.document import build_document  # noqa: PLC0415

        document = build_document(current_app._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001  # documented by Werkzeug
    except ConfigurationError as error:
        raise group.Refused(str(error)) from None
    click.echo(json.dumps(document, indent=2))
