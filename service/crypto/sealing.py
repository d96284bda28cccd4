"""Secrets at rest: AES-256-GCM under a derived key, bound to the place where they are kept."""

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.crypto.secret import RootSecret

_NONCE = 12
_ID = 4


class Unsealable(Exception):
    """The bytes were sealed under another secret, for another place, or were changed."""


class Sealer:
    """Seals with the first secret and opens with any; `place` (table, row, column) must be the same both times."""

    def __init__(self, secrets: Sequence[RootSecret]) -> None:
        self._first = secrets[0].id
        self._keys = {secret.id: AESGCM(secret.derive("sealing")) for secret in secrets}

    def seal(self, plain: bytes, *, place: str) -> bytes:
        """Secret id, nonce and ciphertext."""
        nonce = os.urandom(_NONCE)
        return self._first + nonce + self._keys[self._first].encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, *, place: str) -> bytes:
        """The plain bytes. Raises `Unsealable`."""
        key = self._keys.get(sealed[:_ID])
        if key is None:
            raise Unsealable("sealed under a secret that is not configured")
        try:
            return key.decrypt(sealed[_ID : _ID + _NONCE], sealed[_ID + _NONCE :], place.encode())
        except (InvalidTag, ValueError):  # the latter for what is too short to hold a nonce
            raise Unsealable("changed, or moved from its place") from None
