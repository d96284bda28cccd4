"""The token endpoint: what a client may trade for tokens, one file a grant.

Owns the phases that all grants share (`endpoint.py`: who the client is, whether it may, what is asked) so that no grant
can forget one, and the registry that discovery is made from. Refuses to know HTTP, stores and signatures. Read
`endpoint.py` first, then `authorization_code.py`.
"""
