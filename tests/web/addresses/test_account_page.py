"""The address of an account, changed on its page."""

import pytest

from service import clock
from tests.servers.mail import MailServer
from tests.web.oauth.browsing import surfing
from tests.web.reading import read_page
from tests.web.running import Web

pytestmark = pytest.mark.anyio
PASSWORD = "giraffes would rather sleep"
PATH = "/account/email"


async def test_a_person_confirms_an_address_and_changes_it_for_another(web: Web, mail: MailServer) -> None:
    directory = web.rooms.directory
    user = await directory.create("mover", PASSWORD, email="old@example.org", roles=[], scopes=[], now=clock.now())
    async with surfing(web) as surfer:
        await surfer.sign_in(await surfer.get("/sign-in"), "mover", PASSWORD)
        page = await surfer.get(PATH)
        assert "old@example.org</bdi> is the address of your account. It is not confirmed yet." in page.text
        told = await surfer.follow(await surfer.submit(page, choice="confirm"))
        assert "A letter is on its way to your address." in told.text
        await follow(web, await mail.link_to("old@example.org"))
        told = await surfer.follow(await surfer.submit(page, choice="confirm"))  # from a page that was open all along
        assert "Your address is confirmed already." in told.text

        wrong = await surfer.submit(page, email="<b>nobody")
        assert (wrong.status_code, "This is not an e-mail address." in wrong.text, "<b>" in wrong.text) == (
            422,
            True,
            False,
        )
        told = await surfer.follow(await surfer.submit(page, email=" new@example.org "))
        assert "A letter is on its way to the new address." in told.text
        assert (await directory.get(user.id)).email == "old@example.org"
        await follow(web, await mail.link_to("new@example.org"))
        changed = await directory.get(user.id)
        assert changed.email == "new@example.org"
        assert changed.email_verified_at is not None
        assert "new@example.org" in read_page((await surfer.get(PATH)).text).text


async def follow(web: Web, token: str) -> None:
    """Open the link, and press the button behind it."""
    web.client.cookies.clear()
    page = await web.client.get(f"/confirm-email?token={token}")
    assert page.status_code == 200
    answer = await web.client.post("/confirm-email", data={"token": token})
    assert answer.headers["location"] == "/confirm-email/done"
