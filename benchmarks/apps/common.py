"""What all apps have in common: the answers of their views, their permissions and their signing keys."""

import secrets
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from flask import Flask

from benchmarks.case import Case, Exchange

NEEDED = "reports:read"
HOURS = 3600

_MAKERS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def hello() -> dict[str, str]:
    """Answer as every view does: with a small JSON body."""
    return {"hello": "world"}


def make_app(name: str, **config: object) -> Flask:
    """Make an app with a bare route for GET and POST."""
    app = Flask(name)
    app.config.update({"SECRET_KEY": secrets.token_urlsafe(64), **config})
    app.add_url_rule("/bare", "bare", hello, methods=["GET", "POST"])
    return app


def permissions(count: int) -> list[str]:
    """Return so many permissions, with the one that is needed in the middle; short, so that they fit a token."""
    others = [f"p{number}:r" for number in range(count - 1)]
    return [*others[: count // 2], NEEDED, *others[count // 2 :]]


def forge(token: str) -> str:
    """Change the signature of a token, in its middle, where every bit counts."""
    head, dot, signature = token.rpartition(".")
    middle = len(signature) // 2
    other = "A" if signature[middle] != "A" else "B"
    return f"{head}{dot}{signature[:middle]}{other}{signature[middle + 1 :]}"


def bearer(token: str) -> dict[str, str]:
    """Return the header of RFC 6750."""
    return {"Authorization": f"Bearer {token}"}


def cookie_headers(cookies: dict[str, str], csrf: str) -> dict[str, str]:
    """Return what a page sends that holds these cookies and repeats the CSRF value of one of them."""
    line = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {"Cookie": line, "X-CSRF-TOKEN": cookies[csrf]}


def key_pair(algorithm: str) -> tuple[str, str]:
    """Make a private and a public key, as PEM."""
    private = _MAKERS[algorithm]()
    return (
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )


def over_bare(
    key: str,
    label: str,
    app: Flask,
    path: str,
    *headers: dict[str, str],
    bare: str = "/bare",
    method: str = "GET",
    status: int = 200,
) -> Case:
    """Compare a protected route with the bare one of the same app, asked in the same way.

    The headers are the same: Flask goes through all of them for its session, and parses the cookies.
    """
    protected = Exchange.to(app, path, *headers, method=method, status=status)
    return Case(key, label, protected, Exchange.to(app, bare, *headers, method=method))
