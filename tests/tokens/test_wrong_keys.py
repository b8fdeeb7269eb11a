"""Keys of the wrong kind, made by a real library and put into every dress people store keys in."""

import base64
import datetime as dt
import json
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from flask_permjwt.errors import ConfigurationError
from flask_permjwt.tokens.keys import hmac_key
from flask_permjwt.tokens.wrong_keys import other_kind

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
SPKI, PKCS1 = serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1
PKCS8, TRADITIONAL = serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL
PLAIN = serialization.NoEncryption()
ALGORITHMS = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "ed25519": OKPAlgorithm}


@cache
def private_keys():
    return {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
    }


def certificate(key, encoding):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")])
    day = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, day, day + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(encoding)


@cache
def wrong_keys() -> dict[str, tuple[str, bytes]]:
    """Return every wrong key by name, with the kind that it must be called."""
    made: dict[str, tuple[str, bytes]] = {}
    for name, key in private_keys().items():
        public = key.public_key()
        for encoding, kind in ((PEM, "a key in PEM"), (DER, "a key in DER")):
            label = f"{name} {kind.split()[-1]}"
            made[f"{label} spki"] = kind, public.public_bytes(encoding, SPKI)
            made[f"{label} pkcs8"] = kind, key.private_bytes(encoding, PKCS8, PLAIN)
            encrypted = serialization.BestAvailableEncryption(b"password")
            made[f"{label} encrypted pkcs8"] = kind, key.private_bytes(encoding, PKCS8, encrypted)
        ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        made[f"{name} openssh"] = "a key in OpenSSH's format", ssh
        made[f"{name} openssh with a comment"] = "a key in OpenSSH's format", ssh + b" me@example.com\n"
        made[f"{name} authorized_keys"] = "a key in OpenSSH's format", b"# mine\nno-pty " + ssh
        made[f"{name} ssh blob"] = "a key in OpenSSH's format", base64.b64decode(ssh.split()[1])
        made[f"{name} openssh private"] = (
            "a key in PEM",
            key.private_bytes(PEM, serialization.PrivateFormat.OpenSSH, PLAIN),
        )
        for half, of in (("public", public), ("private", key)):
            jwk = ALGORITHMS[name].to_jwk(of, as_dict=True)
            made[f"{name} {half} jwk"] = "a JSON Web Key", json.dumps(jwk).encode()
            made[f"{name} {half} jwk set"] = "a JSON Web Key", json.dumps({"keys": [jwk]}, indent=2).encode()
            made[f"{name} {half} jwk list"] = "a JSON Web Key", json.dumps([jwk]).encode()
    for name in ("rsa", "ec"):
        for encoding, kind in ((PEM, "a key in PEM"), (DER, "a key in DER")):
            made[f"{name} traditional {kind}"] = (
                kind,
                private_keys()[name].private_bytes(encoding, TRADITIONAL, PLAIN),
            )
            made[f"{name} certificate {kind}"] = kind, certificate(private_keys()[name], encoding)
    for encoding, kind in ((PEM, "a key in PEM"), (DER, "a key in DER")):
        made[f"rsa pkcs1 {kind}"] = kind, private_keys()["rsa"].public_key().public_bytes(encoding, PKCS1)
    made["oct jwk"] = (
        "a JSON Web Key",
        b'{"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH"}',
    )
    made["rfc 4716"] = (
        "a key in PEM",
        b"---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2E\n---- END SSH2 PUBLIC KEY ----\n",
    )
    return made


NAMES = list(wrong_keys())
DRESSES = {
    "as it is": lambda key: key,
    "after white space": lambda key: b" \r\n\t" + key,
    "before white space": lambda key: key + b"\r\n \n",
    "after a byte order mark": lambda key: b"\xef\xbb\xbf" + key,
    "after a byte order mark and white space": lambda key: b"\n\xef\xbb\xbf\n" + key,
    "in base64": base64.b64encode,
    "in base64 lines": base64.encodebytes,
    "in base64url without padding": lambda key: base64.urlsafe_b64encode(key).rstrip(b"="),
    "in base64 after a byte order mark": lambda key: base64.b64encode(b"\xef\xbb\xbf" + key),
    "in utf-16": lambda key: key.decode("latin-1").encode("utf-16"),
    "in utf-16 big end first": lambda key: b"\xfe\xff" + key.decode("latin-1").encode("utf-16-be"),
    "in base64 in utf-16": lambda key: base64.b64encode(key).decode().encode("utf-16"),
    "as text of one character per byte": lambda key: key.decode("latin-1").encode(),
}
# Taking the zeros out of DER would destroy it; nobody stores binary as UTF-16.
TEXT_ONLY = {"in utf-16", "in utf-16 big end first"}
DRESSED = [
    (name, dress)
    for name, (_, key) in wrong_keys().items()
    for dress in DRESSES
    if key.isascii() or dress not in TEXT_ONLY
]


@pytest.mark.parametrize(("name", "dress"), DRESSED)
def test_a_key_of_another_kind_is_recognised_in_every_dress(name, dress):
    kind, key = wrong_keys()[name]
    assert other_kind(DRESSES[dress](key)) == kind


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("name", NAMES)
def test_a_key_of_another_kind_stops_the_start_as_bytes_and_as_text(name, algorithm):
    kind, key = wrong_keys()[name]
    with pytest.raises(ConfigurationError, match=f"must be random bytes, not {kind}"):
        hmac_key(key, algorithm)
    with pytest.raises(ConfigurationError, match=f"must be random bytes, not {kind}"):
        hmac_key(key.decode("latin-1"), algorithm, allow_weak=True)


@pytest.mark.parametrize("last", b"\n \r\t\x0b\x0c")
def test_der_that_ends_in_a_byte_of_white_space_is_recognised(last):
    der = b"\x30\x26\x02\x01\x00\x04\x21" + b"k" * 32 + bytes([last])
    assert other_kind(der) == "a key in DER"
    assert other_kind(base64.b64encode(der)) == "a key in DER"


@pytest.mark.parametrize(
    "secret",
    [
        b"",
        b"\x30",
        b"\x30\x00",
        b"\x30\x00" + b" " * 40,  # an empty sequence
        b"\x30\x80\x02\x01\x00\x00\x00",  # an indefinite length is no DER
        b"\x30\x22" + b"\x02\x01\x00" + b"x" * 31,  # what is inside does not end where it must
        b"\x30\x05\x02\x01\x00\x02",  # cut off
        b"\x30\x05\x02\x01\x00\x02\x09",  # the last element is longer than the whole
        b"\x30\x05\x02\x01\x00\x02\x03\n\n\n",  # the last element reaches out of the sequence
        b"\x30\x03\x04\x01\x00",  # no key starts with an octet string
        b"\x30\xff" + b"\xff" * 200,
        b"\x30\x03\x02\x01\x00more",
        b"{not json at all but a secret of some length}",
        b'{"a": "dictionary that is no key, however odd as a secret"}',
        b"[" * 100_000,
        b'{"kty": ' + b"9" * 5000 + b"}",
        b"ssh-is-my-favourite-protocol-and-this-is-a-passphrase",
        b"-----NOT A KEY-----",
        b"\xff\xfe secret in no encoding \xc0\xc1",
    ],
)
def test_what_only_looks_a_little_like_a_key_may_be_a_secret(secret):
    assert other_kind(secret) is None


@given(st.binary(max_size=100))
def test_no_bytes_at_all_upset_the_search(secret):
    assert other_kind(secret) in (
        None,
        "a key in DER",
        "a key in PEM",
        "a JSON Web Key",
        "a key in OpenSSH's format",
    )
