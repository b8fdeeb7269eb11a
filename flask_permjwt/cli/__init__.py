"""The commands under ``flask permjwt``."""

import click
from flask.cli import AppGroup

from flask_permjwt.cli import audit, roles, routes, sessions, users
from flask_permjwt.cli.group import Commands

permjwt_cli: AppGroup = Commands(
    "permjwt", help="Users, roles, permissions and sessions, and what each route needs."
)

_COMMANDS: tuple[click.Command, ...] = (
    users.create_user,
    users.list_users,
    users.show,
    users.grant,
    users.revoke,
    users.set_password,
    users.disable,
    users.enable,
    roles.roles,
    sessions.sessions,
    sessions.logout,
    sessions.prune,
    audit.audit,
    routes.routes,
)

for command in _COMMANDS:
    permjwt_cli.add_command(command)
