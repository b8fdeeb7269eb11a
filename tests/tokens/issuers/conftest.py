"""An issuer of our own making, in memory: its keys, its tokens, and a verifier that trusts it."""

from typing import Any

import pytest

from flask_permjwt.errors import ExpiredTokenError
from flask_permjwt.tokens.issuers.config import read_issuers
from flask_permjwt.tokens.issuers.loaders import FixedKeys
from flask_permjwt.tokens.issuers.verifier import Issuers, Outside, Trusted


class World:
    """One issuer that is trusted, with settings as a test wants them."""

    def __init__(self, outsider: Any, **settings: Any) -> None:
        given = {
            "issuer": outsider.name,
            "audience": outsider.audience,
            "permissions": "scp",
            "jwks": outsider.jwks(),
            **settings,
        }
        self.outsider = outsider
        (self.issuer,) = read_issuers([given])
        self.issuers = Issuers([Trusted(self.issuer, FixedKeys(self.issuer, given["jwks"]))])

    def verify(self, token: str) -> Outside:
        found = self.issuers.verify(token, self.judge)
        assert found is not None
        return found

    def judge(self, token: Any) -> None:
        """Judge the time as the codec does."""
        if not self.outsider.now < token.expires_at:
            raise ExpiredTokenError

    def permissions(self, **claims: Any) -> frozenset[str]:
        """Return what a token with these claims may do."""
        return self.verify(self.outsider.token(**claims)).token.principal.permissions


@pytest.fixture
def make_world(outsider: Any) -> Any:
    def make(**settings: Any) -> World:
        return World(outsider, **settings)

    return make


@pytest.fixture
def world(make_world: Any) -> World:
    return make_world()
