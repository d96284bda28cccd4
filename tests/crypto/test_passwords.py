"""The slow hash: its parameters, and the gate that keeps it from taking the service along."""

import asyncio
import time
from collections.abc import Iterator

import bcrypt
import pytest

from service.accounts.account import Verdict
from service.crypto.passwords import Argon2Passwords
from service.protocol.errors import TooBusy
from tests.rooms import password_hash
from tests.servers.gatepost import PASSWORD

pytestmark = pytest.mark.anyio


@pytest.fixture
def gate() -> Iterator[Argon2Passwords]:
    """Two at once, three more may wait."""
    passwords = Argon2Passwords(threads=2, waiting=3)
    yield passwords
    passwords.close()


async def test_a_new_hash_is_argon2id_of_the_stated_cost_and_salted(gate: Argon2Passwords) -> None:
    made = {await gate.hash(PASSWORD) for _ in range(2)}
    assert len(made) == 2
    for text in made:
        assert text.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert await gate.verify(PASSWORD, text) == Verdict(right=True)
        assert await gate.verify(PASSWORD + " ", text) == Verdict(right=False)


async def test_nobody_is_never_right(gate: Argon2Passwords) -> None:
    for password in (PASSWORD, "", gate._nobody):
        assert await gate.verify(password, None) == Verdict(right=False)


@pytest.mark.parametrize("scheme", ["bcrypt", "pbkdf2_sha256", "scrypt", "argon2"])
async def test_a_hash_brought_from_elsewhere_is_read_and_gets_a_replacement(gate: Argon2Passwords, scheme: str) -> None:
    cheap = {
        "bcrypt": {"rounds": 4},
        "pbkdf2_sha256": {"rounds": 1000},
        "scrypt": {"rounds": 4},
        "argon2": {"rounds": 1},
    }
    stored = gate._context.handler(scheme).using(**cheap[scheme]).hash(PASSWORD)
    verdict = await gate.verify(PASSWORD, stored)
    assert verdict.right
    assert verdict.replacement is not None
    assert verdict.replacement.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await gate.verify(PASSWORD + "x", stored) == Verdict(right=False)


async def test_bcrypts_limit_of_72_bytes_is_a_wrong_password_and_no_crash(gate: Argon2Passwords) -> None:
    stored = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    assert (await gate.verify("x" * 72, stored)).right
    assert not (await gate.verify("x" * 73, stored)).right
    assert not (await gate.verify("x\0", stored)).right


async def test_more_than_may_wait_are_told_so_at_once(gate: Argon2Passwords) -> None:
    began = time.perf_counter()
    outcomes = await asyncio.gather(
        *(gate.verify(PASSWORD, password_hash()) for _ in range(12)), return_exceptions=True
    )
    took = time.perf_counter() - began
    busy = [outcome for outcome in outcomes if isinstance(outcome, TooBusy)]
    assert len(busy) == 12 - 5
    assert [outcome for outcome in outcomes if outcome == Verdict(right=True)] == outcomes[:5]
    assert busy[0].retry_after.total_seconds() == 1
    assert took < 2
    assert (await gate.verify(PASSWORD, password_hash())).right


async def test_no_more_than_the_stated_number_run_at_once(gate: Argon2Passwords) -> None:
    running, most = 0, 0
    verify = gate._context.verify_and_update

    def watched(password: str, stored: str) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return verify(password, stored)
        finally:
            running -= 1

    gate._context.verify_and_update = watched
    await asyncio.gather(*(gate.verify(PASSWORD, password_hash()) for _ in range(5)))
    assert most == 2


async def test_a_caller_who_leaves_takes_no_place_along(gate: Argon2Passwords) -> None:
    for _ in range(2):
        leaving = [asyncio.create_task(gate.verify(PASSWORD, password_hash())) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(TooBusy):
            await gate.hash(PASSWORD)  # the work goes on although nobody waits for it
        for task in leaving:
            task.cancel()
        assert all(
            isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*leaving, return_exceptions=True)
        )
        with pytest.raises(TooBusy):
            await gate.hash(PASSWORD)
        while gate._free < 5:
            await asyncio.sleep(0.01)
    assert gate._free == 5


async def test_the_event_loop_goes_on_while_passwords_are_hashed(gate: Argon2Passwords) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    beating = asyncio.create_task(beat())
    for _ in range(2):
        await asyncio.gather(*(gate.verify(PASSWORD, password_hash()) for _ in range(5)))
    beating.cancel()
    assert beats > 3 * 10  # on the loop itself there would be one beat for each hash at most
