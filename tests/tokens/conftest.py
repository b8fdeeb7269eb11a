"""Hypothesis on a machine whose speed nobody promises: a slow example is no failure."""

from hypothesis import settings

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")
