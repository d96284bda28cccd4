"""What a password must be (NIST SP 800-63B-4 §3.1.1.2)."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.accounts.passwords import MAX_LENGTH, PasswordRules, is_presentable, normalize_password
from service.protocol.errors import Invalid

RULES = PasswordRules(minimum=15)
WORDS = "quick foxes jump over the lazy moon "


def refusal(password: str, *, username: str = "alice", email: str | None = None, rules: PasswordRules = RULES) -> str:
    with pytest.raises(Invalid) as refused:
        rules.check(password, username=username, email=email)
    assert refused.value.field == "password"
    return refused.value.rule


@pytest.mark.spec("NIST SP 800-63B-4 §3.1.1.2")
def test_the_lengths_at_the_boundaries() -> None:
    text = (WORDS * 8)[:MAX_LENGTH]
    assert len(text) == MAX_LENGTH
    assert refusal(text[:14]) == "too_short"
    assert RULES.check(text[:15], username="alice", email=None) == text[:15]
    assert RULES.check(text[:64], username="alice", email=None) == text[:64]
    assert RULES.check(text, username="alice", email=None) == text
    assert refusal(text + "x") == "too_long"
    assert refusal("") == "too_short"


def test_characters_are_counted_after_normalisation() -> None:
    decomposed = "e\u0301" * 7 + "quick fo"
    assert len(decomposed) == 22
    assert RULES.check(decomposed, username="alice", email=None) == "é" * 7 + "quick fo"
    assert refusal("e\u0301" * 7 + "quick f") == "too_short"


@pytest.mark.parametrize(
    "password",
    [
        "密码是一个很长很长的句子没有人知道",
        "🔑🔒🗝️ keys of the old house",
        "пароль длиннее пятнадцати",
        "   blanks count   ",
        "nodigitsnocapitals",
        "ß" + WORDS,
    ],
)
def test_any_long_text_is_a_password_without_rules_of_composition(password: str) -> None:
    assert RULES.check(password, username="alice", email=None) == unicodedata.normalize("NFC", password)


@pytest.mark.parametrize("password", ["123456789987654321", "Q1W2E3R4T5Y6U7I8O9P0", "MomsAnalAdventure"])
def test_the_most_used_ones_are_refused_in_any_case(password: str) -> None:
    assert refusal(password) == "common"


@pytest.mark.parametrize("password", ["password", "12345678", "sunshine", "iloveyou"])
def test_a_shorter_minimum_meets_more_of_them(password: str) -> None:
    assert refusal(password, rules=PasswordRules(minimum=8)) == "common"


@pytest.mark.parametrize(
    "password",
    [
        "alexandra.smithson",
        "ALEXANDRA.SMITHSON",
        "alexandra.smithsonalexandra.smithson",
        "a.smithson@example.org",
        "long-company-name.example.org",
    ],
)
def test_ones_own_name_and_address_are_refused(password: str) -> None:
    email = "alexa.smith@long-company-name.example.org" if "company" in password else "a.smithson@example.org"
    assert refusal(password, username="Alexandra.Smithson", email=email) == "personal"


@pytest.mark.spec("LOGIN-09")
@pytest.mark.parametrize(
    "password",
    [
        "alexandra-2026-smithson!",
        "smithson, a. smithson",
        "Alexandra.Smithson1",
        "Smithson sunshine",
    ],
)
def test_a_name_with_little_besides_is_refused(password: str) -> None:
    assert refusal(password, username="Alexandra.Smithson", email="a.smithson@example.org") == "personal"


@pytest.mark.spec("LOGIN-09")
@pytest.mark.parametrize(
    "password", ["gatepost-gatepost", "Gatepost 2026 !!!", "id.company.example", "company+gatepost"]
)
def test_the_name_of_the_service_is_refused(password: str) -> None:
    rules = PasswordRules(minimum=15, service=("gatepost", "id.company.example"))
    assert refusal(password, rules=rules) == "contextual"
    assert rules.check("a gatepost in the fog", username="alice", email=None)


def test_a_name_inside_a_longer_password_does_no_harm() -> None:
    assert RULES.check("alice likes long walks", username="alice", email="alice@example.org")


def test_a_few_characters_again_and_again_are_refused() -> None:
    assert refusal("a" * 20) == "repetitive"
    assert refusal("abAB" * 5) == "repetitive"
    assert RULES.check("abcd" * 5, username="alice", email=None)


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_what_no_hash_takes_is_refused(character: str) -> None:
    assert refusal(WORDS + character) == "unusable"
    assert not is_presentable("secret" + character)


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_normal_form_is_one_for_both_spellings_and_keeps_blanks(text: str) -> None:
    assert normalize_password(unicodedata.normalize("NFD", text)) == normalize_password(text)
    assert normalize_password(text).count(" ") == unicodedata.normalize("NFC", text).count(" ")


@given(st.text(max_size=300))
def test_what_the_policy_takes_can_be_presented(text: str) -> None:
    try:
        normal = PasswordRules(minimum=8).check(text, username="alice", email=None)
    except Invalid:
        return
    assert is_presentable(normal)
    assert normalize_password(normal) == normal
    assert 8 <= len(normal) <= MAX_LENGTH
