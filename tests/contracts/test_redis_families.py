"""What one family promises, over one server and over a cluster: the table of rotation, and what ends a family."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.sessions.families import Closed, Foreign, Repeated, Reused, Rotated, Unsure
from service.storage.redis import RedisLink, RedisRefreshFamilies
from service.storage.redis.keyspace import CLOSED_FOR, MARGIN, Keyspace
from tests.contracts.redis_ground import GRACE, IDLE, LIFE, Held, make_family, peek

pytestmark = pytest.mark.anyio
SOON = timedelta(seconds=1)


@pytest.fixture
async def held(redis_backend: str, link: RedisLink) -> AsyncIterator[Held]:
    """A new family at generation 0."""
    raw = peek(redis_backend)
    yield await Held(RedisRefreshFamilies(link), raw).open()
    raw.close()


@pytest.mark.spec("RFC 9700 §4.14.2")
async def test_the_current_generation_is_spent_for_its_successor(held: Held) -> None:
    for generation in range(5):
        assert await held.present(generation) == Rotated(held.family, generation + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"scopes": frozenset(), "amr": (), "acr": "urn:mace:incommon:iap:silver"},
        {"auth_time": datetime(1970, 1, 1, tzinfo=UTC), "epoch": 0, "client_epoch": 0},
        {"auth_time": datetime(2026, 2, 28, 23, 59, 59, 999_999, UTC), "epoch": 2**53 - 1, "client_epoch": 2**53 - 1},
        {"ends_at": datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC), "client_id": "läden{1}:f:x"},
        {"scopes": frozenset(f"scope:{n}" for n in range(500))},
    ],
)
async def test_what_was_kept_comes_back_exactly(held: Held, changes: dict[str, Any]) -> None:
    held.family = make_family(**changes)
    await held.open()
    assert await held.present(0) == Rotated(held.family, 1)


async def test_the_previous_generation_inside_the_grace_window_gets_the_same_successor(held: Held) -> None:
    await held.advance(3)
    before = held.stored(), held.raw.pexpiretime(held.key)
    for _ in range(3):
        assert await held.present(2) == Repeated(held.family, 3)
    assert (held.stored(), held.raw.pexpiretime(held.key)) == before
    assert await held.present(3) == Rotated(held.family, 4)


@pytest.mark.parametrize(("past", "inside"), [(-SOON, True), (timedelta(0), False), (SOON, False)])
async def test_the_grace_window_has_an_end(held: Held, past: timedelta, inside: bool) -> None:
    await held.advance(1)
    held.age("t", GRACE + past)
    assert await held.present(0) == (Repeated(held.family, 1) if inside else Reused(1))


async def test_a_clock_that_was_set_back_does_not_stretch_the_grace_window(held: Held) -> None:
    await held.advance(1)
    held.age("t", -timedelta(minutes=10))  # rotated ten minutes ahead of what the clock says now
    assert await held.present(0) == Reused(1)


@pytest.mark.spec("RFC 9700 §4.14.2")
@pytest.mark.parametrize("older", range(11))
async def test_any_older_generation_is_reuse_and_ends_the_family(held: Held, older: int) -> None:
    await held.advance(12)
    assert await held.present(older) == Reused(12)
    assert await held.present(12) == Closed()
    assert await held.present(13) == Closed()
    assert await held.present(older) == Reused(12)


async def test_without_grace_the_previous_generation_is_reuse_at_once(held: Held) -> None:
    assert await held.present(0, grace=timedelta(0)) == Rotated(held.family, 1)
    assert await held.present(0, grace=timedelta(0)) == Reused(1)
    assert await held.present(1, grace=timedelta(0)) == Closed()


async def test_reuse_ends_no_other_family_of_the_user(held: Held) -> None:
    other = Held(held.store, held.raw, make_family(user_id=held.family.user_id))
    await other.open()
    await held.advance(2)
    assert await held.present(0) == Reused(2)
    assert await other.present(0) == Rotated(other.family, 1)


async def test_a_family_ended_by_reuse_stays_marked_until_its_tokens_are_dead(held: Held) -> None:
    await held.advance(2)
    await held.present(0)
    assert held.goes_at() >= held.family.ends_at + MARGIN
    assert held.goes_at() <= held.family.ends_at + MARGIN + SOON


async def test_a_family_ended_on_its_last_day_stays_marked_for_a_day(held: Held) -> None:
    held.family = make_family(ends_at=datetime.now(UTC) + timedelta(minutes=1))
    await held.open()
    await held.advance(2)
    await held.present(0)
    assert abs(held.goes_at() - datetime.now(UTC) - CLOSED_FOR - MARGIN) < SOON


async def test_a_generation_ahead_is_left_to_sql(held: Held) -> None:
    await held.advance(2)
    before = held.stored()
    for generation in (3, 4, 2**32 - 2):
        assert await held.present(generation) == Unsure("ahead")
    assert held.stored() == before
    await held.restore(7)
    assert await held.present(7) == Rotated(held.family, 8)


async def test_a_family_that_is_absent_is_left_to_sql(held: Held) -> None:
    held.family = make_family()
    assert await held.present(0) == Unsure("absent")
    assert held.raw.exists(held.key) == 0
    assert held.raw.exists(held.epoch_key) == 0


@pytest.mark.spec("RFC 6749 §10.4")
@pytest.mark.parametrize("generation", [0, 1, 2, 3])
async def test_another_client_changes_nothing(held: Held, generation: int) -> None:
    await held.advance(2)
    held.age("t", GRACE)
    before = held.stored(), held.raw.pexpiretime(held.key)
    assert await held.present(generation, client_id="gp_client_other") == Foreign()
    assert (held.stored(), held.raw.pexpiretime(held.key)) == before
    assert await held.present(2) == Rotated(held.family, 3)


async def test_another_client_learns_nothing_of_a_family_that_has_ended(held: Held) -> None:
    await held.store.close(held.family.user_id, held.family.id, until=held.family.ends_at)
    assert await held.present(0, client_id="gp_client_other") == Foreign()


@pytest.mark.parametrize("newer", [{"epoch": 4}, {"client_epoch": 6}])
async def test_a_newer_epoch_that_the_caller_knows_of_sends_to_sql(held: Held, newer: dict[str, int]) -> None:
    await held.advance(1)
    assert await held.present(1, epoch=3, client_epoch=5) == Rotated(held.family, 2)
    before = held.stored()
    assert await held.present(2, **newer) == Unsure("stale")
    assert held.stored() == before
    await held.restore(0, **newer)
    outcome = await held.present(2, **newer)
    assert isinstance(outcome, Rotated)
    assert (outcome.generation, outcome.family.epoch, outcome.family.client_epoch) == (
        3,
        newer.get("epoch", 3),
        newer.get("client_epoch", 5),
    )


async def test_a_newer_epoch_that_redis_knows_of_sends_to_sql(held: Held) -> None:
    held.raw.set(held.epoch_key, 4)
    assert await held.present(0) == Unsure("stale")
    await held.restore(0)  # by somebody who read SQL before the epoch was raised
    assert await held.present(0) == Unsure("stale")
    assert held.raw.get(held.epoch_key) == b"4"
    await held.restore(0, epoch=4)
    assert isinstance(await held.present(0), Rotated)


async def test_an_epoch_key_that_was_lost_sends_to_sql(held: Held) -> None:
    held.raw.delete(held.epoch_key)
    assert await held.present(0) == Unsure("stale")
    await held.restore(0)
    assert await held.present(0) == Rotated(held.family, 1)


async def test_the_epoch_key_outlives_every_family_of_the_user(held: Held) -> None:
    for life in (timedelta(days=90), timedelta(days=3)):
        other = Held(held.store, held.raw, make_family(user_id=held.family.user_id, ends_at=datetime.now(UTC) + life))
        await other.open()
        await other.present(0, idle=timedelta(days=365))
        assert held.goes_at(held.epoch_key) > datetime.now(UTC) + timedelta(days=90) + MARGIN
        assert held.goes_at(held.epoch_key) > other.goes_at()


async def test_rotation_moves_the_idle_end_and_never_the_absolute_one(held: Held) -> None:
    held.age("i", IDLE / 2)
    await held.present(0)
    assert abs(held.instant("i") - datetime.now(UTC) - IDLE) < SOON
    assert held.instant("a") == held.family.ends_at
    assert abs(held.goes_at() - datetime.now(UTC) - IDLE - MARGIN) < SOON


async def test_an_idle_end_past_the_absolute_one_does_not_move_it(held: Held) -> None:
    assert await held.present(0, idle=LIFE * 2) == Rotated(held.family, 1)
    assert held.instant("a") == held.family.ends_at
    assert abs(held.goes_at() - held.family.ends_at - MARGIN) < SOON


@pytest.mark.parametrize(("left", "alive"), [(SOON, True), (timedelta(0), False), (-SOON, False)])
@pytest.mark.parametrize("end", ["idle", "absolute"])
async def test_past_its_idle_or_absolute_end_a_family_has_ended(
    held: Held, end: str, left: timedelta, alive: bool
) -> None:
    if end == "idle":
        held.age("i", IDLE - left)
    else:
        held.family = make_family(ends_at=datetime.now(UTC) + left)
        await held.open()
    assert await held.present(0) == (Rotated(held.family, 1) if alive else Closed())


async def test_a_closed_family_is_never_opened_again(held: Held) -> None:
    await held.advance(2)
    await held.store.close(held.family.user_id, held.family.id, until=held.family.ends_at)
    for generation in (2, 1, 3, 2**32 - 2):  # 1 is a late answer to somebody who just signed out, not reuse
        assert await held.present(generation) == Closed()
    assert await held.present(0) == Reused(2)
    await held.restore(9, reached_at=datetime.now(UTC))
    await held.open()
    for generation in (2, 9):
        assert await held.present(generation) == Closed()


async def test_a_family_closed_while_it_was_absent_is_not_opened_either(held: Held) -> None:
    held.family = make_family()
    await held.store.close(held.family.user_id, held.family.id, until=held.family.ends_at)
    await held.restore(0)
    assert await held.present(0) == Closed()


@pytest.mark.parametrize("until", [-LIFE, timedelta(hours=1), LIFE * 2])
async def test_a_closed_family_stays_marked_as_long_as_anybody_asks(held: Held, until: timedelta) -> None:
    now = datetime.now(UTC)
    await held.store.close(held.family.user_id, held.family.id, until=now + until)
    expected = max(now + until, held.family.ends_at) + MARGIN
    assert abs(held.goes_at() - expected) < SOON
    await held.store.close(held.family.user_id, held.family.id, until=now)
    assert abs(held.goes_at() - expected) < SOON


async def test_a_family_closed_while_absent_stays_marked_for_a_day_at_least(held: Held) -> None:
    held.family = make_family()
    await held.store.close(held.family.user_id, held.family.id, until=datetime.now(UTC))
    assert abs(held.goes_at() - datetime.now(UTC) - CLOSED_FOR - MARGIN) < SOON


async def test_restoring_never_lowers_the_generation(held: Held) -> None:
    await held.advance(6)
    await held.restore(4, reached_at=datetime.now(UTC) - timedelta(hours=1))
    assert await held.present(5) == Repeated(held.family, 6)  # the window of generation 6 is still its own
    assert await held.present(6) == Rotated(held.family, 7)


async def test_restoring_keeps_the_grace_window_that_sql_knows_of(held: Held) -> None:
    held.raw.delete(held.key)
    await held.restore(4, reached_at=datetime.now(UTC) - GRACE / 2)
    assert await held.present(3) == Repeated(held.family, 4)


@pytest.mark.parametrize("age", [None, GRACE + SOON])
async def test_restoring_opens_no_grace_window_of_its_own(held: Held, age: timedelta | None) -> None:
    held.raw.delete(held.key)
    await held.restore(4, reached_at=age and datetime.now(UTC) - age)
    assert await held.present(3) == Reused(4)


async def test_restoring_does_not_shorten_the_idle_end(held: Held) -> None:
    await held.advance(1)
    await held.restore(1, reached_at=datetime.now(UTC) - IDLE / 2)
    assert abs(held.instant("i") - datetime.now(UTC) - IDLE) < SOON


async def test_restoring_counts_idle_from_when_the_generation_was_reached(held: Held) -> None:
    held.raw.delete(held.key)
    await held.restore(4, reached_at=datetime.now(UTC) - IDLE / 2)
    assert abs(held.instant("i") - datetime.now(UTC) - IDLE / 2) < SOON


async def test_two_prefixes_on_one_redis_know_nothing_of_each_other(held: Held, link: RedisLink) -> None:
    elsewhere = Held(RedisRefreshFamilies(link, prefix="other:"), held.raw, held.family)
    assert await elsewhere.present(0) == Unsure("absent")
    await elsewhere.store.close(held.family.user_id, held.family.id, until=held.family.ends_at)
    assert await held.present(0) == Rotated(held.family, 1)


@pytest.mark.parametrize("prefix", ["gp{:", "}gp:"])
def test_a_prefix_that_would_move_the_hash_tag_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="braces"):
        Keyspace(prefix)
