"""What waits in the ledger, counted."""

import pytest

from service.audit import Event, Journal, Kind
from service.signed_text import MacKey
from service.storage.sql import Database, SqlAudit, SqlLogoutNotices
from service.storage.sql.backlog import SqlBacklog
from tests.contracts.sql_ground import NOW
from tests.contracts.test_sql_logout_notices import due, kept_client, kept_session, note

pytestmark = pytest.mark.anyio


async def test_what_waits_is_counted_until_it_is_done(database: Database, owner_id: str) -> None:
    backlog = SqlBacklog(database)
    assert await backlog.count() == {"audit": 0, "letters": 0, "logout_notices": 0, "revocations": 0}
    client = await kept_client(database)
    session = await kept_session(database, owner_id, client_id=client.id)
    await note(database, session.id)
    journal = Journal(SqlAudit(database), [MacKey(b"12345678", b"k" * 32)])
    async with database.begin() as tx:
        await journal.note(tx, Event(Kind.SIGN_IN), now=NOW)
    assert await backlog.count() == {"audit": 1, "letters": 0, "logout_notices": 1, "revocations": 0}
    [notice] = await due(database)
    await SqlLogoutNotices(database).given_up(notice.id, now=NOW)
    assert (await backlog.count())["logout_notices"] == 0
