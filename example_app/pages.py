"""The pages: shells that hold no data; their scripts ask the API as the user who is logged in."""

from typing import Final

from flask import Blueprint, current_app, render_template

from example_app.iris import EXAMPLES, FEATURES
from example_app.permissions import ROLES
from flask_permjwt import public
from flask_permjwt.openapi import hidden

blueprint = Blueprint("pages", __name__)

_WRITTEN: Final = {"github": "GitHub"}
"""Names of providers that are written in a way of their own."""


@blueprint.get("/")
@hidden
@public(reason="a page without data; its script asks the API")
def predict_page() -> str:
    """The page that predicts."""
    return render_template("predict.html", features=FEATURES, examples=EXAMPLES)


@blueprint.get("/login")
@hidden
@public(reason="where one logs in")
def login_page() -> str:
    """The page that logs in."""
    named = current_app.config.get("PERMJWT_PROVIDERS") or {}
    providers = {name: _WRITTEN.get(name, name.capitalize()) for name in named}
    return render_template("login.html", names=list(ROLES), providers=providers)


@blueprint.get("/account")
@hidden
@public(reason="a page without data; its script asks the API")
def account_page() -> str:
    """The page with one's sessions and the form for another password."""
    return render_template("account.html")
