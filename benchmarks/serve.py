"""What gunicorn starts: an app, by the name of its module under ``benchmarks.apps``."""

import atexit
import json
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from flask import Flask

from benchmarks.case import Place


def make(subject: str, folder: str) -> Flask:
    """Make an app, and write the headers of a protected request into the folder."""
    closing = ExitStack()
    atexit.register(closing.close)
    app, headers = import_module(f"benchmarks.apps.{subject}").serve(Place(Path(folder), closing))
    (Path(folder) / f"{subject}.json").write_text(json.dumps(headers), encoding="utf-8")
    return app
