"""The API: what each view needs stands above it."""

import random
from datetime import timedelta
from typing import Any, Final

from flask import Blueprint

from example_app.iris import FEATURES
from example_app.model import train
from example_app.permissions import Permission
from example_app.schemas import MeasurementsSchema, TrainingSchema, load_body
from example_app.state import example_state
from flask_permjwt import current_principal, current_user, public, requires_permissions
from flask_permjwt.openapi import describe

blueprint = Blueprint("api", __name__)

_MEASUREMENTS: Final = MeasurementsSchema()
_TRAINING: Final = TrainingSchema()

# Training changes the model for everybody: who does it gave the password lately, or is asked again.
_LATELY: Final = timedelta(minutes=5)


@blueprint.get("/public/info/")
@public(reason="says what this is, to everyone")
def public_info() -> dict[str, Any]:
    """Tell everyone what this is."""
    return {"public": True, "about": "Tells iris species apart by four measurements."}


@blueprint.get("/private/info/")
@requires_permissions(Permission.INFO_READ)
def private_info() -> dict[str, Any]:
    """Tell those who may read it who they are and what they may do."""
    return {
        "public": False,
        "you": current_user.username,
        "permissions": sorted(current_principal.permissions),
    }


@blueprint.get("/model/")
@requires_permissions(Permission.MODEL_READ)
def model_facts() -> dict[str, Any]:
    """Tell the facts about the current model."""
    return example_state().models.current().facts()


@blueprint.post("/predict")
@requires_permissions(Permission.MODEL_PREDICT)
@describe("Tell the species of an iris", body=MeasurementsSchema)
def predict() -> dict[str, Any]:
    """Tell the species of an iris by its measurements in cm."""
    body = load_body(_MEASUREMENTS)
    probabilities = example_state().models.current().probabilities([body[one.name] for one in FEATURES])
    return {"class": max(probabilities, key=probabilities.__getitem__), "probabilities": probabilities}


@blueprint.post("/model/train")
@requires_permissions(Permission.MODEL_TRAIN, fresh=_LATELY)
@describe("Train a new model", body=TrainingSchema)
def train_model() -> dict[str, Any]:
    """Train a new model and put it in the place of the current one."""
    body = load_body(_TRAINING, optional=True)
    model = train(body.get("seed", random.getrandbits(32)), body["test_share"])
    example_state().models.replace(model)
    return model.facts()
