"""Tenants: a key of Microsoft's signs for those whom it names."""

import pytest

from flask_permjwt.tokens.issuers.jwks import read_keys
from flask_permjwt.tokens.issuers.tenants import KeysOfTenant, is_shared

TENANT, OTHER = "aaaabbbb-0000-cccc-1111-dddd2222eeee", "9188040d-6c67-4c5b-b112-36a304b66dad"
SHARED = "https://login.microsoftonline.com/{tenantid}/v2.0"
KEY = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "k1",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}


class Published:
    def __init__(self, **more):
        self._keys = read_keys({"keys": [{**KEY, **more}]}, ("EdDSA",))

    def find(self, kid, algorithm):
        return self._keys.find(kid, algorithm), 60


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, True),
        ({"issuer": 5}, True),
        ({"issuer": SHARED}, True),
        ({"issuer": SHARED.replace("{tenantid}", TENANT)}, True),
        ({"issuer": SHARED.replace("{tenantid}", OTHER)}, False),
        ({"issuer": "https://sts.windows.net/{tenantid}/"}, False),
    ],
    ids=str,
)
def test_a_key_is_found_by_those_whom_it_is_for(more, found):
    keys = KeysOfTenant(Published(**more), SHARED.replace("{tenantid}", TENANT))
    key, holds = keys.find("k1", "EdDSA")
    assert ((key is not None), holds) == (found, 60)
    assert keys.find("k2", "EdDSA") == (None, 60)


def test_one_without_a_tenant_fits_no_template():
    keys = KeysOfTenant(Published(issuer=SHARED), "https://login.microsoftonline.com/contoso/v2.0")
    assert keys.find("k1", "EdDSA") == (None, 60)


@pytest.mark.parametrize(
    ("issuer", "shared"),
    [
        (SHARED, True),
        (SHARED.replace("{tenantid}", TENANT), True),
        (f"https://login.microsoftonline.us/{TENANT}/v2.0", True),
        ("https://login.example.com/login.microsoftonline.com/v2.0", False),
        (f"https://sts.windows.net/{TENANT}/", False),
        ("no-address", False),
    ],
)
def test_tenants_are_told_by_their_host(issuer, shared):
    assert is_shared(issuer) is shared
