"""Figures of their own for API keys and clients: who sets them, what they replace, and that they hold at once."""

from collections.abc import Mapping

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.api_keys.keyring import NewApiKey
from service.limits import Rate
from tests.web.running import Web, assert_problem, basic, bearer

pytestmark = pytest.mark.anyio
ALL_OF_USERS = "admin:users:read", "admin:users:write"


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    return {"LIMITS__API_RATE": "20/h", "LIMITS__OAUTH_RATE": "30/h"}


@pytest.fixture(scope="module")
async def admin(web: Web) -> dict[str, str]:
    """The Authorization field of somebody who may do everything; each request is a caller of its own to the rates."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


@pytest.fixture(scope="module")
async def keeper(web: Web) -> dict[str, str]:
    """Of a client that looks after people and clients, without a limit."""
    client, secret = await web.rooms.clients.create(
        "Keeper",
        confidential=True,
        scopes=(*ALL_OF_USERS, "admin:clients:read", "admin:clients:write"),
        now=clock.now(),
        rate=Rate.parse("unlimited"),
    )
    assert secret is not None
    return basic(client.id, secret)


async def key_of(web: Web, user: User, *, scopes: tuple[str, ...] = ()) -> NewApiKey:
    return await web.rooms.api_keys.create(
        user.id, "till", scopes=scopes, within=frozenset(scopes), networks=(), life=None, now=clock.now()
    )


async def asked(web: Web, caller: Mapping[str, str], path: str = "/users/me") -> httpx2.Response:
    return await web.client.get(path, headers=caller)


def policy(answer: httpx2.Response) -> str | None:
    assert answer.status_code in (200, 429), answer.text
    found: str | None = answer.headers.get("ratelimit-policy")
    return found


async def test_an_administrator_gives_a_key_a_figure_and_takes_it_away_and_each_holds_at_once(
    web: Web, keeper: dict[str, str]
) -> None:
    ada = await web.add_user("ada")
    key = await key_of(web, ada)
    by_key, path = {"X-API-Key": key.text}, f"/admin/users/{ada.id}/api-keys/{key.key.id}"
    assert policy(await asked(web, by_key)) == '"api";q=20;w=3600'
    assert policy(await asked(web, by_key, "/auth/verify")) is None

    for figure, api, verify in (
        ("2/d", '"api";q=2;w=86400', '"verify";q=2;w=86400'),
        ("900/m", '"api";q=900;w=60', '"verify";q=900;w=60'),
        ("unlimited", None, None),
        (None, '"api";q=20;w=3600', None),
    ):
        changed = await web.client.patch(path, headers=keeper, json={"rate": figure})
        assert (changed.status_code, changed.json()["rate"]) == (200, figure)
        assert policy(await asked(web, by_key)) == api
        assert policy(await asked(web, by_key, "/auth/verify")) == verify
    listed = await asked(web, keeper, f"/admin/users/{ada.id}/api-keys")
    assert [(one["id"], one["rate"]) for one in listed.json()["items"]] == [(key.key.id, None)]


async def test_a_spent_key_goes_on_with_its_new_figure_and_a_lowered_one_ends_there(
    web: Web, keeper: dict[str, str]
) -> None:
    bob = await web.add_user("bob")
    key = await key_of(web, bob)
    by_key, path = {"X-API-Key": key.text}, f"/admin/users/{bob.id}/api-keys/{key.key.id}"
    for figure, passes in (("3/h", 3), ("5/h", 5), ("1/h", 1)):
        assert (await web.client.patch(path, headers=keeper, json={"rate": figure})).status_code == 200
        found = [(await asked(web, by_key)).status_code for _ in range(passes + 2)]
        assert found == [200] * passes + [429] * 2
    verified = [(await asked(web, by_key, "/auth/verify")).status_code for _ in range(3)]
    assert verified == [200, 429, 429]


@pytest.mark.spec("MASS-03")
async def test_a_person_cannot_give_a_key_a_figure(web: Web) -> None:
    await web.add_user("eve")
    mine = await web.token("eve")
    made = await web.client.post("/users/me/api-keys", headers=mine, json={"name": "desk", "rate": "unlimited"})
    assert_problem(made, 422, "invalid_request")
    made = await web.client.post("/users/me/api-keys", headers=mine, json={"name": "desk"})
    assert (made.status_code, made.json()["rate"]) == (201, None)
    path = f"/users/me/api-keys/{made.json()['id']}"
    assert_problem(
        await web.client.patch(path, headers=mine, json={"name": "b", "rate": "9/s"}), 422, "invalid_request"
    )
    listed = await asked(web, mine, "/users/me/api-keys")
    assert [one["rate"] for one in listed.json()["items"]] == [None]
    eve = await web.rooms.directory.get_named("eve")
    answer = await web.client.patch(
        f"/admin/users/{eve.id}/api-keys/{made.json()['id']}", headers=mine, json={"rate": "unlimited"}
    )
    assert_problem(answer, 403, "insufficient_scope")


async def test_nobody_sets_the_figure_of_a_person_who_may_do_more_or_of_a_key_that_is_not_theirs(
    web: Web, keeper: dict[str, str]
) -> None:
    root, cy = await web.add_user("boss", roles=("admin",)), await web.add_user("cy")
    above, key = await key_of(web, root), await key_of(web, cy)
    refused = await web.client.patch(
        f"/admin/users/{root.id}/api-keys/{above.key.id}", headers=keeper, json={"rate": "1/d"}
    )
    assert_problem(refused, 403, "beyond_own_scopes")
    for path in (f"{root.id}/api-keys/{key.key.id}", f"{cy.id}/api-keys/{above.key.id}", f"{cy.id}/api-keys/nothing"):
        answer = await web.client.patch(f"/admin/users/{path}", headers=keeper, json={"rate": "1/d"})
        assert answer.status_code in (403, 404), path
    assert (await web.rooms.api_keys.get(key.key.id)).rate is None
    assert (await web.rooms.api_keys.get(above.key.id)).rate is None


@pytest.mark.parametrize("figure", ["", "5", "0/h", "5/w", "-5/h", "5/h\n", " 5/h", "٣/s", 5, "1000000000/s", ["5/h"]])
async def test_what_is_no_figure_is_refused(web: Web, keeper: dict[str, str], figure: object) -> None:
    service, _ = await web.add_client("Refused")
    answer = await web.client.patch(f"/admin/clients/{service.id}", headers=keeper, json={"rate": figure})
    assert_problem(answer, 422, "invalid_request")
    assert answer.json()["errors"][0]["pointer"] == "/rate"


async def test_a_clients_figure_holds_at_once_for_its_secret_and_for_tokens_it_has_and_ends_none(
    web: Web, keeper: dict[str, str]
) -> None:
    service, secret = await web.add_client("Orders")
    itself = basic(service.id, secret)
    token = await web.client.post("/oauth2/token", headers=itself, data={"grant_type": "client_credentials"})
    assert token.headers["ratelimit-policy"] == '"oauth";q=30;w=3600'
    by_token, path = bearer(token.json()["access_token"]), f"/admin/clients/{service.id}"
    for figure, of_api, of_verify, of_oauth in (
        ("7/m", '"api";q=7;w=60', '"verify";q=7;w=60', '"oauth";q=7;w=60'),
        ("unlimited", None, None, None),
        (None, '"api";q=20;w=3600', None, '"oauth";q=30;w=3600'),
        ("9/m", '"api";q=9;w=60', '"verify";q=9;w=60', '"oauth";q=9;w=60'),
    ):
        changed = await web.client.patch(path, headers=keeper, json={"rate": figure})
        assert (changed.status_code, changed.json()["rate"]) == (200, figure)
        for caller in (by_token, itself):
            assert policy(await asked(web, caller)) == of_api
            assert policy(await asked(web, caller, "/auth/verify")) == of_verify
            assert policy(await asked(web, caller, "/auth/verify")) == of_verify, "at hand"
        for _ in range(2):
            again = await web.client.post("/oauth2/token", headers=itself, data={"grant_type": "client_credentials"})
            assert policy(again) == of_oauth
    found = await asked(web, keeper, f"/admin/clients?search={service.id}")
    assert [one["rate"] for one in found.json()["items"]] == ["9/m"]
    both = await web.client.patch(path, headers=keeper, json={"rate": "8/m", "name": "Bills"})
    assert (both.json()["rate"], both.json()["name"]) == ("8/m", "Bills")
    assert (await asked(web, by_token)).status_code == 401, "more than the rate has changed"
    kept = await web.client.patch(path, headers=keeper, json={"name": "Orders"})
    assert kept.json()["rate"] == "8/m"


async def test_a_new_client_can_have_a_figure(web: Web, keeper: dict[str, str]) -> None:
    made = await web.client.post("/admin/clients", headers=keeper, json={"name": "Till", "rate": "3/d"})
    assert (made.status_code, made.json()["rate"]) == (201, "3/d")
    itself = basic(made.json()["id"], made.json()["client_secret"])
    assert [(await asked(web, itself)).status_code for _ in range(4)] == [200, 200, 200, 429]


async def test_each_change_of_a_figure_is_one_row_of_the_audit(web: Web, keeper: dict[str, str]) -> None:
    dan = await web.add_user("dan")
    key, (service, _) = await key_of(web, dan), await web.add_client("Audited")
    for path in (f"/admin/users/{dan.id}/api-keys/{key.key.id}", f"/admin/clients/{service.id}"):
        for figure in ("5/h", None):
            assert (await web.client.patch(path, headers=keeper, json={"rate": figure})).status_code == 200
    await web.add_user("reader", roles=("admin",))
    reader = await web.token("reader")
    rows = []
    for target in (f"api_key:{key.key.id}", f"client:{service.id}"):
        found = await asked(web, reader, f"/admin/audit?target={target}")
        assert found.status_code == 200, found.text
        rows += [(one["kind"], one["detail"]) for one in found.json()["items"] if "rate" in one["detail"]]
    assert sorted(rows, key=repr) == sorted(
        [
            ("api_key.rate_set", {"rate_before": "default", "rate": "5/h"}),
            ("api_key.rate_set", {"rate_before": "5/h", "rate": "default"}),
            ("client.changed", {"rate_before": "default", "rate": "5/h"}),
            ("client.changed", {"rate_before": "5/h", "rate": "default"}),
        ],
        key=repr,
    )
