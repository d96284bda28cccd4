"""Who did what, on what, when, from where and with what: one row for each security act, in the transaction of the act.

Owns the events (`event.py`), what is known of the occasion of each (`occasion.py`), the row and its proofs
(`record.py`), the chain that a sealer links behind the acts (`sealer.py`), the signed heads of it that are kept outside
(`heads.py`), and the judgement on all of that (`verification.py`). Refuses to know any room whose acts these are, and
never takes a secret: what is told to it is names, ids and reasons. Read `event.py` first, then `record.py`.
"""

from service.audit.event import EVENTS, Actor, ActorKind, Event, Kind, Outcome
from service.audit.journal import Journal, Refusals, count_event
from service.audit.occasion import Occasion, begin_occasion, caller_is, occasion
from service.audit.record import Record
from service.audit.sealer import Sealer
from service.audit.verification import Verification

__all__ = [
    "EVENTS",
    "Actor",
    "ActorKind",
    "Event",
    "Journal",
    "Kind",
    "Occasion",
    "Outcome",
    "Record",
    "Refusals",
    "Sealer",
    "Verification",
    "begin_occasion",
    "caller_is",
    "count_event",
    "occasion",
]
