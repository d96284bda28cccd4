"""A device that a person lets in: what it asks and hears, and the pages on which the person decides (RFC 8628)."""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from gatepost.jws import parse_jws
from gatepost.scopes import parse_scope
from service import clock
from service.accounts.account import User
from service.accounts.change import UserChange
from service.clients.client import Client
from service.clients.metadata import DEVICE_CODE, REFRESH_TOKEN
from service.clients.registry import ClientChange
from service.codes.device import LIFE
from service.identifiers import new_id
from service.storage.redis.keyspace import Keyspace
from tests.servers.gatepost import SHIPPED
from tests.servers.valkey import ValkeyServer
from tests.web.oauth.browsing import Surfer, add_application, hidden, surfing
from tests.web.reading import read_page
from tests.web.running import Web, as_served, bearer

pytestmark = pytest.mark.anyio
KEYS = Keyspace()
SCOPE = "openid orders:read"
RIGHT_FORM = re.compile(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}")


@dataclass
class Device:
    """One device: what it was told in `started`, and the hands to turn its clock with."""

    web: Web
    valkey: ValkeyServer
    client: Client
    started: dict[str, Any]

    @property
    def user_code(self) -> str:
        code: str = self.started["user_code"]
        return code

    async def poll(self, **changed: str) -> tuple[int, dict[str, Any]]:
        """Status and document of one asking."""
        form = {"grant_type": DEVICE_CODE, "device_code": self.started["device_code"], "client_id": self.client.id}
        answer = await self.web.client.post("/oauth2/token", data={**form, **changed})
        return answer.status_code, answer.json()

    async def hears(self) -> str:
        """The error of one asking, after it has waited for long enough."""
        self.later("l", timedelta(minutes=1))
        status, document = await self.poll()
        assert status == 400, document
        error: str = document["error"]
        return error

    async def tokens(self) -> dict[str, Any]:
        """What it gets, once it has been let in."""
        status, document = await self.poll()
        assert status == 200, document
        return document

    def later(self, what: str, by: timedelta) -> None:
        """As if `t`, its beginning, or `l`, its last asking, were longer ago. Before the first asking there is none."""
        code = self.web.rooms.devices._mint.read(self.started["device_code"])
        key = KEYS.device(code.session_id, code.nonce)
        with self.valkey.client() as raw:
            if raw.hexists(key, what):
                raw.hincrby(key, what, -(by // timedelta(microseconds=1)))


@pytest.fixture(autouse=True)
def no_guesses_yet(valkey_server: ValkeyServer) -> None:
    """All tests guess from one address."""
    with valkey_server.client() as raw:
        for key in raw.scan_iter("gp:*:n:*"):
            raw.delete(key)


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """Ten guesses are free."""
    return {"LIMITS__PROGRAM_FAILURES": SHIPPED["LIMITS__PROGRAM_FAILURES"]}


@pytest.fixture(scope="module")
async def tv(web: Web) -> Client:
    """A public client on devices, which may refresh."""
    return await add_tv(web, "Television")


async def add_tv(web: Web, name: str, *, scopes: tuple[str, ...] = ("orders:read",), **more: Any) -> Client:
    grants = frozenset({DEVICE_CODE, REFRESH_TOKEN})
    return await add_application(
        web, name, confidential=False, scopes=scopes, **{"redirect_uris": (), "grant_types": grants, **more}
    )


async def begin(web: Web, valkey: ValkeyServer, client: Client, scope: str = SCOPE, **more: str) -> Device:
    form = {"client_id": client.id, "scope": scope, **more}
    answer = await web.client.post("/oauth2/device_authorization", data=form)
    assert answer.status_code == 200, answer.text
    return Device(web, valkey, client, answer.json())


@pytest.fixture
async def device(web: Web, valkey_server: ValkeyServer, tv: Client) -> Device:
    """One that has just begun."""
    return await begin(web, valkey_server, tv)


async def confirm_page(surfer: Surfer, user_code: str) -> httpx2.Response:
    """The page that asks, for a person who has typed the code."""
    page = await surfer.submit(await surfer.get("/device"), user_code=user_code)
    assert page.status_code == 200, page.text
    return page


async def choose(surfer: Surfer, page: httpx2.Response, choice: str) -> httpx2.Response:
    """Press one of its buttons."""
    return await surfer.submit(page, user_code=read_page(page.text).inputs["user_code"]["value"], choice=choice)


async def let_in(surfer: Surfer, device: Device) -> None:
    """The whole way of the person."""
    answer = await choose(surfer, await confirm_page(surfer, device.user_code), "allow")
    assert (answer.status_code, answer.headers["location"]) == (303, "/device/allowed")


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(parse_jws(token).payload)
    return claims


def assert_asks_for_a_code(page: httpx2.Response, status: int, user_code: str = "") -> None:
    """The page of the beginning; nobody has been led on."""
    assert page.status_code == status, page.text
    inputs = read_page(page.text).inputs
    assert inputs.keys() == {"csrf", "user_code"}
    assert inputs["user_code"]["value"] == user_code


@pytest.mark.spec("RFC 8628 §3.2")
@pytest.mark.spec("RFC 8628 §6.1")
async def test_a_device_is_told_what_to_show_and_how_to_ask(device: Device) -> None:
    started = device.started
    assert started.keys() == {
        "device_code",
        "user_code",
        "verification_uri",
        "verification_uri_complete",
        "expires_in",
        "interval",
    }
    assert RIGHT_FORM.fullmatch(device.user_code)
    assert started["verification_uri"] == "http://localhost:8000/device"
    assert started["verification_uri_complete"] == f"http://localhost:8000/device?user_code={device.user_code}"
    assert (started["expires_in"], started["interval"]) == (900, 5)


@pytest.mark.spec("RFC 8628 §3.3")
@pytest.mark.spec("RFC 8628 §3.4")
@pytest.mark.spec("DEV-02")
async def test_a_person_signs_in_types_the_code_agrees_and_the_device_is_in(
    web: Web, surfer: Surfer, device: Device, tv: Client, ada: User
) -> None:
    assert await device.hears() == "authorization_pending"
    page = await surfer.follow(await surfer.get("/device"))
    assert page.request.url.path == "/sign-in"
    page = await surfer.sign_in(page, "ada")
    assert page.request.url.path == "/device"
    assert_asks_for_a_code(page, 200)

    page = await surfer.submit(page, user_code=device.user_code)
    shown = read_page(page.text)
    for told in ("Television", "ada", device.user_code, "Know who you are", "orders:read"):
        assert told in shown.text
    assert shown.inline == []
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert await device.hears() == "authorization_pending"

    answer = await choose(surfer, page, "allow")
    assert (answer.status_code, answer.headers["location"]) == (303, "/device/allowed")
    assert "The device is connected" in (await surfer.follow(answer)).text

    tokens = await device.tokens()
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token"}
    claims = claims_of(tokens["access_token"])
    assert (claims["sub"], claims["client_id"], set(parse_scope(claims["scope"]))) == (ada.id, tv.id, {*SCOPE.split()})
    assert (claims["aud"], claims["amr"]) == (web.settings.audience, ["pwd"])
    told = claims_of(tokens["id_token"])
    assert (told["sub"], told["aud"], told["sid"]) == (ada.id, tv.id, claims["sid"])
    assert "nonce" not in told
    here = {one.id: one for one in await web.rooms.sessions.page(user_id=ada.id, after="", limit=99, now=clock.now())}
    session = here[claims["sid"]]
    assert session.client_id == tv.id
    assert session.parent_id is not None
    assert here[session.parent_id].client_id == "gatepost"
    assert here[session.parent_id].auth_time == session.auth_time
    refreshed = await web.client.post(
        "/oauth2/token",
        data={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": tv.id},
    )
    assert refreshed.status_code == 200


@pytest.mark.spec("RFC 8628 §3.3.1")
@pytest.mark.spec("RFC 8628 §5.4")
async def test_a_link_with_the_code_fills_it_in_and_grants_nothing(surfer: Surfer, device: Device, ada: User) -> None:
    link = device.started["verification_uri_complete"]
    page = await surfer.sign_in(await surfer.follow(await surfer.get(link)), "ada")
    assert page.request.url.path == "/device"
    assert_asks_for_a_code(page, 200, device.user_code)
    page = await surfer.get("/device", user_code=device.user_code, choice="allow")
    assert_asks_for_a_code(page, 200, device.user_code)
    assert await device.hears() == "authorization_pending"
    page = await surfer.submit(page, user_code=device.user_code)
    assert "Is this your device?" in page.text
    assert await device.hears() == "authorization_pending"
    assert (await choose(surfer, page, "allow")).headers["location"] == "/device/allowed"
    assert "access_token" in await device.tokens()


@pytest.mark.spec("XSS-01")
@pytest.mark.parametrize("text", ['"><script>alert(1)</script>', "Ring 0800 1234", "A" * 5_000, "\u202e\x00"])
async def test_a_link_with_anything_else_fills_in_nothing(surfer: Surfer, ada: User, text: str) -> None:
    page = await surfer.sign_in(await surfer.follow(await surfer.get("/device", user_code=text)), "ada")
    assert_asks_for_a_code(page, 200)
    assert_asks_for_a_code(await surfer.get("/device", user_code=text), 200)


@pytest.mark.spec("XSS-02")
async def test_a_client_s_name_is_text_and_nothing_else(
    web: Web, surfer: Surfer, ada: User, valkey_server: ValkeyServer
) -> None:
    name = "<script src=//evil.example></script>'\"&"
    device = await begin(web, valkey_server, await add_tv(web, name))
    page = await confirm_page(await surfer.signed_in("ada"), device.user_code)
    assert name in read_page(page.text).text
    assert not any("evil" in reference for reference in read_page(page.text).references)


@pytest.mark.spec("RFC 8628 §6.1")
async def test_case_dashes_and_blanks_make_no_difference(surfer: Surfer, device: Device, ada: User) -> None:
    await surfer.signed_in("ada")
    letters = device.user_code.replace("-", "")
    for typed in (
        letters,
        letters.lower(),
        device.user_code.lower(),
        f" {letters[:2]} {letters[2:]}-",
        "-".join(letters),
    ):
        page = await confirm_page(surfer, typed)
        assert read_page(page.text).inputs["user_code"]["value"] == device.user_code
    answer = await surfer.submit(page, user_code=letters.lower(), choice="allow")
    assert answer.headers["location"] == "/device/allowed"


@pytest.mark.spec("RFC 8628 §3.5")
@pytest.mark.spec("DEV-02")
async def test_who_asks_too_often_waits_five_seconds_longer_each_time(device: Device) -> None:
    async def asks(after: int) -> str:
        device.later("l", timedelta(seconds=after))
        status, document = await device.poll()
        assert status == 400
        return str(document["error"])

    heard = [await asks(after) for after in (0, 4, 9, 14, 21)]
    assert heard == ["authorization_pending", "slow_down", "slow_down", "slow_down", "authorization_pending"]


@pytest.mark.spec("RFC 8628 §3.5")
@pytest.mark.spec("DEV-12")
async def test_after_a_no_the_device_hears_it_and_the_code_is_spent(surfer: Surfer, device: Device, ada: User) -> None:
    await surfer.signed_in("ada")
    page = await confirm_page(surfer, device.user_code)
    answer = await choose(surfer, page, "deny")
    assert (answer.status_code, answer.headers["location"]) == (303, "/device/denied")
    assert "Nothing was allowed" in (await surfer.follow(answer)).text
    assert [await device.hears(), await device.hears()] == ["access_denied"] * 2
    assert_asks_for_a_code(await choose(surfer, page, "allow"), 422, device.user_code)
    assert await device.hears() == "access_denied"


@pytest.mark.spec("RFC 8628 §3.5")
@pytest.mark.spec("DEV-12")
@pytest.mark.parametrize("is_let_in", [False, True])
async def test_past_its_time_a_code_is_over_on_both_sides(
    surfer: Surfer, device: Device, ada: User, is_let_in: bool
) -> None:
    await surfer.signed_in("ada")
    page = await confirm_page(surfer, device.user_code)
    if is_let_in:
        await let_in(surfer, device)
    device.later("t", LIFE)
    refused = await choose(surfer, page, "allow")
    assert refused.status_code == (422 if is_let_in else 409), refused.text
    assert await device.hears() == "expired_token"


@pytest.mark.spec("DEV-04")
@pytest.mark.spec("RFC 8628 §3.4")
async def test_another_client_gets_nothing_by_the_code_and_spoils_nothing(
    web: Web, surfer: Surfer, device: Device, ada: User
) -> None:
    other = await add_tv(web, "Other")
    assert (await device.poll(client_id=other.id))[1]["error"] == "invalid_grant"
    await let_in(await surfer.signed_in("ada"), device)
    status, document = await device.poll(client_id=other.id)
    assert (status, document["error"]) == (400, "invalid_grant")
    assert "access_token" in await device.tokens()


@pytest.mark.spec("DEV-03")
@pytest.mark.spec("DEV-05")
@pytest.mark.spec("RFC 8628 §5.2")
async def test_what_is_no_device_code_gets_nothing(surfer: Surfer, device: Device, ada: User) -> None:
    await let_in(await surfer.signed_in("ada"), device)
    code = device.started["device_code"]
    wrong = [device.user_code, "x", code[:-1], f"{code}A", code[:9] + ("A" if code[9] != "A" else "B") + code[10:], "é"]
    for text in wrong:
        assert (await device.poll(device_code=text))[1]["error"] == "invalid_grant"
    assert (await device.poll(device_code=""))[1]["error"] == "invalid_request"
    assert "access_token" in await device.tokens()


@pytest.mark.spec("RFC 8628 §5.1")
@pytest.mark.spec("DEV-07")
async def test_the_eleventh_guess_is_not_even_looked_at(
    web: Web, surfer: Surfer, device: Device, ada: User, valkey_server: ValkeyServer
) -> None:
    await surfer.signed_in("ada")
    entry = await surfer.get("/device")
    for wrong in ("BBBB-BBBB", "", "x", "AEIOU", "BCDF-GHJ", "1" * 500, "BBBBBBBC", "é", "BBBB-BBBD", "BBBB-BBBF"):
        assert (await surfer.submit(entry, user_code=wrong)).status_code == 422
    for code in ("BBBB-BBBG", device.user_code):
        page = await surfer.submit(entry, user_code=code)
        assert_asks_for_a_code(page, 429, code)
        assert 0 < int(page.headers["retry-after"]) <= 60
    transport = httpx2.ASGITransport(as_served(web.edge), client=("192.0.2.9", 5))
    async with httpx2.AsyncClient(transport=transport, base_url=web.settings.public_url) as elsewhere:
        neighbour = await Surfer(elsewhere).signed_in("ada")
        page = await confirm_page(neighbour, device.user_code)
    with valkey_server.client() as raw:
        [key] = raw.scan_iter("gp:*:n:*")
        assert 0 < raw.pttl(key) <= 3_600_000
        raw.delete(key)  # the minute is over
    await let_in(surfer, device)


@pytest.mark.spec("DEV-07")
async def test_a_choice_is_a_guess_like_any_other_and_right_codes_are_none(
    surfer: Surfer, device: Device, ada: User
) -> None:
    await surfer.signed_in("ada")
    for _ in range(12):
        page = await confirm_page(surfer, device.user_code)
    answers = [await surfer.submit(page, user_code="BBBB-BBBB", choice="allow") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]


@pytest.mark.spec("DEV-08")
@pytest.mark.spec("ASVS 3.5.1")
async def test_only_the_form_that_was_shown_for_this_device_to_this_person_decides(
    web: Web, surfer: Surfer, other_surfer: Surfer, device: Device, tv: Client, ada: User, bob: User
) -> None:
    await surfer.signed_in("ada")
    await other_surfer.signed_in("bob")
    another = await begin(web, device.valkey, tv)
    forms = {
        "the entry's": hidden(await surfer.get("/device")),
        "another device's": hidden(await confirm_page(surfer, another.user_code)),
        "another person's": hidden(await confirm_page(other_surfer, device.user_code)),
        "nobody's": {"csrf": ""},
    }
    for whose, sent in forms.items():
        for choice in ("allow", "deny"):
            form = {**sent, "user_code": device.user_code, "choice": choice}
            refused = await surfer.client.post("/device", data=form)
            assert refused.status_code == 403, whose
    assert (await surfer.client.post("/device", data={"csrf": "", "user_code": device.user_code})).status_code == 403
    assert await device.hears() == "authorization_pending"
    assert await another.hears() == "authorization_pending"


@pytest.mark.spec("RFC 8628 §5.4")
async def test_the_form_of_another_site_brings_nobody_and_decides_nothing(
    web: Web, surfer: Surfer, device: Device, ada: User
) -> None:
    page = await confirm_page(await surfer.signed_in("ada"), device.user_code)
    form = {name: given["value"] for name, given in read_page(page.text).inputs.items()} | {"choice": "allow"}
    async with surfing(web) as without_cookies:
        answer = await without_cookies.client.post("/device", data=form)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?request=")
    assert await device.hears() == "authorization_pending"


async def test_who_was_signed_out_meanwhile_signs_in_and_goes_on_with_the_code(
    web: Web, surfer: Surfer, device: Device, ada: User
) -> None:
    page = await confirm_page(await surfer.signed_in("ada"), device.user_code)
    await web.rooms.ending.end_all(ada.id, why="a test", now=clock.now())
    page = await surfer.follow(await choose(surfer, page, "allow"))
    assert page.request.url.path == "/sign-in"
    page = await surfer.sign_in(page, "ada")
    assert_asks_for_a_code(page, 200, device.user_code)
    assert await device.hears() == "authorization_pending"


async def test_only_yes_and_no_are_choices(surfer: Surfer, device: Device, ada: User) -> None:
    page = await confirm_page(await surfer.signed_in("ada"), device.user_code)
    assert (await choose(surfer, page, "maybe")).status_code == 400
    assert await device.hears() == "authorization_pending"


@pytest.mark.spec("DEV-13")
async def test_a_person_gives_what_they_have_and_is_shown_just_that(
    web: Web, surfer: Surfer, ada: User, valkey_server: ValkeyServer
) -> None:
    client = await add_tv(web, "Greedy", scopes=("orders:read", "admin:users:write"))
    device = await begin(web, valkey_server, client, "openid orders:read admin:users:write")
    page = await confirm_page(await surfer.signed_in("ada"), device.user_code)
    assert "orders:read" in page.text
    assert "disable users" not in page.text
    await choose(surfer, page, "allow")
    assert set(parse_scope((await device.tokens())["scope"])) == {"openid", "orders:read"}
    nothing = await begin(web, valkey_server, client, "admin:users:write")
    page = await surfer.submit(await surfer.get("/device"), user_code=nothing.user_code)
    assert page.status_code == 403
    assert read_page(page.text).inputs == {}
    assert await nothing.hears() == "authorization_pending"


@pytest.mark.spec("DEV-13")
async def test_scopes_that_came_to_the_person_after_the_page_are_not_given(
    web: Web, surfer: Surfer, valkey_server: ValkeyServer
) -> None:
    eve = await web.add_user("eve", scopes=("orders:read",))
    client = await add_tv(web, "Patient", scopes=("orders:read", "orders:write"))
    device = await begin(web, valkey_server, client, "orders:read orders:write")
    page = await confirm_page(await surfer.signed_in("eve"), device.user_code)
    change = UserChange(scopes=frozenset({"orders:read", "orders:write"}))
    await web.rooms.directory.change(eve.id, change, now=clock.now())
    refused = await choose(surfer, page, "allow")
    assert refused.status_code == 403
    assert await device.hears() == "authorization_pending"


@pytest.mark.spec("DEV-13")
@pytest.mark.spec("RFC 8628 §3.1")
async def test_a_device_asks_within_its_registration(web: Web, tv: Client, orders: Client) -> None:
    async def asks(client_id: str, **form: str) -> tuple[int, str]:
        answer = await web.client.post("/oauth2/device_authorization", data={"client_id": client_id, **form})
        return answer.status_code, answer.json()["error"]

    plain = await add_application(web, "No device", confidential=False)
    assert await asks(tv.id, scope="orders:read orders:write") == (400, "invalid_scope")
    assert await asks(tv.id, resource="https://elsewhere.example/") == (400, "invalid_target")
    assert await asks(plain.id) == (400, "unauthorized_client")
    assert await asks(orders.id) == (400, "invalid_client")  # it has a secret, and has not shown it
    assert await asks("gp_client_00000000000000000000") == (400, "invalid_client")


@pytest.mark.spec("RFC 8707 §2")
async def test_where_else_the_device_may_go_is_shown_and_is_what_it_gets(
    web: Web, surfer: Surfer, ada: User, valkey_server: ValkeyServer
) -> None:
    client = await add_tv(web, "Roamer", resources=("https://films.example/",))
    device = await begin(web, valkey_server, client, resource="https://films.example/")
    page = await confirm_page(await surfer.signed_in("ada"), device.user_code)
    assert "https://films.example/" in read_page(page.text).text
    await choose(surfer, page, "allow")
    assert claims_of((await device.tokens())["access_token"])["aud"] == "https://films.example/"


@pytest.mark.spec("RFC 8628 §5.4")
async def test_a_client_that_asks_for_no_consent_is_asked_about_all_the_same_each_time(
    web: Web, surfer: Surfer, ada: User, valkey_server: ValkeyServer
) -> None:
    client = await add_tv(web, "House television", skips_consent=True)
    await surfer.signed_in("ada")
    for _ in range(2):
        device = await begin(web, valkey_server, client)
        page = await confirm_page(surfer, device.user_code)
        assert "Is this your device?" in page.text
        assert await device.hears() == "authorization_pending"
        await choose(surfer, page, "allow")
        assert "access_token" in await device.tokens()


async def test_a_disabled_client_lets_nobody_in(
    web: Web, surfer: Surfer, ada: User, valkey_server: ValkeyServer
) -> None:
    client = await add_tv(web, "Withdrawn")
    device = await begin(web, valkey_server, client)
    page = await confirm_page(await surfer.signed_in("ada"), device.user_code)
    await web.rooms.clients.change(client.id, ClientChange(disabled=True), now=clock.now())
    assert_asks_for_a_code(await choose(surfer, page, "allow"), 422, device.user_code)
    assert (await device.poll())[1]["error"] == "invalid_client"


@pytest.mark.spec("DEV-10")
@pytest.mark.parametrize("what", ["disabled", "new password", "signed out", "consent withdrawn"])
async def test_a_yes_is_worth_nothing_when_its_giver_has_changed_since(
    web: Web, surfer: Surfer, device: Device, what: str
) -> None:
    person = await web.add_user(f"p-{new_id()[-12:]}", roles=("clerk",))
    await let_in(await surfer.signed_in(person.username), device)
    now = clock.now()
    match what:
        case "disabled":
            await web.rooms.directory.change(person.id, UserChange(disabled=True), now=now)
        case "new password":
            await web.rooms.directory.set_password(person.id, "another tall giraffe", now=now)
        case "signed out":
            await web.rooms.ending.end_all(person.id, why="a test", now=now)
        case "consent withdrawn":
            await web.rooms.consents.withdraw(person.id, device.client.id, now)
    status, document = await device.poll()
    assert (status, document["error"]) == (400, "invalid_grant")


@pytest.mark.spec("RFC 8628 §3.4")
async def test_asking_again_with_a_spent_code_ends_what_it_opened(
    web: Web, surfer: Surfer, device: Device, ada: User
) -> None:
    await let_in(await surfer.signed_in("ada"), device)
    tokens = await device.tokens()
    assert (await web.client.get("/userinfo", headers=bearer(tokens["access_token"]))).status_code == 200
    assert (await device.poll())[1]["error"] == "invalid_grant"
    assert (await web.client.get("/userinfo", headers=bearer(tokens["access_token"]))).status_code == 401
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": device.client.id}
    assert (await web.client.post("/oauth2/token", data=form)).json()["error"] == "invalid_grant"
    assert (await surfer.get("/device")).status_code == 200, "the person is still signed in"


async def test_what_a_device_was_given_can_be_withdrawn_as_a_consent(
    web: Web, surfer: Surfer, device: Device, ada: User
) -> None:
    await let_in(await surfer.signed_in("ada"), device)
    tokens = await device.tokens()
    consent = await web.rooms.consents.find(ada.id, device.client.id)
    assert consent is not None
    assert consent.scopes >= {"openid", "orders:read"}
    owner = await web.token("ada")
    gone = await web.client.delete(f"/users/me/consents/{device.client.id}", headers=owner)
    assert gone.status_code == 204
    assert (await web.client.get("/userinfo", headers=bearer(tokens["access_token"]))).status_code == 401
