"""What pytest loads by itself where flask_permjwt is installed: one fixture, and nothing before it is asked for.

It stands outside the package: pytest loads it before coverage is measured, and to import a module of the package
is to import the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from flask_permjwt.testing import PermJWTClient


@pytest.fixture
# permjwt_client needs a fixture named app that returns your Flask app: write one in conftest.py.
# (pytest shows these lines where there is none.)
def permjwt_client(app: Flask) -> PermJWTClient:
    """Return a test client of the fixture ``app`` that can act for users and with permissions."""
    from flask_permjwt.testing import make_client  # noqa: PLC0415

    return make_client(app)
