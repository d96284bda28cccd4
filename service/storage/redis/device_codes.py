"""Requests of devices in Redis. Each step is one Lua script on one slot."""

import json
from datetime import timedelta

from service.codes.device import Answer, DeviceRequest, Taken
from service.codes.grant import AuthorizationGrant
from service.codes.text import DeviceCode
from service.protocol.errors import StoreUnavailable
from service.storage.redis.grants import pack_grant, unpack_grant
from service.storage.redis.keyspace import PREFIX, Keyspace
from service.storage.redis.link import RedisLink
from service.storage.redis.scripts import DECIDE_DEVICE, KEEP_DEVICE, POLL_DEVICE
from service.storage.redis.times import span_for_script

_MILLISECOND = timedelta(milliseconds=1)


class RedisDeviceRequests:
    """Implements `DeviceRequests`. A user code leads to its request from another slot, so it may lead nowhere."""

    def __init__(self, link: RedisLink, *, prefix: str = PREFIX) -> None:
        self._link = link
        self._keys = Keyspace(prefix)

    async def keep(self, request: DeviceRequest, user_code: str, *, life: timedelta, interval: timedelta) -> bool:
        """See `DeviceRequests.keep`. The request first: a user code that leads to it is told to nobody before."""
        key, pointer = self._key(request.code), self._keys.user_code(user_code)
        packed = json.dumps([sorted(request.scopes), request.audience], separators=(",", ":"))
        await self._link.ask(
            key,
            KEEP_DEVICE.command((key,), request.client_id, packed, span_for_script(life), span_for_script(interval)),
        )
        leads_to = f"{request.code.session_id} {request.code.nonce}"
        kept = await self._link.ask(pointer, ("SET", pointer, leads_to, "NX", "PX", life // _MILLISECOND))
        return kept == b"OK"

    async def find(self, user_code: str, *, life: timedelta) -> DeviceRequest | None:
        """See `DeviceRequests.find`."""
        pointer = self._keys.user_code(user_code)
        found = await self._link.ask(pointer, ("GET", pointer))
        session_id, _, nonce = (
            found.decode("ascii", "replace").partition(" ") if isinstance(found, bytes) else ("",) * 3
        )
        if not nonce:
            return None
        code = DeviceCode(session_id, nonce)
        key = self._key(code)
        match await self._link.ask(key, ("HMGET", key, "c", "p", "s")):
            case [bytes(client_id), bytes(packed), b"pending"]:
                try:
                    scopes, audience = json.loads(packed)
                    return DeviceRequest(code, client_id.decode(), frozenset(scopes), tuple(audience))
                except (ValueError, TypeError, RecursionError):
                    return None  # written by another version of this service
        return None

    async def decide(self, request: DeviceRequest, grant: AuthorizationGrant | None, *, life: timedelta) -> bool:
        """See `DeviceRequests.decide`."""
        key = self._key(request.code)
        user_id, packed = ("", "") if grant is None else (grant.user_id, pack_grant(grant))
        return await self._link.ask(key, DECIDE_DEVICE.command((key,), span_for_script(life), user_id, packed)) == 1

    async def poll(
        self, code: DeviceCode, *, client_id: str, life: timedelta, longer: timedelta, remembered: timedelta
    ) -> AuthorizationGrant | Taken | Answer:
        """See `DeviceRequests.poll`."""
        key = self._key(code)
        spans = (span_for_script(span) for span in (life, longer, remembered))
        match await self._link.ask(key, POLL_DEVICE.command((key,), client_id, *spans)):
            case [b"granted", bytes(packed)]:
                grant = unpack_grant(packed)
                return grant if grant is not None and grant.session_id == code.session_id else Answer.EXPIRED
            case [b"taken", bytes(user_id)]:
                return Taken(user_id.decode())
            case [bytes(state)]:
                return Answer(state.decode())
        raise StoreUnavailable("redis", detail="an answer that the script never gives")

    async def is_replayed(self, code: DeviceCode) -> bool:
        """See `DeviceRequests.is_replayed`."""
        key = self._key(code)
        return await self._link.ask(key, ("HMGET", key, "s", "r")) != [b"taken", None]

    def _key(self, code: DeviceCode) -> str:
        return self._keys.device(code.session_id, code.nonce)
