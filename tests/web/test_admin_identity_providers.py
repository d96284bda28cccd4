"""`/admin/identity-providers`: who may vouch for people, by whose word, and that no secret is ever shown."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from service import clock
from service.federation.directory import READ_ANEW_AFTER
from tests.servers.openid_provider import OpenIdProvider
from tests.servers.upstream import standing
from tests.web.oauth.test_secrets_at_rest import in_sql
from tests.web.running import Web, assert_problem, running_web

pytestmark = pytest.mark.anyio
URL = "/admin/identity-providers"
PRESET = '{"corp": {"issuer": "https://id.corp.example", "client_id": "gatepost", "client_secret": "of the settings"}}'
SECRET = "a secret that only the provider and we know"


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    held = '["admin:identity-providers:read", "admin:identity-providers:write"]'
    return {"FEDERATION__PROVIDERS": PRESET, "ACCESS__ROLES": f'{{"desk": {held}}}'}


@pytest.fixture(scope="module")
async def admin(web: Web) -> dict[str, str]:
    """The field of an administrator without bounds."""
    await web.add_user("root", roles=("admin",))
    return await web.token("root")


@pytest.fixture(scope="module")
async def desk(web: Web) -> dict[str, str]:
    """The field of someone who may look after providers and nothing else."""
    await web.add_user("desk", roles=("desk",))
    return await web.token("desk")


@pytest.fixture(scope="module")
async def another_worker(web: Web) -> AsyncIterator[Web]:
    """Over the same stores."""
    from_same = {"SECRET_KEY": web.settings.secret_key.get_secret_value(), "FEDERATION__PROVIDERS": PRESET}
    stores = web.settings.database_url.get_secret_value(), web.settings.redis_url.get_secret_value()
    async with running_web(*stores, **from_same) as other:
        yield other


@pytest.fixture(autouse=True)
async def removed(web: Web) -> AsyncIterator[None]:
    """Each test begins without providers but that of the settings."""
    yield
    for stored in await web.rooms.identity_providers.all():
        await web.rooms.identity_providers.remove(stored.config.name, now=clock.now())


@pytest.fixture(scope="module")
def upstream() -> Iterator[OpenIdProvider]:
    with standing(OpenIdProvider()) as provider:
        yield provider


async def add(web: Web, field: dict[str, str], **asked: object) -> dict[str, object]:
    body = {"name": "hub", "kind": "github", "client_id": "Iv1.8a61f9b3a7aba766", "client_secret": SECRET, **asked}
    answer = await web.client.post(URL, json=body, headers=field)
    assert answer.status_code == 201, answer.text
    added: dict[str, object] = answer.json()
    return added


async def offered(web: Web) -> list[str]:
    """The names that a sign-in page would show."""
    return [config.name for config in await web.rooms.providers.offered(now=clock.now())]


async def test_what_is_left_out_is_as_usual_for_the_kind(web: Web, admin: dict[str, str]) -> None:
    added = await add(web, admin)
    assert added.pop("created_at")
    assert added == {
        "name": "hub",
        "kind": "github",
        "issuer": "https://github.com",
        "label": "GitHub",
        "client_id": "Iv1.8a61f9b3a7aba766",
        "scopes": ["read:user", "user:email"],
        "trust_email": True,
        "keep_tokens": False,
        "disabled": False,
        "from_settings": False,
    }


async def test_a_secret_is_never_shown_and_lies_sealed(web: Web, admin: dict[str, str]) -> None:
    await add(web, admin)
    changed = await web.client.patch(f"{URL}/hub", json={"label": "Hub"}, headers=admin)
    shown = [changed, await web.client.get(f"{URL}/hub", headers=admin), await web.client.get(URL, headers=admin)]
    assert [answer.status_code for answer in shown] == [200] * 3
    assert not [answer for answer in shown if "secret" in answer.text]
    assert SECRET.encode() not in in_sql(web)
    [kept] = await web.rooms.identity_providers.all()
    assert kept.config.client_secret == SECRET


async def test_those_of_the_settings_are_listed_first_and_are_beyond_it(web: Web, admin: dict[str, str]) -> None:
    await add(web, admin)
    items = (await web.client.get(URL, headers=admin)).json()["items"]
    assert [(item["name"], item["from_settings"]) for item in items] == [("corp", True), ("hub", False)]
    body = {"name": "corp", "kind": "github", "client_id": "x", "client_secret": "y"}
    assert_problem(await web.client.post(URL, json=body, headers=admin), 409, "conflict")
    assert_problem(await web.client.delete(f"{URL}/corp", headers=admin), 404, "not_found")
    assert_problem(await web.client.patch(f"{URL}/corp", json={}, headers=admin), 404, "not_found")


async def test_a_name_is_taken_once(web: Web, admin: dict[str, str]) -> None:
    await add(web, admin)
    body = {"name": "hub", "kind": "google", "client_id": "x", "client_secret": "y"}
    assert_problem(await web.client.post(URL, json=body, headers=admin), 409, "conflict")
    assert (await web.client.get(f"{URL}/hub", headers=admin)).json()["kind"] == "github"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"kind": "gitlab"}, "kind"),
        ({"name": "Hub"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"kind": "oidc"}, "issuer"),
        ({"issuer": "http://git.example.org"}, "issuer"),
        ({"issuer": "https://user@git.example.org"}, "issuer"),
        ({"issuer": "https://git.example.org?x"}, "issuer"),
        ({"issuer": "file:///etc/passwd"}, "issuer"),
        ({"client_id": ""}, "client_id"),
        ({"label": "two\nlines"}, "label"),
        ({"scopes": ["two words"]}, "scopes"),
        ({"kind": "google", "scopes": ["email"]}, "scopes"),
    ],
)
async def test_each_field_is_checked(web: Web, admin: dict[str, str], asked: dict[str, object], field: str) -> None:
    body = {"name": "hub", "kind": "github", "client_id": "x", "client_secret": "y", **asked}
    answer = await web.client.post(URL, json=body, headers=admin)
    assert_problem(answer, 422, "invalid_request")
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{field}"]
    assert await offered(web) == ["corp"]


async def test_only_an_unbounded_administrator_says_whose_word_about_addresses_counts(
    web: Web, admin: dict[str, str], desk: dict[str, str]
) -> None:
    body = {"name": "hub", "kind": "github", "client_id": "x", "client_secret": "y"}
    refused = [await web.client.post(URL, json=body, headers=desk)]
    assert (await web.client.post(URL, json={**body, "trust_email": False}, headers=desk)).status_code == 201
    refused.append(await web.client.patch(f"{URL}/hub", json={"trust_email": True}, headers=desk))
    await web.client.patch(f"{URL}/hub", json={"trust_email": True}, headers=admin)
    refused.append(await web.client.patch(f"{URL}/hub", json={"client_id": "another"}, headers=desk))
    refused.append(await web.client.delete(f"{URL}/hub", headers=desk))
    for answer in refused:
        assert_problem(answer, 403, "beyond_own_scopes")
    [kept] = await web.rooms.identity_providers.all()
    assert (kept.config.client_id, kept.config.trusts_email) == ("x", True)


async def test_a_change_is_felt_here_at_once_and_by_another_worker_within_a_second(
    web: Web, another_worker: Web, admin: dict[str, str]
) -> None:
    assert timedelta(seconds=1) >= READ_ANEW_AFTER
    assert [await offered(web), await offered(another_worker)] == [["corp"], ["corp"]]
    await add(web, admin)
    assert await offered(web) == ["corp", "hub"]
    await seen_by(another_worker, 1, ["corp", "hub"])
    await web.client.patch(f"{URL}/hub", json={"disabled": True}, headers=admin)
    assert await offered(web) == ["corp"]
    await seen_by(another_worker, 2, ["corp"])
    await web.client.patch(f"{URL}/hub", json={"disabled": False}, headers=admin)
    assert await offered(web) == ["corp", "hub"]
    assert (await web.client.delete(f"{URL}/hub", headers=admin)).status_code == 204
    assert await offered(web) == ["corp"]


async def seen_by(worker: Web, turn: int, names: list[str]) -> None:
    """So many times later as a worker may be behind, by its own clock: nothing waits for that."""
    later = clock.now() + READ_ANEW_AFTER * turn
    assert [config.name for config in await worker.rooms.providers.offered(now=later)] == names


async def test_another_secret_is_used_at_once(web: Web, admin: dict[str, str], upstream: OpenIdProvider) -> None:
    await add(web, admin, kind="oidc", issuer=upstream.url, client_id=upstream.client_id, client_secret="old")
    before = await web.rooms.providers.get("hub", now=clock.now())
    answer = await web.client.patch(f"{URL}/hub", json={"client_secret": upstream.client_secret}, headers=admin)
    assert answer.status_code == 200
    after = await web.rooms.providers.get("hub", now=clock.now())
    assert [before.config.client_secret, after.config.client_secret] == ["old", upstream.client_secret]
