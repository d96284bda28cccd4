"""The endpoints of OAuth 2 and OpenID Connect under `/oauth2/`, and the metadata that leads to them.

Owns their HTTP: forms in, JSON out, and the dialect of errors that their standards ask for (RFC 6749 §5.2 instead of
problem documents). Refuses to know what a grant or a token is: rooms decide. Read `errors.py` first.
"""
