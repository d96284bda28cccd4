"""The pages of the account behind https, where no letters can be sent."""

import pytest

from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer
from tests.web.oauth.browsing import surfing
from tests.web.running import running_web

pytestmark = pytest.mark.anyio


@pytest.mark.spec("COOK-03")
async def test_the_address_has_no_page_where_no_letter_can_be_sent_and_cookies_are_the_hosts_own(
    sqlite_url: str, valkey_server: ValkeyServer
) -> None:
    more = {"MODE": "production", "PUBLIC_URL": "https://id.example.com"}
    async with running_web(sqlite_url, valkey_server.url, **more) as web:
        await web.add_user("ada")
        async with surfing(web) as surfer:
            page = await surfer.follow(await surfer.get("/account"))
            answer = await surfer.submit(page, username="ada", password=PASSWORD)
            page = await surfer.follow(answer)
            assert (page.status_code, page.request.url.path) == (200, "/account")
            assert 'href="/account/password"' in page.text
            assert "/account/email" not in page.text
            assert "max-age" in page.headers["strict-transport-security"]
            assert (await surfer.get("/account/email")).status_code == 404
            assert (await surfer.submit(page, email="x@example.org")).status_code == 400
            genuine = surfer.client.cookies["__Host-gp_session"]
            browser = surfer.client.cookies["__Host-gp_browser"]
            surfer.client.cookies.clear()
            for cookies, status in (
                (f"__Host-gp_session={genuine}; __Host-gp_browser={browser}", 200),
                (f"gp_session={genuine}; gp_browser={browser}", 303),
                (f"__Host-gp_session={genuine}; gp_browser={browser}", 303),
            ):
                answer = await surfer.client.get("/account", headers={"Cookie": cookies})
                assert answer.status_code == status, cookies
