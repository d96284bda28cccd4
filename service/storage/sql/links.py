"""Single-use links in SQL, as digests."""

from datetime import datetime

from sqlalchemy import bindparam, delete, or_, select

from service.accounts.names import email_key
from service.addresses.link import Link, Purpose
from service.ledger import Transaction
from service.storage.sql.database import Database, opened
from service.storage.sql.tables import LINKS, LinkRow

_l = LINKS.c
_LIVE = (_l.digest == bindparam("link"), _l.expires_at > bindparam("now"))
_FIND = select(_l.purpose, _l.address, _l.expires_at, _l.user_id, _l.epoch, _l.about).where(*_LIVE)
_MADE_SINCE = select(_l.digest).where(
    _l.purpose == bindparam("purpose"), _l.address_key == bindparam("address"), _l.made_at > bindparam("since")
)
_REPLACED = delete(LINKS).where(
    or_(
        (_l.purpose == bindparam("purpose")) & (_l.address_key == bindparam("address")),
        _l.expires_at <= bindparam("now"),
    )
)
_TAKE = delete(LINKS).where(*_LIVE)


class SqlLinks:
    """Keeps `Links`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(self, tx: Transaction, digest: bytes, link: Link, *, now: datetime) -> None:
        """See `Links.replace`."""
        key = email_key(link.address)
        sql = opened(tx)
        await sql.run(_REPLACED, {"purpose": link.purpose.value, "address": key, "now": now})
        await sql.add(
            LinkRow(
                digest=digest,
                purpose=link.purpose.value,
                address=link.address,
                address_key=key,
                user_id=link.user_id,
                epoch=link.epoch,
                about=dict(link.about),
                made_at=now,
                expires_at=link.expires_at,
            )
        )

    async def was_made_since(self, purpose: Purpose, address: str, since: datetime) -> bool:
        """See `Links.was_made_since`."""
        asked = {"purpose": purpose.value, "address": email_key(address), "since": since}
        return await self._database.fetch_one(_MADE_SINCE, asked) is not None

    async def find(self, digest: bytes, *, now: datetime) -> Link | None:
        """See `Links.find`."""
        row = await self._database.fetch_one(_FIND, {"link": digest, "now": now})
        if row is None:
            return None
        return Link(Purpose(row.purpose), row.address, row.expires_at, row.user_id, row.epoch, row.about)

    async def take(self, tx: Transaction, digest: bytes, *, now: datetime) -> bool:
        """See `Links.take`. One deletion: the loser of a race finds nothing."""
        return (await opened(tx).run(_TAKE, {"link": digest, "now": now})).rowcount == 1
