"""Refresh families in Redis: each step is one Lua script on one slot, by the clock of Redis."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from service.bounded import Bounded
from service.pending import Pending
from service.protocol.errors import StoreUnavailable
from service.sessions.families import Closed, Family, Foreign, Outcome, Repeated, Reused, Rotated, Terms, Unsure
from service.sessions.refresh_token import RefreshToken
from service.storage.redis.keyspace import PREFIX, Keyspace
from service.storage.redis.link import RedisLink
from service.storage.redis.packed import Outline
from service.storage.redis.scripts import CLOSE, FIND, RESTORE, ROTATE
from service.storage.redis.times import for_script, from_micros, span_for_script, to_micros
from service.storage.redis.wire import Reply

_REMEMBERED = 10_000
_SUCCESSORS: Mapping[bytes, type[Rotated | Repeated]] = {b"rotated": Rotated, b"repeated": Repeated}


class _Rotation(NamedTuple):
    """What is asked about one family whenever it is to be rotated on these terms."""

    user_id: str
    terms: Terms
    key: str
    outline: Outline


class RedisRefreshFamilies:
    """Implements `RefreshFamilies`. Nothing is concluded from a key that is absent, of another type or unreadable, nor
    from a family that was last held against SQL in another run of its server, or whose owner's epoch key is gone: all
    of these are `Unsure`, and `restore` writes over what cannot be read."""

    def __init__(self, link: RedisLink, *, prefix: str = PREFIX) -> None:
        self._link = link
        self._keys = Keyspace(prefix)
        self._rotations: Bounded[str, _Rotation] = Bounded()

    async def open(self, family: Family, *, idle: timedelta) -> None:
        """Keep a new family at generation 0, held against SQL in this Redis run."""
        await self.restore(family, generation=0, reached_at=None, idle=idle)

    async def rotate(self, presented: RefreshToken, terms: Terms) -> Outcome:
        """Spend one generation, in one atomic step. It is asked once and never again: a second asking after a lost
        answer would look like reuse."""
        known = self._rotation(presented, terms)
        reply = await self._link.ask(known.key, known.outline.command(presented.generation))
        return _read_outcome(reply, presented, terms.client_id)

    def begin(self, presented: RefreshToken, terms: Terms) -> Pending[Outcome] | None:
        """The same, asked now and answered later. Raises `StoreUnavailable`."""
        known = self._rotation(presented, terms)
        posted = self._link.post(known.key, known.outline, presented.generation)
        if posted is None:
            return None
        return posted.then(lambda reply: _read_outcome(reply, presented, terms.client_id))

    def _rotation(self, presented: RefreshToken, terms: Terms) -> _Rotation:
        """What asks about this family; put together once as long as the terms stay the same."""
        user_id, family_id, _ = presented
        known = self._rotations.get(family_id)
        if known is None or known.terms != terms or known.user_id != user_id:
            key, epoch_key = self._keys.family(user_id, family_id), self._keys.user_epoch(user_id)
            before = ROTATE.command((key, epoch_key), terms.client_id)
            spans = span_for_script(terms.grace), span_for_script(terms.idle)
            known = _Rotation(user_id, terms, key, Outline(before, (terms.epoch, terms.client_epoch, *spans)))
            self._rotations.keep(family_id, known)
        return known

    async def find_generation(self, user_id: str, family_id: str) -> int | None:
        """How far the family has come. What cannot be read is as good as absent: `rotate` would ask SQL too."""
        key = self._keys.family(user_id, family_id)
        reply = await self._link.ask(key, FIND.command((key,)))
        return reply if isinstance(reply, int) else None

    async def restore(self, family: Family, *, generation: int, reached_at: datetime | None, idle: timedelta) -> None:
        """Write what SQL says over the family. The caller has found that it lives: idle counts anew from `reached_at`,
        or from now."""
        key = self._keys.family(family.user_id, family.id)
        command = RESTORE.command(
            (key, self._keys.user_epoch(family.user_id)),
            _pack(family),
            family.client_id,
            for_script(family.ends_at),
            family.epoch,
            family.client_epoch,
            generation,
            "" if reached_at is None else for_script(reached_at),
            span_for_script(idle),
        )
        await self._link.ask(key, command)

    async def close(self, user_id: str, family_id: str, *, until: datetime) -> None:
        """Mark the family as ended until `until` at least, also when it is absent."""
        key = self._keys.family(user_id, family_id)
        await self._link.ask(key, CLOSE.command((key,), for_script(until)))


def _pack(family: Family) -> str:
    parts = [
        to_micros(family.auth_time),
        to_micros(family.ends_at),
        sorted(family.scopes),
        family.amr,
        family.acr,
        family.audience,
    ]
    return json.dumps(parts, separators=(",", ":"))


def _read_outcome(reply: Reply, presented: RefreshToken, client_id: str) -> Outcome:
    if isinstance(reply, list) and reply and reply[0] in _SUCCESSORS:  # to match it below would cost ten times as much
        name, generation, packed, epoch, client_epoch = reply
        family = _unpack(packed, presented.family_id, presented.user_id, client_id, epoch, client_epoch)
        return Unsure("unreadable") if family is None else _SUCCESSORS[name](family, generation)
    match reply:
        case [b"reused", int(current)]:
            return Reused(current)
        case [b"closed"]:
            return Closed()
        case [b"foreign"]:
            return Foreign()
        case [b"unsure", bytes(why)]:
            return Unsure(why.decode())
    raise StoreUnavailable("redis", detail="an answer that the script never gives")


@lru_cache(_REMEMBERED)
def _unpack(
    packed: bytes, family_id: str, user_id: str, client_id: str, epoch: int, client_epoch: int
) -> Family | None:
    """The family that is kept so: the same object as long as nothing about it changes."""
    try:
        auth_time, ends_at, scopes, amr, acr, *since = json.loads(packed.decode())
        return Family(
            id=family_id,
            user_id=user_id,
            client_id=client_id,
            scopes=frozenset(scopes),
            epoch=epoch,
            client_epoch=client_epoch,
            auth_time=from_micros(auth_time),
            amr=tuple(amr),
            acr=acr,
            ends_at=from_micros(ends_at),
            audience=tuple(since[0]) if since else (),  # a family of 0.1 has none
        )
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None  # written by another version of this service
