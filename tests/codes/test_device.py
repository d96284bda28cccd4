"""The desk of devices: what it makes of user codes, who counts as one guesser, and what a yes and a no are worth."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import clock
from service.accounts.account import User
from service.app import House
from service.codes.device import (
    DeviceDesk,
    DeviceRequest,
    DeviceStart,
    format_user_code,
    parse_user_code,
)
from service.codes.grant import AuthorizationGrant
from service.protocol.errors import (
    AccessDenied,
    AuthorizationPending,
    Conflict,
    InvalidGrant,
    InvalidScope,
    StoreUnavailable,
    TooManyAttempts,
)
from service.settings import load_settings
from tests.codes.test_desk import grant_of, has_ended, open_session
from tests.rooms import add_user, counted, quiet_house
from tests.servers.gatepost import SHIPPED, settings_for
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
TV, HERE = "gp_client_tv", "192.0.2.7"
SCOPES, AUDIENCE = frozenset({"openid", "orders:read"}), ("https://films.example/",)


@pytest.fixture
def desk(house: House) -> DeviceDesk:
    return house.rooms.devices


@pytest.fixture
async def ada(house: House) -> User:
    return await add_user(house, "ada")


async def begin(desk: DeviceDesk) -> tuple[DeviceStart, DeviceRequest]:
    """What the device is told, and the request as the person's side finds it."""
    started = await desk.start(TV, SCOPES, AUDIENCE)
    request = await desk.find(started.user_code, address=HERE)
    assert request is not None
    return started, request


async def poll(desk: DeviceDesk, started: DeviceStart) -> AuthorizationGrant:
    return await desk.poll(started.device_code, client_id=TV, now=clock.now())


@pytest.mark.spec("RFC 8628 §6.1")
@given(st.text(LETTERS, min_size=8, max_size=8))
def test_a_code_is_read_however_it_is_typed(letters: str) -> None:
    shown = format_user_code(letters)
    assert shown == f"{letters[:4]}-{letters[4:]}"
    for typed in (letters, shown, shown.lower(), f" {' '.join(letters)}\t", f"-{letters}-"):
        assert parse_user_code(typed) == letters


@given(st.text(max_size=12))
def test_what_is_read_is_eight_letters_or_nothing(text: str) -> None:
    read = parse_user_code(text)
    assert read is None or (len(read) == 8 and set(read) <= set(LETTERS))


@pytest.mark.parametrize(
    "text", ["", "BCDFGHJ", "BCDFGHJKL", "BCDF_GHJK", "BCDFGHJA", "BCDFGHJ0", "BCDFGHJ1", "БCDFGHJK"]
)
def test_another_length_a_vowel_a_digit_or_another_alphabet_is_no_code(text: str) -> None:
    assert parse_user_code(text) is None


@pytest.mark.spec("RFC 8628 §6.1")
async def test_user_codes_are_drawn_anew_and_lead_to_what_was_asked(desk: DeviceDesk) -> None:
    drawn = set()
    for _ in range(20):
        started, request = await begin(desk)
        drawn.add(started.user_code)
        assert (request.client_id, request.scopes, request.audience) == (TV, SCOPES, AUDIENCE)
        assert (started.expires_in, started.interval) == (timedelta(minutes=15), timedelta(seconds=5))
    assert len(drawn) == 20
    assert set("".join(drawn)) <= set(LETTERS) | {"-"}


async def test_a_user_code_in_use_is_given_to_nobody_else(desk: DeviceDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.codes.device.secrets.choice", lambda letters: letters[0])
    started, request = await begin(desk)
    assert started.user_code == "BBBB-BBBB"
    with pytest.raises(StoreUnavailable):
        await desk.start(TV, SCOPES, ())
    assert await desk.find("BBBB-BBBB", address=HERE) == request


@pytest.mark.spec("DEV-07")
@pytest.mark.parametrize("more_settings", [{"LIMITS__PROGRAM_FAILURES": SHIPPED["LIMITS__PROGRAM_FAILURES"]}])
async def test_wrong_codes_are_counted_for_their_network_and_right_ones_are_not(desk: DeviceDesk) -> None:
    started, request = await begin(desk)
    for number in range(10):
        assert await desk.find(started.user_code, address="2001:db8::99") == request
        assert await desk.find("BBBB-BBBB", address=f"2001:db8::{number}") is None
    with pytest.raises(TooManyAttempts) as refusal:
        await desk.find(started.user_code, address="2001:db8::99")
    assert timedelta(0) < refusal.value.retry_after <= timedelta(minutes=1)
    assert await desk.find(started.user_code, address="2001:db8:0:1::1") == request


async def test_a_yes_is_for_the_request_whatever_the_grant_says(desk: DeviceDesk, ada: User) -> None:
    started, request = await begin(desk)
    with pytest.raises(AuthorizationPending):
        await poll(desk, started)
    with pytest.raises(InvalidScope):
        await desk.approve(request, replace(grant_of(ada), scopes=SCOPES | {"orders:write"}))
    said = replace(grant_of(ada), client_id="gp_client_other", audience=("https://elsewhere.example/",), nonce="n")
    await desk.approve(request, said)
    granted = await poll(desk, started)
    assert granted == replace(
        said,
        session_id=request.code.session_id,
        client_id=TV,
        audience=AUDIENCE,
        redirect_uri=None,
        code_challenge="",
        nonce=None,
    )


@pytest.mark.spec("DEV-12")
@pytest.mark.parametrize("is_allowed", [False, True])
async def test_what_was_decided_stays_decided(desk: DeviceDesk, ada: User, is_allowed: bool) -> None:
    started, request = await begin(desk)
    await (desk.approve(request, grant_of(ada)) if is_allowed else desk.deny(request))
    for again in (desk.deny(request), desk.approve(request, grant_of(ada))):
        with pytest.raises(Conflict):
            await again
    assert await desk.find(started.user_code, address=HERE) is None
    if is_allowed:
        assert (await poll(desk, started)).user_id == ada.id
    else:
        with pytest.raises(AccessDenied):
            await poll(desk, started)


@pytest.mark.spec("RFC 8628 §3.4")
async def test_who_asks_again_ends_what_the_first_asking_opened(
    house: House, other_house: House, desk: DeviceDesk, ada: User
) -> None:
    bystander = grant_of(ada)
    await open_session(house, bystander)
    for is_before in (True, False):
        started, request = await begin(desk)
        await desk.approve(request, grant_of(ada))
        grant = await poll(desk, started)
        if not is_before:
            await open_session(house, grant)
            await desk.settle(started.device_code, user_id=ada.id, now=clock.now())
            assert await has_ended(house, grant) == ""
        with pytest.raises(InvalidGrant):
            await poll(other_house.rooms.devices, started)
        if is_before:
            await open_session(house, grant)
            await desk.settle(started.device_code, user_id=ada.id, now=clock.now())
        assert await has_ended(house, grant) == "device code replayed"
    assert await has_ended(house, bystander) == ""


@pytest.mark.spec("RFC 8628 §5.2")
async def test_a_forged_device_code_reaches_no_store(
    house: House, desk: DeviceDesk, valkey_server: ValkeyServer
) -> None:
    started = await desk.start(TV, SCOPES, ())
    code = started.device_code
    forged = replace(started, device_code=code[:60] + ("A" if code[60] != "A" else "B") + code[61:])
    with counted(house, valkey_server) as asked:
        for wrong in (forged, replace(started, device_code=started.user_code)):
            with pytest.raises(InvalidGrant):
                await poll(desk, wrong)
    assert (asked.sql, asked.redis) == (0, 0)


@pytest.mark.spec("RED-01")
async def test_when_nobody_can_say_whether_a_code_was_replayed_its_session_has_ended(
    sqlite_url: str, own_valkey: ValkeyServer
) -> None:
    async with quiet_house(load_settings(settings_for(sqlite_url, own_valkey.url))) as house:
        ada, desk = await add_user(house, "ada"), house.rooms.devices
        started, request = await begin(desk)
        await desk.approve(request, grant_of(ada))
        grant = await poll(desk, started)
        await open_session(house, grant)
        own_valkey.kill()
        with pytest.raises(StoreUnavailable):
            await desk.settle(started.device_code, user_id=ada.id, now=clock.now())
        assert await has_ended(house, grant) == "device code in doubt"
