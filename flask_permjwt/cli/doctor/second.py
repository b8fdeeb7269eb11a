"""A second process: the app loaded once more, as the next worker would be, to compare the secrets of both."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from flask.cli import ScriptInfo

from flask_permjwt.web.state import AppState

_PATIENCE: Final = 60
"""Seconds that the app has to be loaded."""

_MARK: Final = "flask-permjwt-fingerprint="
_MARKED: Final = re.compile(re.escape(_MARK) + r"(\S+)")


def fingerprint(state: AppState) -> str:
    """Return a value that differs when the secrets of two processes do, and tells nothing else about them."""
    signing = state.keys.ring.signing
    return state.accounts.derived(f"doctor {'' if signing is None else signing.kid}")


def marked(value: str) -> str:
    """Return a fingerprint so that it is found among whatever the app itself prints."""
    return f"{_MARK}{value}"


def secrets_of(state: AppState, info: ScriptInfo) -> tuple[str, str] | None:
    """Load the app once more and return the fingerprints of both processes; None where it cannot be loaded."""
    if info.create_app is not None:
        return None  # made by a function that only this process has
    where = [] if info.app_import_path is None else ["--app", info.app_import_path]
    command = [sys.executable, "-m", "flask", *env_file(sys.argv), *where, "permjwt", "doctor", "--fingerprint"]
    # What the app itself has written into the environment, no other worker of a server would be given.
    for environment in (first_environment(), os.environ):
        found = _run(command, environment)
        if found is not None:
            return fingerprint(state), found
    return None


def first_environment(path: Path = Path("/proc/self/environ")) -> Mapping[str, str]:
    """Return the environment that this process was started with (proc(5)), with what Flask's command put there."""
    try:
        pairs = (line.partition(b"=") for line in path.read_bytes().split(b"\0") if line)
        found = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    except OSError:
        return os.environ  # no Linux
    if "FLASK_DEBUG" in os.environ:
        found["FLASK_DEBUG"] = os.environ["FLASK_DEBUG"]
    return found


def env_file(arguments: Sequence[str]) -> list[str]:
    """Return the option of Flask's command line that names a file of variables, as it was given."""
    for index, argument in enumerate(arguments):
        if argument in {"-e", "--env-file"}:
            return list(arguments[index : index + 2])
        if argument.startswith(("-e", "--env-file=")):
            return [argument]
    return []


def _run(command: Sequence[str], environment: Mapping[str, str]) -> str | None:
    try:
        ran = subprocess.run(  # noqa: S603  # the very command that is running
            command, capture_output=True, text=True, timeout=_PATIENCE, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _MARKED.findall(ran.stdout)
    return found[-1] if found else None
