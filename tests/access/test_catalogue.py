"""Scopes and roles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access.catalogue import BUILT_IN, EVERYONE, OPENID, Catalogue
from service.protocol.errors import Invalid

CATALOGUE = Catalogue(
    scopes={"orders:read": "See orders"}, roles={"clerk": ["orders:read", "orders:write"], "idle": []}
)
USERS_ADMIN = frozenset({"admin:users:read", "admin:users:write"})


def test_a_person_has_what_everyone_has_their_own_and_their_roles() -> None:
    assert CATALOGUE.effective([], []) == EVERYONE
    assert CATALOGUE.effective(["idle"], []) == EVERYONE
    assert CATALOGUE.effective(["clerk"], ["stock:read"]) == EVERYONE | {"orders:read", "orders:write", "stock:read"}
    assert CATALOGUE.effective(["admin"], []) == frozenset(BUILT_IN)


def test_a_role_that_is_gone_gives_nothing() -> None:
    assert CATALOGUE.effective(["clerk", "gone"], []) == CATALOGUE.effective(["clerk"], [])


def test_every_scope_that_gatepost_knows_is_described() -> None:
    assert BUILT_IN.keys() >= EVERYONE
    assert CATALOGUE.descriptions["orders:read"] == "See orders"
    assert all(CATALOGUE.descriptions[scope] for scope in BUILT_IN)


@pytest.mark.parametrize("scope", ["orders:read", "*", "admin", "administrator:x", "a" * 128, "!", "admin:users:read"])
def test_a_well_formed_scope_may_be_granted(scope: str) -> None:
    assert CATALOGUE.checked_scopes([scope]) == {scope}


def test_what_anybody_may_tell_of_themselves_is_described_and_may_be_handed_out_by_all_but_is_no_right() -> None:
    assert OPENID.keys() == {"openid", "profile", "email", "phone", "address", "offline_access"}
    assert OPENID.items() <= CATALOGUE.descriptions.items()
    assert CATALOGUE.covers(frozenset({"orders:read"}), frozenset(OPENID) | {"orders:read"})
    assert not CATALOGUE.covers(frozenset({"orders:read"}), frozenset(OPENID) | {"orders:write"})
    assert not CATALOGUE.effective(["admin"], []) & OPENID.keys()


@pytest.mark.spec("RFC 6749 §3.3")
@pytest.mark.parametrize("scope", ["", " ", "a b", "a\tb", 'a"b', "a\\b", "a\x00", "ä", "a\n", "a" * 129])
def test_a_malformed_scope_may_not_be_granted(scope: str) -> None:
    with pytest.raises(Invalid) as refused:
        CATALOGUE.checked_scopes(["orders:read", scope])
    assert refused.value.field == "scopes"


@pytest.mark.parametrize("scope", ["admin:", "admin:user:read", "account:delete", "revocations:write", "admin:*"])
def test_a_typing_error_in_a_name_of_our_own_is_caught(scope: str) -> None:
    with pytest.raises(Invalid) as refused:
        CATALOGUE.checked_scopes([scope])
    assert refused.value.rule == "unknown_scope"
    assert scope in refused.value.public


def test_an_unknown_role_is_refused_with_the_roles_that_there_are() -> None:
    assert CATALOGUE.checked_roles(["clerk", "admin"]) == {"clerk", "admin"}
    with pytest.raises(Invalid) as refused:
        CATALOGUE.checked_roles(["clerk", "Clerk"])
    assert refused.value.field == "roles"
    assert refused.value.public == "The roles are: admin, clerk, idle."


@pytest.mark.spec("AUTHZ-06")
@pytest.mark.parametrize(
    ("held", "wanted", "covered"),
    [
        (USERS_ADMIN, frozenset(), True),
        (USERS_ADMIN, EVERYONE, True),
        (USERS_ADMIN, USERS_ADMIN, True),
        (USERS_ADMIN, USERS_ADMIN | {"admin:keys:write"}, False),
        (USERS_ADMIN, {"orders:read"}, False),
        (USERS_ADMIN | {"orders:read"}, {"orders:read"}, True),
        (frozenset(BUILT_IN), {"orders:read", "anything"}, True),
        (frozenset(BUILT_IN) - {"revocations:read"}, {"orders:read"}, False),
        (frozenset(BUILT_IN) - {"account:read"}, {"orders:read"}, False),
        (frozenset({"admin:*"}), {"admin:keys:read"}, False),
        (frozenset({"orders:read:all"}), {"orders:read"}, False),
    ],
)
def test_nobody_hands_out_more_than_they_have(held: frozenset[str], wanted: frozenset[str], covered: bool) -> None:
    assert CATALOGUE.covers(held, frozenset(wanted)) is covered


@given(
    held=st.frozensets(st.sampled_from([*BUILT_IN, "orders:read", "x"])),
    wanted=st.frozensets(st.sampled_from([*BUILT_IN, "orders:read", "x"])),
)
def test_what_is_handed_out_was_held_unless_all_of_gatepost_is(held: frozenset[str], wanted: frozenset[str]) -> None:
    if CATALOGUE.covers(held, wanted):
        assert held >= BUILT_IN.keys() or wanted <= held | EVERYONE
