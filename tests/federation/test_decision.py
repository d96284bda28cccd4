"""Who somebody is here who has proven an identity elsewhere: the whole table."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from service.accounts.account import User
from service.federation.decision import Outcome, decide, proven_address
from service.federation.newcomer import new_account
from service.federation.provider import Identity, ProviderConfig

NOW = datetime(2026, 11, 3, 8, 15, 30, tzinfo=UTC)
ADA = User("u1", "ada", "ada@example.org", "$hash", frozenset(), frozenset(), 1, NOW)
BOB = replace(ADA, id="u2", username="bob")
PROVEN = replace(ADA, email_verified_at=NOW)
CONFIG = ProviderConfig("acme", "oidc", "c", "s", "https://id.example", "Acme", ("openid",))


@pytest.mark.parametrize(
    ("owner", "holder", "commands", "links_to", "outcomes"),
    [
        (ADA, None, False, None, (Outcome.SIGN_IN, Outcome.SIGN_IN)),
        (replace(ADA, disabled_at=NOW), None, False, None, (Outcome.NO_ACCOUNT, Outcome.NO_ACCOUNT)),
        (replace(ADA, second_factor_at=NOW), None, False, None, (Outcome.NO_ACCOUNT, Outcome.NO_ACCOUNT)),
        (ADA, None, False, "u1", (Outcome.NOTHING, Outcome.NOTHING)),
        (ADA, None, False, "u2", (Outcome.LINKED_ELSEWHERE, Outcome.LINKED_ELSEWHERE)),
        (None, None, False, "u2", (Outcome.LINK, Outcome.LINK)),
        (None, PROVEN, False, None, (Outcome.SIGN_IN_FIRST, Outcome.SIGN_IN_FIRST)),
        (None, ADA, True, None, (Outcome.SIGN_IN_FIRST, Outcome.SIGN_IN_FIRST)),
        (None, replace(ADA, second_factor_at=NOW), False, None, (Outcome.SIGN_IN_FIRST, Outcome.SIGN_IN_FIRST)),
        (None, replace(ADA, disabled_at=NOW), False, None, (Outcome.NO_ACCOUNT, Outcome.NO_ACCOUNT)),
        (None, ADA, False, None, (Outcome.TAKE_OVER, Outcome.TAKE_OVER)),
        (None, None, False, None, (Outcome.REGISTER, Outcome.NO_ACCOUNT)),
    ],
)
def test_every_row_of_the_table_where_everybody_may_register_and_where_nobody_may(
    owner: User | None, holder: User | None, commands: bool, links_to: str | None, outcomes: tuple[Outcome, Outcome]
) -> None:
    found = tuple(
        decide(owner=owner, holder=holder, holder_commands=commands, links_to=links_to, is_open=is_open)
        for is_open in (True, False)
    )
    assert found == outcomes


@pytest.mark.spec("SOC-06")
def test_an_address_counts_when_it_is_verified_and_the_provider_is_believed() -> None:
    verified = Identity("https://id.example", "1", "ada@example.org", True)
    assert proven_address(verified, CONFIG) == "ada@example.org"
    assert proven_address(replace(verified, email_verified=False), CONFIG) is None
    assert proven_address(verified, replace(CONFIG, trusts_email=False)) is None
    assert proven_address(replace(verified, email=None), CONFIG) is None


@pytest.mark.parametrize(
    ("told", "address", "username"),
    [
        ({"username": "octo-cat"}, "x@example.org", "octo-cat"),
        ({"username": "Zoë  Müller"}, None, "Zoe.Muller"),
        ({"username": "gp_client_x"}, "ada.l@example.org", "ada.l"),
        ({"username": "\u0430dmin"}, None, "dmin"),
        ({"name": "Ada Lovelace"}, "\u00fc@example.org", "u"),
        ({"name": "Ada Lovelace"}, None, "Ada.Lovelace"),
        ({"username": "a" * 99}, None, "a" * 48),
    ],
)
def test_a_newcomer_has_a_name_of_the_kind_that_everybody_has(
    told: dict[str, str], address: str | None, username: str
) -> None:
    identity = Identity("https://id.example", "1", **told)
    user = new_account(identity, address, roles=frozenset({"clerk"}), again=False, now=NOW)
    assert (user.username, user.email, user.password_hash, user.roles) == (username, address, None, {"clerk"})
    assert user.email_verified_at == (NOW if address else None)

    again = new_account(identity, address, roles=frozenset(), again=True, now=NOW)
    assert again.username.startswith(f"{username}-")
    assert again.username != username


def test_a_newcomer_of_whom_nothing_usable_is_told_has_a_name_all_the_same() -> None:
    identity = Identity("https://id.example", "1", username="\u2764", name="  ", picture="javascript:alert(1)")
    one, two = (new_account(identity, None, roles=frozenset(), again=False, now=NOW) for _ in range(2))
    assert one.username.startswith("user-")
    assert one.username != two.username
    assert one.profile == {}
