"""How often somebody may try, and ask: failures at secrets close a door for a while; requests have a rate.

Owns the figures' meaning (`meter.py`, `rate.py`), who is counted as whom, and the known devices that strangers cannot
shut out. Refuses to know what is being tried, what a name looks like, and how counters are kept. Read `guard.py` first.
"""

from service.limits.guard import Guard
from service.limits.known_devices import KnownDevice, KnownDevices, Source
from service.limits.meter import Count, Counter, Failures, Meter, Step
from service.limits.network import network_of
from service.limits.policy import Policy
from service.limits.programs import ProgramGuard
from service.limits.rate import AS_IT_IS, AsItIs, Budget, Drawn, Permits, Quota, Rate, Rates, told_rate

__all__ = [
    "AS_IT_IS",
    "AsItIs",
    "Budget",
    "Count",
    "Counter",
    "Drawn",
    "Failures",
    "Guard",
    "KnownDevice",
    "KnownDevices",
    "Meter",
    "Permits",
    "Policy",
    "ProgramGuard",
    "Quota",
    "Rate",
    "Rates",
    "Source",
    "Step",
    "network_of",
    "told_rate",
]
