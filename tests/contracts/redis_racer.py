"""A process of its own that presents tokens: `python -m tests.contracts.redis_racer URL CLIENT GRACE RACERS`.

Reads `user family` lines up to an empty one, says `ready`, waits for one more line, then presents generation 0 of each
family from `RACERS` tasks at once, one family after the other, and prints for each how often each outcome came.
"""

import asyncio
import json
import sys
from collections import Counter
from datetime import timedelta

import structlog

from service.sessions.families import Terms
from service.sessions.refresh_token import RefreshToken
from service.storage.redis import RedisRefreshFamilies
from tests.contracts.redis_ground import linked


async def main(url: str, client_id: str, grace: str, racers: str) -> None:
    families = [line.split() for line in iter(sys.stdin.readline, "\n")]
    async with linked(url) as link:
        store = RedisRefreshFamilies(link)
        print("ready", flush=True)
        sys.stdin.readline()
        for user_id, family_id in families:
            presenting = [
                store.rotate(
                    RefreshToken(user_id, family_id, 0),
                    Terms(client_id, 0, 0, timedelta(seconds=float(grace)), timedelta(days=1)),
                )
                for _ in range(int(racers))
            ]
            outcomes = await asyncio.gather(*presenting)
            print(json.dumps(Counter(type(outcome).__name__ for outcome in outcomes)))


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(*sys.argv[1:]))
