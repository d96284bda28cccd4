"""What both stores are measured by (docs/telemetry.md)."""

from service.tally import Spread, Tally

TOOK = Spread("store_seconds", "What a store was asked in one go, until it had answered", "store")
REFUSED = Tally("store_refusals", "Calls that a store did not answer, or that were not made as it was away", "store")
