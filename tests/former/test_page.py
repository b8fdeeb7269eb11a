"""The page about the change names whatever the released package has."""

import re
from pathlib import Path

import flask_jwt_extended
from flask import Flask

PAGE = (Path(__file__).parent.parent.parent / "docs" / "migrate-flask-jwt-extended.md").read_text()
TABLES = [line for line in PAGE.splitlines() if line.startswith("|")]
NAMED = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", "\n".join(TABLES)))))


def test_every_setting_is_named():
    app = Flask(__name__)
    before = set(app.config)
    flask_jwt_extended.JWTManager(app)
    assert set(app.config) - before <= NAMED


def test_every_function_is_named():
    public = {
        name
        for name in dir(flask_jwt_extended)
        if not name.startswith("_") and callable(getattr(flask_jwt_extended, name))
    }
    loaders = {name for name in dir(flask_jwt_extended.JWTManager) if re.fullmatch(r"[a-z]\w+_loader", name)}
    assert len(public) > 10
    assert len(loaders) > 10
    assert public | loaders <= NAMED
