"""Tools of an attacker who can get anything signed: so that what is refused is refused for what it says.

The forger holds the real key. A token of an attacker without it would be refused for its signature, and the test
would show nothing about the rule that it is named after.
"""

import base64
import hmac
import json
import secrets
from typing import Any

import pytest
from hypothesis import settings

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.tokens.codec import TokenCodec, TokenType, VerifiedToken
from flask_permjwt.tokens.keys import Key, KeyRing, hmac_key

settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
NOW = 1_800_000_000


class Forger:
    """Signs whatever it is given, and says what the codec makes of it."""

    def __init__(self, algorithm: str = "HS256") -> None:
        self.secret = secrets.token_urlsafe(64)
        self.key: Key = hmac_key(self.secret, algorithm)
        self.codec = TokenCodec(KeyRing(self.key))
        self.now = NOW

    @property
    def header(self) -> dict[str, Any]:
        return {"alg": self.key.algorithm, "typ": "at+jwt", "kid": self.key.kid}

    @property
    def claims(self) -> dict[str, Any]:
        names = {"sub": "u" * 32, "jti": "j" * 32, "sid": "s" * 32}
        return {**names, "ver": 1, "iat": self.now, "exp": self.now + 900, "permissions": ["reports:read"]}

    def segment(self, value: object) -> str:
        """Encode text, bytes or JSON as a segment."""
        raw = (
            value
            if isinstance(value, bytes)
            else (value if isinstance(value, str) else json.dumps(value)).encode()
        )
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def sign(self, signing_input: str, *, secret: bytes | None = None, digest: str | None = None) -> str:
        """Append a right signature to a text of any shape."""
        key = self.key.secret if secret is None else secret
        signature = hmac.digest(key, signing_input.encode(), digest or HASHES[self.key.algorithm])
        return f"{signing_input}.{self.segment(signature)}"

    def forge(self, header: object = None, claims: object = None, **signing: Any) -> str:
        """Sign a header and a payload; each is our usual one unless given, as text, bytes or JSON."""
        header = self.header if header is None else header
        claims = self.claims if claims is None else claims
        return self.sign(f"{self.segment(header)}.{self.segment(claims)}", **signing)

    def with_header(self, **members: object) -> str:
        return self.forge({**self.header, **members})

    def with_claims(self, **members: object) -> str:
        return self.forge(None, {**self.claims, **members})

    def verify(self, token: str) -> VerifiedToken:
        return self.codec.decode(token, TokenType.ACCESS, now=self.now)

    def refuses(self, token: str, match: str = "") -> bool:
        """Assert that no door takes the token; what the error says must match."""
        for accepted in ((TokenType.ACCESS,), (TokenType.REFRESH,), tuple(TokenType)):
            with pytest.raises(InvalidTokenError) as caught:
                self.codec.decode(token, *accepted, now=self.now)
            assert caught.value.__cause__ is None
            assert self.secret not in str(caught.value)
        assert match in str(caught.value), str(caught.value)
        return True


@pytest.fixture
def forger() -> Forger:
    """Return a forger whose unaltered work is accepted: so a refusal is due to the alteration."""
    made = Forger()
    assert made.verify(made.forge()).principal.can("reports:read")
    return made


@pytest.fixture
def make_forger() -> type[Forger]:
    return Forger
