"""The commands under ``flask permjwt``."""

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click
from flask.cli import AppGroup


class _Commands(AppGroup):
    """Loads the commands when one of them is asked for: most processes of an app run none."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return self._loaded().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, if there is one of this name."""
        return self._loaded().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        # What is told is done already: a terminal that lacks a letter must not end it in a traceback, and hide a
        # secret that is shown once. The standard error output escapes such letters anyhow.
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        group = import_module("flask_permjwt.cli.group")
        with group.database_faults(), group.faults_at_the_start():
            return super().invoke(ctx)

    @staticmethod
    def _loaded() -> click.Group:
        group: click.Group = import_module("flask_permjwt.cli.commands").commands
        return group


permjwt_cli: AppGroup = _Commands(
    "permjwt", help="Users, roles, permissions and sessions, and what each route needs."
)
