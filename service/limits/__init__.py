"""How often somebody may try: failures at secrets are counted, and too many of them close a door for a while.

Owns the figures' meaning (`meter.py`), who is counted as whom, and the known devices that strangers cannot shut out.
Refuses to know what is being tried, what a name looks like, and how counters are kept. Read `guard.py` first.
"""

from service.limits.guard import Guard
from service.limits.known_devices import KnownDevice, KnownDevices, Source
from service.limits.meter import Count, Counter, Failures, Meter, Step
from service.limits.network import network_of
from service.limits.policy import Policy
from service.limits.programs import ProgramGuard

__all__ = [
    "Count",
    "Counter",
    "Failures",
    "Guard",
    "KnownDevice",
    "KnownDevices",
    "Meter",
    "Policy",
    "ProgramGuard",
    "Source",
    "Step",
    "network_of",
]
