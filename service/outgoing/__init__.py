"""Requests that Gatepost itself sends: one bounded form at a time, to addresses that an administrator registered.

Owns timeouts, size limits and that no redirect is followed. Refuses to know what is said. Read `http.py` first.
"""

from service.outgoing.http import OutgoingHttp

__all__ = ["OutgoingHttp"]
