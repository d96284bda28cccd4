"""What a token request is answered with."""

import json

import pytest

from service.grants.request import Issued
from service.tokens.issue import IssuedToken


@pytest.mark.spec("RFC 6749 §5.1")
@pytest.mark.parametrize("scopes", [frozenset[str](), frozenset({"b", "a"}), frozenset({'"\\', "é"})])
def test_an_answer_is_json_whatever_was_granted(scopes: frozenset[str]) -> None:
    access = IssuedToken("a.b-_.c", "jti", scopes, 900)
    told = {"access_token": "a.b-_.c", "token_type": "Bearer", "expires_in": 900, "scope": " ".join(sorted(scopes))}
    assert json.loads(Issued(access).json()) == told
    refreshed = told | {"refresh_token": "gp_rt_x"}
    assert json.loads(Issued(access, "person", "gp_rt_x").json()) == refreshed
    assert json.loads(Issued(access, "person", "gp_rt_x", "d.e.f").json()) == refreshed | {"id_token": "d.e.f"}
    assert json.loads(Issued(access, "person", id_token="d.e.f").json()) == told | {"id_token": "d.e.f"}
