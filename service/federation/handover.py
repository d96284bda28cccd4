"""An account passes to the owner of its address: nothing that opened it before does so any longer (pre-hijacking)."""

from datetime import datetime

from service.accounts.account import User, Users
from service.accounts.directory import EndsSessions
from service.addresses.letter import LetterKind, Letters
from service.api_keys.key import ApiKeys
from service.consents.consent import Consents
from service.federation.identities import Identities
from service.revocation.acts import Act


class HandOver:
    """Ends whatever somebody put into an account before its owner came: password, second factor, sessions and their
    tokens, API keys, consents, other identities, letters on their way, what it told applications. Roles stay: only an
    administrator can have given them, to whoever has the address."""

    def __init__(
        self,
        users: Users,
        ending: EndsSessions,
        keys: ApiKeys,
        consents: Consents,
        letters: Letters,
        identities: Identities,
    ) -> None:
        self._users = users
        self._ending = ending
        self._keys = keys
        self._consents = consents
        self._letters = letters
        self._identities = identities

    async def give(self, act: Act, user: User, *, now: datetime) -> None:
        """As part of the act in which the owner's identity is linked; the account is held by it."""
        why = "the owner of the address has come"
        epoch = await self._users.hand_over(act.tx, user.id, verified_at=now)
        await act.raise_user_epoch(user.id, epoch, why=why)
        await act.raise_secret_epoch(user.id, epoch, why=why)
        await self._ending.end_all_in(act, user.id, why=why, now=now)
        for key_id in await self._keys.revoke_all(act.tx, user_id=user.id, now=now):
            await act.revoke_api_key(key_id, user_id=user.id, why=why)
        await self._consents.remove_all(act.tx, user.id)
        await self._letters.withdraw(act.tx, user.id, LetterKind.CHANGE, LetterKind.VERIFY)
        for linked in await self._identities.of_locked(act.tx, user.id):
            await self._identities.remove(act.tx, linked.id)
