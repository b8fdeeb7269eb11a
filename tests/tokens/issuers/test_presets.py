"""Presets, each held against a token of the shape that its source shows (``shapes/``)."""

import json
from pathlib import Path

import pytest

from flask_permjwt.errors import InvalidTokenError
from flask_permjwt.tokens.issuers.config import read_issuers
from flask_permjwt.tokens.issuers.loaders import FixedKeys
from flask_permjwt.tokens.issuers.presets import PRESETS
from flask_permjwt.tokens.issuers.verifier import Issuers, Trusted

SHAPES = {path.stem: json.loads(path.read_text()) for path in Path(__file__).with_name("shapes").glob("*.json")}
DOCS = Path(__file__).parents[3] / "docs" / "issuers.md"


def preset_of(name):
    return SHAPES[name].get("preset", name)


def verify(outsider, name, **changes):
    shape = SHAPES[name]
    given = {"preset": preset_of(name), "jwks": outsider.jwks(), **shape["settings"]}
    (issuer,) = read_issuers([given])
    issuers = Issuers([Trusted(issuer, FixedKeys(issuer, given["jwks"]))])
    claims = {"iat": outsider.now, "exp": outsider.now + 60, **shape["payload"], **changes}
    token = outsider.sign(shape["header"], {name: one for name, one in claims.items() if one is not None})
    return issuers.verify(token, lambda _: None)


def test_every_preset_has_a_shape_and_its_source_is_in_the_docs():
    assert {preset_of(name) for name in SHAPES} == set(PRESETS)
    page = DOCS.read_text()
    assert [name for name, shape in SHAPES.items() if shape["source"] not in page] == []


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_of_the_shape_is_taken_with_its_permissions(outsider, name):
    found = verify(outsider, name)
    assert sorted(found.token.principal.permissions) == SHAPES[name]["permissions"]
    assert found.subject == SHAPES[name]["payload"]["sub"]


@pytest.mark.parametrize(("name", "other"), [(name, other) for name in SHAPES for other in SHAPES[name]["others"]])
def test_other_tokens_of_the_same_issuer_are_not(outsider, name, other):
    try:
        assert verify(outsider, name, **SHAPES[name]["others"][other]) is None
    except InvalidTokenError:
        return
