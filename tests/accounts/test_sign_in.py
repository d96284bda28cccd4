"""Sign-in with a password: one answer and one price for every reason to say no."""

import asyncio
import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing

import bcrypt
import pytest
from sqlalchemy import make_url

from service import clock
from service.accounts.account import User
from service.app import House
from service.protocol.errors import InvalidLogin, Refusal
from service.settings import Settings
from tests.rooms import HERE, add_user, counted
from tests.servers.gatepost import PASSWORD
from tests.servers.valkey import ValkeyServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alice(house: House) -> User:
    return await add_user(house, "Alice", email="Alice@Exämple.org")


@pytest.fixture
def hashes_made(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every stored hash that a password was compared with."""
    compared: list[str] = []
    verify = house.passwords._context.verify_and_update

    def noted(password: str, stored: str) -> object:
        compared.append(stored.split("$")[1])
        return verify(password, stored)

    monkeypatch.setattr(house.passwords._context, "verify_and_update", noted)
    return compared


async def refusal(house: House, login: str, password: str) -> Refusal:
    with pytest.raises(InvalidLogin) as refused:
        await house.rooms.sign_in.check(login, password, source=HERE)
    return refused.value


async def test_a_person_signs_in_by_name_or_address_however_they_are_spelled(house: House, alice: User) -> None:
    for login in ("Alice", "alice", "ALICE", "alice@exämple.org", "ALICE@EXA\u0308MPLE.ORG"):
        assert await house.rooms.sign_in.check(login, PASSWORD, source=HERE) == alice
    for other in ("alice ", " alice", "\u0430lice", "alice\u200b", "alice@example.org", "%", "al_ce", ""):
        await refusal(house, other, PASSWORD)


@pytest.mark.spec("LOGIN-08")
async def test_both_spellings_of_one_password_are_right_and_blanks_are_kept(house: House) -> None:
    password = "  élan vital à Zürich  "
    user = await house.rooms.directory.create(
        "alice", unicodedata.normalize("NFD", password), email=None, roles=(), scopes=(), now=clock.now()
    )
    for form in ("NFC", "NFD"):
        assert await house.rooms.sign_in.check("alice", unicodedata.normalize(form, password), source=HERE) == user
    await refusal(house, "alice", password.strip())


@pytest.mark.spec("ENUM-03")
@pytest.mark.spec("LOGIN-10")
async def test_every_reason_to_say_no_answers_and_costs_the_same(house: House, hashes_made: list[str]) -> None:
    await add_user(house, "alice")
    await add_user(house, "disabled", disabled_at=clock.now())
    await add_user(house, "second", second_factor_at=clock.now())
    await add_user(house, "passwordless", password_hash=None)
    tried = [
        ("alice", PASSWORD + "x"),
        ("nobody", PASSWORD),
        ("disabled", PASSWORD),
        ("disabled", "wrong"),
        ("second", PASSWORD),
        ("passwordless", PASSWORD),
        ("no\ud800body", PASSWORD),
    ]
    answers = set()
    for login, password in tried:
        hashes_made.clear()
        refused = await refusal(house, login, password)
        answers.add((type(refused), refused.code, refused.public))
        assert hashes_made == ["argon2id"], login
    assert len(answers) == 1


async def test_a_password_that_nobody_can_have_costs_no_hash_and_no_look_up(
    house: House, alice: User, valkey_server: ValkeyServer, hashes_made: list[str]
) -> None:
    with counted(house, valkey_server) as asked:
        for password in ("", "x\0", PASSWORD + "\0", "\ud800", "x" * 257, "x" * 100_000):
            await refusal(house, "alice", password)
        await refusal(house, "x" * 255, PASSWORD)
    assert (asked.sql, asked.redis, hashes_made) == (0, 0, [])


async def test_a_stored_hash_that_cannot_be_read_is_never_right(house: House) -> None:
    unreadable = ("", "nonsense", "$argon2id$", "$argon2id$v=19$m=1,t=1,p=1$AAAA$", PASSWORD)
    for number, stored in enumerate(unreadable):
        await add_user(house, f"user{number}", password_hash=stored)
        await refusal(house, f"user{number}", PASSWORD)
        await refusal(house, f"user{number}", stored or "x")


def _legacy() -> str:
    return bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


@pytest.mark.spec("LOGIN-11")
async def test_a_hash_of_another_scheme_is_replaced_at_the_next_sign_in(house: House) -> None:
    user = await add_user(house, "alice", password_hash=_legacy())
    await refusal(house, "alice", PASSWORD + "x")
    assert (await house.rooms.directory.get(user.id)).password_hash == user.password_hash
    await house.rooms.sign_in.check("alice", PASSWORD, source=HERE)
    replaced = await house.rooms.directory.get(user.id)
    assert (replaced.password_hash or "").startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert replaced.epoch == user.epoch
    await house.rooms.sign_in.check("alice", PASSWORD, source=HERE)
    assert await house.rooms.directory.get(user.id) == replaced


async def test_a_sign_in_stands_when_the_ledger_cannot_take_the_new_hash(house: House, settings: Settings) -> None:
    user = await add_user(house, "alice", password_hash=_legacy())
    file = make_url(settings.database_url.get_secret_value()).database or ""
    with closing(sqlite3.connect(file, isolation_level=None)) as other_process:
        other_process.execute("BEGIN IMMEDIATE")
        assert await house.rooms.sign_in.check("alice", PASSWORD, source=HERE) == user
        other_process.execute("ROLLBACK")
    await asyncio.sleep(0.3)  # the thread of the connection that was given up comes to its end
    assert (await house.rooms.directory.get(user.id)).password_hash == user.password_hash


@pytest.fixture
def after_the_check(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Run something at the moment when the password has been found right and nothing else has happened."""

    def arrange(happens: Callable[[], object]) -> None:
        verify = house.passwords._context.verify_and_update

        def then(password: str, stored: str) -> object:
            verdict = verify(password, stored)
            happens()
            return verdict

        monkeypatch.setattr(house.passwords._context, "verify_and_update", then)

    return arrange


async def test_a_better_hash_never_undoes_a_racing_change_of_the_password(
    house: House, settings: Settings, after_the_check: Callable[[Callable[[], object]], None]
) -> None:
    user = await add_user(house, "alice", password_hash=_legacy())
    file = make_url(settings.database_url.get_secret_value()).database or ""

    def change() -> None:
        with closing(sqlite3.connect(file)) as other_process:
            other_process.execute("UPDATE users SET password_hash = 'changed' WHERE id = ?", (user.id,))
            other_process.commit()

    after_the_check(change)
    await house.rooms.sign_in.check("alice", PASSWORD, source=HERE)
    assert (await house.rooms.directory.get(user.id)).password_hash == "changed"
