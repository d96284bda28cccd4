"""What administrators do over HTTP: people and their consents, clients, identity providers, signing keys, the audit,
usage.

Owns the `/admin` routes and what their answers show, never a hash or a secret that was shown before. Refuses to decide
who may do what to whom: the guards ask for a scope, and the rooms see to it that nobody hands out, or acts on, more
than he has. Every kind of credential with the scope is taken, API keys and clients too, so that operators can automate.
Read `users.py` first.
"""

from fastapi import APIRouter

from service.web.admin import api_keys, audit, clients, consents, identity_providers, keys, usage, users

router = APIRouter()
for resource in (users, api_keys, consents, clients, identity_providers, keys, audit, usage):
    router.routes.extend(resource.router.routes)

__all__ = ["router"]
