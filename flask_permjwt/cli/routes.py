"""The census of routes, for people, for machines and for CI."""

import json
from dataclasses import asdict
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from flask_permjwt.cli import group
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.web.census import Census, Kind, take_census


@click.command("routes")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.option("--check", is_flag=True, help="Exit with 1 when a view is neither guarded nor marked @public.")
@with_appcontext
def routes(*, as_json: bool, check: bool) -> None:
    """List every route and method with what it needs."""
    try:
        census = take_census(current_app)
    except ConfigurationError as error:
        raise group.Refused(str(error)) from None
    if as_json:
        click.echo(json.dumps(_as_json(census), indent=2))
    else:
        _print_census(census)
    if check and census.undeclared:
        for row in census.undeclared:
            click.echo(f"{row.method} {row.rule} ({row.view}) is neither guarded nor marked @public.", err=True)
        raise click.exceptions.Exit(1)
    if check and not as_json:
        click.echo("Every view is guarded or marked @public.")


def _as_json(census: Census) -> dict[str, Any]:
    return {"routes": [asdict(row) for row in census.rows], "guarded_functions": list(census.helpers)}


def _print_census(census: Census) -> None:
    group.print_table(
        ("method", "route", "needs", "", "view"),
        [(row.method, row.rule, row.kind, _detail(row.kind, row.needs), row.view) for row in census.rows],
        none="There are no routes.",
    )
    if census.helpers:
        click.echo("\nGuarded functions that are no view (they guard themselves when called):")
        for helper in census.helpers:
            click.echo(f"  {helper}")


def _detail(kind: Kind, needs: str) -> str:
    return f"({needs})" if kind is Kind.PUBLIC else needs
