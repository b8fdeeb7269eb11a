"""The host: file systems that other machines share, and how many processes serve."""

import argparse
import ast
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NETWORK: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gfs2", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3"}
)
_ARGUMENTS: Final = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
_ARGUMENTS.add_argument("-w", "--workers")
_ARGUMENTS.add_argument("-c", "--config")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


def network_mount(path: Path, mounts: str) -> str | None:
    """Return the kind of file system that a path lies on, if it is one that other machines share.

    Args:
        path: absolute, with no links in it.
        mounts: what ``/proc/mounts`` says (proc(5)).
    """
    kinds: dict[Path, str] = {}
    for line in mounts.splitlines():
        _, where, kind, *_ = [*line.split(" "), "", "", ""]
        # The last one that was mounted there hides the others.
        kinds[Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), where))] = kind
    for folder in (path, *path.parents):
        if folder in kinds:
            kind = kinds[folder]
            return kind if kind in _NETWORK or kind.startswith("fuse.sshfs") else None
    return None


def workers_of(environment: Mapping[str, str], folder: Path) -> int | None:
    """Return how many processes gunicorn or uvicorn are told to start; None where nobody says.

    Of gunicorn's settings, GUNICORN_CMD_ARGS outweighs its file, which outweighs WEB_CONCURRENCY.

    Args:
        environment: of the process that serves.
        folder: where it is started: ``gunicorn.conf.py`` is read from there, and not run.
    """
    try:
        arguments, _ = _ARGUMENTS.parse_known_args(shlex.split(environment.get("GUNICORN_CMD_ARGS", "")))
    except (argparse.ArgumentError, ValueError):
        return None
    if arguments.workers is not None:
        return _number(arguments.workers)
    path = folder / (arguments.config or "gunicorn.conf.py").removeprefix("file:")
    if (told := _workers_in_file(path)) is not None:
        return told.number
    return _number(environment.get("WEB_CONCURRENCY", ""))


@dataclass(frozen=True, slots=True)
class _Told:
    """What a file says; None where it is computed there."""

    number: int | None


def _workers_in_file(path: Path) -> _Told | None:
    try:
        statements = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return None
    told = None
    for statement in statements:
        if not isinstance(statement, ast.Assign):
            continue
        if any(isinstance(name, ast.Name) and name.id == "workers" for name in statement.targets):
            value = statement.value
            told = _Told(value.value if isinstance(value, ast.Constant) and isinstance(value.value, int) else None)
    return told


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
