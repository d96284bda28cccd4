"""The endpoints of OAuth 2 and OpenID Connect, the steps of the browser flow, and the metadata that leads to them.

Owns their HTTP: for programs forms in, JSON out and the dialect of errors that their standards ask for (RFC 6749 §5.2
instead of problem documents); for browsers the cookies, the sealed request and which page is next. Refuses to know what
a grant or a token is, and how a page looks: rooms decide, `web/pages/` draws. Read `errors.py` first, then `flow.py`.
"""
