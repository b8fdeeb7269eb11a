"""The permissions of this app and the roles that hold them."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Permission(StrEnum):
    """Every permission that a view of this app asks for, in one place: a typo is then an AttributeError."""

    INFO_READ = "info:read"
    MODEL_PREDICT = "model:predict"
    MODEL_READ = "model:read"
    MODEL_TRAIN = "model:train"


# The admin's grants are wildcards: a permission that is added to the model tomorrow is covered already.
ROLES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "viewer": (Permission.INFO_READ, Permission.MODEL_READ),
        "analyst": (Permission.INFO_READ, Permission.MODEL_READ, Permission.MODEL_PREDICT),
        "admin": ("info:*", "model:*"),
    }
)
