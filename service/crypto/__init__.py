"""The rim of cryptography: signing (`jose.py`), password hashes (`passwords.py`), sealing (`sealing.py`) and the keys
derived from the one configured secret (`secret.py`).

Owns which library does what. Refuses to know why something is signed, hashed or sealed. Read `secret.py` first.
"""
