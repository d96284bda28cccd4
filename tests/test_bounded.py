"""What is remembered has an end."""

from service.bounded import Bounded


def test_what_was_put_in_first_is_forgotten_first() -> None:
    memory = Bounded[int, str](2)
    for number in range(4):
        memory.keep(number, str(number))
    assert dict(memory) == {2: "2", 3: "3"}


def test_what_is_kept_again_takes_nobodys_place() -> None:
    memory = Bounded[str, int](2)
    memory.keep("a", 1)
    memory.keep("b", 2)
    memory.keep("a", 3)
    assert dict(memory) == {"a": 3, "b": 2}


def test_ten_thousand_is_the_bound_when_none_is_given() -> None:
    memory = Bounded[int, None]()
    for number in range(10_001):
        memory.keep(number, None)
    assert len(memory) == 10_000
    assert 0 not in memory
