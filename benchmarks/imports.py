"""What flask_permjwt adds to the start of a process with flask and flask_sqlalchemy: python -m benchmarks.imports.

Two figures: `import flask_permjwt`, and what is loaded and built until an app with the login blueprint is ready.
"""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Figures, summarise

ROOT = Path(__file__).parent.parent

# Fresh each time: the second import in one process costs nothing. What is collected in between would be counted.
_PROGRAM = """
import gc, json, resource, secrets, time
import flask, flask_sqlalchemy
def memory():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
gc.collect()
space, begun = memory(), time.process_time()
import flask_permjwt
taken = time.process_time() - begun
found = {"time": taken * 1e3, "memory": (memory() - space) / 1e6}
app = flask.Flask("started")
app.config.update(SECRET_KEY=secrets.token_urlsafe(64), SQLALCHEMY_DATABASE_URI="sqlite://")
db = flask_sqlalchemy.SQLAlchemy(app)
gc.collect()
space, begun = memory(), time.process_time()
permjwt = flask_permjwt.PermJWT(app, db=db)
app.register_blueprint(permjwt.auth_blueprint, url_prefix="/auth")
taken = time.process_time() - begun
print(json.dumps({**found, "app_time": taken * 1e3, "app_memory": (memory() - space) / 1e6}))
"""


def measure(times: int) -> Figures:
    """Import it in so many fresh interpreters."""
    _once()  # compiles what is not compiled yet
    found = [_once() for _ in range(times)]
    label = "import flask_permjwt, over flask and flask_sqlalchemy"
    app = "PermJWT and the login blueprint on an app, after that"
    figures = (
        summarise("import/time", label, "ms", [one["time"] for one in found]),
        summarise("import/memory", label, "MB", [one["memory"] for one in found]),
        summarise("import/app-time", app, "ms", [one["app_time"] for one in found]),
        summarise("import/app-memory", app, "MB", [one["app_memory"] for one in found]),
    )
    return {one.key: one for one in figures}


def _once() -> dict[str, float]:
    ran = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", _PROGRAM], cwd=ROOT, check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(ran.stdout)
    return found


if __name__ == "__main__":
    for figure in measure(9).values():
        print(f"{figure.median:8.1f} {figure.unit} ({figure.low:.1f} to {figure.high:.1f})  {figure.label}")
