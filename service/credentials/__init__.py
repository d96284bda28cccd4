"""Who is calling: one presented credential becomes one `Principal`, or a refusal.

Owns the rule that exactly one credential counts, and each kind's check. Refuses to know HTTP, what the caller wants to
do, and which scopes that needs. Read `resolver.py` first.
"""

from service.credentials.resolver import Presented, Resolver

__all__ = ["Presented", "Resolver"]
