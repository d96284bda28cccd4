"""The ledger's transaction, as rooms see it: opened, handed to stores, committed or undone as one."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Transaction(Protocol):
    """One open SQL transaction. Rooms pass it on to stores and never look inside."""


class Ledger(Protocol):
    """Opens transactions on the SQL store, which alone is believed about what was acknowledged."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Commit when the block ends, undo everything when it raises.

        Raises `StoreUnavailable` within 2 seconds when the store cannot be reached or does not answer, at the start,
        inside or at the commit; after a failed commit nothing may be assumed. Raises `Conflict` for a uniqueness clash.
        """
