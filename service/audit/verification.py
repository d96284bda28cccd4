"""Judging the whole: every row against its MAC, its place and its link, and the chain against heads kept outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.audit.heads import Head
from service.audit.record import BEGINNING, Record
from service.audit.sealer import Start, Tip
from service.signed_text import MacKey

_BATCH = 1_000


class ReadsRecords(Protocol):
    """The rows in their order. Every method raises `StoreUnavailable`."""

    async def start(self) -> Start | None:
        """Where the chain begins, if anything was ever dropped."""

    async def sealed_after(self, seq: int, *, limit: int) -> Sequence[Record]:
        """Sealed rows in order of their place."""

    async def unsealed_after(self, record_id: str, *, limit: int) -> Sequence[Record]:
        """Rows that wait to be sealed, in order of id."""


@dataclass(slots=True)
class Finding:
    """What was looked at, and the first thing that is wrong: in plain words, None when all is whole.

    `unjudged` rows were written under a secret that is not known any more: their place and link were still judged.
    """

    rows: int = 0
    unsealed: int = 0
    erased: int = 0
    unjudged: int = 0
    heads: int = 0
    broken: str | None = None


class Verification:
    """Reads everything once and changes nothing."""

    def __init__(self, rows: ReadsRecords, keys: Sequence[MacKey]) -> None:
        self._rows = rows
        self._keys = tuple(keys)

    async def check(self, heads: Sequence[Head] = ()) -> Finding:
        """The first broken row, or that the tail was cut. Raises `StoreUnavailable`."""
        found = Finding()
        said = {head.seq: head.link for head in heads}
        if len(said) < len({(head.seq, head.link) for head in heads}):
            found.broken = "two heads disagree about one place: the chain was made anew between them"
            return found
        start = await self._rows.start()
        if start is not None and start.is_authentic(self._keys) is not True:
            found.broken = "where the chain begins is not under our secret: older rows were taken away by somebody else"
            return found
        tip = await self._walk(Tip(0, BEGINNING) if start is None else start.tip, said, found)
        if found.broken is None:
            latest = max(said, default=0)
            if latest > tip.seq:
                found.broken = f"the tail was cut: a head says that row {latest} was there, the chain ends at {tip.seq}"
            else:
                await self._look_at_unsealed(found)
        return found

    async def _walk(self, tip: Tip, heads: Mapping[int, bytes], found: Finding) -> Tip:
        while batch := await self._rows.sealed_after(tip.seq, limit=_BATCH):
            for record in batch:
                problem = self._problem(record, tip, heads, found)
                if problem is not None:
                    found.broken = problem
                    return tip
                tip = Tip(tip.seq + 1, record.link or b"")
                found.rows += 1
        return tip

    def _problem(self, record: Record, tip: Tip, heads: Mapping[int, bytes], found: Finding) -> str | None:
        seq = tip.seq + 1
        if record.seq != seq:
            return f"row {seq} was removed: after {tip.seq} comes {record.seq}"
        authentic = self._authentic(record, found)
        if authentic is False:
            return f"row {seq} ({record.id}) was edited"
        if record.linked_to(tip.link, seq) != record.link:
            return f"row {seq} ({record.id}) is not the one that was sealed here: rows were moved, replaced or added"
        if seq in heads:
            found.heads += 1
            if heads[seq] != record.link:
                return f"the chain was made anew: a head says otherwise about row {seq}"
        return None

    def _authentic(self, record: Record, found: Finding) -> bool | None:
        authentic = record.is_authentic(self._keys)
        found.unjudged += authentic is None
        found.erased += record.personal is None
        return authentic

    async def _look_at_unsealed(self, found: Finding) -> None:
        after = ""
        while batch := await self._rows.unsealed_after(after, limit=_BATCH):
            for record in batch:
                if self._authentic(record, found) is not True:  # the one thing that holds it
                    found.broken = f"row {record.id}, which is not sealed yet, was edited"
                    return
                found.unsealed += 1
            after = batch[-1].id
