"""The principal is one frozen value that gives away nothing it was not asked for."""

import dataclasses

import pytest

from gatepost.principal import Principal

ALICE = Principal(subject="alice", kind="user", scheme="bearer", scopes=frozenset({"orders:read"}))


def test_what_is_lacking_is_told_exactly() -> None:
    assert ALICE.lacks(["orders:read", "orders:write"]) == {"orders:write"}
    assert ALICE.lacks(["orders:read:all", "orders"]) == {"orders:read:all", "orders"}
    assert ALICE.lacks([]) == frozenset()


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ALICE.subject = "root"  # type: ignore[misc]  # the point of the test
    with pytest.raises(TypeError):
        ALICE.claims["admin"] = True  # type: ignore[index]  # the point of the test


def test_its_claims_do_not_show_in_logs() -> None:
    assert "secret" not in repr(dataclasses.replace(ALICE, claims={"note": "secret"}))
