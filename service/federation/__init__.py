"""Signing in with another service: who it was there, and who that is here.

Owns the providers and what is believed of their answers, the sign-ins that are under way at them, and the identities
that are linked to accounts. An identity is issuer and subject, never an address. Refuses to know HTTP (`Calls`), how
a transaction or a secret is kept, and what a page looks like. Read `provider.py` first, then `decision.py`.
"""

from service.federation.arrivals import Arrivals
from service.federation.book import IdentityBook
from service.federation.desk import Came, FederationDesk, Return, Sent, Wish
from service.federation.directory import ProviderDirectory
from service.federation.handover import HandOver
from service.federation.identities import LinkedIdentity
from service.federation.kinds import completed
from service.federation.provider import Identity, Provider, ProviderConfig
from service.federation.registry import ProviderChange, ProviderRegistry

__all__ = [
    "Arrivals",
    "Came",
    "FederationDesk",
    "HandOver",
    "Identity",
    "IdentityBook",
    "LinkedIdentity",
    "Provider",
    "ProviderChange",
    "ProviderConfig",
    "ProviderDirectory",
    "ProviderRegistry",
    "Return",
    "Sent",
    "Wish",
    "completed",
]
