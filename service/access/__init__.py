"""What callers may do: the names of scopes, what they mean in plain words, and roles as named sets of scopes.

Owns the catalogue and the arithmetic of effective scopes. Refuses to know who is calling and how they proved it.
Read `catalogue.py` first.
"""

from service.access.catalogue import BUILT_IN, Catalogue

__all__ = ["BUILT_IN", "Catalogue"]
