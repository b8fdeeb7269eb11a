"""What is measured on an iris, within which bounds, and one well-known flower of each species."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Feature:
    """A measurement.

    Attributes:
        name: its name in JSON.
        label: its name on the page.
        low: the smallest value accepted, in cm.
        high: the largest value accepted, in cm.
    """

    name: str
    label: str
    low: float
    high: float


# Some room around what Fisher measured. Far outside, a linear model is as sure of itself as it is wrong, so
# such a flower is refused rather than classified.
FEATURES: Final = (
    Feature("sepal_length", "Sepal length", 3.0, 9.0),
    Feature("sepal_width", "Sepal width", 1.0, 6.0),
    Feature("petal_length", "Petal length", 0.5, 8.0),
    Feature("petal_width", "Petal width", 0.1, 3.5),
)

# The first flower of each species in Fisher's table of 1936; cm, in the order of FEATURES.
EXAMPLES: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType(
    {
        "setosa": (5.1, 3.5, 1.4, 0.2),
        "versicolor": (7.0, 3.2, 4.7, 1.4),
        "virginica": (6.3, 3.3, 6.0, 2.5),
    }
)
