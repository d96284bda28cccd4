"""A clock that judges the product and not the machine."""

import time
from pathlib import Path

_SCHEDULED = Path("/proc/thread-self/schedstat")


def fair_clock() -> float:
    """Seconds that went by for this thread: those do not count in which it could have run and had no core to run on.

    What the product does counts in full, whether it computes, sleeps, or waits for a server, a lock or a disk. The
    event loop reads it, so that a busy machine makes no answer of its tasks late. Without Linux, `time.monotonic`.
    """
    try:
        kept_waiting = int(_SCHEDULED.read_text().split()[1]) / 1e9
    except OSError:
        kept_waiting = 0.0
    return time.monotonic() - kept_waiting
