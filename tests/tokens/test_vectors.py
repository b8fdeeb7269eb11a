"""Public test vectors, all of them, through our own reading of keys, our own checks and PyJWT's signatures.

What is run is what the codec does with every token before it looks at claims: ``split``, ``read_header``,
``choose`` and ``check``. Vectors that do not apply are listed with the reason, and counted.
"""

import base64
import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from flask_permjwt.errors import ConfigurationError, InvalidTokenError
from flask_permjwt.tokens.compact import payload_of, split
from flask_permjwt.tokens.jwk import public_half, public_jwk, read_jwk, read_set, whole_jwk
from flask_permjwt.tokens.keys import KeyRing
from flask_permjwt.tokens.prepared import Prepared, read_header
from flask_permjwt.tokens.signatures import Signer

VECTORS = Path(__file__).parent.parent / "vectors"
SHARED = Path(__file__).parent.parent.parent.parent / "shared" / "vectors"


def load(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def vectors(name):
    return [
        pytest.param(group.get("public") or group["private"], test, id=f"{test['tcId']}-{test['comment']}")
        for group in load(name)["testGroups"]
        for test in group["tests"]
    ]


def verify(token, keys):
    """Do what the codec does with a token until its claims are looked at; return the payload."""
    ready = Prepared(KeyRing(keys[0], keys), ())
    header, payload, signature = split(token)
    ready.choose(read_header(header)).check(token[: -len(signature) - 1].encode(), signature)
    return payload_of(payload)


def accepts(token, read):
    """Tell whether keys can be read, and a token is accepted with them."""
    try:
        verify(token, read())
    except (ConfigurationError, InvalidTokenError):
        return False
    return True


EMPTY_PAYLOAD = "a token's payload is a JSON object, so an empty one is refused unread; its signature is right"
MISNAMED = "the key names ES521, which is no algorithm (RFC 7518 says ES512); we do not guess what was meant"
OTHER = "the key names PS256 and the token PS384: one key serves one algorithm, whatever the token says (RFC 8725)"
STRAY = "a character that is not base64url, which some skip over; a token has one spelling (RFC 7515 section 2)"
LOST = (
    "the padding that it is about is not in the file: the text is vector 357's, letter for letter, which is valid"
)
NOT_APPLICABLE = {
    **dict.fromkeys((367, 370), LOST),
    **dict.fromkeys((259, 264, 268, 272, 320, 325), EMPTY_PAYLOAD),
    **dict.fromkeys((347, 351), MISNAMED),
    **dict.fromkeys((346, 350), OTHER),
    **dict.fromkeys((372, 373), STRAY),
}
BY_ID = {
    test["tcId"]: test
    for group in load("wycheproof/json_web_signature_test.json")["testGroups"]
    for test in group["tests"]
}
MEANT = {MISNAMED: "ES512", OTHER: "PS384"}


@pytest.mark.parametrize(("jwk", "test"), vectors("wycheproof/json_web_signature_test.json"))
def test_wycheproof_signatures_are_accepted_and_refused_as_they_say(jwk, test):
    # One of the keys is nothing but zeros.
    accepted = accepts(test["jws"], lambda: [read_jwk(jwk, allow_weak=True)])
    if test["tcId"] not in NOT_APPLICABLE:
        assert accepted == (test["result"] == "valid")
        return
    reason = NOT_APPLICABLE[test["tcId"]]
    if reason is LOST:
        segments = test["jws"].split(".")
        for place in range(3):
            padded = [f"{one}=" if number == place else one for number, one in enumerate(segments)]
            assert not accepts(".".join(padded), lambda: [read_jwk(jwk, allow_weak=True)])
        assert test["jws"] == BY_ID[357]["jws"]
        assert accepted
        return
    assert test["result"] == "valid"
    assert not accepted
    if reason is EMPTY_PAYLOAD:
        signed, _, signature = test["jws"].rpartition(".")
        assert signed.endswith(".")
        Signer(read_jwk(jwk)).check(signed.encode(), signature)
    elif reason is STRAY:
        assert accepts(test["jws"].replace("?", ""), lambda: [read_jwk(jwk, allow_weak=True)])
    else:
        assert accepts(test["jws"], lambda: [read_jwk({**jwk, "alg": MEANT[reason]})])


@pytest.mark.parametrize(("jwks", "test"), vectors("wycheproof/json_web_key_test.json"))
def test_wycheproof_keys_are_accepted_and_refused_as_they_say(jwks, test):
    assert accepts(test["jws"], lambda: read_set(jwks)) == (test["result"] == "valid")


def test_every_vector_is_there():
    signatures = vectors("wycheproof/json_web_signature_test.json")
    assert Counter(test.values[1]["result"] for test in signatures) == {"valid": 46, "invalid": 355}
    assert len(vectors("wycheproof/json_web_key_test.json")) == 26
    assert {test.values[1]["tcId"] for test in signatures} > NOT_APPLICABLE.keys()


def test_private_keys_of_the_vectors_verify_as_their_public_halves_do():
    for group in load("wycheproof/json_web_signature_test.json")["testGroups"]:
        if "public" not in group or group["tests"][0]["tcId"] in {
            347,
            351,
            353,
            354,
            355,
            356,
        }:  # which cannot be read
            continue
        whole = read_jwk(group["private"])
        assert whole.signs
        assert public_half(whole) == read_jwk(group["public"])
        for test in group["tests"][:3]:
            assert accepts(test["jws"], lambda key=whole: [key]) == accepts(
                test["jws"], lambda group=group: [read_jwk(group["public"])]
            )


# RFC 7520 and RFC 8037: the cookbook

JWS = [*sorted((VECTORS / "rfc7520" / "jws").glob("*.json")), VECTORS / "rfc7520" / "rfc8037_jws.json"]
WITHOUT_COMPACT = {
    "4_5": "detached content: the payload is elsewhere, and a token carries its own",
    "4_6": "the JSON serialization, with a header that no signature covers",
    "4_7": "the JSON serialization, with a header that no signature covers",
    "4_8": "the JSON serialization, with several signatures",
}


@pytest.mark.parametrize("path", JWS, ids=lambda path: path.stem)
def test_the_cookbook_is_accepted(path):
    example = json.loads(path.read_text(encoding="utf-8"))
    if path.stem[:3] in WITHOUT_COMPACT:
        written = [example["output"].get("compact"), json.dumps(example["output"]["json"])]
        for form in filter(None, written):
            with pytest.raises(InvalidTokenError, match="malformed"):
                split(form)
        return
    key = read_jwk(example["input"]["key"], default=example["input"]["alg"])
    assert verify(example["output"]["compact"], [key]) == example["input"]["payload"].encode()
    if example.get("reproducible"):
        sig_input = example["signing"]["sig-input"]
        assert Signer(key).sign(sig_input.encode()) == example["signing"]["sig"]


@pytest.mark.parametrize("path", JWS, ids=lambda path: path.stem)
def test_the_cookbooks_signatures_are_right_in_any_serialization(path):
    """What the compact form cannot carry has signatures all the same, over what they say they cover."""
    example = json.loads(path.read_text(encoding="utf-8"))
    keys, algorithms, signings = (example["input"]["key"], example["input"]["alg"], example["signing"])
    if not isinstance(keys, list):
        keys, algorithms, signings = [keys], [algorithms], [signings]
    assert len(keys) == len(algorithms) == len(signings)
    for jwk, algorithm, signing in zip(keys, algorithms, signings, strict=True):
        signer = Signer(read_jwk(jwk, default=algorithm))
        signer.check(signing["sig-input"].encode(), signing["sig"])
        with pytest.raises(InvalidTokenError, match="signature"):
            signer.check(signing["sig-input"].encode() + b"A", signing["sig"])


@pytest.mark.parametrize("name", sorted((VECTORS / "rfc7520" / "jwk").glob("*.json")), ids=lambda path: path.stem)
def test_the_cookbooks_keys_are_read(name):
    jwk = json.loads(name.read_text(encoding="utf-8"))
    if jwk.get("use") == "enc" or jwk.get("alg", "").startswith("A"):
        with pytest.raises(ConfigurationError):
            read_jwk(jwk)
        return
    default = "RS256" if jwk["kty"] == "RSA" else None
    key = read_jwk(jwk, default=default)
    assert key.kid == jwk["kid"]
    assert key.signs == ("d" in jwk or jwk["kty"] == "oct")
    shown = public_jwk(key) or {}
    assert not shown.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"}
    assert {name: value for name, value in jwk.items() if name in shown and name != "alg"}.items() <= shown.items()
    assert read_jwk(whole_jwk(key)) == key


def test_a_signature_of_the_cookbook_is_refused_when_one_bit_of_it_or_of_what_it_covers_differs():
    for path in JWS[:4]:
        example = json.loads(path.read_text(encoding="utf-8"))
        key = read_jwk(example["input"]["key"], default=example["input"]["alg"])
        header, payload, signature = example["output"]["compact"].split(".")
        raw = bytearray(base64.urlsafe_b64decode(signature + "=="))
        for place in (0, len(raw) // 2, len(raw) - 1):
            other = copy.copy(raw)
            other[place] ^= 1
            forged = base64.urlsafe_b64encode(other).rstrip(b"=").decode()
            with pytest.raises(InvalidTokenError):
                verify(f"{header}.{payload}.{forged}", [key])
        with pytest.raises(InvalidTokenError):
            verify(f"{header}.{'A' + payload[1:]}.{signature}", [key])


@pytest.mark.skipif(not SHARED.exists(), reason="the folder of shared vectors is not beside this clone")
def test_our_copies_are_the_shared_vectors():
    for path in (one for one in SHARED.rglob("*") if one.is_file() and one.name != "README.md"):
        assert (VECTORS / path.relative_to(SHARED)).read_bytes() == path.read_bytes(), path
