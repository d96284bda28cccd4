"""Revocation: what was revoked, written to the ledger first, then shown to every worker within milliseconds.

Owns the order of the steps (`acts.py`: commit, then publish), the near-cache and how it is kept exact (`feed.py`).
Refuses to know which stores these are, and why something was revoked. Read `acts.py` first, then `feed.py`.
"""

from service.revocation.acts import Act, Acts
from service.revocation.entry import Entry, Recorded
from service.revocation.feed import RevocationFeed

__all__ = ["Act", "Acts", "Entry", "Recorded", "RevocationFeed"]
