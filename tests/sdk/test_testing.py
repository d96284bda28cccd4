"""The test issuer is a real issuer: other libraries take its tokens too."""

import joserfc.jwk
import joserfc.jwt
import jwt as pyjwt
import pytest

from gatepost.keys import KeySet
from gatepost.testing import TestIssuer
from gatepost.tokens import TokenReader
from tests.sdk.forge import NOW


def test_its_tokens_are_taken_by_other_libraries() -> None:
    issuer = TestIssuer()
    token = issuer.token("alice", scopes=["b", "a"], tenant="north")
    published = issuer.jwks()
    claims = pyjwt.decode(
        token,
        pyjwt.PyJWKSet.from_dict(published)[issuer.kid],
        algorithms=["ES256"],
        audience=issuer.audience,
        issuer=issuer.url,
    )
    assert (claims["sub"], claims["scope"], claims["tenant"]) == ("alice", "a b", "north")
    assert joserfc.jwt.decode(token, joserfc.jwk.KeySet.import_key_set(published)).claims == claims


def test_nothing_private_is_published() -> None:
    published = TestIssuer().jwks()["keys"]
    assert [sorted(key) for key in published] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]


def test_tokens_of_a_retired_key_stay_good() -> None:
    issuer = TestIssuer()
    old = issuer.token(now=NOW)
    issuer.rotate()
    new = issuer.token(now=NOW)
    keys = KeySet.from_jwks(issuer.jwks())
    reader = TokenReader(issuer.url, issuer.audience)
    assert reader.read(old, keys, now=NOW).kid != reader.read(new, keys, now=NOW).kid == issuer.kid


def test_two_issuers_have_different_keys() -> None:
    assert TestIssuer().jwks() != TestIssuer().jwks()


@pytest.mark.anyio
async def test_it_answers_only_at_the_two_addresses() -> None:
    async with TestIssuer().client() as client:
        assert (await client.get("https://issuer.test/other")).status_code == 404
        assert (await client.get("https://issuer.test/auth/revocations")).status_code == 401
