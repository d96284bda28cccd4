"""`python -m bench.audit`: what the audit costs a sign-in. About half a minute; loopback only.

The act of a sign-in is measured without its password hash, which costs thirty milliseconds and would hide everything:
`TokenPairs.open`, sixteen at once, over SQLite and PostgreSQL. Three kinds of house take turns in a run: without rows,
with rows that nobody seals, and with rows and the sealer. A fourth does what this design avoids: it lengthens the chain
in the act itself.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from statistics import median
from time import perf_counter

from sqlalchemy import text

from service.accounts.account import User
from service.app import House
from service.audit import Event, Journal, Sealer
from service.audit.sealer import Tip
from service.ledger import Transaction
from service.settings import load_settings
from service.storage.sql import SqlAudit
from service.storage.sql.database import opened
from service.storage.sql.migrations import upgrade
from tests.rooms import add_user, quiet_house, sign_in
from tests.servers.gatepost import settings_for
from tests.servers.postgres import PostgresServer
from tests.servers.process import fast_folder
from tests.servers.valkey import ValkeyServer

AT_ONCE, SECONDS, ROUNDS = 16, 1.0, 5


class NoRows(Journal):
    """Writes nothing."""

    async def note(self, tx: Transaction, event: Event, *, now: datetime) -> None:
        """Nothing."""


class ChainInTheAct(Journal):
    """Writes the row and its link in the act, under the lock of the chain, as it is done elsewhere."""

    rows: SqlAudit

    async def note(self, tx: Transaction, event: Event, *, now: datetime) -> None:
        """Wait for everybody who is before us."""
        if opened(tx).postgresql:
            await opened(tx).run(text("SELECT pg_advisory_xact_lock(7163924106)"))
        await super().note(tx, event, now=now)
        tip = await self.rows.tip(tx)
        for record in await self.rows.unsealed(tx, limit=1):
            await self.rows.seal(tx, [(record.id, Tip(tip.seq + 1, record.linked_to(tip.link, tip.seq + 1)))])


@asynccontextmanager
async def sealing(sealer: Sealer) -> AsyncIterator[None]:
    """The sealer runs."""
    await sealer.start()
    yield
    await sealer.stop()


async def rate(house: House, user: User) -> float:
    """Sign-ins in a second."""
    done, until = 0, perf_counter() + SECONDS

    async def again() -> None:
        nonlocal done
        while perf_counter() < until:
            await sign_in(house, user)
            done += 1

    began = perf_counter()
    await asyncio.gather(*(again() for _ in range(AT_ONCE)))
    return done / (perf_counter() - began)


async def compare(name: str, url: str, redis_url: str) -> None:
    """One database: the kinds take turns, the middle of five rounds each."""
    settings = load_settings(settings_for(url, redis_url))
    async with quiet_house(settings) as house:
        user, acts = await add_user(house, "ada"), house.rooms.acts
        whole = acts._journal
        without = NoRows(whole._rows, [whole._key])
        in_act = ChainInTheAct(whole._rows, [whole._key])
        in_act.rows = SqlAudit(house.database)
        kinds: dict[str, tuple[Journal, bool]] = {
            "no rows": (without, False),
            "rows": (whole, False),
            "rows, sealed behind": (whole, True),
            "chain in the act": (in_act, False),
        }
        found: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(ROUNDS):
            for kind, (journal, seals) in kinds.items():
                while await house.audit.seal_due():  # so that each begins with a chain that is whole
                    pass
                acts._journal = journal
                if seals:
                    async with sealing(house.audit):
                        found[kind].append(await rate(house, user))
                else:
                    found[kind].append(await rate(house, user))
        acts._journal = whole
    base = median(found["no rows"])
    print(
        f"{name}: " + ", ".join(f"{kind} {median(one):.0f}/s ({median(one) / base:.2f})" for kind, one in found.items())
    )


def main() -> None:
    """Both databases."""
    folder = fast_folder()
    valkey, postgres = ValkeyServer(folder / "valkey"), PostgresServer(folder / "postgres")
    valkey.start()
    postgres.start()
    try:
        for name, url in (("SQLite", f"sqlite+aiosqlite:///{folder}/bench.sqlite"), ("PostgreSQL", postgres.url())):
            asyncio.run(upgrade(url))
            asyncio.run(compare(name, url, valkey.url))
    finally:
        valkey.kill()
        postgres.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
