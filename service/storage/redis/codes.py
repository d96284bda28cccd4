"""Authorization codes in Redis: what one stands for is given out by one Lua step, once."""

from datetime import timedelta

from service.codes.grant import AuthorizationGrant
from service.codes.text import Code
from service.protocol.errors import StoreUnavailable
from service.storage.redis.grants import pack_grant, unpack_grant
from service.storage.redis.keyspace import PREFIX, Keyspace
from service.storage.redis.link import RedisLink
from service.storage.redis.scripts import KEEP_CODE, TAKE_CODE
from service.storage.redis.times import span_for_script


class RedisCodes:
    """Implements `Codes`. What is absent, of another type or unreadable redeems nothing."""

    def __init__(self, link: RedisLink, *, prefix: str = PREFIX) -> None:
        self._link = link
        self._keys = Keyspace(prefix)

    async def keep(self, code: Code, grant: AuthorizationGrant, *, life: timedelta) -> None:
        """See `Codes.keep`."""
        key = self._key(code)
        await self._link.ask(key, KEEP_CODE.command((key,), pack_grant(grant), span_for_script(life)))

    async def take(self, code: Code, *, life: timedelta, remembered: timedelta) -> AuthorizationGrant | None:
        """See `Codes.take`."""
        key = self._key(code)
        command = TAKE_CODE.command((key,), span_for_script(life), span_for_script(remembered))
        match await self._link.ask(key, command):
            case []:
                return None
            case [bytes(packed)]:
                grant = unpack_grant(packed)
                is_of_this_code = grant is not None and (grant.user_id, grant.session_id) == (
                    code.user_id,
                    code.session_id,
                )
                return grant if is_of_this_code else None
        raise StoreUnavailable("redis", detail="an answer that the script never gives")

    async def is_replayed(self, code: Code) -> bool:
        """See `Codes.is_replayed`."""
        key = self._key(code)
        taken_and_replayed = await self._link.ask(key, ("HMGET", key, "x", "r"))
        return taken_and_replayed != [b"1", None]

    def _key(self, code: Code) -> str:
        return self._keys.code(code.user_id, code.session_id, code.nonce)
