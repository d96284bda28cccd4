"""`Consents`, kept by SQL."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import insert

from service.consents.consent import Consent
from service.identifiers import new_id
from service.protocol.errors import NotFound
from service.storage.sql import Database, SqlConsents
from service.storage.sql.tables import CONSENTS
from tests.contracts.sql_ground import NOW, SECOND, add_user

pytestmark = pytest.mark.anyio


async def _kept(database: Database, user_id: str, client_id: str = "gp_client_shop", *scopes: str) -> Consent:
    agreed = {"https://b.example/": frozenset(scopes), "": frozenset({"openid"}), "https://a.example/": frozenset()}
    consent = Consent(user_id, client_id, agreed, NOW, NOW)
    async with database.begin() as tx:
        await SqlConsents(database).put(tx, consent)
    return consent


async def test_a_consent_comes_back_as_it_was_kept_and_a_later_one_takes_its_place(
    database: Database, owner_id: str
) -> None:
    consents = SqlConsents(database)
    first = await _kept(database, owner_id, "gp_client_shop", "openid", "orders:read")
    assert await consents.find(owner_id, "gp_client_shop") == first

    later = replace(first, agreed={"": frozenset({"openid"})}, updated_at=NOW + SECOND)
    async with database.begin() as tx:
        await consents.put(tx, later)
        assert await consents.find_in(tx, owner_id, "gp_client_shop") == later

    assert await consents.find(owner_id, "gp_client_shop") == later
    assert await consents.page(user_id=owner_id, after="", limit=9) == [later]


async def test_a_consent_is_one_persons_to_one_client(database: Database, owner_id: str) -> None:
    consents, other = SqlConsents(database), await add_user(database)
    mine, theirs = await _kept(database, owner_id), await _kept(database, other)

    assert await consents.find(owner_id, "gp_client_shop") == mine
    assert await consents.find(other, "gp_client_shop") == theirs
    for user_id, client_id in (
        (owner_id, "GP_CLIENT_SHOP"),
        (owner_id, "gp_client_shop "),
        (owner_id, "gp_client\0"),
        (owner_id, "\ud800"),
        (owner_id.upper() + "x", "gp_client_shop"),
        ("\0", "gp_client_shop"),
        ("\ud800", "gp_client_shop"),
    ):
        assert await consents.find(user_id, client_id) is None
        async with database.begin() as tx:
            assert await consents.find_in(tx, user_id, client_id) is None
            assert not await consents.remove(tx, user_id, client_id)


async def test_pages_are_one_persons_in_order_of_client(database: Database, owner_id: str) -> None:
    consents, other = SqlConsents(database), await add_user(database)
    late = await _kept(database, owner_id, "gp_client_2")
    early = await _kept(database, owner_id, "gp_client_1")
    await _kept(database, other, "gp_client_0")

    assert await consents.page(user_id=owner_id, after="", limit=9) == [early, late]
    assert await consents.page(user_id=owner_id, after="", limit=1) == [early]
    assert await consents.page(user_id=owner_id, after="gp_client_1", limit=9) == [late]
    assert await consents.page(user_id=owner_id, after="gp_client_2", limit=9) == []
    for nobody, after in (("\ud800", ""), (owner_id, "\0")):
        assert await consents.page(user_id=nobody, after=after, limit=9) == ()


async def test_one_that_is_removed_is_gone_and_the_others_stay(database: Database, owner_id: str) -> None:
    consents = SqlConsents(database)
    await _kept(database, owner_id, "gp_client_1")
    left = await _kept(database, owner_id, "gp_client_2")

    async with database.begin() as tx:
        assert await consents.remove(tx, owner_id, "gp_client_1")
        assert not await consents.remove(tx, owner_id, "gp_client_1")

    assert await consents.page(user_id=owner_id, after="", limit=9) == [left]


async def test_nobody_consents_for_somebody_who_is_not_there(database: Database) -> None:
    for nobody in (new_id(), "", "\0", "\ud800"):
        with pytest.raises(NotFound):
            async with database.begin() as tx:
                await SqlConsents(database).find_locked(tx, nobody, "gp_client_shop")


async def test_racing_first_consents_wait_for_each_other(
    database: Database, other_database: Database, owner_id: str
) -> None:
    async def widen(ledger: Database, scope: str) -> None:
        consents = SqlConsents(ledger)
        async with ledger.begin() as tx:
            before = await consents.find_locked(tx, owner_id, "gp_client_shop")
            scopes = frozenset({scope}) if before is None else before.scopes | {scope}
            await consents.put(tx, Consent(owner_id, "gp_client_shop", {"": scopes}, NOW, NOW))

    ledgers = (database, other_database) * 5
    await asyncio.gather(*(widen(ledger, f"s{number}") for number, ledger in enumerate(ledgers)))

    found = await SqlConsents(database).find(owner_id, "gp_client_shop")
    assert found is not None
    assert found.scopes == {f"s{number}" for number in range(len(ledgers))}


async def test_a_row_of_the_version_before_holds_for_the_services_own_resource_alone(
    database: Database, owner_id: str
) -> None:
    values = {"scopes": ["openid"], "audience": ["https://a.example/"], "granted_at": NOW, "updated_at": NOW}
    async with database.begin() as tx:
        await tx.run(insert(CONSENTS).values(user_id=owner_id, client_id="gp_client_old", **values))
    found = await SqlConsents(database).find(owner_id, "gp_client_old")
    assert found is not None
    assert found.covers(["openid"])
    assert not found.covers(["openid"], ["https://a.example/"])
