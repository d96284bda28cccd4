"""One-time codes: what stands between a person's yes and the tokens that a client gets for it.

Owns the authorization code and the pair of a device (RFC 6749 §4.1, RFC 8628): their text, their life, that each is
taken once, and what a second taking means. Refuses to know who asks for tokens and how they are made, and which store
keeps what a code stands for. Read `grant.py` first, then `desk.py`.
"""
