"""Access tokens: what is put into one, and how one is read back and remembered.

Owns the claims (RFC 9068) and the verified-token cache. Refuses to know how a signature is made (`crypto/jose.py`) and
how a token reached us. Read `issue.py` first, then `verify.py`.
"""
