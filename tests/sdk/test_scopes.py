"""The grammar of scopes."""

import pytest

from gatepost.scopes import MAX_SCOPE_LENGTH, MAX_SCOPES, ScopeSyntaxError, format_scope, is_scope, parse_scope


@pytest.mark.spec("RFC 6749 §3.3")
@pytest.mark.parametrize(
    ("text", "scopes"),
    [
        ("", ()),
        ("a", ("a",)),
        ("b a", ("b", "a")),
        ("a a b", ("a", "b")),
        ("orders:read !#[]~", ("orders:read", "!#[]~")),
    ],
)
def test_a_scope_string_is_split_at_single_spaces(text: str, scopes: tuple[str, ...]) -> None:
    assert parse_scope(text) == scopes


@pytest.mark.parametrize(
    "text", [" ", " a", "a ", "a  b", "a\tb", "a\nb", "a\x00", 'a"b', "a\\b", "ü", "a\x7f", "a\u00a0b"]
)
def test_a_malformed_scope_string_is_refused(text: str) -> None:
    with pytest.raises(ScopeSyntaxError):
        parse_scope(text)


@pytest.mark.parametrize(("count", "good"), [(MAX_SCOPES, True), (MAX_SCOPES + 1, False)])
def test_the_number_of_scopes_is_bounded(count: int, good: bool) -> None:
    text = " ".join(f"s{number}" for number in range(count))
    if good:
        assert len(parse_scope(text)) == count
    else:
        with pytest.raises(ScopeSyntaxError):
            parse_scope(text)


@pytest.mark.parametrize(("length", "good"), [(MAX_SCOPE_LENGTH, True), (MAX_SCOPE_LENGTH + 1, False)])
def test_the_length_of_a_scope_is_bounded(length: int, good: bool) -> None:
    assert is_scope("s" * length) is good


def test_equal_sets_print_alike() -> None:
    assert format_scope({"b", "a"}) == format_scope(["a", "b"]) == "a b"
    assert format_scope(()) == ""
