"""All the commands, in one group."""

import click

from flask_permjwt.cli import audit, keys, roles, routes, sessions, users
from flask_permjwt.cli.doctor.command import doctor

commands = click.Group(
    commands=[
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
        keys.keys,
        routes.routes,
        doctor,
    ]
)
