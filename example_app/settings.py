"""The app's settings, and the secret key that is made at first start."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def instance_folder(config: Mapping[str, Any]) -> Path | None:
    """The folder asked for in the configuration or the environment; None means Flask's own choice."""
    asked = config.get("EXAMPLE_INSTANCE_PATH") or os.environ.get("EXAMPLE_INSTANCE_PATH")
    return Path(asked).absolute() if asked else None


def default_settings(instance: Path) -> dict[str, Any]:
    """What holds unless the environment or the caller says otherwise.

    Args:
        instance: the instance folder; a secret key is made there when it has none.
    """
    return {
        "SECRET_KEY": _secret_key(instance / "secret_key"),
        # Relative to the instance folder.
        "SQLALCHEMY_DATABASE_URI": "sqlite:///example.db",
        # Every view of this app is declared, so one that is forgotten tomorrow is closed rather than open.
        "PERMJWT_DEFAULT_DENY": True,
        # The pages that document the API are no secret.
        "PERMJWT_DOCS_PUBLIC": True,
        "PERMJWT_API_TITLE": "Iris",
        # The largest honest body is below 200 bytes.
        "MAX_CONTENT_LENGTH": 16 * 1024,
    }


def _secret_key(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        key = secrets.token_hex(32)
        # Readable by its owner from the first moment on, not only after a chmod. Whoever reads this key can
        # sign tokens as any user.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key + "\n")
        return key
