"""Who used how much: requests by principal, client, API key, route, outcome and hour.

Owns what a request is counted as, the count in memory, its way to the ledger in batches that cannot count twice, and
the questions about totals. Refuses to know how a request is answered and what SQL looks like. Read `sheet.py` first,
then `recorder.py`.
"""

from service.usage.outcome import OUTCOMES, Outcome
from service.usage.recorder import Batch, Recorder, WritesUsage
from service.usage.report import Dimension, FindsTotals, Period, Question, Total
from service.usage.sheet import NOBODY, Key, Sheet

__all__ = [
    "NOBODY",
    "OUTCOMES",
    "Batch",
    "Dimension",
    "FindsTotals",
    "Key",
    "Outcome",
    "Period",
    "Question",
    "Recorder",
    "Sheet",
    "Total",
    "WritesUsage",
]
