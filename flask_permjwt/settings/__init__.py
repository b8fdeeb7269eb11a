"""The settings: every ``PERMJWT_*`` key of ``app.config``, read once into a frozen value.

Whatever is wrong with them is refused at start-up: an unknown key (with the nearest known one), a value of
the wrong type, settings that contradict each other. Values may come from the environment through
``app.config.from_prefixed_env()``, which reads them as JSON: ``FLASK_PERMJWT_COOKIE_SECURE=false``.
"""

from flask_permjwt.settings.load import PREFIX, Settings, load_settings
from flask_permjwt.settings.signing import ALGORITHMS, SYNONYMS

__all__ = ["ALGORITHMS", "PREFIX", "SYNONYMS", "Settings", "load_settings"]
