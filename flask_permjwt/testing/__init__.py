"""For the tests of apps: clients that act for somebody, and a proof that guarded routes deny.

pytest finds the fixture ``permjwt_client`` by itself.
"""

from flask_permjwt.testing.client import PermJWTClient, make_client
from flask_permjwt.testing.denials import assert_every_route_denies

__all__ = ["PermJWTClient", "assert_every_route_denies", "make_client"]
