"""How many sessions one person may have, and which end when there are more: those that nobody has used for longest."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

AT_ONCE = 50
"""So many end with one sign-in at most: thousands from before there was a bound become fewer step by step."""


@dataclass(frozen=True, slots=True)
class Living:
    """What counts of a living session when there are too many."""

    id: str
    parent_id: str | None
    offline: bool
    last_used_at: datetime


def crowded_out(living: Sequence[Living], *, at_most: int, keep: Collection[str]) -> list[str]:
    """The ids of those that end so that `at_most` are left, longest unused first; never one of `keep`.

    A hosted sign-in is used as long as what was granted in it is, and ends after that: no session of an application
    ends here because of another one.
    """
    used = {one.id: one.last_used_at for one in living}
    for one in living:
        if one.parent_id in used and not one.offline:
            used[one.parent_id] = max(used[one.parent_id], one.last_used_at)
    parents = {one.parent_id for one in living}
    in_order = sorted(living, key=lambda one: (used[one.id], one.id in parents, one.id))
    surplus = min(len(living) - at_most, AT_ONCE)
    return [one.id for one in in_order if one.id not in keep][: max(0, surplus)]
