"""What the doctor looks at, one question per function. Asks; changes nothing that stays."""

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from service import clock
from service.cli.local import DATABASE, SECRET
from service.cli.migrating import standing
from service.crypto.jose import JoseForge
from service.crypto.sealing import Sealer
from service.protocol.errors import StoreUnavailable
from service.settings import Settings
from service.storage.redis import RedisLink
from service.storage.sql import Database, SqlSigningKeys
from service.storage.sql.facts import check_writable, server_time

Level = Literal["ok", "warn", "fail"]
_SLOW = timedelta(milliseconds=20)
_SKEW_NOTED, _SKEW_BROKEN = timedelta(seconds=2), timedelta(seconds=30)
_OLDEST_REDIS = (7, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer: `says` is what was seen and, unless all is well, what to do."""

    level: Level
    subject: str
    says: str

    def row(self) -> dict[str, str]:
        """As it is printed."""
        return asdict(self)


def examine_files(settings: Settings) -> Iterator[Finding]:
    """Whether what local mode keeps is for its owner alone."""
    var = settings.var.resolve()
    if not var.exists():
        return
    open_ones = [file for file in (var, var / SECRET, var / DATABASE) if file.exists() and file.stat().st_mode & 0o077]
    for file in open_ones:
        yield Finding("fail", "files", f"{file} can be read by others: chmod go= {file}")
    if not open_ones:
        yield Finding("ok", "files", f"{var} is private")


async def examine(settings: Settings) -> list[Finding]:
    """Every question that a store has to answer."""
    database = Database(settings.database_url.get_secret_value())
    link = RedisLink.from_url(settings.redis_url.get_secret_value())
    try:
        found = [finding async for finding in _database(settings, database)]
        return found + [finding async for finding in _redis(link)]
    finally:
        await link.close()
        await database.close()


async def _database(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    kind = "PostgreSQL" if database.postgresql else "SQLite"
    try:
        await database.check()
        began = time.perf_counter()
        there = await server_time(database)
        taken = timedelta(seconds=time.perf_counter() - began)
        yield _latency("database", kind, taken)
        yield _skew("database clock", there, taken)
        found = await standing(settings)
        if found.unknown:
            yield Finding("warn", "migrations", f"at {found.revision}, of a newer Gatepost: update this one")
        elif found.pending:
            yield Finding("fail", "migrations", f"{', '.join(found.pending)} pending: run `gatepost db upgrade`")
            return
        else:
            yield Finding("ok", "migrations", f"at {found.revision}")
        await check_writable(database)
        yield Finding("ok", "database writes", "a row can be written")
        async for finding in _signing_keys(settings, database):
            yield finding
    except StoreUnavailable as refusal:
        yield Finding("fail", "database", f"does not answer as it must ({refusal.detail}): see GATEPOST_DATABASE_URL")


async def _signing_keys(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    forge, now = JoseForge(Sealer(settings.secrets())), clock.now()
    kept = [key for key in await SqlSigningKeys(database).all() if key.verifies(now)]
    closed = 0
    for key in kept:
        try:
            forge.signing(key)
        except ValueError as problem:
            closed += 1
            yield Finding(
                "fail", "signing keys", f"{problem}: put the secret of then into GATEPOST_PREVIOUS_SECRET_KEYS"
            )
    if not kept:
        yield Finding("ok", "signing keys", "none yet; the server makes them when it starts")
    elif not closed:
        yield Finding("ok", "signing keys", f"{len(kept)} open under the present secrets")


async def _redis(link: RedisLink) -> AsyncIterator[Finding]:
    try:
        await link.ping()
        began = time.perf_counter()
        reply = await link.ask("doctor", ("TIME",))
        taken = timedelta(seconds=time.perf_counter() - began)
        yield _latency("redis", "", taken)
        if isinstance(reply, list):
            there = datetime.fromtimestamp(int(reply[0]) + int(reply[1]) / 1e6, clock.now().tzinfo)
            yield _skew("redis clock", there, taken)
        for facts in await link.facts():
            version = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
            if version < _OLDEST_REDIS:
                yield Finding("fail", "redis version", f"{facts.server} is {facts.version}: 7.0 or newer is needed")
            else:
                yield Finding("ok", "redis version", f"{facts.server} is {facts.version}")
            if facts.evicts:
                says = f"{facts.server} has maxmemory-policy {facts.eviction}: set it to noeviction"
                yield Finding("fail", "redis eviction", says)
            else:
                yield Finding("ok", "redis eviction", f"{facts.server} evicts nothing")
            if facts.append_only:
                yield Finding("ok", "redis persistence", f"{facts.server} keeps its writes")
            else:
                says = f"{facts.server} has appendonly off: a restart of it costs each session one more SQL read"
                yield Finding("warn", "redis persistence", says)
    except StoreUnavailable as refusal:
        yield Finding("fail", "redis", f"does not answer as it must ({refusal.detail}): see GATEPOST_REDIS_URL")


def _latency(subject: str, kind: str, taken: timedelta) -> Finding:
    says = f"{kind} answers in {taken.total_seconds() * 1000:.1f} ms".strip()
    return Finding("warn", subject, f"{says}: bring it nearer") if taken > _SLOW else Finding("ok", subject, says)


def _skew(subject: str, there: datetime, taken: timedelta) -> Finding:
    """How far the clocks are apart, which cannot be known better than half of the time that the answer took."""
    apart = there - (clock.now() - taken / 2)
    says = f"{apart.total_seconds():+.3f} s from ours"
    if abs(apart) > _SKEW_BROKEN:
        return Finding("fail", subject, f"{says}: tokens would be refused; let NTP set both clocks")
    if abs(apart) > _SKEW_NOTED:
        return Finding("warn", subject, f"{says}: let NTP set both clocks")
    return Finding("ok", subject, says)
