"""Real stores for tests: Valkey, a Valkey cluster, PostgreSQL, and a TCP proxy that makes them slow or unreachable.

Owns starting, freezing, killing and restarting server processes, so that none is left behind even when pytest is
killed. Knows nothing of what the service keeps in them. Read `process.py` first; `tests/conftest.py` turns these into
fixtures.
"""
