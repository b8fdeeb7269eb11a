"""The model: a scikit-learn pipeline, how it is trained, and how it is written as JSON and read back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from example_app.iris import FEATURES

KIND: Final = "StandardScaler + LogisticRegression"
DEFAULT_TEST_SHARE: Final = 0.25


class UnreadableModelError(Exception):
    """A file that does not hold a model of this app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IrisModel:
    """A fitted model with the facts about it; immutable, so that threads may share it.

    Attributes:
        pipeline: the fitted scikit-learn pipeline.
        classes: the species, in the order of the pipeline's probabilities.
        accuracy: the share of the test flowers that were classified right, 0 to 1.
        seed: what the split into training and test flowers was drawn with.
        test_share: the share of the flowers that was kept for the test, 0 to 1.
        trained_on: how many flowers it learned from.
        tested_on: how many flowers it was tested on.
        trained_at: when, in UTC.
    """

    pipeline: Pipeline = field(repr=False)
    classes: tuple[str, ...]
    accuracy: float
    seed: int
    test_share: float
    trained_on: int
    tested_on: int
    trained_at: datetime

    def probabilities(self, measurements: Sequence[float]) -> dict[str, float]:
        """Tell how likely each species is.

        Args:
            measurements: cm, in the order of `example_app.iris.FEATURES`.
        """
        row = self.pipeline.predict_proba(np.array([measurements], dtype=float))[0]
        return {name: float(share) for name, share in zip(self.classes, row, strict=True)}

    def facts(self) -> dict[str, object]:
        """What ``GET /model/`` tells about the model, ready for JSON."""
        return {
            "kind": KIND,
            "classes": list(self.classes),
            "features": [{"name": one.name, "unit": "cm", "min": one.low, "max": one.high} for one in FEATURES],
            "accuracy": self.accuracy,
            "seed": self.seed,
            "test_share": self.test_share,
            "trained_on": self.trained_on,
            "tested_on": self.tested_on,
            "trained_at": self.trained_at.isoformat(timespec="milliseconds"),
        }


def train(seed: int, test_share: float = DEFAULT_TEST_SHARE, *, now: datetime | None = None) -> IrisModel:
    """Fit a model to Fisher's 150 flowers.

    Args:
        seed: draws the split into training and test flowers, 0 to 2**32 - 1.
        test_share: the share of the flowers kept for the test, between 0 and 1.
        now: the time to note as the time of training; the current time by default.
    """
    flowers = load_iris()
    learn, test, learn_species, test_species = train_test_split(
        flowers.data, flowers.target, test_size=test_share, random_state=seed, stratify=flowers.target
    )
    pipeline = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression(max_iter=500))])
    pipeline.fit(learn, learn_species)
    # The same memory order as after reading it back, so that sums are rounded alike in every worker.
    classifier = pipeline.named_steps["classify"]
    classifier.coef_ = np.ascontiguousarray(classifier.coef_)
    return IrisModel(
        pipeline=pipeline,
        classes=tuple(str(flowers.target_names[number]) for number in pipeline.classes_),
        accuracy=float(pipeline.score(test, test_species)),
        seed=seed,
        test_share=test_share,
        trained_on=len(learn),
        tested_on=len(test),
        trained_at=now or datetime.now(UTC),
    )


# Why JSON and neither pickle nor joblib: those two run code while they load, so whoever can write the file
# runs code in the server, and they break between versions of scikit-learn. This model is 23 numbers; written
# as JSON, the file can do nothing, any version reads it, and a person can too. Python writes a float so that
# it reads back the very same float: the restored model gives the same probabilities to the last bit.


def dump_model(model: IrisModel) -> bytes:
    """Write a model as JSON."""
    scale, classify = model.pipeline.named_steps["scale"], model.pipeline.named_steps["classify"]
    document = {
        "format": 1,
        "kind": KIND,
        "features": [one.name for one in FEATURES],
        "classes": list(model.classes),
        "mean": scale.mean_.tolist(),
        "scale": scale.scale_.tolist(),
        "coefficients": classify.coef_.tolist(),
        "intercepts": classify.intercept_.tolist(),
        "accuracy": model.accuracy,
        "seed": model.seed,
        "test_share": model.test_share,
        "trained_on": model.trained_on,
        "tested_on": model.tested_on,
        "trained_at": model.trained_at.isoformat(),
    }
    return json.dumps(document, indent=1, allow_nan=False).encode()


def load_model(content: bytes) -> IrisModel:
    """Read what [dump_model][example_app.model.dump_model] wrote.

    Raises:
        UnreadableModelError: it is something else, or another version's.
    """
    try:
        return _restored(json.loads(content))
    except (ValueError, TypeError, KeyError, RecursionError) as broken:
        raise UnreadableModelError("this is not a model of this version of the app") from broken


def _restored(document: dict[str, Any]) -> IrisModel:
    if document["format"] != 1 or document["features"] != [one.name for one in FEATURES]:
        raise ValueError("another format")
    classes = tuple(map(str, document["classes"]))
    width = len(FEATURES)
    scale, classify = StandardScaler(), LogisticRegression()
    scale.mean_ = _numbers(document["mean"], (width,))
    scale.scale_ = _numbers(document["scale"], (width,))
    scale.var_ = scale.scale_**2
    scale.n_features_in_ = classify.n_features_in_ = width
    classify.coef_ = _numbers(document["coefficients"], (len(classes), width))
    classify.intercept_ = _numbers(document["intercepts"], (len(classes),))
    classify.classes_ = np.arange(len(classes))
    return IrisModel(
        pipeline=Pipeline([("scale", scale), ("classify", classify)]),
        classes=classes,
        accuracy=float(document["accuracy"]),
        seed=int(document["seed"]),
        test_share=float(document["test_share"]),
        trained_on=int(document["trained_on"]),
        tested_on=int(document["tested_on"]),
        trained_at=datetime.fromisoformat(document["trained_at"]),
    )


def _numbers(values: object, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    numbers = np.array(values, dtype=float)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        raise ValueError("not the numbers of a fitted model")
    return numbers
