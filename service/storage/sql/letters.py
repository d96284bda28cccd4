"""Letters in SQL that wait to be sent."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update

from service.accounts.names import email_key
from service.addresses.letter import Letter, LetterKind
from service.ledger import Transaction
from service.storage.sql.database import Database, nobody, opened
from service.storage.sql.tables import LETTERS, LetterRow

_l = LETTERS.c
_DUE = (
    select(_l.id, _l.kind, _l.address, _l.locale, _l.created_at, _l.next_try_at, _l.user_id, _l.tries, _l.about)
    .where(_l.next_try_at <= bindparam("now"))
    .order_by(_l.next_try_at, _l.id)
    .limit(bindparam("limit"))
)
_EQUAL = delete(LETTERS).where(
    _l.kind == bindparam("kind"), _l.address_key == bindparam("address"), _l.tries == bindparam("untouched")
)
_ONE = update(LETTERS).where(_l.id == bindparam("letter"))
_CLAIM = _ONE.where(_l.next_try_at == bindparam("seen")).values(next_try_at=bindparam("until"), tries=_l.tries + 1)
_DONE = delete(LETTERS).where(_l.id == bindparam("letter"))


class SqlLetters:
    """Keeps `Letters`. `posted` is called when one more is committed."""

    def __init__(self, database: Database, *, posted: Callable[[], None] = nobody) -> None:
        self._database = database
        self._posted = posted

    async def post(self, tx: Transaction, letter: Letter) -> None:
        """See `Letters.post`."""
        key = email_key(letter.address)
        sql = opened(tx)
        await sql.run(_EQUAL, {"kind": letter.kind.value, "address": key, "untouched": 0})
        await sql.add(
            LetterRow(
                id=letter.id,
                kind=letter.kind.value,
                address=letter.address,
                address_key=key,
                locale=letter.locale,
                user_id=letter.user_id,
                about=dict(letter.about),
                created_at=letter.created_at,
                next_try_at=letter.next_try_at,
                tries=letter.tries,
            )
        )
        sql.when_committed(self._posted)

    async def due(self, *, now: datetime, limit: int) -> Sequence[Letter]:
        """See `Letters.due`."""
        rows = await self._database.fetch_all(_DUE, {"now": now, "limit": limit})
        return [Letter(**{**row._mapping, "kind": LetterKind(row.kind)}) for row in rows]

    async def claim(self, letter: Letter, *, until: datetime) -> bool:
        """See `Letters.claim`."""
        asked = {"letter": letter.id, "seen": letter.next_try_at, "until": until}
        async with self._database.begin() as tx:
            return (await tx.run(_CLAIM, asked)).rowcount == 1

    async def put_off(self, letter_id: str, *, until: datetime) -> None:
        """See `Letters.put_off`."""
        async with self._database.begin() as tx:
            await tx.run(_ONE.values(next_try_at=until), {"letter": letter_id})

    async def withdraw(self, tx: Transaction, user_id: str, *kinds: LetterKind) -> None:
        """See `Letters.withdraw`."""
        about = delete(LETTERS).where(_l.user_id == user_id, _l.kind.in_([kind.value for kind in kinds]))
        await opened(tx).run(about)

    async def done(self, letter_id: str) -> None:
        """See `Letters.done`."""
        async with self._database.begin() as tx:
            await tx.run(_DONE, {"letter": letter_id})
