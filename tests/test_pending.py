"""Steps are taken once each, whichever way they are taken."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar, copy_context

import pytest

from service.pending import Pending

pytestmark = pytest.mark.anyio


class Steps(list[str]):
    """Which steps were taken, in order."""

    def make(self, name: str, *, gives: bool = True, fails: bool = False) -> Callable[[str], str | None]:
        def step(so_far: str) -> str | None:
            self.append(name)
            if fails:
                raise RuntimeError(name)
            return so_far + name if gives else None

        return step

    async def otherwise(self, so_far: str) -> str:
        self.append("otherwise")
        await asyncio.sleep(0)
        return so_far + "!"


@pytest.fixture
def steps() -> Steps:
    return Steps()


def answered(text: str) -> Pending[str]:
    """What a store has said, read."""
    pending: Pending[str] = Pending()
    pending.settle(text)
    return pending


async def test_all_steps_are_taken_at_once(steps: Steps) -> None:
    pending = answered(">").then(steps.make("a"), steps.otherwise).then(steps.make("b"))
    assert pending.at_once() == ">ab"
    assert steps == ["a", "b"]


@pytest.mark.parametrize("way", [{"gives": False}, {"fails": True}])
async def test_what_one_step_cannot_do_at_once_is_done_in_time_and_no_other_step_again(
    steps: Steps, way: dict[str, bool]
) -> None:
    pending = answered(">").then(steps.make("a"))
    pending = pending.then(steps.make("b", **way), steps.otherwise).then(steps.make("c"))
    try:
        assert pending.at_once() is None
    except RuntimeError:
        assert "fails" in way
    assert await pending.in_time() == ">a!c"
    assert steps == ["a", "b", "otherwise", "c"]


async def test_all_can_be_done_in_time(steps: Steps) -> None:
    assert await answered(">").then(steps.make("a"), steps.otherwise).then(steps.make("b")).in_time() == ">!b"
    assert steps == ["otherwise", "b"]


async def test_what_a_step_without_another_way_raises_is_raised_again(steps: Steps) -> None:
    pending = answered(">").then(steps.make("a", fails=True))
    with pytest.raises(RuntimeError):
        pending.at_once()
    with pytest.raises(RuntimeError):
        await pending.in_time()
    assert steps == ["a", "a"]


def test_whoever_waits_is_told_once_however_late_they_come() -> None:
    told: list[str] = []
    pending: Pending[str] = Pending()
    pending.when_settled(lambda: told.append("early"))
    assert told == []
    pending.settle(">")
    assert told == ["early"]
    answered(">").when_settled(lambda: told.append("late"))
    assert told == ["early", "late"]


def test_whoever_waits_is_told_in_the_context_in_which_they_came() -> None:
    place: ContextVar[str] = ContextVar("place", default="nowhere")
    told: list[str] = []
    pending: Pending[str] = Pending()
    for_this = copy_context()
    for_this.run(place.set, "theirs")
    for_this.run(pending.when_settled, lambda: told.append(place.get()))
    copy_context().run(lambda: (place.set("the store's"), pending.settle(">")))
    assert told == ["theirs"]
