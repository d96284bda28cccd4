"""`/admin/keys`: rotation and retirement of signing keys, seen from outside."""

import pytest

from gatepost.jws import parse_jws
from tests.web.running import Web, assert_problem

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {"TOKENS__ALGORITHMS": "ES256,HS256"}


@pytest.fixture(scope="module")
async def root(web: Web) -> str:
    await web.add_user("root", roles=("admin",))
    return "root"


async def published(web: Web) -> set[str]:
    return {key["kid"] for key in (await web.client.get("/.well-known/jwks.json")).json()["keys"]}


def kid_of(field: dict[str, str]) -> object:
    return parse_jws(field["Authorization"].removeprefix("Bearer ")).header["kid"]


async def test_the_list_shows_every_key_and_nothing_private(web: Web, root: str) -> None:
    field = await web.token(root)
    answer = await web.client.get("/admin/keys", headers=field)
    assert answer.status_code == 200
    keys = answer.json()["items"]
    assert {key["algorithm"] for key in keys} == {"ES256", "HS256"}
    for key in keys:
        assert key.keys() == {
            *("kid", "algorithm", "signs", "verifies", "created_at", "signs_from", "signs_until", "verifies_until"),
            "compromised_at",
        }
    assert [(key["kid"], key["signs"], key["verifies"]) for key in keys if key["algorithm"] == "ES256"] == [
        (kid_of(field), True, True)
    ]


@pytest.mark.spec("KEY-02")
async def test_a_successor_is_published_before_it_signs(web: Web, root: str) -> None:
    field = await web.token(root)
    answer = await web.client.post("/admin/keys/rotate", json={"algorithm": "ES256"}, headers=field)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["signs"], made["verifies"]) == (False, True)
    assert {made["kid"], kid_of(field)} <= await published(web)
    assert kid_of(await web.token(root)) == kid_of(field)


@pytest.mark.spec("KEY-02")
async def test_a_rotation_at_once_signs_with_the_new_key_and_leaves_old_tokens_good(web: Web, root: str) -> None:
    field = await web.token(root)
    answer = await web.client.post("/admin/keys/rotate", json={"algorithm": "ES256", "at_once": True}, headers=field)
    assert answer.json()["signs"] is True
    assert kid_of(await web.token(root)) == answer.json()["kid"] != kid_of(field)
    assert (await web.client.get("/users/me", headers=field)).status_code == 200


@pytest.mark.spec("KEY-03")
async def test_tokens_of_a_retired_key_are_refused_at_once_and_another_key_signs(web: Web, root: str) -> None:
    field = await web.token(root)
    lost = kid_of(field)
    answer = await web.client.post(f"/admin/keys/{lost}/retire", headers=field)
    assert answer.status_code == 200
    assert answer.json()["kid"] != lost
    assert answer.json()["signs"] is True
    assert_problem(await web.client.get("/users/me", headers=field), 401, "invalid_token")
    assert lost not in await published(web)
    fresh = await web.token(root)
    assert kid_of(fresh) == answer.json()["kid"]
    kept = {key["kid"]: key for key in (await web.client.get("/admin/keys", headers=fresh)).json()["items"]}
    assert (kept[lost]["signs"], kept[lost]["verifies"]) == (False, False)
    assert kept[lost]["compromised_at"] is not None


async def test_a_symmetric_key_rotates_too_and_is_never_published(web: Web, root: str) -> None:
    field = await web.token(root)
    made = await web.client.post("/admin/keys/rotate", json={"algorithm": "HS256"}, headers=field)
    assert made.status_code == 201
    assert made.json()["kid"] not in await published(web)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({}, "/algorithm"),
        ({"algorithm": "RS256"}, "/algorithm"),
        ({"algorithm": "none"}, "/algorithm"),
        ({"algorithm": "ES256", "at_once": 1}, "/at_once"),
        ({"algorithm": "ES256", "kid": "mine"}, "/kid"),
    ],
)
async def test_each_refused_value_is_named(web: Web, root: str, wrong: dict[str, object], pointer: str) -> None:
    answer = await web.client.post("/admin/keys/rotate", json=wrong, headers=await web.token(root))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_key_that_is_not_there_is_not_found(web: Web, root: str) -> None:
    answer = await web.client.post("/admin/keys/nothing/retire", headers=await web.token(root))
    assert_problem(answer, 404, "not_found")
