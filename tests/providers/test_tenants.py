"""Tenants: one address for people of many issuers, as Microsoft has it."""

import json
import time

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from flask_permjwt.errors import ProviderError
from flask_permjwt.providers.client import ProviderClient
from flask_permjwt.providers.config import read_providers
from flask_permjwt.providers.presets import CONSUMERS
from flask_permjwt.tokens.issuers.http import Answer
from flask_permjwt.tokens.issuers.protocol import Fetched

TENANT, OTHER = "aaaabbbb-0000-cccc-1111-dddd2222eeee", "11112222-0000-cccc-1111-dddd2222eeee"
SHARED = "https://login.microsoftonline.com/{tenantid}/v2.0"
URL = "https://login.microsoftonline.com/common"


class Microsoft:
    """Answers in the place of the network."""

    def __init__(self):
        self.key = ECKey.generate_key("P-256", {"kid": "k1", "use": "sig"})
        self.claims = {}
        self.issuer = SHARED
        self.of_key = {"issuer": SHARED}

    def fetch(self, url):
        metadata = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{URL}/oauth2/v2.0/authorize",
            "token_endpoint": f"{URL}/oauth2/v2.0/token",
            "jwks_uri": f"{URL}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        }
        keys = KeySet([self.key]).as_dict(private=False)
        keys["keys"][0].update(self.of_key)
        return Fetched(json.dumps(metadata if url.endswith("configuration") else keys).encode())

    def send(self, method, url, *, headers, body=None):
        now = int(time.time())
        usual = {
            "iss": SHARED.replace("{tenantid}", TENANT),
            "tid": TENANT,
            "aud": "an-id",
            "sub": "pairwise",
            "nonce": "n",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "email": "ceo@victim.example",
            **self.claims,
        }
        token = jwt.encode({"alg": "ES256", "kid": "k1"}, usual, self.key)
        return Answer(
            200, {}, json.dumps({"access_token": "x", "token_type": "Bearer", "id_token": token}).encode()
        )


@pytest.fixture
def microsoft():
    return Microsoft()


@pytest.fixture
def tenant():
    return "common"


@pytest.fixture
def redeem(microsoft, tenant):
    entry = {"tenant": tenant, "client_id": "an-id", "client_secret": "a-s3cret"}
    provider = read_providers([("microsoft", entry)])["microsoft"]
    client = ProviderClient(provider, fetcher=microsoft, jwks_stale=60, jwks_cooldown=30)

    def redeem(**claims):
        microsoft.claims = claims
        return client.redeem("code", redirect_uri="https://app/", verifier="v" * 43, nonce="n", asked_at=None)

    return redeem


def test_people_are_known_by_the_issuer_of_their_own_tenant(redeem):
    here = redeem()
    there = redeem(iss=SHARED.replace("{tenantid}", OTHER), tid=OTHER)
    assert here.issuer == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert (here.subject, there.subject) == ("pairwise", "pairwise")
    assert here.issuer != there.issuer


def test_an_address_that_any_administrator_of_a_tenant_can_write_is_not_believed(redeem):
    assert redeem().email is None
    # A tenant may have its tokens say anything.
    assert redeem(email_verified=True).email is None


@pytest.mark.parametrize("tenant", [TENANT])
def test_nor_is_it_of_ones_own_tenant(microsoft, redeem):
    microsoft.issuer = SHARED.replace("{tenantid}", TENANT)
    assert redeem(email_verified=True).email is None


@pytest.mark.parametrize(
    ("of_key", "known"),
    [
        ({}, True),
        ({"issuer": SHARED}, True),
        ({"issuer": SHARED.replace("{tenantid}", TENANT)}, True),
        ({"issuer": SHARED.replace("{tenantid}", CONSUMERS)}, False),
        ({"issuer": SHARED.replace("{tenantid}", OTHER)}, False),
        ({"issuer": "https://evil.example/{tenantid}/v2.0"}, False),
        ({"issuer": SHARED.replace("v2.0", "")}, False),
        ({"issuer": f"{SHARED}/b2c"}, False),
        ({"issuer": ["of", "nobody"]}, True),
    ],
    ids=str,
)
def test_a_key_signs_for_the_tenants_that_it_is_published_for(microsoft, redeem, of_key, known):
    microsoft.of_key = of_key
    if known:
        assert redeem().subject == "pairwise"
    else:
        with pytest.raises(ProviderError):
            redeem()


@pytest.mark.parametrize(("tenant", "let_in"), [("organizations", False), ("common", True)])
def test_personal_accounts_are_of_no_organization(redeem, let_in):
    personal = {"iss": SHARED.replace("{tenantid}", CONSUMERS), "tid": CONSUMERS}
    assert redeem().subject == "pairwise"
    if let_in:
        assert redeem(**personal).subject == "pairwise"
    else:
        with pytest.raises(ProviderError):
            redeem(**personal)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": SHARED},
        {"iss": "https://evil.example"},
        {"iss": SHARED.replace("{tenantid}", "common")},
        {"iss": SHARED.replace("{tenantid}", OTHER)},
        {"tid": OTHER},
        {"tid": None},
        {"iss": None},
    ],
    ids=str,
)
def test_issuer_and_tenant_must_agree(redeem, claims):
    with pytest.raises(ProviderError):
        redeem(**claims)
