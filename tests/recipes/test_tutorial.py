"""The tutorial, typed from its first line to its last."""

import socket


def test_the_tutorial_gives_what_it_shows(recipe):
    page = recipe("tutorial")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    del page.environment["FLASK_SECRET_KEY"], page.environment["FLASK_SQLALCHEMY_DATABASE_URI"]
    page.environment["FLASK_RUN_PORT"] = str(port)
    page.play(lambda line: line.replace("127.0.0.1:5000", f"127.0.0.1:{port}"))
