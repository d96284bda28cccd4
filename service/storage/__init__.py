"""The stores: every promise that a room states as a Protocol, kept here by a real technology.

`sql/` is the ledger, which alone is believed about what was acknowledged; `redis/` is the engine, which is fast and
believed only for what it does say. Refuses to decide anything: a store keeps, finds and compares. Read
`sql/database.py` first.
"""
