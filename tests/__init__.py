"""The suite mirrors `service/`; `servers/` starts the real stores it runs against. Read `conftest.py` first."""
