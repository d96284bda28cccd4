"""Values that are made once of each object."""

from service.web.once import OncePerObject


def test_a_value_is_made_once_of_each_object_even_of_equal_ones() -> None:
    made: list[list[int]] = []
    once = OncePerObject[list[int], list[int]](lambda of: made.append(of) or [*of])  # type: ignore[func-returns-value]  # append gives None, on purpose
    first, equal = [1], [1]
    assert once(first) is once(first)
    assert once(first) is not once(equal)
    assert len(made) == 2


def test_the_oldest_are_forgotten_and_no_new_object_gets_the_value_of_an_old_one() -> None:
    once = OncePerObject[list[int], int](lambda of: of[0])
    kept = [[number] for number in range(10_000 + 10)]
    assert [once(one) for one in kept] == list(range(10_000 + 10))
    assert len(once._made) == 10_000
    assert [once([number]) for number in range(2 * 10_000)] == list(range(2 * 10_000))  # ids come again
