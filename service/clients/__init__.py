"""Applications that call Gatepost: their secrets, scopes and whether they are enabled.

Owns the client, how its secret is made and checked, and its rotation with an overlap. Refuses to know about people and
HTTP. Read `client.py` first.
"""

from service.clients.client import FIRST_PARTY, Client, Clients, ClientSecret

__all__ = ["FIRST_PARTY", "Client", "ClientSecret", "Clients"]
