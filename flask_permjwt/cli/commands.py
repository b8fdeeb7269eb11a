"""All the commands, in one group."""

import click

from flask_permjwt.cli import audit, clients, keys, openapi, roles, routes, sessions, tokens, users
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
        tokens.tokens,
        audit.audit,
        keys.keys,
        clients.client,
        routes.routes,
        openapi.openapi,
        doctor,
    ]
)
