"""What a request costs, side by side: Gatepost and the bare servers that it stands on, in one interleaved run.

Owns the subjects, the load and the table. Refuses to decide whether a number is good enough: no test fails on a time.
`python3 run.py test --co -q` sets the environment up once, then `.venv/bin/python -m bench`. Read `__main__.py` first.
"""
