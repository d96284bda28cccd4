"""The count in memory: by the hour, within its bound, handed on without a gap."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.usage import OUTCOMES, Key, Sheet
from service.usage.sheet import hour_text

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


class Full:
    times = 0

    def __call__(self) -> None:
        self.times += 1


def a_sheet(clock: Clock | None = None, full: Full | None = None, *, early: int = 1_000, most: int = 50_000) -> Sheet:
    return Sheet(now=clock or Clock(), full=full or Full(), early=early, most=most)


def count(sheet: Sheet, subject: str = "ann", *, times: int = 1, outcome: str = "ok") -> None:
    for _ in range(times):
        sheet.count("user", subject, "gatepost", "", "/users/me", outcome)


def a_key(hour: str = "2026-11-03T12", subject: str = "ann", outcome: str = "ok") -> Key:
    return Key(hour, "user", subject, "gatepost", "", "/users/me", outcome)


def test_requests_that_have_all_in_common_are_one_row() -> None:
    sheet = a_sheet()
    count(sheet, times=3)
    count(sheet, times=2, outcome="refused")
    count(sheet, "bob")
    assert (len(sheet), sheet.requests) == (3, 6)
    assert sheet.take(9) == [(a_key(), 3), (a_key(outcome="refused"), 2), (a_key(subject="bob"), 1)]
    assert (len(sheet), sheet.take(9)) == (0, [])


@pytest.mark.parametrize(
    ("at", "hour"),
    [
        (NOON - SECOND, "2026-11-03T11"),
        (NOON, "2026-11-03T12"),
        (NOON + SECOND, "2026-11-03T12"),
        (NOON + 3_599 * SECOND, "2026-11-03T12"),
        (NOON + 3_600 * SECOND, "2026-11-03T13"),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-11-03T12"),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "2026-12-31T23"),
    ],
)
def test_an_hour_is_one_of_utc_also_when_the_clock_goes_back(at: datetime, hour: str) -> None:
    clock = Clock()
    sheet = a_sheet(clock)
    count(sheet)
    clock.at = at
    count(sheet, times=2)
    clock.at = NOON
    count(sheet)
    found = dict(sheet.take(9))
    assert found.pop(a_key()) == (4 if hour == "2026-11-03T12" else 2)
    assert found == ({} if hour == "2026-11-03T12" else {a_key(hour): 2})
    assert hour_text(at) == hour


def test_what_is_taken_is_taken_and_what_comes_meanwhile_is_a_row_of_its_own() -> None:
    sheet = a_sheet()
    for subject in "dcba":
        count(sheet, subject, times=2)
    first = sheet.take(3)
    assert first == [(a_key(subject=subject), 2) for subject in "bcd"]
    count(sheet, "d")
    assert sheet.take(3) == [(a_key(subject="a"), 2), (a_key(subject="d"), 1)]


def test_past_the_bound_rows_that_are_there_count_on_and_others_are_told_as_dropped() -> None:
    sheet = a_sheet(most=2)
    for subject in "abcab":
        count(sheet, subject)
    count(sheet, "d", times=3)
    assert (len(sheet), sheet.requests, sheet.dropped) == (2, 4, 4)
    sheet.take(1)
    count(sheet, "d")
    assert dict(sheet.take(9)) == {a_key(subject="b"): 2, a_key(subject="d"): 1}
    assert sheet.dropped == 4


def test_it_says_once_each_time_that_many_rows_have_come_together() -> None:
    full = Full()
    sheet = a_sheet(full=full, early=3)
    for expected in (1, 2):
        for subject in "aabb":
            count(sheet, subject)
        assert full.times == expected - 1
        for subject in "cdefabc":
            count(sheet, subject)
        assert full.times == expected
        sheet.take(99)


def test_requests_of_nobody_are_as_many_rows_as_there_are_routes_and_outcomes() -> None:
    sheet = a_sheet()
    for number in range(100_000):
        sheet.count("nobody", "", "", "", "unmatched", OUTCOMES[(200, 404, 401)[number % 3]])
    assert (len(sheet), sheet.requests) == (3, 100_000)


def test_every_status_is_one_of_five_words() -> None:
    said = {status: OUTCOMES[status] for status in (101, 200, 204, 304, 399)}
    assert set(said.values()) == {"ok"}
    assert [OUTCOMES[status] for status in (401, 403)] == ["refused"] * 2
    assert OUTCOMES[429] == "limited"
    assert {OUTCOMES[status] for status in (400, 402, 404, 405, 413, 422, 428, 430, 499)} == {"invalid"}
    assert {OUTCOMES[status] for status in (500, 502, 503, 599)} == {"failed"}
    assert set(OUTCOMES) == {"ok", "refused", "limited", "invalid", "failed"}
