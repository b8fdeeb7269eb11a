"""Run the demo on this machine: ``python -m example_app [--port 8000]``."""

import argparse
import sys

from flask import Flask
from werkzeug.serving import make_server

from example_app import create_app
from example_app.first_start import PASSWORD_VARIABLE
from example_app.permissions import ROLES
from example_app.state import example_state

# Only this machine can reach the demo; the setting of the cookies below relies on it.
HOST = "127.0.0.1"


def _welcome(app: Flask, url: str) -> str:
    lines = [
        f"The demo runs at {url}/ (Ctrl-C stops it).",
        "",
        "In a browser: open that address and log in.",
        "In a shell (with the password in the place of PASSWORD):",
        "",
        f"    curl -s {url}/auth/login -H 'Content-Type: application/json' \\",
        """        -d '{"username": "analyst", "password": "PASSWORD"}'""",
        "",
        "and then, with the access_token from that answer in the place of TOKEN:",
        "",
        f"    curl -s {url}/predict -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' \\",
        """        -d '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}'""",
        "",
    ]
    if not example_state(app).users_are_new:
        lines += [
            f"The users ({', '.join(ROLES)}) were made at an earlier start, which showed their passwords",
            f"or took them from {PASSWORD_VARIABLE}. Lost? Stop the demo, delete the folder",
            f"{app.instance_path} and start again.",
            "",
        ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Start the server and tell how to log in."""
    parser = argparse.ArgumentParser(prog="python -m example_app", description="Run the flask_permjwt demo.")
    parser.add_argument("--port", type=int, default=8000, help="the port on 127.0.0.1 (default: 8000)")
    port = parser.parse_args(arguments).port

    # Browsers and curl drop cookies marked Secure that come over plain http. Plain http is acceptable here
    # because it never leaves this machine; anywhere else, serve https and leave the setting at True.
    app = create_app({"PERMJWT_COOKIE_SECURE": False})

    # Flask's own server, without its debugger: good for one person on one machine, which a demo is. For more,
    # any WSGI server will do, such as `gunicorn 'example_app:create_app()'` behind https.
    try:
        server = make_server(HOST, port, app, threaded=True)
    except SystemExit:
        # Werkzeug has said that the port is taken.
        sys.exit(f"Take another port: make demo PORT={port + 1}")
    print(_welcome(app, f"http://{HOST}:{server.port}"), flush=True)  # noqa: T201
    # Returns on Ctrl-C, with the port closed.
    server.serve_forever()
    print("\nStopped.")  # noqa: T201


if __name__ == "__main__":
    main()
