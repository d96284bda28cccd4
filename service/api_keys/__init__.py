"""API keys: their text form, making, listing, rotating with an overlap, revoking.

Owns the key as a thing that a person keeps; how a presented key becomes a Principal is `credentials/api_key.py`.
Refuses to know HTTP. Read `key.py` first.
"""

from service.api_keys.key import ApiKey, ApiKeys

__all__ = ["ApiKey", "ApiKeys"]
