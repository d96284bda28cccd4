"""A credential found good before is answered from memory; whatever changes its standing is seen on the next request."""

import asyncio
from datetime import timedelta
from typing import Any

import jwt
import pytest

from gatepost.tokens import AccessToken, TokenReader
from service import clock
from service.clients.client import FIRST_PARTY
from service.tokens.issue import AccessTokenIssuer
from service.web.verify import VerifyEndpoint
from tests.servers.gatepost import PASSWORD
from tests.web.running import Web, basic, bearer

pytestmark = pytest.mark.anyio


async def signed_in(web: Web, username: str) -> dict[str, str]:
    """The Authorization field of a token that `/auth/verify` and a route have already let in."""
    await web.add_user(username)
    fields = await web.token(username)
    for _ in range(2):
        assert await statuses(web, fields) == (200, 200)
    return fields


def read_header(fields: dict[str, str]) -> dict[str, str]:
    """The JOSE header of the token in an Authorization field."""
    header: dict[str, str] = jwt.get_unverified_header(fields["Authorization"].removeprefix("Bearer "))
    return header


async def statuses(web: Web, fields: dict[str, str]) -> tuple[int, int]:
    """What the hot endpoint and a guarded route say."""
    hot = await web.client.get("/auth/verify", headers=fields)
    route = await web.client.get("/users/me", headers=fields)
    return hot.status_code, route.status_code


async def test_a_logout_is_seen_by_the_next_request(web: Web) -> None:
    fields, other = await signed_in(web, "remembered-a"), await signed_in(web, "remembered-b")
    assert (await web.client.post("/auth/logout", headers=fields)).status_code == 204
    assert await statuses(web, fields) == (401, 401)
    assert await statuses(web, other) == (200, 200)


async def test_a_compromised_signing_key_is_seen_by_the_next_request(web: Web) -> None:
    fields = await signed_in(web, "remembered-key")
    kid = read_header(fields)["kid"]
    await web.rooms.keyring.retire_compromised(kid, now=clock.now())
    assert await statuses(web, fields) == (401, 401)


async def test_a_token_dies_with_the_second_of_its_exp(web: Web) -> None:
    user = await web.add_user("remembered-exp")
    issuer = AccessTokenIssuer(
        web.rooms.keyring, issuer=web.settings.issuer, audience=web.settings.audience, life=timedelta(seconds=2)
    )
    now = clock.now()
    draft = issuer.draft(subject=user.id, client_id=FIRST_PARTY, scopes=frozenset(), epoch=user.epoch)
    made = issuer.issue(draft, now=now)
    fields = bearer(made.token)
    assert await statuses(web, fields) == (200, 200)
    dies = int(now.timestamp()) + 2
    while clock.now().timestamp() < dies:
        last = await statuses(web, fields)
        await asyncio.sleep(0.05)
    assert last in {(200, 200), (200, 401), (401, 401)}
    assert await statuses(web, fields) == (401, 401)


@pytest.mark.spec("RFC 6750 §2")
@pytest.mark.parametrize("second", [("Authorization", None), ("X-API-Key", "gp_key_x"), ("Cookie", "gp_access=x")])
async def test_a_remembered_token_beside_another_credential_is_still_400(
    web: Web, second: tuple[str, str | None]
) -> None:
    fields = await signed_in(web, f"remembered-{second[0].lower()}")
    name, value = second
    sent = [*fields.items(), (name, value or fields["Authorization"])]
    for path in ("/auth/verify", "/users/me"):
        answer = await web.client.get(path, headers=sent)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_what_only_resembles_a_remembered_token_is_refused(web: Web) -> None:
    token = (await signed_in(web, "remembered-like"))["Authorization"].removeprefix("Bearer ")
    for near in (token + "=", token[:-1], " " + token, token + " x", f"{token},{token}", token.swapcase()):
        assert await statuses(web, bearer(near)) == (401, 401), near
    assert await statuses(web, {"Authorization": f"bEARER {token}"}) == (200, 200)
    assert await statuses(web, {"Authorization": f"Basic {token}"}) == (401, 401)


async def test_scopes_are_judged_anew_for_each_query(web: Web) -> None:
    fields = await signed_in(web, "remembered-scope")
    asked = {"account:read": 200, "account:read account:write": 200, "orders:read": 403, "two  blanks": 400, "": 200}
    for _ in range(2):
        for scope, status in asked.items():
            answer = await web.client.get("/auth/verify", params={"scope": scope}, headers=fields)
            assert answer.status_code == status, scope
        twice = await web.client.get("/auth/verify?scope=account:read&scope=account:read", headers=fields)
        assert twice.status_code == 400


def at_hand(web: Web, fields: dict[str, str]) -> bool:
    """Whether the connection itself would answer this caller."""
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    scope = {"type": "http", "method": "GET", "path": "/auth/verify", "query_string": b"", "headers": headers}
    return web.edge.at_hand(scope, b"") is not None


async def test_keys_and_pairs_that_were_good_before_are_at_hand_too_until_anything_changes(web: Web) -> None:
    user = await web.add_user("remembered-all")
    keys = web.rooms.api_keys
    made = await keys.create(user.id, "x", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now())
    callers = {
        "key": {"X-API-Key": made.text},
        "key as bearer": {"Authorization": f"Bearer {made.text}"},
        "pair": basic("remembered-all", PASSWORD),
    }
    for what, fields in callers.items():
        assert not at_hand(web, fields) or what == "key as bearer", what
        assert await statuses(web, fields) == (200, 200), what
        assert at_hand(web, fields), what
        for other in callers.values():
            answer = await web.client.get("/auth/verify", headers=[*fields.items(), *other.items()])
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    await keys.revoke(made.key.id, user_id=user.id, now=clock.now())
    await web.rooms.directory.set_password(user.id, PASSWORD[::-1], now=clock.now())
    for what, fields in callers.items():
        assert not at_hand(web, fields), what
        assert await statuses(web, fields) == (401, 401), what


async def test_a_key_of_some_networks_is_never_at_hand(web: Web) -> None:
    user = await web.add_user("remembered-network")
    made = await web.rooms.api_keys.create(
        user.id, "x", scopes=(), within=frozenset(), networks=["127.0.0.0/8"], life=None, now=clock.now()
    )
    fields = {"X-API-Key": made.text}
    for _ in range(2):
        assert await statuses(web, fields) == (200, 200)
        assert not at_hand(web, fields)


@pytest.mark.parametrize("value", ["Basic", "Basic =", "Basic OmE=", "basic \xff", "Digest x", ""])
async def test_what_is_malformed_is_not_at_hand(web: Web, value: str) -> None:
    assert not at_hand(web, {"Authorization": value})
    assert (await web.client.get("/auth/verify", headers={"Authorization": value.encode()})).status_code == 401


async def test_only_what_somebody_asked_who_is_known_is_remembered_and_never_a_key(web: Web) -> None:
    fields = await signed_in(web, "remembered-doors")
    verify = web.hot["/auth/verify"]
    assert isinstance(verify, VerifyEndpoint)
    doors = verify._doors
    before = len(doors)
    for query in ("scope=a", "scope=b&x=1"):
        assert (await web.client.get(f"/auth/verify?{query}")).status_code == 401
    for query in ("api_key=secret", "api%5Fkey=secret", "scope=account:read&ap%69_key=secret", "x=" + "y" * 2_000):
        assert (await web.client.get(f"/auth/verify?{query}", headers=fields)).status_code in (200, 400)
    assert len(doors) == before
    assert (await web.client.get("/auth/verify?scope=account:read", headers=fields)).status_code == 200
    assert len(doors) == before + 1
    for number in range(1_100):
        await web.client.get(f"/auth/verify?x={number}", headers=fields)
    assert len(doors) == 1_000


@pytest.mark.parametrize(("name", "spelled"), [("new-a", "Bearer "), ("new-b", "bearer "), ("new-c", "Bearer  ")])
async def test_a_token_that_is_new_here_is_read_once_by_the_connection(
    web: Web, monkeypatch: pytest.MonkeyPatch, name: str, spelled: str
) -> None:
    await web.add_user(name)
    reads: list[str] = []
    read = TokenReader.read

    def noting(self: TokenReader, token: str, *arguments: Any, **options: Any) -> AccessToken:
        reads.append(token)
        return read(self, token, *arguments, **options)

    monkeypatch.setattr(TokenReader, "read", noting)
    fields = await web.token(name)
    token = fields["Authorization"].removeprefix("Bearer ")
    good = await web.client.get("/auth/verify", headers={"Authorization": spelled + token})
    assert good.status_code == (401 if spelled.endswith("  ") else 200)
    assert reads == ([] if spelled.endswith("  ") else [token])
    reads.clear()
    for wrong in (token[:-8] + "AAAAAAAA", token[:-1], "x", "x.y.z"):
        answer = await web.client.get("/auth/verify", headers={"Authorization": "Bearer " + wrong})
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert reads == [wrong]
        reads.clear()


@pytest.mark.parametrize(("name", "spelled"), [("new-d", "Bearer "), ("new-e", "bearer ")])
async def test_a_key_that_is_new_here_is_no_token(web: Web, name: str, spelled: str) -> None:
    user = await web.add_user(name)
    made = await web.rooms.api_keys.create(
        user.id, "x", scopes=(), within=frozenset(), networks=(), life=None, now=clock.now()
    )
    for _ in range(3):
        answer = await web.client.get("/auth/verify", headers={"Authorization": spelled + made.text})
        assert (answer.status_code, answer.json()["scheme"]) == (200, "api_key")


async def test_a_token_that_is_new_here_and_lacks_a_scope_is_told_which(web: Web) -> None:
    await web.add_user("new-scope")
    for _ in range(4):
        fields = await web.token("new-scope")
        answer = await web.client.get("/auth/verify", params={"scope": "orders:write"}, headers=fields)
        assert answer.status_code == 403
        assert 'scope="orders:write"' in answer.headers["www-authenticate"]
        wrong = {"Authorization": fields["Authorization"] + "x"}
        answer = await web.client.get("/auth/verify", params={"scope": "orders:write"}, headers=wrong)
        assert answer.status_code == 401
        assert 'scope="orders:write"' in answer.headers["www-authenticate"]
