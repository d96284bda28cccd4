"""What people tell applications: which claims are kept, and of which form each is."""

from typing import Any

import pytest

from service import clock
from service.access.catalogue import Catalogue
from service.accounts.account import User
from service.accounts.change import UserChange, changed_user
from service.accounts.claims import STANDARD_CLAIMS, claims_of
from service.accounts.profile import PROFILE_CLAIMS, changed_profile
from service.app import House
from service.protocol.errors import BeyondOwnScopes, Invalid
from tests.rooms import add_user, sign_in, whoami

anyio = pytest.mark.anyio
WHOLE: dict[str, object] = {
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "middle_name": "King",
    "nickname": "Countess ♛",
    "preferred_username": "ada.l",
    "gender": "female",
    "profile": "https://example.com/ada",
    "picture": "https://example.com/ada.png?size=2",
    "website": "http://ada.example.com",
    "birthdate": "1815-12-10",
    "zoneinfo": "Europe/London",
    "locale": "en-GB",
    "phone_number": "+44 (20) 7946-0000;ext=12",
    "phone_number_verified": True,
    "address": {
        "formatted": "12 St James's Square\nLondon",
        "street_address": "12 St James's Square",
        "locality": "London",
        "region": "Greater London",
        "postal_code": "SW1Y 4JH",
        "country": "GB",
    },
}


@pytest.mark.spec("OIDC Core §5.1")
def test_every_standard_claim_can_be_kept_and_is_told() -> None:
    assert changed_profile({}, WHOLE) == WHOLE
    assert set(PROFILE_CLAIMS) == set(STANDARD_CLAIMS) - {"email", "email_verified"}
    user = a_user(email="ada@example.com", profile=WHOLE)
    told = claims_of(user, ("profile", "email", "phone", "address"))
    assert told == {**WHOLE, "email": "ada@example.com", "email_verified": False}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("birthdate", value) for value in ("0000-02-29", "1815", "2024-02-29")),
        *(("zoneinfo", value) for value in ("UTC", "Etc/GMT+1", "America/Argentina/La_Rioja")),
        *(("locale", value) for value in ("en", "en_US", "zh-Hant-TW", "es-419")),
        *(("phone_number", value) for value in ("+1 (425) 555-1212", "+16045551234", "+1 (604) 555-1234;ext=5678")),
    ],
)
def test_the_forms_that_the_standard_shows_are_taken(name: str, value: str) -> None:
    assert changed_profile({}, {name: value}) == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("name", value) for value in ("", " ", "a" * 256, "two\nlines", "a\0", "\ud800", 7, True, ["a"], {"a": "b"})),
        *(("picture", value) for value in ("javascript:x", "data:image/png,x", "//x", "https://", "https://a b", "x")),
        *(("website", value) for value in ("https://é.example/", "https://[", "https://x/" + "x" * 2_000, 7)),
        *(("birthdate", value) for value in ("2023-02-29", "10.12.1815", "1815-12", "1815-13-01", "1815-12-10 ", 1815)),
        *(("zoneinfo", value) for value in ("../etc", "/UTC", "a/b/c/d", "Europe/", "")),
        *(("locale", value) for value in ("english", "e", "en-", "en GB", "en-GB\n")),
        *(("phone_number", value) for value in ("020 7946 0000", "+", "+44x", "+44" + "1" * 40, "+44 20;ext=")),
        *(("phone_number_verified", value) for value in ("true", 1, "")),
        *(("address", value) for value in ("London", 7, ["London"])),
        *((name, "x") for name in ("email", "sub", "roles", "updated_at", "")),
    ],
)
def test_no_other_is(name: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        changed_profile({}, {name: value})
    assert refused.value.field == f"profile/{name}"


@pytest.mark.parametrize(
    ("member", "value"),
    [("planet", "Earth"), ("country", "G\nB"), ("locality", 7), ("formatted", "\n"), ("region", "")],
)
def test_a_wrong_part_of_an_address_is_named(member: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        changed_profile({}, {"address": {member: value}})
    assert refused.value.field == f"profile/address/{member}"


def test_what_is_left_out_stays_and_none_takes_away() -> None:
    changed = changed_profile(WHOLE, {"name": "A. L.", "gender": None, "address": {"region": None, "country": "UK"}})
    address = {**WHOLE["address"], "country": "UK"}  # type: ignore[dict-item]  # a mapping
    del address["region"]
    kept = {name: value for name, value in WHOLE.items() if name != "gender"}
    assert changed == {**kept, "name": "A. L.", "address": address}
    assert changed_profile({"address": {"country": "GB"}}, {"address": {"country": None}}) == {}
    assert changed_profile(WHOLE, dict.fromkeys(PROFILE_CLAIMS)) == {}


def test_another_telephone_number_is_not_a_verified_one() -> None:
    assert "phone_number_verified" not in changed_profile(WHOLE, {"phone_number": "+1 202 555 0100"})
    assert "phone_number_verified" not in changed_profile(WHOLE, {"phone_number": None})
    assert changed_profile(WHOLE, {"phone_number": WHOLE["phone_number"]}) == WHOLE
    both = changed_profile({}, {"phone_number": "+1 202 555 0100", "phone_number_verified": True})
    assert both["phone_number_verified"] is True
    assert changed_profile({}, {"phone_number_verified": True}) == {}


def a_user(**more: Any) -> User:
    known: dict[str, Any] = {"id": "u", "username": "ada", "email": None, "password_hash": None, "epoch": 1, **more}
    return User(roles=frozenset(), scopes=frozenset(), created_at=clock.now(), **known)


def test_an_address_is_verified_only_while_it_is_the_same() -> None:
    def change(user: User, **more: Any) -> User:
        return changed_user(user, UserChange(**more), Catalogue(), now=clock.now())

    user = change(a_user(email="ada@example.com"), email_verified=True)
    assert user.email_verified_at is not None
    assert change(user, email_verified=True) == user
    assert change(user, email="ada@example.com") == user
    assert change(user, email="other@example.com").email_verified_at is None
    assert change(user, email="other@example.com", email_verified=True).email_verified_at is not None
    assert change(user, email_verified=False).email_verified_at is None
    with pytest.raises(Invalid) as refused:
        change(a_user(), email_verified=True)
    assert refused.value.field == "email_verified"


@anyio
async def test_a_profile_is_kept_and_signs_nobody_out(house: House) -> None:
    ada, now = await add_user(house, "ada", email="ada@example.com"), clock.now()
    tokens = await sign_in(house, ada)
    change = UserChange(profile={"name": "Ada"}, email_verified=True)
    changed = await house.rooms.directory.change(ada.id, change, now=now)
    assert (changed.profile, changed.email_verified_at, changed.epoch) == ({"name": "Ada"}, now, ada.epoch)
    assert await house.rooms.directory.get(ada.id) == changed
    assert (await whoami(house, f"Bearer {tokens.access.token}")).subject == ada.id
    moved = await house.rooms.directory.change(ada.id, UserChange(email="new@example.com"), now=now)
    assert (moved.profile, moved.email_verified_at, moved.epoch) == ({"name": "Ada"}, None, ada.epoch + 1)
    assert await house.rooms.directory.get(ada.id) == moved


@anyio
@pytest.mark.spec("AUTHZ-06")
async def test_nobody_rewrites_a_person_who_may_do_more_than_he(house: House) -> None:
    boss = await add_user(house, "boss", roles=frozenset({"admin"}))
    change = UserChange(profile={"name": "Somebody else"})
    with pytest.raises(BeyondOwnScopes):
        await house.rooms.directory.change(boss.id, change, now=clock.now(), within=frozenset({"admin:users:write"}))
    assert (await house.rooms.directory.get(boss.id)).profile == {}
