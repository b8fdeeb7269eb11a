"""The command: collects, asks the checks, prints, and ends with a code for CI."""

import json
import os
import traceback
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from flask_permjwt.cli.doctor.checks import examine
from flask_permjwt.cli.doctor.collect import collect
from flask_permjwt.cli.doctor.finding import Finding, Level, exit_code
from flask_permjwt.cli.doctor.host import workers_of
from flask_permjwt.cli.doctor.second import fingerprint, marked
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.web.state import EXTENSION, app_state

_NOT_SET_UP: Final = "app-not-set-up"


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="How many processes serve; by default, what WEB_CONCURRENCY, gunicorn.conf.py or GUNICORN_CMD_ARGS say.",
)
@click.option("--fingerprint", "only_fingerprint", is_flag=True, hidden=True)
@click.pass_context
def doctor(context: click.Context, *, as_json: bool, workers: int | None, only_fingerprint: bool) -> None:
    """Look for what will go wrong in service, and name the remedies.

    Exits with 1 for errors, with 3 for warnings alone, and with 0 when all is well.
    """
    info = context.ensure_object(ScriptInfo)
    if only_fingerprint:
        click.echo(marked(fingerprint(app_state(_load(context, info)))))
        return
    findings = _look(context, info, workers)
    code = exit_code(findings)
    if as_json:
        click.echo(json.dumps({"exit_code": code, "findings": [asdict(one) for one in findings]}, indent=2))
    else:
        _print(findings)
    raise click.exceptions.Exit(code)


def _load(context: click.Context, info: ScriptInfo) -> Flask:
    app = info.load_app()
    context.with_resource(app.app_context())
    return app


def _look(context: click.Context, info: ScriptInfo, workers: int | None) -> list[Finding]:
    """Load the app and examine it; that it cannot be loaded is a finding too, for what reads them."""
    try:
        app = _load(context, info)
        if EXTENSION not in app.extensions:
            return [Finding(_NOT_SET_UP, Level.ERROR, "This app has no PermJWT.", "Call `permjwt.init_app(app)`.")]
        return examine(collect(app, info, workers=workers or workers_of(os.environ, Path.cwd())))
    except ConfigurationError as error:
        return [Finding(_NOT_SET_UP, Level.ERROR, f"{error}", "Do what it says: the app does not serve before.")]
    except NoAppException as error:
        cause = error.__context__
        if isinstance(cause, ImportError) and cause.__traceback__ and cause.__traceback__.tb_next:
            return _raised(cause)  # by a module of the app; Flask's message holds the whole traceback
        remedy = "Name the app: `flask --app ... permjwt doctor`, or FLASK_APP."
        return [Finding(_NOT_SET_UP, Level.ERROR, error.format_message(), remedy)]
    except Exception as error:  # noqa: BLE001  # of the app itself, whatever it is
        return _raised(error)


def _raised(error: Exception) -> list[Finding]:
    # Its text may hold an address with a password, and what reads JSON keeps it: the terminal alone is told.
    traceback.print_exception(error)
    problem = f"The app cannot be loaded: it raises {type(error).__name__}."
    return [Finding(_NOT_SET_UP, Level.ERROR, problem, "See the traceback on the standard error output.")]


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        click.echo(f"{finding.level}: {finding.check}\n  {finding.problem}\n  Remedy: {finding.remedy}\n")
    counts = Counter(finding.level for finding in findings)
    told = ", ".join(f"{count} {level}{'s' if count > 1 else ''}" for level, count in counts.items())
    click.echo(f"Found: {told}." if told else "All is well.")
