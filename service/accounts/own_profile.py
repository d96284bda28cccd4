"""What people change about themselves: the claims that are theirs to make, and nothing that anything rests on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from service.accounts.account import User, Users
from service.accounts.profile import PROFILE_CLAIMS, changed_profile
from service.audit.event import Event, Kind
from service.protocol.errors import Invalid, NotFound
from service.revocation.acts import Acts

VOUCHED = frozenset({"preferred_username", "phone_number_verified"})
"""What applications take for an administrator's word: a name that signs in, a number that somebody has called."""
OWN_CLAIMS = tuple(name for name in PROFILE_CLAIMS if name not in VOUCHED)


class OwnProfile:
    """Changes the profile of the person who asks."""

    def __init__(self, acts: Acts, users: Users) -> None:
        self._acts = acts
        self._users = users

    async def change(self, user_id: str, change: Mapping[str, object], *, now: datetime) -> User:
        """Put these claims in, take out those that are None; racing changes add up. The person as they are then.

        No credential rests on a profile: nobody is signed out. Raises `Invalid` for `profile/…` where a value or a
        claim is not the person's to give, `NotFound`, `StoreUnavailable`.
        """
        for name in change:
            if name not in OWN_CLAIMS:
                raise Invalid(f"profile/{name}", "This is not yours to say.", rule="unknown_claim")
        async with self._acts.begin(now) as act:
            user = await self._users.find_locked(act.tx, user_id)
            if user is None:
                raise NotFound(public="There is no such user.")
            profile = changed_profile(user.profile, change)
            await self._users.set_profile(act.tx, user_id, profile=profile, email_verified_at=user.email_verified_at)
            await act.note(Event(Kind.PROFILE_CHANGED, subject=user_id, detail={"claims": sorted(change)}))
        return replace(user, profile=profile)
