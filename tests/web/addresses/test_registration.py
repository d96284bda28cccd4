"""New accounts: the address first, then name and password behind its link."""

import asyncio

import pytest

from service import clock
from tests.servers.mail import MailServer, text_of
from tests.web.running import Web, assert_problem, bearer

pytestmark = pytest.mark.anyio
PASSWORD = "giraffes would rather sleep"


async def invited(web: Web, mail: MailServer, address: str) -> str:
    """The secret of a registration link."""
    answer = await web.client.post("/auth/register", json={"email": address})
    assert (answer.status_code, answer.content) == (202, b"")
    return await mail.link_to(address)


async def complete(web: Web, token: str, username: str, **more: object) -> tuple[int, dict[str, object]]:
    sent = {"token": token, "username": username, "password": PASSWORD, **more}
    answer = await web.client.post("/auth/register/complete", json=sent)
    return answer.status_code, answer.json()


async def test_an_address_then_a_name_and_a_password_make_an_account(web: Web, mail: MailServer) -> None:
    token = await invited(web, mail, "Zoë@example.org")
    status, made = await complete(web, token, "zoe")
    assert (status, made["username"], made["email"]) == (201, "zoe", "Zoë@example.org")
    user = await web.rooms.directory.get(str(made["sub"]))
    assert (user.roles, user.scopes) == ({"clerk"}, frozenset())
    assert user.email_verified_at is not None
    await web.sign_in("zoe", PASSWORD)
    assert (await complete(web, token, "zoe2"))[0] == 410


@pytest.mark.spec("MASS-04")
@pytest.mark.parametrize(
    "extra",
    [
        {"roles": ["admin"]},
        {"scopes": ["admin:users:write"]},
        {"email": "eve@example.org"},
        {"email_verified": True},
        {"is_admin": True},
        {"id": "0192f3a0-0000-7000-8000-000000000000"},
        {"__proto__": {"admin": True}},
    ],
)
async def test_nothing_is_taken_but_what_is_asked_for(web: Web, mail: MailServer, extra: dict[str, object]) -> None:
    sent = {"token": "x" * 43, "username": "mallory", "password": PASSWORD, **extra}
    assert_problem(await web.client.post("/auth/register/complete", json=sent), 422, "invalid_request")
    asked = {**extra, "email": "m@example.org"}
    if asked.keys() != {"email"}:
        assert_problem(await web.client.post("/auth/register", json=asked), 422, "invalid_request")


async def test_sixteen_registrations_of_one_name_at_once_are_one_account(web: Web, mail: MailServer) -> None:
    tokens = [await invited(web, mail, f"racer{number}@example.org") for number in range(16)]
    spelled = ["Racer", "racer", "RACER", "rAcEr"] * 4
    answers = await asyncio.gather(*(complete(web, *one) for one in zip(tokens, spelled, strict=True)))
    statuses = [status for status, _ in answers]
    assert sorted(status for status in statuses if status != 503) == [201] + [409] * (15 - statuses.count(503))
    late = statuses.index(409)
    assert (await complete(web, tokens[late], "racer-the-second"))[0] == 201


@pytest.mark.spec("ENUM-07")
@pytest.mark.spec("SOC-09")
async def test_who_has_an_account_is_told_so_by_letter_and_a_stranger_learns_nothing(
    web: Web, mail: MailServer
) -> None:
    await web.rooms.directory.create("owner", PASSWORD, email="owner@example.org", roles=[], scopes=[], now=clock.now())
    answer = await web.client.post("/auth/register", json={"email": "OWNER@example.org"})
    assert (answer.status_code, answer.content) == (202, b"")
    letter = await mail.letter_to("OWNER@example.org")
    assert "token=" not in text_of(letter)
    assert "/forgot-password" in text_of(letter)


@pytest.mark.spec("ENUM-04")
async def test_names_that_look_like_others_are_refused_and_the_link_stays_good(web: Web, mail: MailServer) -> None:
    token = await invited(web, mail, "looks@example.org")
    alike = ("\u0430dmin", "\uff41dmin", "ad\u200bmin", "\ufb01n", "\u0130x", "admin\u0301", "admin ", "ad min")
    for name in (*alike, "a@b.example", "gp_admin", ".admin", "x" * 64 + "\n"):
        status, refused = await complete(web, token, name)
        assert (status, refused["errors"][0]["pointer"]) == (422, "/username")  # type: ignore[index]  # a problem
    assert (await complete(web, token, "looks-fine"))[0] == 201


async def test_an_invitation_brings_what_the_administrator_may_give_and_no_more(web: Web, mail: MailServer) -> None:
    await web.add_user("boss", roles=("admin",))
    await web.add_user("deputy", scopes=("admin:users:write",))
    boss, deputy = await web.token("boss"), await web.token("deputy")
    wanted = {"email": "new@example.org", "roles": ["clerk"], "scopes": ["account:read"]}
    assert_problem(await web.client.post("/admin/invitations", json=wanted, headers=deputy), 403, "beyond_own_scopes")
    assert_problem(
        await web.client.post("/admin/invitations", json={**wanted, "roles": ["king"]}, headers=boss),
        422,
        "invalid_request",
    )
    assert (await web.client.post("/admin/invitations", json=wanted, headers=boss)).status_code == 202
    status, made = await complete(web, await mail.link_to("new@example.org", "invited"), "newcomer")
    assert status == 201
    user = await web.rooms.directory.get(str(made["sub"]))
    assert (user.roles, user.scopes) == ({"clerk"}, {"account:read"})


async def test_an_address_is_changed_by_a_letter_to_the_new_one_and_the_old_one_is_told(
    web: Web, mail: MailServer
) -> None:
    await web.rooms.directory.create("mover", PASSWORD, email="old@example.org", roles=[], scopes=[], now=clock.now())
    token = bearer((await web.sign_in("mover", PASSWORD))["access_token"])
    wrong = {"email": "next@example.org", "current_password": "not this one at all"}
    assert_problem(await web.client.post("/users/me/email", json=wrong, headers=token), 422, "invalid_request")
    right = {**wrong, "current_password": PASSWORD}
    assert (await web.client.post("/users/me/email", json=right, headers=token)).status_code == 202
    link = await mail.link_to("next@example.org")
    assert (await web.client.get("/users/me", headers=token)).json()["email"] == "old@example.org"
    answers = await asyncio.gather(*(web.client.post("/auth/email/confirm", json={"token": link}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 410, 410, 410]
    again = bearer((await web.sign_in("next@example.org", PASSWORD))["access_token"])
    assert (await web.client.get("/users/me", headers=again)).json()["email"] == "next@example.org"
    assert "mover" in text_of(await mail.letter_to("old@example.org", "has changed"))


@pytest.mark.spec("VER-02")
async def test_an_address_is_proven_by_its_link_and_only_once(web: Web, mail: MailServer) -> None:
    user = await web.rooms.directory.create(
        "prover", PASSWORD, email="prover@example.org", roles=[], scopes=[], now=clock.now()
    )
    token = bearer((await web.sign_in("prover", PASSWORD))["access_token"])
    assert user.email_verified_at is None
    assert (await web.client.post("/users/me/email/verify", headers=token)).status_code == 202
    link = await mail.link_to("prover@example.org")
    assert (await web.client.post("/auth/email/confirm", json={"token": link})).status_code == 204
    assert (await web.rooms.directory.get(user.id)).email_verified_at is not None
    assert (await web.client.get("/users/me", headers=token)).status_code == 200, "a proof ends no session"
    assert_problem(await web.client.post("/users/me/email/verify", headers=token), 409, "conflict")


async def test_a_link_is_good_for_its_own_purpose_alone(web: Web, mail: MailServer) -> None:
    register = await invited(web, mail, "purpose@example.org")
    reset = {"token": register, "new_password": PASSWORD}
    assert_problem(await web.client.post("/auth/password/reset", json=reset), 410, "dead_link")
    assert_problem(await web.client.post("/auth/email/confirm", json={"token": register}), 410, "dead_link")
    assert (await complete(web, register, "purposeful"))[0] == 201
