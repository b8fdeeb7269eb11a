"""Claims that are absurd, missing or of the wrong shape: refused, or they grant nothing (RFC 7519 section 4.1)."""

import json
import math

import pytest

from flask_permjwt.errors import ExpiredTokenError, InvalidTokenError
from flask_permjwt.tokens.codec import TokenCodec, TokenType
from flask_permjwt.tokens.keys import KeyRing

DATES = {
    "text": "1800000900",
    "empty text": "",
    "iso text": "2030-01-01T00:00:00Z",
    "true": True,
    "false": False,
    "null": None,
    "list": [1800000900],
    "object": {"seconds": 1800000900},
    "negative": -1,
    "small negative": -0.000001,
    "milliseconds": 1800000900000,
    "year 10000": 253402300800,
    "beyond any calendar": 10**18,
    "64 bits": 2**64,
    "400 digits": 10**400,
    "float beyond": 1e300,
}


def without(claims: dict, name: str) -> dict:
    return {key: value for key, value in claims.items() if key != name}


@pytest.mark.parametrize("value", DATES.values(), ids=DATES)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_absurd_dates_are_refused(forger, name, value):
    assert forger.refuses(forger.with_claims(**{name: value}), f"The claim {name}")


@pytest.mark.parametrize("name", ["exp", "iat", "sub", "jti", "sid", "ver"])
def test_a_required_claim_that_is_missing_is_refused(forger, name):
    assert forger.refuses(forger.forge(None, without(forger.claims, name)), f"The claim {name} is missing")


@pytest.mark.parametrize("value", [None, "", 0, 7, True, [], ["u"], {}, {"id": "u"}, 1.5, "u" * 256, "u\0", "\n"])
@pytest.mark.parametrize("name", ["sub", "jti", "sid"])
def test_what_names_the_user_the_token_and_the_session_is_text(forger, name, value):
    assert forger.refuses(forger.with_claims(**{name: value}), f"The claim {name}")


@pytest.mark.parametrize("sub", ["1", "01", " 1", "1 ", "1.0", "A", "a", "\u0661", "1' OR '1'='1", "\uff41"])
def test_the_subject_is_an_opaque_string_that_is_handed_on_unchanged(forger, sub):
    assert forger.verify(forger.with_claims(sub=sub)).subject == sub


@pytest.mark.parametrize("ver", [None, "1", "", True, False, 1.0, -1, [1], {}, 2**63, 10**100])
def test_the_version_is_a_count(forger, ver):
    assert forger.refuses(forger.with_claims(ver=ver), "The claim ver")


@pytest.mark.parametrize("lifetime", [0, -1, -900, -(10**9)])
def test_a_lifetime_of_zero_or_less_is_an_error_and_not_eternity(forger, lifetime):
    assert forger.refuses(forger.with_claims(exp=forger.now + lifetime), "never valid")


def test_a_lifetime_of_zero_is_refused_before_its_time_too(forger):
    token = forger.with_claims(iat=forger.now + 100, exp=forger.now + 100)
    assert forger.refuses(token, "never valid")


def test_an_expired_token_is_refused_as_expired(forger):
    token = forger.with_claims(iat=forger.now - 900, exp=forger.now)
    with pytest.raises(ExpiredTokenError):
        forger.verify(token)


def test_a_token_that_is_not_valid_yet_is_refused(forger):
    assert forger.refuses(forger.with_claims(nbf=forger.now + 1), "not valid yet")
    assert forger.refuses(forger.with_claims(nbf=forger.now + 0.001), "not valid yet")


def test_dates_may_have_fractions_of_a_second(forger):
    token = forger.verify(forger.with_claims(iat=forger.now - 0.5, nbf=forger.now - 0.5, exp=forger.now + 0.5))
    assert (token.issued_at, token.expires_at) == (forger.now - 0.5, forger.now + 0.5)


def test_the_last_second_of_the_calendar_is_a_date(forger):
    assert forger.verify(forger.with_claims(exp=253402300799)).expires_at == 253402300799


SHAPES = [
    "*",
    "reports:*",
    "reports:read",
    "",
    b"*".hex(),
    {"*": True},
    {"permissions": ["*"]},
    1,
    True,
    None,
    1.5,
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_permissions_of_the_wrong_shape_grant_nothing(forger, shape):
    principal = forger.verify(forger.with_claims(permissions=shape)).principal
    assert principal.permissions == set()
    assert not principal.can("reports:read")


def test_admin_is_not_found_inside_administrate(forger):
    for permissions in ("administrate", ["administrate"], "admin"):
        assert not forger.verify(forger.with_claims(permissions=permissions)).principal.can("admin")


@pytest.mark.parametrize(
    "grant",
    [
        ["*"],
        {"*": 1},
        None,
        True,
        7,
        "",
        ":",
        "**",
        "reports:",
        ":read",
        "*:",
        "reports read",
        "*\0",
        "*\n",
        " *",
        "\uff0a",
    ],
    ids=repr,
)
def test_what_is_no_grant_within_the_list_grants_nothing(forger, grant):
    principal = forger.verify(forger.with_claims(permissions=["a", grant])).principal
    assert principal.permissions == {"a"}


def test_missing_permissions_grant_nothing(forger):
    assert forger.verify(forger.forge(None, without(forger.claims, "permissions"))).principal.permissions == set()


@pytest.mark.parametrize(
    "name", ["scope", "scp", "scopes", "Permissions", "permission", "roles", "groups", "data"]
)
def test_permissions_under_another_name_grant_nothing(forger, name):
    # A scope is read, and may only narrow; one that is no string is refused.
    value = "reports:read *" if name == "scope" else ["reports:read", "*"]
    claims = {**without(forger.claims, "permissions"), name: value}
    assert not forger.verify(forger.forge(None, claims)).principal.can("reports:read")


@pytest.mark.parametrize(
    "value", [["*"], "x", None, 7, [["*"]], {"permissions": "*"}, {"permissions.": ["*"]}], ids=repr
)
def test_a_dotted_path_is_followed_through_objects_only(forger, value):
    codec = TokenCodec(KeyRing(forger.key), permissions_claim="data.permissions")
    for claims in ({"data": value}, {"data.permissions": ["*"]}, {"data": {"permissions": {"0": "*"}}}):
        token = codec.verify(forger.with_claims(**claims), TokenType.ACCESS)
        assert token.principal.permissions == set()


@pytest.mark.parametrize("roles", ["admin", {"admin": 1}, 7, None, True, [["admin"]], [{"admin": 1}]], ids=repr)
def test_roles_of_the_wrong_shape_are_none(forger, roles):
    assert forger.verify(forger.with_claims(roles=roles)).principal.roles == set()


AUDIENCES = [None, "", "api ", "API", "api2", "ap", "*", [], [""], ["other"], [["api"]], ["api", 7], ["api", None]]


@pytest.mark.parametrize("aud", [*AUDIENCES, 7, True, {}, {"api": 1}, {"aud": "api"}], ids=repr)
def test_an_audience_that_is_not_exactly_ours_is_refused(forger, aud):
    codec = TokenCodec(KeyRing(forger.key), audience=("api",))
    with pytest.raises(InvalidTokenError, match="audience"):
        codec.verify(forger.with_claims(aud=aud), TokenType.ACCESS)
    assert codec.verify(forger.with_claims(aud="api"), TokenType.ACCESS)
    assert codec.verify(forger.with_claims(aud=["other", "api"]), TokenType.ACCESS)


def test_a_required_audience_that_is_missing_is_refused(forger):
    with pytest.raises(InvalidTokenError, match="audience"):
        TokenCodec(KeyRing(forger.key), audience=("api",)).verify(forger.forge(), TokenType.ACCESS)


@pytest.mark.parametrize("aud", ["api", "", [], None, False, 0, {}], ids=repr)
def test_any_audience_is_refused_where_none_is_configured(forger, aud):
    assert forger.refuses(forger.with_claims(aud=aud), "audience")


@pytest.mark.parametrize(
    "iss", [None, "", "https://ONE", "https://one/", "https://one ", ["https://one"], 7, True, {}]
)
def test_an_issuer_that_is_not_exactly_ours_is_refused(forger, iss):
    codec = TokenCodec(KeyRing(forger.key), issuer="https://one")
    with pytest.raises(InvalidTokenError, match="issuer"):
        codec.verify(forger.with_claims(iss=iss), TokenType.ACCESS)
    with pytest.raises(InvalidTokenError, match="issuer"):
        codec.verify(forger.forge(), TokenType.ACCESS)
    assert codec.verify(forger.with_claims(iss="https://one"), TokenType.ACCESS)


@pytest.mark.parametrize("csrf", [7, True, None, [], ["value"], {}], ids=repr)
def test_a_csrf_value_that_is_no_text_is_none(forger, csrf):
    assert forger.verify(forger.with_claims(csrf=csrf)).csrf is None


def test_claims_named_like_pythons_own_do_no_harm(forger):
    odd = {
        "__class__": "x",
        "__proto__": {"admin": True},
        "constructor": 1,
        "self": 1,
        "": 1,
        "claims": 1,
        "now": 9,
    }
    token = forger.verify(forger.forge(None, {**forger.claims, **odd}))
    assert token.claims["__proto__"]["admin"] is True
    assert token.principal.permissions == {"reports:read"}


def test_no_error_repeats_what_a_token_says(forger):
    """What an attacker wrote must not come back in an answer or a log."""
    poison = "<script>\r\nSet-Cookie: x"
    tokens = [
        forger.with_claims(sub=poison + "\0"),
        forger.with_claims(aud=poison),
        forger.with_claims(exp=poison),
        forger.with_header(kid=poison),
        forger.with_header(typ=poison),
        forger.with_header(alg=poison),
        forger.forge(None, f'{{"{poison}": 1, "{poison}": 2}}'.replace("\r\n", "")),
        poison,
    ]
    for token in tokens:
        with pytest.raises(InvalidTokenError) as caught:
            forger.verify(token)
        assert "script" not in caught.value.description
        assert caught.value.description.isascii()
        assert caught.value.description.isprintable()


def test_infinity_is_no_way_around_the_end(forger):
    for text in ("Infinity", "1e999"):
        claims = json.dumps(without(forger.claims, "exp"))[:-1]
        assert forger.refuses(forger.forge(None, f'{claims}, "exp": {text}}}'), "not finite")
    with pytest.raises(ExpiredTokenError):
        forger.codec.judge(forger.verify(forger.forge()), math.inf)
