"""Ids as text and as bytes."""

from uuid import UUID, uuid4

import pytest

from service.identifiers import new_id, packed_id, unpacked_id


def test_ids_sort_by_the_time_of_their_making_and_are_packed_without_loss() -> None:
    made = [new_id() for _ in range(100)]
    assert made == sorted(set(made))
    for text in [*made, str(uuid4()), str(UUID(int=0)), str(UUID(int=2**128 - 1))]:
        assert packed_id(text) == UUID(text).bytes
        assert unpacked_id(packed_id(text)) == text


@pytest.mark.parametrize("text", ["", "a", "0" * 32, str(UUID(int=0)) + "0", "00000000-0000-0000-0000-00000000000G"])
def test_what_is_no_id_is_not_packed(text: str) -> None:
    with pytest.raises(ValueError, match=r"id|hex"):
        packed_id(text)
    with pytest.raises(ValueError, match=r"id|hex"):
        packed_id(new_id().upper())
