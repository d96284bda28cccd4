"""Revocations in Redis: the blacklist, the epochs, and the stream by which every worker learns of them at once."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import lru_cache, partial

from gatepost.revocation import Revocable, Revocation, RevocationKind
from service.pending import Pending
from service.protocol.errors import StoreUnavailable
from service.revocation.entry import Entry, Recorded
from service.storage.redis.keyspace import MARGIN, PREFIX, STREAM_LENGTH, Keyspace
from service.storage.redis.link import RedisLink
from service.storage.redis.packed import Questions
from service.storage.redis.scripts import APPEND, CLOSE, RAISE, Command
from service.storage.redis.times import for_script, from_micros, to_micros
from service.storage.redis.wire import Reply

_BATCH = 200
_BLOCK = timedelta(milliseconds=900)
_BLOCK_PATIENCE = timedelta(milliseconds=1_800)
_READ = 1_000
_START = (0, 0)
_REMEMBERED = 10_000

Position = tuple[int, int]
"""An id of the stream: milliseconds and a number within them."""


class RedisRevocationEngine:
    """Implements `RevocationEngine`. One `tail` at a time: the place in the stream is kept from one to the next."""

    def __init__(self, link: RedisLink, *, prefix: str = PREFIX) -> None:
        self._link = link
        self._keys = Keyspace(prefix)
        self._position: Position | None = None
        self._questions = lru_cache(_REMEMBERED)(self._put_together)

    async def push(self, recorded: Sequence[Recorded]) -> None:
        """Make each entry effective and append it to the stream, a batch in one round trip."""
        for start in range(0, len(recorded), _BATCH):
            batch = recorded[start : start + _BATCH]
            questions = [question for item in batch for question in self._effects(item.entry)]
            stream = self._keys.stream
            questions.append((stream, APPEND.command((stream,), STREAM_LENGTH, *map(_pack, batch))))
            await self._link.ask_all(questions)

    def tail(self) -> AsyncIterator[Sequence[Recorded]]:
        """Entries as they are appended: from the first call on, later calls go on where the last one stopped."""
        return self._tail()

    async def is_revoked(self, token: Revocable) -> bool:
        """Whether Redis says so, in one round trip of each server asked."""
        return _is_revoked(token, await self._link.ask_all(self._asked_about(token).asked))

    def begin(self, token: Revocable) -> Pending[bool] | None:
        """The same, asked now and answered later, where one server has all that is asked for."""
        posted = self._link.post_all(self._asked_about(token))
        return None if posted is None else posted.then(partial(_is_revoked, token))

    def _asked_about(self, token: Revocable) -> Questions:
        return self._questions(token.subject, token.client_id, token.jti, token.session_id)

    def _put_together(self, owner: str, client_id: str, jti: str, session_id: str | None) -> Questions:
        user_epoch_key, client_epoch_key = self._keys.user_epoch(owner), self._keys.client_epoch(client_id)
        named = [self._keys.blacklist(owner, RevocationKind.TOKEN, jti)]
        if session_id is not None:
            named.append(self._keys.blacklist(owner, RevocationKind.SESSION, session_id))
        return Questions(
            (user_epoch_key, ("GET", user_epoch_key)),
            (client_epoch_key, ("GET", client_epoch_key)),
            (named[0], ("EXISTS", *named)),
        )

    def _effects(self, entry: Entry) -> list[tuple[str, Command]]:
        revocation, owner = entry.revocation, entry.owner
        until = for_script(revocation.until)
        if revocation.kind is RevocationKind.USER:
            key = self._keys.user_epoch(revocation.subject)
            return [(key, RAISE.command((key,), revocation.epoch, until))]
        if revocation.kind is RevocationKind.CLIENT:
            key = self._keys.client_epoch(revocation.subject)
            return [(key, RAISE.command((key,), revocation.epoch, until))]
        key = self._keys.blacklist(owner, revocation.kind, revocation.subject)
        goes_at = -(-until // 1000) + MARGIN // timedelta(milliseconds=1)
        effects: list[tuple[str, Command]] = [
            (key, ("SET", key, "1", "NX", "PXAT", goes_at)),
            (key, ("PEXPIREAT", key, goes_at, "GT")),  # another entry may have said longer
        ]
        if revocation.kind is RevocationKind.SESSION:
            family = self._keys.family(owner, revocation.subject)
            effects.append((family, CLOSE.command((family,), until)))
        return effects

    async def _tail(self) -> AsyncIterator[Sequence[Recorded]]:
        stream = self._keys.stream
        newest = await self._newest()
        if self._position is None:
            self._position = newest
        async with self._link.own_wire(stream, patience=_BLOCK_PATIENCE) as wire:
            while True:
                if newest < self._position:  # the stream was lost or rolled back: what it holds now may all be new
                    self._position = _START
                asked = ("XREAD", "COUNT", _READ, "BLOCK", _BLOCK // timedelta(milliseconds=1))
                place = f"{self._position[0]}-{self._position[1]}"
                [reply] = await wire.ask([(*asked, "STREAMS", stream, place)])
                if reply is None:
                    newest = await self._newest()
                    yield ()
                    continue
                newest, entries = _read_entries(reply)
                self._position = newest
                yield entries

    async def _newest(self) -> Position:
        """The last id in the stream. Asked over the link, which in a cluster finds where the stream has moved."""
        reply = await self._link.ask(self._keys.stream, ("XREVRANGE", self._keys.stream, "+", "-", "COUNT", 1))
        match reply:
            case []:
                return _START
            case [[bytes(place), _]]:
                return _position(place)
        raise StoreUnavailable("redis", detail="the stream of revocations cannot be read")


def _is_revoked(token: Revocable, replies: Sequence[Reply]) -> bool:
    lowest, lowest_of_client, found = replies
    return bool(found) or _epoch(lowest) > token.epoch or _epoch(lowest_of_client) > token.client_epoch


def _epoch(reply: Reply) -> int:
    if reply is None:
        return 0
    if isinstance(reply, bytes) and len(reply) <= 16 and reply.isdigit():
        return int(reply)
    raise StoreUnavailable("redis", detail="an epoch key is unreadable")


def _position(place: bytes) -> Position:
    millis, _, number = place.partition(b"-")
    return int(millis), int(number)


def _pack(item: Recorded) -> str:
    entry, revocation = item.entry, item.entry.revocation
    until = to_micros(revocation.until)
    parts = [item.number, revocation.kind, revocation.subject, until, revocation.epoch, entry.owner, entry.why]
    return json.dumps(parts, separators=(",", ":"))


def _read_entries(reply: Reply) -> tuple[Position, list[Recorded]]:
    """The last id and what could be read. An entry that somebody else wrote is passed over: SQL has the truth."""
    if not isinstance(reply, dict) or len(reply) != 1:
        raise StoreUnavailable("redis", detail=f"the stream of revocations cannot be read: {reply}")
    [read] = reply.values()
    entries = (_unpack(fields) for _, fields in read)
    return _position(read[-1][0]), [entry for entry in entries if entry is not None]


def _unpack(fields: Sequence[bytes]) -> Recorded | None:
    try:
        _, packed = fields
        number, kind, subject, until, epoch, owner, why = json.loads(packed)
        if not (isinstance(number, int) and isinstance(epoch, int)):
            return None
        for text in (subject, owner, why):
            if not isinstance(text, str):
                return None
        revocation = Revocation(RevocationKind(kind), subject, from_micros(until), epoch)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    return Recorded(number, Entry(revocation, owner, why))
