"""Databases for tests, each fresh and empty; a clock that stands still; and somebody else who signs tokens."""

import base64
import gc
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from flask_permjwt.accounts.passwords import Passwords

pytest_plugins = ["login_providers"]

SERVERS = {
    "postgresql": ("PERMJWT_TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"),
    "mariadb": ("PERMJWT_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test"),
}
REDIS = ("PERMJWT_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def pytest_configure(config: pytest.Config) -> None:
    for server in (*SERVERS, "redis"):
        config.addinivalue_line("markers", f"{server}: needs a {server} server")


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1_800_000_000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True, scope="module")
def set_aside() -> Iterator[None]:
    """Keep the collector from looking again and again at what past modules have left: apps, and their models."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def fake_clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def steady() -> FakeClock:
    """A clock that only goes forward, and not from 1970 on."""
    return FakeClock(100.0)


@pytest.fixture
def wait(fake_clock: FakeClock, steady: FakeClock) -> Callable[[float], None]:
    """Let time go by for everybody."""

    def do(seconds: float) -> None:
        fake_clock.advance(seconds)
        steady.advance(seconds)

    return do


CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


@cache
def private_key(algorithm: str, number: int = 0, bits: int = 2048) -> Any:
    """Make a key for an algorithm; the same one whenever the number is the same."""
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    if algorithm in {"EdDSA", "Ed25519"}:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, bits)


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_jwk(key: Any) -> dict[str, str]:
    """Write a public key as a JWK (RFC 7518 section 6)."""

    def number(value: int, size: int | None = None) -> str:
        return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))

    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        size, point = (public.curve.key_size + 7) // 8, public.public_numbers()
        curve = f"P-{public.curve.key_size}"
        return {"kty": "EC", "crv": curve, "x": number(point.x, size), "y": number(point.y, size)}
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url(public.public_bytes_raw())}


def signature(algorithm: str, key: Any, signed: bytes) -> bytes:
    """Sign by RFC 7518 section 3 and RFC 8037, with no JOSE library."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(signed)
    digest = getattr(hashes, f"SHA{algorithm[2:]}")()
    if isinstance(key, ec.EllipticCurvePrivateKey):
        size = (key.key_size + 7) // 8
        return b"".join(
            one.to_bytes(size, "big") for one in decode_dss_signature(key.sign(signed, ec.ECDSA(digest)))
        )
    if algorithm.startswith("PS"):
        return key.sign(signed, padding.PSS(padding.MGF1(digest), hashlib.new(digest.name).digest_size), digest)
    return key.sign(signed, padding.PKCS1v15(), digest)


class Outsider:
    """Somebody else who signs tokens: whatever they are told to."""

    name = "https://login.example.com/tenant/v2.0"
    audience = "api://reports"
    now = 1_800_000_000

    def __init__(self, algorithm: str = "RS256", kid: str = "k1") -> None:
        self.algorithm, self.kid = algorithm, kid
        self.key = private_key(algorithm)

    def jwks(self, **members: object) -> dict[str, Any]:
        """Return the key set; members of its one key as keywords."""
        return {"keys": [{**public_jwk(self.key), "kid": self.kid, "use": "sig", **members}]}

    @property
    def header(self) -> dict[str, Any]:
        return {"alg": self.algorithm, "typ": "JWT", "kid": self.kid}

    def claims(self, **members: Any) -> dict[str, Any]:
        usual = {"iss": self.name, "aud": self.audience, "sub": "alice", "iat": self.now, "exp": self.now + 3600}
        return {name: value for name, value in {**usual, **members}.items() if value is not None}

    def token(self, **claims: Any) -> str:
        """Sign claims: the usual ones unless given; None leaves one out."""
        return self.sign(self.header, self.claims(**claims))

    def sign(self, header: object, payload: object, *, key: Any = None, algorithm: str | None = None) -> str:
        """Sign anything: bytes as they are, all else as JSON."""
        parts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in (header, payload)]
        signed = ".".join(map(base64url, parts))
        made = signature(algorithm or self.algorithm, key or self.key, signed.encode())
        return f"{signed}.{base64url(made)}"


@pytest.fixture
def outsider() -> Outsider:
    return Outsider()


@pytest.fixture
def make_outsider() -> type[Outsider]:
    return Outsider


@pytest.fixture
def make_key() -> Callable[..., Any]:
    """Return ``private_key``."""
    return private_key


@pytest.fixture
def jwk_of() -> Callable[[Any], dict[str, str]]:
    """Return ``public_jwk``."""
    return public_jwk


@pytest.fixture
def fast_passwords() -> Passwords:
    """Hash with the least work that argon2 allows."""
    return Passwords(FAST)


@pytest.fixture
def make_database_url(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Return the address of a new, empty database of a kind: sqlite, postgresql or mariadb."""
    made: list[tuple[str, str]] = []

    def make(kind: str) -> str:
        name = f"permjwt_{secrets.token_hex(8)}"
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / name}.db"
        _administer(kind, f"CREATE DATABASE {name}{' CHARACTER SET utf8mb4' if kind == 'mariadb' else ''}")
        made.append((kind, name))
        return _server(kind).set(database=name).render_as_string(hide_password=False)

    yield make
    for kind, name in made:
        # A process of a failed test may still be connected.
        _administer(kind, f"DROP DATABASE {name}{' WITH (FORCE)' if kind == 'postgresql' else ''}")


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.postgresql),
        pytest.param("mariadb", marks=pytest.mark.mariadb),
    ]
)
def database_url(request: pytest.FixtureRequest, make_database_url: Callable[[str], str]) -> str:
    """Return the address of a new, empty database; the test runs once on each kind."""
    return make_database_url(request.param)


@pytest.fixture
def redis_url() -> str:
    """Return the address of a Redis that others use too: keep to keys of your own. Mark such tests ``redis``."""
    variable, default = REDIS
    url = os.environ.get(variable, default)
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port or 6379), timeout=2).close()
    except OSError as error:
        missing("redis", variable, str(error))
    return url


def _server(kind: str) -> URL:
    variable, default = SERVERS[kind]
    return make_url(os.environ.get(variable, default))


def _administer(kind: str, statement: str) -> None:
    reason = _unreachable(kind)
    if reason is not None:
        missing(kind, SERVERS[kind][0], reason)
    engine = create_engine(_server(kind), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


@cache
def _unreachable(kind: str) -> str | None:
    engine = create_engine(_server(kind), poolclass=NullPool)
    try:
        with engine.connect():
            return None
    except OperationalError as error:
        return str(error.orig)


def missing(kind: str, variable: str, reason: str) -> None:
    """Skip where people work without the server; fail where everything must be tested."""
    _skip_or_fail(f"no {kind} server (set {variable}): {reason}")


@pytest.fixture(scope="session")
def missing_server() -> Callable[[str, str], None]:
    """Return what skips a test that starts a server of its own, or fails it where everything must be tested."""
    return lambda kind, reason: _skip_or_fail(f"no {kind} server can be started: {reason}")


def _skip_or_fail(message: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
