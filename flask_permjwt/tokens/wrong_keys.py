"""Keys that do not belong where a secret does: anybody may know a public key, and sign with it.

RFC 8725 section 2.1. It is the usual slip of copying the wrong file or variable, in whatever dress it came, and
not a parser: what looks like a key of another kind is refused, unread.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_TO_STANDARD_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")

# RFC 7468, OpenSSH's own private keys, and the four dashes of RFC 4716.
_PEM: Final = re.compile(rb"-----BEGIN |---- BEGIN ")
# RFC 4253 section 6.6 as OpenSSH writes it: the type, then base64, which starts with the type's length.
_OPENSSH_LINE: Final = re.compile(rb"(?:ssh-|ecdsa-sha2-|sk-)[A-Za-z0-9@.-]+[ \t]+AAAA[A-Za-z0-9+/]")
_OPENSSH_BLOB: Final = re.compile(rb"\0\0\0.(?:ssh-|ecdsa-sha2-|sk-)", re.DOTALL)

_SEQUENCE: Final = 0x30
_INTEGER: Final = 0x02
_FIRST_INSIDE: Final = (_SEQUENCE, _INTEGER)
_LONG_FORM: Final = 0x80


def other_kind(secret: bytes) -> str | None:
    """Name the kind of key that this is when it is no secret of random bytes.

    Found are PEM, DER, OpenSSH's public keys and JSON Web Keys (single or in a set), plain or in base64, after
    white space or a byte order mark, and as text that was stored in two bytes per character.

    Returns:
        The kind, in words for a message; None for what may be a secret.
    """
    return next((kind for dress in _undress(secret) if (kind := _kind(dress)) is not None), None)


def _undress(secret: bytes) -> Iterator[bytes]:
    text = _bare(secret)
    yield text
    # UTF-16, which PowerShell writes, of letters that need one byte.
    yield text.replace(b"\0", b"")
    # Bytes that were put into a string, one character for each, and encoded since.
    with suppress(UnicodeError):
        yield text.decode().encode("latin-1")
    encoded = b"".join(text.replace(b"\0", b"").split()).translate(_TO_STANDARD_ALPHABET)
    with suppress(binascii.Error):
        yield _bare(base64.b64decode(encoded + b"=="))


def _bare(data: bytes) -> bytes:
    data = data.lstrip()
    for mark in _BOMS:
        data = data.removeprefix(mark)
    # White space at the end may be DER's own last bytes; it is judged there.
    return data.lstrip()


def _kind(data: bytes) -> str | None:
    if _PEM.search(data):
        return "a key in PEM"
    if _OPENSSH_LINE.search(data) or _OPENSSH_BLOB.match(data):
        return "a key in OpenSSH's format"
    if _is_der(data):
        return "a key in DER"
    if _is_jwk(data):
        return "a JSON Web Key"
    return None


def _is_jwk(data: bytes) -> bool:
    """Tell whether it is a JWK or a JWK Set (RFC 7517 sections 4 and 5), or a plain list of JWKs."""
    if not data.startswith((b"{", b"[")):
        return False
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, list) or "kty" in parsed or "keys" in parsed


def _is_der(data: bytes) -> bool:
    """Tell whether it is one SEQUENCE (X.690 section 8.9) made of whole elements, as every DER key is.

    The first of them is a version or a modulus (RFC 8017 appendix A.1, RFC 5208, RFC 5915), or a SEQUENCE (RFC
    5280 section 4.1). So much is asked because a good secret may well start with ``0`` and a letter that happens
    to be its length.
    """
    if not data or data[0] != _SEQUENCE:
        return False
    outer = _element(data, 0)
    if outer is None:
        return False
    start, end = outer
    if start == end or data[start] not in _FIRST_INSIDE or data[end:].strip():
        return False
    while start < end:
        inner = _element(data, start)
        if inner is None or inner[1] > end:
            return False
        start = inner[1]
    return True


def _element(data: bytes, at: int) -> tuple[int, int] | None:
    """Return where the contents of the element at ``at`` start and end; None when it is cut off."""
    if at + 2 > len(data):
        return None
    start, size = at + 2, data[at + 1]
    if size & _LONG_FORM:
        octets = size ^ _LONG_FORM
        size = int.from_bytes(data[start : start + octets], "big")
        start += octets
    end = start + size
    return (start, end) if end <= len(data) else None
