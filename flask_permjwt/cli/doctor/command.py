"""The command: collects, asks the checks, prints, and ends with a code for CI."""

import json
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import ScriptInfo, with_appcontext

from flask_permjwt.cli import group
from flask_permjwt.cli.doctor.checks import examine
from flask_permjwt.cli.doctor.collect import collect
from flask_permjwt.cli.doctor.finding import Finding, exit_code
from flask_permjwt.cli.doctor.host import workers_of
from flask_permjwt.cli.doctor.second import fingerprint, marked
from flask_permjwt.errors import ConfigurationError
from flask_permjwt.web.state import app_state


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print it for machines.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="How many processes serve; by default, what WEB_CONCURRENCY, gunicorn.conf.py or GUNICORN_CMD_ARGS say.",
)
@click.option("--fingerprint", "only_fingerprint", is_flag=True, hidden=True)
@with_appcontext
def doctor(*, as_json: bool, workers: int | None, only_fingerprint: bool) -> None:
    """Look for what will go wrong in service, and name the remedies.

    Exits with 1 for errors, with 3 for warnings alone, and with 0 when all is well.
    """
    if only_fingerprint:
        click.echo(marked(fingerprint(app_state())))
        return
    app: Any = current_app
    info = click.get_current_context().ensure_object(ScriptInfo)
    try:
        workers = workers or workers_of(os.environ, Path.cwd())
        facts = collect(app._get_current_object(), info, workers=workers)  # noqa: SLF001  # documented by Flask
    except ConfigurationError as error:
        raise group.Refused(str(error)) from None
    findings = examine(facts)
    code = exit_code(findings)
    if as_json:
        click.echo(json.dumps({"exit_code": code, "findings": [asdict(one) for one in findings]}, indent=2))
    else:
        _print(findings)
    raise click.exceptions.Exit(code)


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        click.echo(f"{finding.level}: {finding.check}\n  {finding.problem}\n  Remedy: {finding.remedy}\n")
    counts = Counter(finding.level for finding in findings)
    told = ", ".join(f"{count} {level}{'s' if count > 1 else ''}" for level, count in counts.items())
    click.echo(f"Found: {told}." if told else "All is well.")
