"""Signing keys: which one signs now, which are published, rotation by schedule or command, and the JWKS.

Owns the life of a key. Refuses to know how a signature is made or how the private part is sealed (`crypto/`), and what
is signed. Read `signing_key.py` first, then `keyring.py`.
"""
