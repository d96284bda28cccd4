"""Real stores for tests: Valkey, a Valkey cluster, PostgreSQL, and a TCP proxy that makes them slow or unreachable.

Beside them, on loopback, those whom Gatepost itself asks: a mail server, an OpenID provider, GitHub, Facebook. Owns
starting, freezing, killing and restarting server processes, so that none is left behind even when pytest is killed.
Knows nothing of what the service keeps in them. Read `process.py` first, and `upstream.py` for those who are asked;
`tests/conftest.py` turns the stores into fixtures.
"""
