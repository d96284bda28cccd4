"""Acts by ways that are taken more seldom: each is one row too, and when the rows cannot be written nothing is done."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from service import clock
from service.audit import Record
from service.audit.search import Sought
from service.storage.sql import Database
from tests.audit.asking import Asking, person
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer
from tests.web.oauth.browsing import add_application, surfing
from tests.web.oauth.test_device import add_tv, begin, choose, confirm_page, let_in
from tests.web.running import Web, basic, bearer, running_web

pytestmark = pytest.mark.anyio


class Since:
    """The rows that were written since the last look, oldest first."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self._last = ""

    async def rows(self) -> list[Record]:
        found = await self.web.rooms.audit.find(Sought(), before="", limit=99)
        new = [row for row in reversed(found) if row.id > self._last]
        self._last = found[0].id if found else ""
        return new

    async def told(self) -> list[str]:
        return [row.kind for row in await self.rows()]


@pytest.fixture
async def since(web: Web) -> Since:
    made = Since(web)
    await made.rows()
    return made


@pytest.mark.spec("AUD-01")
async def test_a_person_who_lets_a_device_in(web: Web, ask: Asking, since: Since, valkey_server: ValkeyServer) -> None:
    user, tv = await person(web, "clerk"), await add_tv(web, "Television")
    async with surfing(web) as surfer:
        await surfer.signed_in(user.username)
        assert await since.told() == ["user.created", "client.created", "sign_in"]
        refused = await begin(web, valkey_server, tv)
        await choose(surfer, await confirm_page(surfer, refused.user_code), "deny")
        assert await since.told() == [], "a person who says no has done nothing"
        device = await begin(web, valkey_server, tv)
        await let_in(surfer, device)
        [row] = await since.rows()
        assert (row.kind, row.subject, row.actor, row.target) == (
            "consent.granted",
            user.id,
            user.id,
            f"client:{tv.id}",
        )
        tokens = await device.tokens()
        [row] = await since.rows()
        assert (row.kind, row.subject, row.actor, row.client_id) == ("session.granted", user.id, user.id, tv.id)
        form = {"token": tokens["refresh_token"], "client_id": tv.id}
        row = await ask.one("POST", "/oauth2/revoke", data=form)
        assert (row.kind, row.subject, row.target.partition(":")[0]) == ("session.ended", user.id, "session")


@pytest.mark.spec("AUD-01")
async def test_a_person_who_signs_in_on_a_known_device_and_out_of_it(web: Web, since: Since) -> None:
    user = await person(web)
    await since.rows()
    async with surfing(web) as surfer:
        for _ in range(2):
            await surfer.signed_in(user.username)
            assert await since.told() == ["sign_in"]
            await surfer.follow(await surfer.submit(await surfer.get("/oauth2/logout"), choice="sign_out"))
            [row] = await since.rows()
            assert (row.kind, row.subject, row.actor) == ("session.ended", user.id, user.id)


@pytest.mark.spec("AUD-01")
async def test_a_client_that_gives_a_token_back(web: Web, ask: Asking) -> None:
    client = await add_application(web, "Robot", grant_types=frozenset({"client_credentials"}), redirect_uris=())
    secret = await web.rooms.clients.rotate_secret(client.id, overlap=timedelta(0), now=clock.now())
    as_client = basic(client.id, secret)
    answer, rows = await ask("POST", "/oauth2/token", as_client, data={"grant_type": "client_credentials"})
    assert (answer.status_code, rows) == (200, []), "a token for a program is usage"
    row = await ask.one("POST", "/oauth2/revoke", as_client, data={"token": answer.json()["access_token"]})
    assert (row.kind, row.actor_kind, row.actor) == ("token.revoked", "client", client.id)


@pytest.mark.spec("AUD-01")
async def test_sessions_consents_and_providers_as_administrators_and_people_change_them(web: Web, ask: Asking) -> None:
    user, boss = await person(web), await person(web, "admin")
    admin, own = await web.token(boss.username), await web.token(user.username)
    for path, headers in ((f"/admin/users/{user.id}/sessions", admin), ("/users/me/sessions", own)):
        other = (await web.sign_in(user.username))["refresh_token"]
        listed = (await web.client.get(path, headers=headers)).json()["items"]
        newest = max(listed, key=lambda one: one["created_at"])
        row = await ask.one("DELETE", f"{path}/{newest['id']}", headers)
        assert (row.kind, row.target, row.subject) == ("session.ended", f"session:{newest['id']}", user.id)
        assert (await web.client.post("/auth/refresh", json={"refresh_token": other})).status_code == 401
    row = await ask.one("DELETE", "/users/me/sessions", own)
    assert (row.kind, row.actor) == ("sessions.ended", user.id)
    client = await add_application(web, "Consented")
    await web.rooms.consents.grant(user.id, client.id, frozenset({"openid"}), (), clock.now())
    row = await ask.one("DELETE", f"/admin/users/{user.id}/consents/{client.id}", admin)
    assert (row.kind, row.actor, row.subject) == ("consent.withdrawn", boss.id, user.id)
    made = {"name": "acme", "kind": "oidc", "client_id": "x", "issuer": "https://id.acme.example"}
    path = "/admin/identity-providers"
    for method, where, body, kind in (
        ("POST", path, {"json": {**made, "client_secret": "s3cret-of-acme"}}, "provider.added"),
        ("PATCH", f"{path}/acme", {"json": {"disabled": True}}, "provider.changed"),
        ("DELETE", f"{path}/acme", {}, "provider.removed"),
    ):
        row = await ask.one(method, where, admin, **body)
        assert (row.kind, row.actor, row.target) == (kind, boss.id, "provider:acme")
        assert "s3cret-of-acme" not in repr(row)


@pytest.fixture
async def new_web(sqlite_url: str, valkey_url: str) -> AsyncIterator[Web]:
    """An application that nobody has set up yet."""
    async with running_web(sqlite_url, valkey_url) as web:
        yield web


@pytest.mark.spec("AUD-01")
async def test_setting_up_is_a_link_and_an_administrator(new_web: Web) -> None:
    since = Since(new_web)
    assert set(await since.told()) == {"signing_key.made"}
    secret = await new_web.rooms.directory.offer_setup(now=clock.now())
    assert await since.told() == ["setup.offered"]
    form = {"token": secret or "", "username": "ada", "password": PASSWORD, "password_again": PASSWORD}
    assert (await new_web.client.post("/setup", data={**form, "token": "wrong"})).status_code == 410
    assert await since.told() == []
    assert (await new_web.client.post("/setup", data=form)).status_code == 303
    rows = await since.rows()
    assert [row.kind for row in rows] == ["setup.done"]
    assert rows[0].subject
    assert secret not in repr(rows)


@pytest.mark.spec("AUD-04")
async def test_where_no_row_can_be_written_no_act_happens(new_web: Web) -> None:
    """What needs no row goes on: a token is checked, a refresh token is spent."""
    await new_web.add_user("ada", roles=("admin",))
    signed_in = await new_web.sign_in("ada")
    headers = bearer(signed_in["access_token"])
    ask = Asking(new_web)
    database = new_web.rooms.acts._ledger
    await rename(database, "audit", "lost")
    right, wrong = ({"username": "ada", "password": word} for word in (PASSWORD, "not this one"))
    for method, path, body in (
        ("POST", "/auth/login", right),
        ("POST", "/auth/login", wrong),
        ("POST", "/users/me/password", {"current_password": PASSWORD, "new_password": "giraffes would rather sleep"}),
        ("POST", "/users/me/api-keys", {"name": "k", "scopes": []}),
        ("POST", "/admin/users", {"username": "eve", "password": PASSWORD, "roles": [], "scopes": []}),
        ("POST", "/admin/clients", {"name": "App", "confidential": True, "scopes": []}),
        ("POST", "/auth/logout-all", None),
    ):
        answer = await new_web.client.request(method, path, headers=headers, json=body)
        assert (answer.status_code, answer.headers["retry-after"].isdigit()) == (503, True), (path, answer.text)
        assert "access_token" not in answer.text
    assert (await new_web.client.get("/auth/verify", headers=headers)).status_code == 200
    refreshed = await new_web.client.post("/auth/refresh", json={"refresh_token": signed_in["refresh_token"]})
    assert refreshed.status_code == 200
    await rename(database, "lost", "audit")

    assert [one["username"] for one in (await new_web.client.get("/admin/users", headers=headers)).json()["items"]] == [
        "ada"
    ]
    for path in ("/users/me/api-keys", "/users/me/sessions"):
        items = (await new_web.client.get(path, headers=headers)).json()["items"]
        assert len(items) == (path == "/users/me/sessions"), path
    _, [row] = await ask("POST", "/auth/login", json=right)
    assert (row.kind, row.outcome) == ("sign_in", "ok")


async def rename(database: object, old: str, new: str) -> None:
    """The table of the audit goes, or comes back."""
    assert isinstance(database, Database)
    async with database.begin() as tx:
        await tx.run(text(f"ALTER TABLE {old} RENAME TO {new}"))
