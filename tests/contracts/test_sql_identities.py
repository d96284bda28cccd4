"""`Identities` and `StoredProviders`, kept by SQL, and what leaves an account when its owner comes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from service.addresses import Letter
from service.addresses.letter import LetterKind
from service.crypto.sealing import Sealer
from service.crypto.secret import RootSecret
from service.federation.directory import StoredProvider
from service.federation.identities import LinkedIdentity
from service.federation.provider import ProviderConfig, UpstreamTokens
from service.identifiers import new_id
from service.protocol.errors import Conflict, NotFound
from service.storage.sql import (
    Database,
    SqlApiKeys,
    SqlConsents,
    SqlIdentities,
    SqlIdentityProviders,
    SqlLetters,
    SqlUsers,
)
from service.storage.sql.tables import IDENTITIES, IDENTITY_PROVIDERS
from tests.contracts.sql_ground import DAY, NOW, SECOND, a_user, add_user, an_api_key
from tests.contracts.test_sql_consents import _kept as keep_consent

pytestmark = pytest.mark.anyio
SEALER = Sealer([RootSecret(bytes(range(32)))])
OTHER_SEALER = Sealer([RootSecret(bytes(range(1, 33)))])
TOKENS = UpstreamTokens("access-Ünïcode", "refresh-secret", NOW + DAY, "read user:email")


def an_identity(user_id: str, **changed: Any) -> LinkedIdentity:
    identity = LinkedIdentity(
        id=new_id(),
        issuer="https://id.example",
        subject=new_id(),
        user_id=user_id,
        provider="acme",
        account="Zoë@example.org",
        linked_at=NOW,
        last_used_at=NOW,
    )
    return replace(identity, **changed)


async def link(database: Database, identity: LinkedIdentity) -> LinkedIdentity:
    async with database.begin() as tx:
        await SqlIdentities(database, SEALER).add(tx, identity)
    return identity


async def find(database: Database, issuer: str, subject: str) -> LinkedIdentity | None:
    async with database.begin() as tx:
        return await SqlIdentities(database, SEALER).find(tx, issuer, subject)


@pytest.mark.spec("OIDC Core §5.7")
async def test_an_identity_is_issuer_and_subject_compared_exactly(database: Database, owner_id: str) -> None:
    kept = await link(database, an_identity(owner_id, subject="Abc"))
    elsewhere = await link(database, an_identity(owner_id, issuer="https://id.example/", subject="Abc"))

    assert await find(database, "https://id.example", "Abc") == kept
    assert await find(database, "https://id.example/", "Abc") == elsewhere
    for issuer, subject in (
        ("https://id.example", "abc"),
        ("https://ID.example", "Abc"),
        ("https://id.example", "Abc "),
        ("https://id.example", "A\0bc"),
        ("\ud800", "Abc"),
        ("", ""),
    ):
        assert await find(database, issuer, subject) is None


async def test_of_racing_links_of_one_identity_one_is_made(database: Database, other_database: Database) -> None:
    users = [await add_user(database) for _ in range(8)]

    async def race(number: int) -> bool:
        try:
            await link((database, other_database)[number % 2], an_identity(users[number], subject="one"))
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*(race(number) for number in range(8)))) == 1


async def test_identities_are_listed_in_the_order_of_their_links_and_are_one_accounts(
    database: Database, owner_id: str
) -> None:
    later = await link(database, an_identity(owner_id, linked_at=NOW + SECOND))
    first = await link(database, an_identity(owner_id))
    await link(database, an_identity(await add_user(database)))
    identities = SqlIdentities(database, SEALER)

    assert await identities.of(owner_id) == [first, later]
    assert await identities.of("\0") == ()
    async with database.begin() as tx:
        assert await identities.of_locked(tx, owner_id) == [first, later]
        await identities.remove(tx, first.id)
        assert await identities.of_locked(tx, owner_id) == [later]
        await identities.use(tx, later.id, provider="other", account="zoe", at=NOW + DAY)
    assert await identities.of(owner_id) == [
        replace(later, provider="other", account="zoe", last_used_at=NOW + DAY),
    ]


async def test_an_identity_of_nobody_cannot_be_linked(database: Database) -> None:
    with pytest.raises(NotFound):
        await link(database, an_identity(new_id()))


async def test_kept_tokens_are_sealed_are_the_owners_and_go_with_the_identity(
    database: Database, owner_id: str
) -> None:
    identities = SqlIdentities(database, SEALER)
    kept, other = await link(database, an_identity(owner_id)), await link(database, an_identity(owner_id))
    assert await identities.find_tokens(kept.id, user_id=owner_id) is None
    async with database.begin() as tx:
        await identities.keep_tokens(tx, kept.id, TOKENS)
        bare = UpstreamTokens("access")
        await identities.keep_tokens(tx, other.id, bare)

    assert await identities.find_tokens(kept.id, user_id=owner_id) == (kept, TOKENS)
    assert await identities.find_tokens(other.id, user_id=owner_id) == (other, bare)
    assert await identities.find_tokens(kept.id, user_id=await add_user(database)) is None
    assert await identities.find_tokens("\ud800", user_id=owner_id) is None
    assert await SqlIdentities(database, OTHER_SEALER).find_tokens(kept.id, user_id=owner_id) is None
    rows = await database.fetch_all(select(IDENTITIES.c.tokens))
    assert not any(part in row.tokens for row in rows for part in (b"access", b"refresh-secret"))

    async with database.begin() as tx:
        await identities.keep_tokens(tx, kept.id, None)
    assert await identities.find_tokens(kept.id, user_id=owner_id) is None


async def test_sealed_tokens_of_one_identity_are_no_other_identitys(database: Database, owner_id: str) -> None:
    identities = SqlIdentities(database, SEALER)
    kept, other = await link(database, an_identity(owner_id)), await link(database, an_identity(owner_id))
    async with database.begin() as tx:
        await identities.keep_tokens(tx, kept.id, TOKENS)
        [row] = (await tx.run(select(IDENTITIES.c.tokens).where(IDENTITIES.c.id == kept.id))).all()
        await tx.run(IDENTITIES.update().where(IDENTITIES.c.id == other.id).values(tokens=row.tokens))
    assert await identities.find_tokens(other.id, user_id=owner_id) is None


def a_provider(name: str = "acme", **changed: Any) -> StoredProvider:
    config = ProviderConfig(
        name=name,
        kind="oidc",
        client_id="client-1",
        client_secret="sécret-of-ours",
        issuer="https://id.example",
        label="Acme",
        scopes=("openid", "email"),
        trusts_email=False,
        keeps_tokens=True,
    )
    return StoredProvider(replace(config, **changed), NOW)


async def test_a_provider_comes_back_as_it_was_kept_and_its_secret_lies_sealed(database: Database) -> None:
    providers = SqlIdentityProviders(database, SEALER)
    one, two = a_provider("b-two", trusts_email=True, keeps_tokens=False), a_provider("a-one", client_secret="")
    async with database.begin() as tx:
        await providers.add(tx, one)
        await providers.add(tx, two)

    assert await providers.all() == [two, one]
    assert await providers.find("b-two") == one
    assert (await providers.find("B-TWO"), await providers.find("\0")) == (None, None)
    for row in await database.fetch_all(select(IDENTITY_PROVIDERS.c.sealed_secret)):
        assert "sécret-of-ours".encode() not in row.sealed_secret
    assert await SqlIdentityProviders(database, OTHER_SEALER).all() == []


async def test_a_provider_is_replaced_and_removed_by_its_name(database: Database) -> None:
    providers = SqlIdentityProviders(database, SEALER)
    async with database.begin() as tx:
        await providers.add(tx, a_provider())
    with pytest.raises(Conflict):
        async with database.begin() as tx:
            await providers.add(tx, a_provider())

    changed = replace(a_provider(client_secret="another", label="New"), disabled_at=NOW + SECOND)
    async with database.begin() as tx:
        await providers.replace(tx, changed)
    assert await providers.all() == [changed]
    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await providers.replace(tx, a_provider("nobody"))

    async with database.begin() as tx:
        assert [await providers.remove(tx, name) for name in ("acme", "acme", "\0")] == [True, False, False]
    assert await providers.all() == []


async def test_of_racing_changes_of_one_provider_none_is_lost(database: Database, other_database: Database) -> None:
    stores = [SqlIdentityProviders(one, SEALER) for one in (database, other_database)]
    async with database.begin() as tx:
        await stores[0].add(tx, a_provider())
        assert (await stores[0].find_locked(tx, "nobody"), await stores[0].find_locked(tx, "\0")) == (None, None)

    async def append(which: int, scope: str) -> None:
        async with (database, other_database)[which].begin() as tx:
            held = await stores[which].find_locked(tx, "acme")
            assert held is not None
            more = replace(held.config, scopes=(*held.config.scopes, scope))
            await stores[which].replace(tx, replace(held, config=more))

    scopes = [f"s{number}" for number in range(6)]
    await asyncio.gather(*(append(number % 2, scope) for number, scope in enumerate(scopes)))
    found = await stores[0].find("acme")
    assert found is not None
    assert {*found.config.scopes} >= {*scopes}


@pytest.mark.spec("SOC-09")
async def test_what_opened_an_account_leaves_it_when_it_is_handed_over_and_no_other_account(
    database: Database, owner_id: str
) -> None:
    user = a_user(second_factor_at=NOW, profile={"name": "Mallory"})
    keys, consents, letters = SqlApiKeys(database), SqlConsents(database), SqlLetters(database)
    async with database.begin() as tx:
        await SqlUsers(database).add(tx, user)
    mine, theirs = an_api_key(user.id), an_api_key(owner_id)
    await keep_consent(database, user.id)
    consent = await keep_consent(database, owner_id)
    change, other, notice = (
        Letter.now(kind, f"{number}@example.org", locale="en", at=NOW, user_id=whose)
        for number, (kind, whose) in enumerate(
            [
                (LetterKind.CHANGE, user.id),
                (LetterKind.CHANGE, owner_id),
                (LetterKind.PASSWORD_CHANGED, user.id),
            ]
        )
    )
    async with database.begin() as tx:
        for key in (mine, theirs):
            await keys.add(tx, key, at_most=9)
        for letter in (change, other, notice):
            await letters.post(tx, letter)
    async with database.begin() as tx:
        epoch = await SqlUsers(database).hand_over(tx, user.id, verified_at=NOW + SECOND)
        revoked = await keys.revoke_all(tx, user_id=user.id, now=NOW)
        again = await keys.revoke_all(tx, user_id=user.id, now=NOW)
        await consents.remove_all(tx, user.id)
        await letters.withdraw(tx, user.id, LetterKind.CHANGE, LetterKind.VERIFY)

    bare = replace(user, password_hash=None, second_factor_at=None, profile={}, epoch=epoch)
    assert await SqlUsers(database).find(user.id) == replace(bare, email_verified_at=NOW + SECOND)
    assert (epoch, revoked, again) == (user.epoch + 1, [mine.id], [])
    assert (
        await keys.page(user_id=user.id, after="", limit=9),
        len(await keys.page(user_id=owner_id, after="", limit=9)),
    ) == ([], 1)
    assert await consents.page(user_id=user.id, after="", limit=9) == []
    assert await consents.page(user_id=owner_id, after="", limit=9) == [consent]
    assert {letter.id for letter in await letters.due(now=NOW, limit=9)} == {other.id, notice.id}
    with pytest.raises(NotFound):
        async with database.begin() as tx:
            await SqlUsers(database).hand_over(tx, new_id(), verified_at=NOW)
