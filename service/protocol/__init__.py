"""The grammar: what RFCs say about bytes and words, and the tree of typed refusals.

Standard library and the kit's scope grammar only: no await, no clock, no randomness, no store. Knows nothing of
FastAPI or of HTTP status codes. Read `errors.py` first, then `authorization.py`.
"""
