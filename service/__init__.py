"""Gatepost: tells a fleet of services who is calling and what they may do.

Features live in rooms (`credentials`, `sessions`, `revocation`, …) that know no technology; `web`, `storage` and
`crypto` are the rim; `app/` joins them. Read `web/security.py` first, then `docs/architecture.md`.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
