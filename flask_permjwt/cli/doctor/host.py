"""The host: file systems that other machines share, and how many processes serve."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_NETWORK: Final = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gfs2", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3"}
)
_WORKERS: Final = re.compile(r"(?:^|\s)(?:-w\s*|--workers[= ]\s*)(\d+)")
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


def workers_of(environment: Mapping[str, str]) -> int | None:
    """Return how many processes the environment tells gunicorn or uvicorn to start; None where it does not."""
    arguments = _WORKERS.search(environment.get("GUNICORN_CMD_ARGS", ""))
    told = arguments[1] if arguments else environment.get("WEB_CONCURRENCY", "")
    return int(told) if told.isascii() and told.isdigit() else None
