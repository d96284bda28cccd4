"""`Users` and `SetupLinks`, kept by SQL."""

import asyncio
from dataclasses import replace

import pytest

from service.accounts.account import User
from service.accounts.names import login_key
from service.protocol.errors import Conflict, NotFound
from service.storage.sql import Database, SqlSetupLinks, SqlUsers
from tests.contracts.sql_ground import DAY, NOW, SECOND, a_user

pytestmark = pytest.mark.anyio


async def _kept(database: Database, user: User) -> User:
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, user)
    return user


@pytest.mark.parametrize(
    "user",
    [
        a_user(),
        a_user(email=None, password_hash=None, roles=frozenset(), scopes=frozenset()),
        a_user(
            epoch=2**40,
            disabled_at=NOW + SECOND,
            second_factor_at=NOW - DAY,
            email="Ζωή@παράδειγμα.ελ",
            email_verified_at=NOW,
            profile={"name": "Ζωή", "address": {"country": "GR"}, "phone_number_verified": True},
        ),
    ],
    ids=["plain", "empty", "full"],
)
async def test_a_user_comes_back_as_it_was_kept(database: Database, user: User) -> None:
    await _kept(database, user)

    assert await SqlUsers(database).find(user.id) == user


ODD_TEXTS = {
    "empty": "",
    "unknown": "nobody",
    "long": "x" * 100_000,
    "NUL": "a\0b",
    "surrogate": "\ud800",
    "quote": "'; DROP TABLE users; --",
    "wildcard": "%",
}


@pytest.mark.parametrize("user_id", ODD_TEXTS.values(), ids=ODD_TEXTS)
async def test_any_text_may_be_asked_for_as_an_id_a_login_a_search_or_a_page(database: Database, user_id: str) -> None:
    users = SqlUsers(database)
    await _kept(database, a_user())

    assert await users.find(user_id) is None
    assert await users.find_by_login(user_id) is None
    assert len(await users.page(search="", after=user_id, limit=9)) <= 1
    assert len(await users.page(search=user_id, after="", limit=9)) == (user_id == "")


async def test_a_person_is_found_by_name_and_by_address_however_they_are_spelled(database: Database) -> None:
    users = SqlUsers(database)
    ann = await _kept(database, a_user(username="Ann.Lee", email="Ann.Lee@Straße.example"))
    await _kept(database, a_user())

    for typed in ("ann.lee", "ANN.LEE", "ann.lee@STRASSE.example", "Ann.Lee@straße.EXAMPLE"):
        assert await users.find_by_login(login_key(typed)) == ann
    for typed in ("ann", "ann.lee@strasse", "ann_lee", "lee"):
        assert await users.find_by_login(login_key(typed)) is None


@pytest.mark.parametrize("taken", [{"username": "ANN"}, {"email": "ANN@example.org"}, {"id": "the-same"}])
async def test_a_taken_name_address_or_id_is_a_conflict_that_leaves_the_first(
    database: Database, taken: dict[str, str]
) -> None:
    users = SqlUsers(database)
    ann = await _kept(database, a_user(id="the-same", username="ann", email="ann@example.org"))

    with pytest.raises(Conflict):
        await _kept(database, a_user(**taken))

    assert await users.page(search="", after="", limit=9) == [ann]


async def test_of_racing_people_one_gets_the_name(database: Database, other_database: Database) -> None:
    async def try_to_be_ann(ledger: Database) -> bool:
        try:
            await _kept(ledger, a_user(username="ann"))
        except Conflict:
            return False
        return True

    won = await asyncio.gather(*(try_to_be_ann(ledger) for ledger in (database, other_database) * 10))

    assert sum(won) == 1
    assert len(await SqlUsers(database).page(search="ann", after="", limit=9)) == 1


async def test_pages_go_through_all_people_in_order_of_id(database: Database) -> None:
    users = SqlUsers(database)
    ids = ["0-digit", "Z-capital", "_-underscore", "a-small", "é-accent"]
    for user_id in reversed(ids):
        await _kept(database, a_user(id=user_id))

    seen, after = [], ""
    while page := await users.page(search="", after=after, limit=2):
        assert len(page) <= 2
        seen += [user.id for user in page]
        after = seen[-1]

    assert seen == ids, "compared byte by byte, on both databases"


async def test_a_search_looks_in_names_and_addresses_and_takes_no_character_as_special(database: Database) -> None:
    users = SqlUsers(database)
    ann = await _kept(database, a_user(username="ann_lee", email="Straße@one.example"))
    bob = await _kept(database, a_user(username="bonXlee", email=None))

    async def found(search: str) -> list[str]:
        return [user.username for user in await users.page(search=search, after="", limit=9)]

    assert await found("LEE") == [ann.username, bob.username]
    assert await found("n_l") == [ann.username]
    assert await found("STRASSE") == [ann.username]
    assert await found("%") == await found("/") == await found("n%l") == []
    assert [user.id for user in await users.page(search="lee", after=ann.id, limit=9)] == [bob.id]


async def test_a_change_writes_all_four_and_raises_the_epoch(database: Database) -> None:
    users = SqlUsers(database)
    ann = await _kept(database, a_user())
    changed = replace(
        ann, roles=frozenset({"admin"}), scopes=frozenset(), email="new@example.org", disabled_at=NOW, epoch=2
    )

    async with database.begin() as tx:
        epoch = await users.change(
            tx, ann.id, roles=changed.roles, scopes=changed.scopes, email=changed.email, disabled_at=changed.disabled_at
        )

    assert epoch == 2
    assert await users.find(ann.id) == changed
    assert await users.find_by_login("new@example.org") == changed
    assert await users.find_by_login(login_key(ann.email or "")) is None


async def test_a_change_to_a_taken_address_is_a_conflict(database: Database) -> None:
    users = SqlUsers(database)
    ann, bob = await _kept(database, a_user(email="ann@example.org")), await _kept(database, a_user())

    with pytest.raises(Conflict):
        async with database.begin() as tx:
            await users.change(
                tx, bob.id, roles=bob.roles, scopes=bob.scopes, email="ANN@example.org", disabled_at=None
            )

    assert await users.find(bob.id) == bob
    assert await users.find(ann.id) == ann


async def test_a_profile_is_replaced_and_no_credential_is_looked_at_anew(database: Database) -> None:
    ann, bob = await _kept(database, a_user(profile={"gender": "x"})), await _kept(database, a_user())
    profile = {"name": "Ζωή", "address": {"formatted": "a\nb"}, "phone_number_verified": True}

    async with database.begin() as tx:
        await SqlUsers(database).set_profile(tx, ann.id, profile=profile, email_verified_at=NOW)

    assert await SqlUsers(database).find(ann.id) == replace(ann, profile=profile, email_verified_at=NOW)
    assert await SqlUsers(database).find(bob.id) == bob


async def test_changing_nobody_is_not_found(database: Database) -> None:
    users = SqlUsers(database)

    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await users.set_password(tx, "nobody", "hash")
    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await users.change(tx, "nobody", roles=frozenset(), scopes=frozenset(), email=None, disabled_at=None)


async def test_racing_passwords_each_raise_the_epoch(database: Database, other_database: Database) -> None:
    ann = await _kept(database, a_user())

    async def set_one(ledger: Database, number: int) -> int:
        async with ledger.begin() as tx:
            return await SqlUsers(ledger).set_password(tx, ann.id, f"hash {number}")

    epochs = await asyncio.gather(*(set_one((database, other_database)[n % 2], n) for n in range(20)))

    assert sorted(epochs) == list(range(2, 22))
    assert (await SqlUsers(database).find(ann.id)) is not None


async def test_a_locked_account_is_held_still_so_that_no_racing_change_is_lost(
    database: Database, other_database: Database
) -> None:
    ann = await _kept(database, a_user(scopes=frozenset()))
    bob = await _kept(database, a_user(roles=frozenset({"admin"}), scopes=frozenset()))

    async def grant(ledger: Database, user_id: str, scope: str) -> None:
        users = SqlUsers(ledger)
        async with ledger.begin() as tx:
            found = await users.find_locked(tx, user_id)
            assert found is not None
            await users.change(
                tx,
                user_id,
                roles=found.roles,
                scopes=found.scopes | {scope},
                email=found.email,
                disabled_at=found.disabled_at,
            )

    wanted = [f"scope:{number}" for number in range(8)]
    await asyncio.gather(
        *(
            grant((database, other_database)[number % 2], user.id, scope)
            for number, scope in enumerate(wanted)
            for user in (ann, bob)
        )
    )

    for user in (ann, bob):
        found = await SqlUsers(database).find(user.id)
        assert found == replace(user, scopes=frozenset(wanted), epoch=9)
    async with database.begin() as tx:
        assert await SqlUsers(database).find_locked(tx, "nobody") is None
        assert await SqlUsers(database).find_locked(tx, "a\0b") is None


@pytest.mark.parametrize("held_by", ["is_current", "find_locked"])
async def test_an_account_that_is_held_stays_as_it_is_until_the_transaction_ends(
    database: Database, other_database: Database, held_by: str
) -> None:
    users, ann = SqlUsers(database), await _kept(database, a_user())
    steps: list[str] = []

    async def change_meanwhile() -> None:
        async with other_database.begin() as tx:
            await SqlUsers(other_database).set_password(tx, ann.id, "new")
            steps.append("changed")

    async with database.begin() as tx:
        if held_by == "find_locked":
            assert await users.find_locked(tx, ann.id) == ann
        else:
            assert await users.is_current(tx, ann.id, 1)
        assert not await users.is_current(tx, ann.id, 2)
        assert not await users.is_current(tx, "nobody", 1)
        changing = asyncio.create_task(change_meanwhile())
        await asyncio.sleep(0.1)
        steps.append("held")
    await changing

    assert steps == ["held", "changed"]
    async with database.begin() as tx:
        assert not await users.is_current(tx, ann.id, 1)


async def test_a_better_hash_is_kept_only_while_the_old_one_is_there(database: Database) -> None:
    users = SqlUsers(database)
    ann = await _kept(database, a_user(password_hash="old"))

    await users.rehash(ann.id, old="old", new="better")
    assert await users.find(ann.id) == replace(ann, password_hash="better")

    await users.rehash(ann.id, old="old", new="too late")
    await users.rehash("nobody", old="old", new="too late")
    assert await users.find(ann.id) == replace(ann, password_hash="better")


async def test_only_enabled_administrators_count(database: Database) -> None:
    users = SqlUsers(database)
    await _kept(database, a_user(roles=frozenset({"admin"}), disabled_at=NOW))
    await _kept(database, a_user(roles=frozenset({"administrator"})))
    assert not await users.has_any_admin()

    await _kept(database, a_user(roles=frozenset({"admin", "user"})))

    assert await users.has_any_admin()
    async with database.begin() as tx:
        assert await users.count_active_admins(tx) == 1


@pytest.mark.parametrize("looked_first", [True, False])
async def test_racing_demotions_leave_one_administrator(
    database: Database, other_database: Database, looked_first: bool
) -> None:
    admins = [await _kept(database, a_user(roles=frozenset({"admin"}))) for _ in range(6)]

    async def demote(ledger: Database, admin: User) -> bool:
        users = SqlUsers(ledger)
        try:
            async with ledger.begin() as tx:
                if looked_first:
                    assert await users.find_locked(tx, admin.id) == admin
                await users.change(
                    tx, admin.id, roles=frozenset(), scopes=frozenset(), email=admin.email, disabled_at=None
                )
                await asyncio.sleep(0.01)  # so that all are under way before the first commits
                if await users.count_active_admins(tx) == 0:
                    raise Conflict
        except Conflict:
            return False
        return True

    done = await asyncio.gather(
        *(demote((database, other_database)[n % 2], admin) for n, admin in enumerate(reversed(admins)))
    )

    assert sorted(done) == [False, True, True, True, True, True]
    async with database.begin() as tx:
        assert await SqlUsers(database).count_active_admins(tx) == 1


async def test_a_setup_link_lives_until_its_end_and_looking_uses_nothing_up(database: Database) -> None:
    links = SqlSetupLinks(database)
    async with database.begin() as tx:
        await links.add(tx, b"\0link\xff", expires_at=NOW)

    for _ in range(2):
        assert await links.is_live(b"\0link\xff", now=NOW - SECOND)
    assert not await links.is_live(b"\0link\xff", now=NOW)
    assert not await links.is_live(b"another", now=NOW - SECOND)
    async with database.begin() as tx:
        assert not await links.take(tx, b"\0link\xff", now=NOW)
        assert not await links.take(tx, b"another", now=NOW - SECOND)
        assert await links.take(tx, b"\0link\xff", now=NOW - SECOND)
    assert not await links.is_live(b"\0link\xff", now=NOW - SECOND)


async def test_of_racing_takers_one_gets_the_link(database: Database, other_database: Database) -> None:
    async with database.begin() as tx:
        await SqlSetupLinks(database).add(tx, b"link", expires_at=NOW)

    async def take(ledger: Database) -> bool:
        async with ledger.begin() as tx:
            return await SqlSetupLinks(ledger).take(tx, b"link", now=NOW - SECOND)

    assert sum(await asyncio.gather(*(take(ledger) for ledger in (database, other_database) * 10))) == 1
