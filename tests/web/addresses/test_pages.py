"""The pages about addresses, in a browser without scripts."""

import re

import pytest

from service import clock
from tests.rooms import HERE
from tests.servers.mail import MailServer
from tests.web.running import Web

pytestmark = pytest.mark.anyio
PASSWORD = "giraffes would rather sleep"
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


async def hidden_of(web: Web, path: str) -> dict[str, str]:
    """The hidden fields of the form at a path."""
    answer = await web.client.get(path)
    assert answer.status_code == 200, answer.text
    return dict(_HIDDEN.findall(answer.text))


@pytest.fixture(autouse=True)
def fresh_browser(web: Web) -> None:
    web.client.cookies.clear()


async def test_a_person_registers_then_recovers_the_password_and_no_script_is_needed(
    web: Web, mail: MailServer
) -> None:
    sent = {**await hidden_of(web, "/register"), "email": " page@example.org "}
    answer = await web.client.post("/register", data=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/register/sent")
    token = await mail.link_to("page@example.org")

    behind = await hidden_of(web, f"/register/complete?token={token}")
    fields = {"username": "Pagan", "password": PASSWORD, "password_again": PASSWORD}
    wrong = await web.client.post("/register/complete", data={**behind, **fields, "password_again": "other"})
    assert (wrong.status_code, 'value="Pagan"' in wrong.text, PASSWORD in wrong.text) == (422, True, False)
    short = {**fields, "password": "short", "password_again": "short"}
    assert (await web.client.post("/register/complete", data={**behind, **short})).status_code == 422
    answer = await web.client.post("/register/complete", data={**behind, **fields})
    assert (answer.status_code, answer.headers["location"]) == (303, "/register/complete/done")
    assert (await web.client.get(f"/register/complete?token={token}")).status_code == 410
    await web.sign_in("pagan", PASSWORD)

    sent = {**await hidden_of(web, "/forgot-password"), "email": "page@example.org"}
    answer = await web.client.post("/forgot-password", data=sent)
    assert (answer.status_code, answer.headers["location"]) == (303, "/forgot-password/sent")
    token = await mail.link_to("page@example.org")
    for _ in range(2):  # mail programs open links by themselves: that uses nothing up
        behind = await hidden_of(web, f"/reset-password?token={token}")
    fresh = {"password": "another long sentence", "password_again": "another long sentence"}
    answer = await web.client.post("/reset-password", data={**behind, **fresh})
    assert (answer.status_code, answer.headers["location"]) == (303, "/reset-password/done")
    assert (await web.client.post("/reset-password", data={**behind, **fresh})).status_code == 410
    await web.sign_in("pagan", "another long sentence")


async def test_a_taken_name_is_said_on_the_page_and_the_link_stays_good(web: Web, mail: MailServer) -> None:
    await web.add_user("taken")
    await web.client.post("/register", data={**await hidden_of(web, "/register"), "email": "late@example.org"})
    behind = await hidden_of(web, f"/register/complete?token={await mail.link_to('late@example.org')}")
    fields = {"username": "TAKEN", "password": PASSWORD, "password_again": PASSWORD}
    answer = await web.client.post("/register/complete", data={**behind, **fields})
    assert (answer.status_code, "This user name is taken." in answer.text) == (422, True)
    answer = await web.client.post("/register/complete", data={**behind, **fields, "username": "not-taken"})
    assert answer.status_code == 303


@pytest.mark.spec("CSRF-01")
@pytest.mark.parametrize("path", ["/forgot-password", "/register"])
async def test_another_sites_form_has_no_letter_written(web: Web, path: str) -> None:
    sent = {"email": "victim@example.org", "csrf": ""}
    assert (await web.client.post(path, data=sent)).status_code == 403
    mine = await hidden_of(web, path)
    web.client.cookies.clear()
    assert (await web.client.post(path, data={**mine, "email": "victim@example.org"})).status_code == 403


async def test_what_is_no_address_is_said_on_the_page(web: Web) -> None:
    sent = {**await hidden_of(web, "/forgot-password"), "email": "<b>nobody"}
    answer = await web.client.post("/forgot-password", data=sent)
    assert (answer.status_code, "This is not an e-mail address." in answer.text) == (422, True)
    assert "<b>nobody" not in answer.text


@pytest.mark.parametrize("path", ["/reset-password", "/register/complete", "/confirm-email"])
@pytest.mark.parametrize("token", ["", "x", "x" * 43, "\u00e9", "%00", "a" * 5_000])
async def test_a_dead_link_is_a_page_that_says_what_to_do(web: Web, path: str, token: str) -> None:
    answer = await web.client.get(path, params={"token": token})
    assert answer.status_code == 410
    assert "This link does not work" in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_sign_in_page_knows_the_ways_for_who_cannot_sign_in(web: Web) -> None:
    page = (await web.client.get("/sign-in")).text
    assert 'href="/forgot-password"' in page
    assert 'href="/register"' in page


async def test_an_address_is_confirmed_by_a_button_behind_the_link(web: Web, mail: MailServer) -> None:
    user = await web.rooms.directory.create(
        "button", PASSWORD, email="button@example.org", roles=[], scopes=[], now=clock.now()
    )
    await web.rooms.verification.ask(user.id, source=HERE, locale="ar", now=clock.now())
    letter = await mail.letter_to("button@example.org")
    assert letter["Content-Language"] == "ar"
    token = re.findall(r"token=(\S+)", letter.get_content())[0]
    behind = await hidden_of(web, f"/confirm-email?token={token}")
    assert (await web.rooms.directory.get(user.id)).email_verified_at is None
    answer = await web.client.post("/confirm-email", data=behind)
    assert (answer.status_code, answer.headers["location"]) == (303, "/confirm-email/done")
    assert (await web.rooms.directory.get(user.id)).email_verified_at is not None
