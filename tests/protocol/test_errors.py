"""The tree of refusals."""

import re
from collections.abc import Iterator

import pytest

from service.protocol import errors
from service.protocol.errors import InsufficientScope, Invalid, Refusal, StoreUnavailable


def tree(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


@pytest.mark.spec("RFC 6749 §5.2")
@pytest.mark.parametrize("kind", list(tree()))
def test_a_code_and_its_sentence_are_of_the_alphabet_of_oauth(kind: type[Refusal]) -> None:
    assert re.fullmatch(r"[a-z_]+", kind.code)
    assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]+", kind.public)


def test_the_picture_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"^[ │├└─]*?(\w+)(?: {2,}|$)", errors.__doc__ or "", flags=re.MULTILINE)
    assert sorted(drawn) == sorted(kind.__name__ for kind in tree())


def test_what_is_for_the_log_alone_is_not_public() -> None:
    refusal = StoreUnavailable("sql", detail="10.0.0.7 refused the connection")
    assert "10.0.0.7" not in refusal.public
    assert refusal.detail == "sql: 10.0.0.7 refused the connection"
    assert InsufficientScope({"b", "a"}, detail="x").needed == ("a", "b")
    assert Invalid("name", "Too long.").public == "Too long."
