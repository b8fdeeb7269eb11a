"""What the app keeps for itself, in ``app.extensions["example_app"]``."""

from dataclasses import dataclass

from flask import Flask, current_app

from example_app.model_store import ModelStore


@dataclass(frozen=True, slots=True)
class ExampleState:
    """The state of one app.

    Attributes:
        models: where the current model is kept.
        users_are_new: whether this very start made the users.
    """

    models: ModelStore
    users_are_new: bool


def example_state(app: Flask | None = None) -> ExampleState:
    """Return the state of an app, by default of the current one."""
    state = (app or current_app).extensions["example_app"]
    assert isinstance(state, ExampleState)  # noqa: S101  # only create_app writes there
    return state
