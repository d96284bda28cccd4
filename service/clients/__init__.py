"""Applications that call Gatepost: what they are registered for, their secrets, scopes and whether they are enabled.

Owns the client and its metadata, how its secret is made and checked, its rotation with an overlap, and the memory of
who is who that token requests rest on. Refuses to know about people and HTTP. Read `client.py` first, then
`metadata.py`.
"""

from service.clients.client import FIRST_PARTY, Client, Clients, ClientSecret
from service.clients.directory import ClientDirectory
from service.clients.metadata import ClientMetadata

__all__ = ["FIRST_PARTY", "Client", "ClientDirectory", "ClientMetadata", "ClientSecret", "Clients"]
