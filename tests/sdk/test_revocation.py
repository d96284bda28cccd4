"""The revocation set: exact, only growing until entries expire, indifferent to order and repetition."""

from datetime import timedelta
from itertools import permutations

import pytest

from gatepost.revocation import Revocation, RevocationKind, RevocationSet
from tests.sdk.forge import NOW

HOUR = timedelta(hours=1)
NAMED = [RevocationKind.TOKEN, RevocationKind.SESSION, RevocationKind.API_KEY, RevocationKind.SIGNING_KEY]


@pytest.mark.parametrize("kind", NAMED)
def test_a_named_entry_is_found_under_its_own_kind_alone(kind: RevocationKind) -> None:
    known = RevocationSet()
    assert known.add(Revocation(kind, "x", NOW + HOUR))
    assert [other for other in NAMED if known.has(other, "x")] == [kind]
    assert not known.has(kind, "y")


def test_an_entry_that_comes_twice_tells_nothing_new() -> None:
    known = RevocationSet()
    assert known.add(Revocation(RevocationKind.TOKEN, "x", NOW + HOUR))
    assert not known.add(Revocation(RevocationKind.TOKEN, "x", NOW + HOUR))
    assert (known.version, len(known)) == (1, 1)


@pytest.mark.parametrize("kind", [RevocationKind.USER, RevocationKind.CLIENT])
def test_the_highest_epoch_and_the_latest_end_count_in_any_order(kind: RevocationKind) -> None:
    entries = [Revocation(kind, "x", NOW + HOUR * hours, epoch) for epoch, hours in ((2, 3), (5, 1), (3, 2))]
    for order in permutations(entries):
        known = RevocationSet()
        known.add_all(order)
        epoch = known.user_epoch if kind is RevocationKind.USER else known.client_epoch
        assert epoch("x") == 5
        assert known.drop_expired(NOW + HOUR * 3) == 0
        assert epoch("x") == 5


def test_the_latest_end_of_a_named_entry_counts() -> None:
    for order in permutations([NOW + HOUR, NOW + HOUR * 2]):
        known = RevocationSet()
        known.add_all(Revocation(RevocationKind.TOKEN, "x", until) for until in order)
        assert known.drop_expired(NOW + HOUR * 2) == 0
        assert known.has(RevocationKind.TOKEN, "x")


@pytest.mark.parametrize(("seconds", "left"), [(-1, 3), (0, 3), (1, 0)])
def test_entries_are_dropped_once_their_end_has_passed(seconds: int, left: int) -> None:
    known = RevocationSet()
    known.add(Revocation(RevocationKind.TOKEN, "x", NOW))
    known.add(Revocation(RevocationKind.USER, "x", NOW, 2))
    known.add(Revocation(RevocationKind.SECRET, "x", NOW, 2))
    version = known.version
    assert known.drop_expired(NOW + timedelta(seconds=seconds)) == 3 - left
    assert len(known) == left
    assert known.version == version


def test_a_changed_secret_does_not_revoke_tokens() -> None:
    known = RevocationSet()
    known.add(Revocation(RevocationKind.SECRET, "alice", NOW, 2))
    assert known.secret_epoch("alice") == 2
    assert known.user_epoch("alice") == 0
