"""A chain with some rows in it, and what somebody with the database alone may do to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from gatepost.tokens import KeySet
from service import clock
from service.audit.event import Actor, Event, Kind
from service.audit.heads import Head, HeadBook, read_head
from service.audit.journal import Journal
from service.audit.record import Record
from service.audit.sealer import Sealer
from service.audit.search import Sought
from service.audit.verification import Finding, Verification
from service.crypto.jose import JoseForge
from service.crypto.sealing import Sealer as BoxSealer
from service.crypto.secret import RootSecret
from service.identifiers import new_id
from service.keys.signing_key import SignsBytes
from service.signed_text import MacKey
from service.storage.sql import Database, SqlAudit

ISSUER = "https://id.example"
SECRET = RootSecret(bytes(range(32)))
KEY = MacKey(SECRET.id, SECRET.derive("audit rows"))


class OneKey:
    """A signing key, and what verifies it."""

    def __init__(self) -> None:
        forge = JoseForge(BoxSealer([SECRET]))
        made = forge.make("ES256", now=clock.now())
        self._signer: SignsBytes = forge.signing(made)
        self.verifying: KeySet = forge.verifying([made])

    def sign(self, claims: Mapping[str, object], *, typ: str, now: datetime, algorithm: str | None = None) -> str:
        return self._signer.sign(claims, typ=typ)


@dataclass
class Kept:
    """Heads that lie elsewhere; `broken` is when elsewhere is away."""

    heads: list[str] = field(default_factory=list)
    broken: bool = False

    async def keep(self, head: str) -> None:
        if self.broken:
            raise OSError("away")
        self.heads.append(head)


class Chain:
    """The audit of one deployment, sealed when a test says so."""

    def __init__(self, database: Database, *, keep: timedelta | None = None) -> None:
        import asyncio

        self.database = database
        self.rows = SqlAudit(database)
        self.journal = Journal(self.rows, [KEY])
        self.signing, self.kept = OneKey(), Kept()
        self.now = clock.now()
        self.book = HeadBook(self.signing, [self.kept], issuer=ISSUER, algorithm="ES256", every=timedelta(minutes=1))
        self.sealer = Sealer(
            database,
            self.rows,
            self.journal,
            self.book,
            KEY,
            posted=asyncio.Event(),
            keep=keep,
            now=lambda: self.now,
        )

    async def note(self, count: int = 1, **said: Any) -> None:
        """So many events, each an act of its own."""
        for number in range(count):
            by = Actor("user", new_id(), "pwd", new_id())
            options = {"subject": by.id, "by": by, "detail": {"number": number}, "personal": {"address": "192.0.2.7"}}
            async with self.database.begin() as tx:
                await self.journal.note(tx, Event(Kind.SIGN_IN, **{**options, **said}), now=self.now)

    async def seal(self) -> None:
        """Everything that is there."""
        while await self.sealer.seal_due():
            pass

    async def all(self) -> Sequence[Record]:
        """Every row, newest first."""
        return await self.rows.find(Sought(), before="", limit=10_000)

    def heads(self) -> list[Head]:
        """What was kept elsewhere."""
        return [read_head(one, self.signing.verifying, issuer=ISSUER) for one in self.kept.heads]

    async def judge(self, *, with_heads: bool = True) -> Finding:
        """What a verification finds."""
        return await Verification(self.rows, [KEY]).check(self.heads() if with_heads else ())

    async def meddle(self, *statements: str) -> None:
        """What somebody does who has the database and nothing else."""
        async with self.database.begin() as tx:
            for statement in statements:
                await tx.run(text(statement))
