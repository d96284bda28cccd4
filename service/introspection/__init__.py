"""What a client may ask about a token that it was handed, and the end that it may put to one (RFC 7662, RFC 7009).

Owns whose tokens a client may look at and revoke. Refuses to know how a client proved itself, how a token is verified
(`tokens/`) and what ending a session takes (`sessions/`). Read `introspection.py` first.
"""

from service.introspection.introspection import SEES_ALL, Introspection, shown
from service.introspection.revocation import TokenRevocation

__all__ = ["SEES_ALL", "Introspection", "TokenRevocation", "shown"]
