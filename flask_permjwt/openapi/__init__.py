"""OpenAPI: the document of an app, and the entries about security for documents that others make.

Needs the extra ``openapi``. ``smorest``, ``apiflask`` and ``restx`` are for the frameworks of these names.
"""

from flask_permjwt.api.describe import Description, Takes, describe, hidden
from flask_permjwt.openapi.entries import secure

__all__ = ["Description", "Takes", "describe", "hidden", "secure"]
