"""Redis or Valkey, one or many: every key and its life, the scripts, and one store per file.

Owns the connection (`link.py`: one shared wire per server, a circuit that opens when a server cannot be relied on) and
what is kept there. Refuses to decide anything about sessions or revocation, and to be the truth: that is SQL. Read
`keyspace.py` first, then `lua/rotate.lua` and `families.py`.
"""

import service.storage.redis.lean  # noqa: F401 - first of all
from service.storage.redis.codes import RedisCodes
from service.storage.redis.device_codes import RedisDeviceRequests
from service.storage.redis.failures import RedisFailures
from service.storage.redis.families import RedisRefreshFamilies
from service.storage.redis.link import RedisLink, ServerFacts
from service.storage.redis.rates import RedisRates
from service.storage.redis.revocation_engine import RedisRevocationEngine
from service.storage.redis.transactions import RedisTransactions

__all__ = [
    "RedisCodes",
    "RedisDeviceRequests",
    "RedisFailures",
    "RedisLink",
    "RedisRates",
    "RedisRefreshFamilies",
    "RedisRevocationEngine",
    "RedisTransactions",
    "ServerFacts",
]
