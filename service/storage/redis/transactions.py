"""Sign-ins that are under way at other services, in Redis: sealed, and given out once."""

import json
from datetime import datetime, timedelta

from service.crypto.sealing import Sealer, Unsealable
from service.federation.transaction import Transaction
from service.storage.redis.keyspace import PREFIX, Keyspace
from service.storage.redis.link import RedisLink


class RedisTransactions:
    """Keeps `Transactions`. What is absent or unreadable leads nowhere."""

    def __init__(self, link: RedisLink, sealer: Sealer, *, prefix: str = PREFIX) -> None:
        self._link = link
        self._sealer = sealer
        self._keys = Keyspace(prefix)

    async def keep(self, key: str, transaction: Transaction, *, life: timedelta) -> None:
        """See `Transactions.keep`."""
        place = self._keys.transaction(key)
        sealed = self._sealer.seal(_pack(transaction), place=place)
        await self._link.ask(place, ("SET", place, sealed, "PX", life // timedelta(milliseconds=1)))

    async def take(self, key: str) -> Transaction | None:
        """See `Transactions.take`. One command: the losers of a race find nothing."""
        place = self._keys.transaction(key)
        sealed = await self._link.ask(place, ("GETDEL", place))
        if not isinstance(sealed, bytes):
            return None
        try:
            return _unpack(self._sealer.open(sealed, place=place))
        except (Unsealable, ValueError, TypeError):
            return None


def _pack(transaction: Transaction) -> bytes:
    age = transaction.max_age
    parts = [
        transaction.provider,
        transaction.redirect_uri,
        transaction.nonce,
        transaction.code_verifier,
        transaction.started_at.isoformat(),
        transaction.fresh,
        None if age is None else age.total_seconds(),
        transaction.carried,
        transaction.links_to,
        transaction.asked_in,
    ]
    return json.dumps(parts).encode()


def _unpack(packed: bytes) -> Transaction:
    provider, uri, nonce, verifier, started_at, fresh, age, carried, links_to, session = json.loads(packed)
    max_age = None if age is None else timedelta(seconds=age)
    return Transaction(
        provider, uri, nonce, verifier, datetime.fromisoformat(started_at), fresh, max_age, carried, links_to, session
    )
