"""Back-channel logout notices over a real ledger, to real servers on loopback."""
