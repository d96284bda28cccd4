"""The one door to SQL: transactions and reads, each under a deadline, behind a breaker."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from typing import Any

from sqlalchemy import CursorResult, Row, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import Executable
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from service.ledger import Transaction
from service.protocol.errors import Conflict, StoreUnavailable
from service.storage.figures import REFUSED, TOOK
from service.storage.sql.breaker import Breaker
from service.storage.sql.engine import DEADLINE, Leaving, Trust, begin_immediate, open_engine, parse_database_url
from service.storage.sql.refusals import STORE, is_locked, refusals

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
_LOCK_PAUSE = 0.02
_PUNCTUAL = 0.25  # seconds; a deadline that rings later tells of this process, which stood still, not of the server
_BATCH = 500
_CLOSES_WITHIN = 2.0


class Question:
    """What was asked of the server in one call: whether it owes us an answer, which tells a server that is silent from
    a caller that dawdles, and what it refused."""

    def __init__(self) -> None:
        self.unanswered = False
        self.refused: Exception | None = None

    @contextmanager
    def asked(self) -> Iterator[None]:
        """The block puts one question; what the driver raises comes out as a refusal. A block that is cancelled has
        not been answered."""
        self.unanswered = True
        try:
            with refusals():
                yield
        except Exception as error:
            self.unanswered, self.refused = False, error
            raise
        self.unanswered = False


class SqlTransaction:
    """An open transaction. What a driver raises comes out of it as a refusal."""

    def __init__(self, connection: AsyncConnection, session: AsyncSession, question: Question, *, postgresql: bool):
        self._connection = connection
        self._session = session
        self._question = question
        self.postgresql = postgresql
        self.afterwards: list[Callable[[], None]] = []

    def when_committed(self, call: Callable[[], None]) -> None:
        """Call this when the transaction has been committed, and not otherwise; it must not raise."""
        self.afterwards.append(call)

    async def add(self, row: SQLModel) -> None:
        """Insert now. Raises `Conflict` for a uniqueness clash, `NotFound` when what it refers to is not there."""
        with self._question.asked():
            self._session.add(row)
            await self._session.flush()

    async def run(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[Any]:
        """Execute a statement. Raises `Conflict`, `NotFound`, `StoreUnavailable`."""
        with self._question.asked():
            return await self._connection.execute(statement, parameters)


def nobody() -> None:
    """For who has nobody to tell."""


def opened(tx: Transaction) -> SqlTransaction:
    """What a room hands on, as what it is. Raises `TypeError` for another ledger's transaction."""
    if not isinstance(tx, SqlTransaction):
        raise TypeError(f"{type(tx).__name__} is not a transaction of this ledger")
    return tx


class Database:
    """SQLite or PostgreSQL at `url`. Every call ends within `DEADLINE`; after an outage the next call finds its way.

    Not connected until used. Used from one event loop. On SQLite, writers of this process take turns, and each
    transaction holds the write lock from its beginning.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        address = parse_database_url(url)
        self.postgresql = address.get_backend_name() == "postgresql"
        self._trust = Trust()
        self._leaving: Leaving = set()
        self._engine = open_engine(address, self._trust, self._leaving, pool_size=pool_size)
        # Waited for before the pool is: to wait for a connection is not to wait for a server that is silent.
        self._free = asyncio.Semaphore(pool_size)
        self._reads = Breaker(STORE)
        if self.postgresql:
            # A read is one statement: without BEGIN and ROLLBACK it is one round trip.
            self._reader = self._engine.execution_options(isolation_level="AUTOCOMMIT")
            self._writer = self._engine
            self._writes = self._reads
            self._turn: asyncio.Lock | nullcontext[None] = nullcontext()
        else:
            self._reader = self._engine
            self._writer = self._engine.execution_options()
            begin_immediate(self._writer)
            self._writes = Breaker(STORE)  # a file that another process has locked can still be read
            self._turn = asyncio.Lock()  # a writer that waits for the file holds no connection that a reader could use

    @property
    def is_up(self) -> bool:
        """Whether the server answered when it was last asked."""
        return not (self._reads.is_open or self._writes.is_open)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlTransaction]:
        """Commit when the block ends, undo everything when it raises; both within the deadline. See `Ledger.begin`."""
        async with (
            self._within_deadline(self._writes) as question,
            self._turn,
            self._connected(self._writer, question) as connection,
        ):
            with question.asked():
                await _begin(connection)
            async with AsyncSession(bind=connection, autoflush=False, expire_on_commit=False) as session:
                transaction = SqlTransaction(connection, session, question, postgresql=self.postgresql)
                yield transaction
            if question.refused is not None:  # and swallowed; the server would answer COMMIT by undoing all
                raise question.refused
            with question.asked():
                await connection.commit()
        for call in transaction.afterwards:
            call()

    async def fetch_all(self, statement: Executable, parameters: Parameters | None = None) -> Sequence[Row[Any]]:
        """The rows of one reading statement. Raises `StoreUnavailable`."""
        async with (
            self._within_deadline(self._reads) as question,
            self._connected(self._reader, question) as connection,
        ):
            with question.asked():
                return (await connection.execute(statement, parameters)).all()

    async def fetch_one(self, statement: Executable, parameters: Parameters | None = None) -> Row[Any] | None:
        """The first row of one reading statement, or None. Raises `StoreUnavailable`."""
        rows = await self.fetch_all(statement, parameters)
        return rows[0] if rows else None

    async def run_each(self, statement: Executable, sets: Sequence[Mapping[str, Any]]) -> None:
        """Execute an updating statement for each set of parameters, in their order, some hundreds to a transaction.

        Raises `StoreUnavailable`, also when it lost a race for its rows: worth trying again. A beginning of the sets
        may have been committed by then.
        """
        for start in range(0, len(sets), _BATCH):
            try:
                async with self.begin() as tx:
                    await tx.run(statement, sets[start : start + _BATCH])
            except Conflict as lost:
                raise StoreUnavailable(STORE, detail=lost.detail) from lost

    async def check(self) -> None:
        """Ask the server anything. Raises `StoreUnavailable`."""
        await self.fetch_all(text("SELECT 1"))

    async def close(self) -> None:
        """Close every pooled connection; does not wait long for one that hangs."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSES_WITHIN):
                await self._engine.dispose()
                while self._leaving:
                    await asyncio.wait(self._leaving)

    @asynccontextmanager
    async def _within_deadline(self, breaker: Breaker) -> AsyncIterator[Question]:
        began, question = breaker.enter(), Question()
        try:
            async with asyncio.timeout(DEADLINE) as deadline:
                yield question
        except TimeoutError as error:
            if not deadline.expired():
                raise
            stood_still = asyncio.get_running_loop().time() - (deadline.when() or 0) > _PUNCTUAL
            if question.unanswered and not stood_still and breaker.failed(began):
                self._trust.lose()
            REFUSED.add(STORE)
            raise StoreUnavailable(STORE, detail="no answer in time") from error
        except _Unreachable:
            REFUSED.add(STORE)
            breaker.failed(began)
            raise
        except StoreUnavailable:
            REFUSED.add(STORE)
            raise
        except Exception:
            breaker.answered()
            raise
        breaker.answered()
        TOOK.add(time.monotonic() - began, STORE)

    @asynccontextmanager
    async def _connected(self, engine: AsyncEngine, question: Question) -> AsyncIterator[AsyncConnection]:
        async with self._free:
            connection = await self._connect(engine, question)
            try:
                yield connection
            except asyncio.CancelledError:
                await connection.invalidate()  # never wait for an answer that may not come
                raise
            except BaseException:
                await _undo(connection)
                raise
            finally:
                await connection.close()

    async def _connect(self, engine: AsyncEngine, question: Question) -> AsyncConnection:
        """In a task of its own: a connection whose making is cancelled half-way is nobody's to close."""
        making = asyncio.create_task(engine.connect().start())
        try:
            with question.asked():
                return await asyncio.shield(making)
        except asyncio.CancelledError:
            given_up = asyncio.create_task(_drop_when_made(making))
            self._leaving.add(given_up)
            given_up.add_done_callback(self._leaving.discard)
            raise
        except (StoreUnavailable, SQLAlchemyError) as error:
            raise _Unreachable(STORE, detail=f"{type(error).__name__}: {error}") from error


class _Unreachable(StoreUnavailable):
    """No connection could be made, as opposed to one that broke or a statement that took too long."""


async def _drop_when_made(making: asyncio.Task[AsyncConnection]) -> None:
    with suppress(Exception):  # it could not be made: the better
        connection = await making
        await connection.invalidate()
        await connection.close()


async def _undo(connection: AsyncConnection) -> None:
    try:
        await connection.rollback()
    except (OSError, SQLAlchemyError):
        await connection.invalidate()


async def _begin(connection: AsyncConnection) -> None:
    """Begin, waiting while another process holds the SQLite file: in short turns, as a driver's own wait has no end."""
    while True:
        try:
            await connection.begin()
        except OperationalError as error:
            if not is_locked(error):
                raise
        else:
            return
        await asyncio.sleep(_LOCK_PAUSE)
