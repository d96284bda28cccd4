"""Each act is one row, which says who, what, on what, from where, with what, to what end, in which request."""

import asyncio
import json
from datetime import timedelta
from itertools import count

import pytest

from service import clock
from service.accounts.account import User
from service.audit import Journal, Record, Refusals
from service.audit.search import Sought
from service.sessions.pairs import Device
from tests.audit.asking import Asking, person
from tests.audit.ground import KEY
from tests.servers.gatepost import PASSWORD
from tests.servers.mail import MailServer
from tests.web.oauth.browsing import REDIRECT, VERIFIER, add_application, returned, surfing
from tests.web.running import Web, basic, bearer

pytestmark = pytest.mark.anyio
NEW = "giraffes would rather sleep"
_number = count(1)


@pytest.mark.spec("AUD-01")
@pytest.mark.spec("AUD-03")
async def test_signing_in_and_out(web: Web, ask: Asking) -> None:
    user = await person(web)
    row = await ask.one("POST", "/auth/login", json={"username": user.username, "password": PASSWORD})
    assert (row.kind, row.outcome, row.actor, row.scheme, row.subject) == ("sign_in", "ok", user.id, "pwd", user.id)
    assert row.target == f"session:{row.credential}"
    assert row.detail["way"] == "direct"
    row = await ask.one("POST", "/auth/login", json={"username": user.username, "password": "not this one"})
    assert (row.kind, row.outcome, row.actor_kind, row.subject) == ("sign_in", "refused", "nobody", user.id)
    assert row.detail == {"why": "wrong password"}
    tokens = await web.sign_in(user.username)
    row = await ask.one("POST", "/auth/logout", bearer(tokens["access_token"]))
    assert (row.kind, row.actor, row.scheme, row.detail) == ("session.ended", user.id, "bearer", {"why": "logout"})
    tokens = await web.sign_in(user.username)
    row = await ask.one("POST", "/auth/logout-all", bearer(tokens["access_token"]))
    assert (row.kind, row.detail["count"]) == ("sessions.ended", 2)
    answer, rows = await ask("POST", "/auth/logout", json={"refresh_token": tokens["refresh_token"]})
    assert (answer.status_code, rows) == (204, []), "nothing ended, so nothing happened"


@pytest.mark.spec("AUD-01")
async def test_a_closed_door_is_one_row_and_what_comes_to_it_none(web: Web, ask: Asking) -> None:
    user = await person(web)
    wrong = {"username": user.username, "password": "not this one"}
    told = [[row.kind for row in (await ask("POST", "/auth/login", json=wrong))[1]] for _ in range(4)]
    assert told == [["sign_in"], ["sign_in"], ["sign_in", "door.closed"], []]
    [row] = await web.rooms.audit.find(Sought(kind="door.closed", subject=user.id), before="", limit=9)
    assert (row.detail["failures"], row.detail["stopped"]) == (3, False)
    assert row.personal is not None
    assert row.personal["network"] == "198.51.100.9"
    own = (await web.rooms.pairs.open(user, asked=None, amr=("pwd",), device=Device(), now=clock.now())).access.token
    changed = {"current_password": "not this one", "new_password": NEW}
    row = await ask.one("POST", "/users/me/password", bearer(own), json=changed)
    assert (row.kind, row.outcome, row.actor) == ("password.refused", "refused", user.id)


async def test_a_name_that_nobody_has_is_not_written_down(web: Web, ask: Asking) -> None:
    """It may be a password, in the wrong field. The same one gives the same word."""
    typed = ["my secret passphrase", "my secret passphrase", "another one"]
    rows = [await ask.one("POST", "/auth/login", json={"username": one, "password": "x" * 20}) for one in typed]
    assert [row.subject for row in rows] == ["", "", ""]
    assert rows[0].detail == rows[1].detail != rows[2].detail
    assert "secret" not in json.dumps([dict(row.detail) for row in rows])
    answer, none = await ask("POST", "/auth/login", json={"username": "x" * 300, "password": "x"})
    assert (answer.status_code, none) == (401, []), "what nobody can have is no try"


@pytest.mark.spec("AUD-05")
async def test_a_spent_refresh_token_is_told_with_both_addresses(web: Web, ask: Asking) -> None:
    user = await person(web)
    tokens = await web.sign_in(user.username)
    first = {"refresh_token": tokens["refresh_token"]}
    assert (await web.client.post("/auth/refresh", json=first)).status_code == 200
    row = await ask.one("POST", "/auth/refresh", json=first)
    assert (row.kind, row.subject, row.actor_kind) == ("refresh_token.reused", user.id, "nobody")
    assert row.target.startswith("session:")
    assert row.detail["client_id"] == "gatepost"
    assert (row.detail["generation"], row.detail["current"]) == (0, 1)
    assert row.personal is not None
    assert row.personal["session_address"] == "127.0.0.1"


@pytest.mark.spec("AUD-01")
async def test_passwords(web: Web, ask: Asking, mail: MailServer) -> None:
    user, boss = await person(web), await person(web, "admin")
    own, admin = await web.token(user.username), await web.token(boss.username)
    row = await ask.one("POST", "/users/me/password", own, json={"current_password": PASSWORD, "new_password": NEW})
    assert (row.kind, row.actor, row.subject) == ("password.changed", user.id, user.id)
    row = await ask.one("POST", f"/admin/users/{user.id}/password", admin, json={"password": PASSWORD})
    assert (row.kind, row.actor, row.subject, row.scheme) == ("password.set", boss.id, user.id, "bearer")
    row = await ask.one("POST", "/auth/password/forgot", json={"email": user.email})
    assert (row.kind, row.subject, row.actor_kind) == ("password.reset_asked", "", "nobody")
    assert row.personal is not None
    assert row.personal["email"] == user.email
    link = await mail.link_to(user.email or "")
    row = await ask.one("POST", "/auth/password/reset", json={"token": link, "new_password": NEW})
    assert (row.kind, row.actor, row.scheme, row.subject) == ("password.reset", user.id, "link", user.id)


async def test_accounts(web: Web, ask: Asking, mail: MailServer) -> None:
    boss = await person(web, "admin")
    admin = await web.token(boss.username)
    name = f"made{next(_number)}"
    made = {"username": name, "password": PASSWORD, "roles": ["clerk"], "scopes": []}
    row = await ask.one("POST", "/admin/users", admin, json=made)
    assert (row.kind, row.actor, row.detail["roles"]) == ("user.created", boss.id, ["clerk"])
    path = f"/admin/users/{row.subject}"
    row = await ask.one("PATCH", path, admin, json={"roles": ["admin"], "email": f"{name}@example.org"})
    assert row.kind == "user.changed"
    assert (row.detail["roles_before"], row.detail["roles"]) == (["clerk"], ["admin"])
    assert row.personal is not None
    assert row.personal["email"] == f"{name}@example.org"
    row = await ask.one("PATCH", path, admin, json={"disabled": True})
    assert row.detail == {"disabled": True}
    await ask.one("PATCH", path, admin, json={"disabled": False})
    own = await web.token(name)
    row = await ask.one("PATCH", "/users/me/profile", own, json={"nickname": "Mad"})
    assert (row.kind, row.detail) == ("profile.changed", {"claims": ["nickname"]})
    assert (await ask.one("DELETE", f"{path}/sessions", admin)).kind == "sessions.ended"
    row = await ask.one("POST", "/admin/invitations", admin, json={"email": "g@example.org", "roles": [], "scopes": []})
    assert (row.kind, row.actor) == ("user.invited", boss.id)
    row = await ask.one("POST", "/auth/register", json={"email": f"r{name}@example.org"})
    assert row.kind == "user.registration_asked"
    link = await mail.link_to(f"r{name}@example.org")
    row = await ask.one(
        "POST", "/auth/register/complete", json={"token": link, "username": f"r{name}", "password": PASSWORD}
    )
    assert (row.kind, row.actor, row.detail["invited"]) == ("user.registered", row.subject, False)
    registered = await web.token(f"r{name}")
    asked = {"email": f"n{name}@example.org", "current_password": PASSWORD}
    assert (await ask.one("POST", "/users/me/email", registered, json=asked)).kind == "email.proof_asked"
    link = await mail.link_to(f"n{name}@example.org")
    row = await ask.one("POST", "/auth/email/confirm", json={"token": link})
    assert (row.kind, row.scheme) == ("email.changed", "link")


@pytest.mark.spec("AUD-01")
async def test_keys_clients_and_signing_keys(web: Web, ask: Asking) -> None:
    boss = await person(web, "admin")
    admin = await web.token(boss.username)
    answer, [row] = await ask("POST", "/users/me/api-keys", admin, json={"name": "k", "scopes": ["account:read"]})
    key = answer.json()
    assert (row.kind, row.target, row.detail["scopes"]) == ("api_key.created", f"api_key:{key['id']}", ["account:read"])
    path = f"/users/me/api-keys/{key['id']}"
    assert (await ask.one("PATCH", path, admin, json={"name": "l"})).kind == "api_key.renamed"
    assert (await ask.one("POST", f"{path}/rotate", admin, json={})).kind == "api_key.rotated"
    assert (await ask.one("DELETE", path, admin)).kind == "api_key.revoked"
    made = {"name": "App", "confidential": True, "scopes": ["orders:read"]}
    answer, [row] = await ask("POST", "/admin/clients", admin, json=made)
    client = answer.json()
    assert (row.kind, row.actor, row.target) == ("client.created", boss.id, f"client:{client['id']}")
    path = f"/admin/clients/{client['id']}"
    row = await ask.one("PATCH", path, admin, json={"name": "Other", "disabled": True})
    assert (row.kind, row.detail) == ("client.changed", {"disabled": True, "changed": ["name"]})
    assert (await ask.one("POST", f"{path}/rotate-secret", admin, json={})).kind == "client.secret_rotated"
    row = await ask.one("POST", "/admin/keys/rotate", admin, json={"algorithm": "ES256", "at_once": True})
    assert (row.kind, row.actor, row.detail["algorithm"]) == ("signing_key.made", boss.id, "ES256")
    answer, rows = await ask("POST", f"/admin/keys/{row.target.partition(':')[2]}/retire", admin)
    assert sorted(row.kind for row in rows) == ["signing_key.compromised", "signing_key.made"], "two acts"
    secrets = [text for made in (key, client) for text in made.values() if str(text).startswith(("gp_key_", "gp_cs_"))]
    assert len(secrets) == 2
    everything = repr(await web.rooms.audit.find(Sought(), before="", limit=999))
    assert not [secret for secret in (*secrets, PASSWORD, NEW, admin["Authorization"][7:]) if secret in everything]


async def granted(ask: Asking, client_id: str, secret: str, code: str) -> Record:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return await ask.one("POST", "/oauth2/token", basic(client_id, secret), data=form)


@pytest.mark.spec("AUD-01")
async def test_the_browser_flow(web: Web, ask: Asking) -> None:
    user = await person(web, "clerk")
    client = await add_application(web, "Audited")
    secret = await web.rooms.clients.rotate_secret(client.id, overlap=timedelta(0), now=clock.now())
    before = {row.id for row in await web.rooms.audit.find(Sought(subject=user.id), before="", limit=99)}
    async with surfing(web) as surfer:
        page = await surfer.sign_in(await surfer.authorize(client), user.username)
        answer = await surfer.follow(await surfer.allow(page))
        code = returned(answer)["code"]
        rows = await web.rooms.audit.find(Sought(subject=user.id), before="", limit=99)
        new = [row for row in rows if row.id not in before]
        assert [row.kind for row in new] == ["consent.granted", "sign_in"]
        assert (new[1].detail["way"], new[0].actor, new[0].scheme) == ("hosted", user.id, "hosted")
        row = await granted(ask, client.id, secret, code)
        assert (row.kind, row.actor, row.client_id) == ("session.granted", user.id, client.id)
        row = await granted(ask, client.id, secret, code)
        assert (row.kind, row.detail) == ("code.replayed", {"why": "code replayed"})
    own = await web.token(user.username)
    row = await ask.one("DELETE", f"/users/me/consents/{client.id}", own)
    assert (row.kind, row.actor, row.target) == ("consent.withdrawn", user.id, f"client:{client.id}")


@pytest.mark.spec("AUD-04")
async def test_people_see_what_happened_to_their_own_account_and_to_nobody_elses(web: Web, ask: Asking) -> None:
    user, boss = await person(web), await person(web, "admin")
    await ask("POST", "/auth/login", json={"username": user.username, "password": "not this one"})
    own, admin = await web.token(user.username), await web.token(boss.username)
    await ask("PATCH", f"/admin/users/{user.id}", admin, json={"email_verified": True})
    shown = (await web.client.get("/users/me/events", headers=own)).json()["items"]
    told = [(one["kind"], one["outcome"], one["by"], one["address"]) for one in shown]
    assert told == [
        ("user.changed", "ok", "administrator", ""),
        ("sign_in", "ok", "you", "127.0.0.1"),
        ("sign_in", "refused", "somebody", "198.51.100.9"),
        ("user.created", "ok", "service", ""),
    ]
    assert boss.id not in json.dumps(shown)
    assert (await web.client.get("/admin/audit", headers=own)).status_code == 403
    page = await web.client.get("/admin/audit", params={"subject": user.id, "limit": 3}, headers=admin)
    first = page.json()
    assert [one["kind"] for one in first["items"]] == ["user.changed", "sign_in", "sign_in"]
    rest = {"subject": user.id, "limit": 3, "cursor": first["next"]}
    assert [
        one["kind"] for one in (await web.client.get("/admin/audit", params=rest, headers=admin)).json()["items"]
    ] == ["user.created"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await web.client.request(method, "/admin/audit", headers=admin)).status_code == 405
    assert (await web.client.get("/admin/audit", params={"since": "yesterday"}, headers=admin)).status_code == 422


async def test_an_act_that_is_refused_leaves_no_row(web: Web, ask: Asking) -> None:
    boss = await person(web, "admin")
    admin = await web.token(boss.username)
    for path, body in (("/admin/users", {"username": "x y", "password": PASSWORD}), ("/admin/clients", {"name": ""})):
        answer, rows = await ask("POST", path, admin, json=body)
        assert (answer.status_code, rows) == (422, [])


async def test_a_flood_of_refused_sign_ins_is_written_up_to_a_bound_and_counted_past_it(web: Web) -> None:
    now = clock.now()
    database = web.rooms.acts._ledger
    failures = Refusals(database, Journal(web.rooms.audit, [KEY]), now=lambda: now)  # type: ignore[arg-type]  # it writes too
    failures._room = 3
    for _ in range(10):
        await failures.sign_in("flooded", login="x", why="wrong password")
    assert failures.unwritten == 7
    now = clock.now().replace(year=now.year + 1)
    await failures.sign_in("flooded", login="x", why="wrong password")
    rows = await web.rooms.audit.find(Sought(subject="flooded"), before="", limit=99)
    assert [row.detail.get("unwritten_before") for row in rows] == [7, None, None, None]


async def test_racing_requests_keep_their_own_circumstances(web: Web) -> None:
    users = [await person(web) for _ in range(6)]

    async def sign_in(user: User) -> Record:
        return await Asking(web).one("POST", "/auth/login", json={"username": user.username, "password": PASSWORD})

    rows = await asyncio.gather(*map(sign_in, users))
    assert [row.actor for row in rows] == [user.id for user in users]
