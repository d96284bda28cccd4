"""Id tokens as a provider signs them, and each thing that may be wrong with one.

Made by joserfc, so that what reads them is judged by another's work.
"""

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from secrets import token_urlsafe
from typing import Literal

from joserfc.jwk import OctKey, RSAKey
from joserfc.jws import JWSRegistry

TokenFault = Literal[
    "wrong iss",
    "no iss",
    "wrong aud",
    "no aud",
    "two aud without azp",
    "wrong azp",
    "wrong nonce",
    "no nonce",
    "expired",
    "no exp",
    "issued tomorrow",
    "no iat",
    "no sub",
    "bad signature",
    "foreign key",
    "unknown kid",
    "alg none",
    "HS256 with client secret",
    "HS256 with public key",
    "wrong at_hash",
    "at_hash with unknown alg",
]


@cache
def rsa_key(kid: str) -> RSAKey:
    """The key of this name, the same for a whole run: making one takes its time."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


@dataclass(frozen=True)
class IdToken:
    """What one is to say. `lives` is in seconds."""

    issuer: str
    client_id: str
    claims: Mapping[str, object]
    nonce: str | None
    access_token: str
    lives: int

    def text(self, kid: str, *, client_secret: str, fault: str | None) -> str:
        """The token, signed with the key of this name unless the fault has it otherwise."""
        claims, key = self._claims(fault), rsa_key(kid)
        match fault:
            case "foreign key":
                return _compact({"alg": "RS256", "kid": kid}, claims, rsa_key("foreign"))
            case "unknown kid":
                return _compact({"alg": "RS256", "kid": "never published"}, claims, rsa_key("foreign"))
            case "alg none":
                return _compact({"alg": "none"}, claims, key).rpartition(".")[0] + "."
            case "HS256 with client secret":
                return _compact({"alg": "HS256"}, claims, OctKey.import_key(client_secret))
            case "HS256 with public key":
                public = unpadded(key.as_der(private=False))  # joserfc, too, refuses a PEM
                return _compact({"alg": "HS256", "kid": kid}, claims, OctKey.import_key(public))
            case "at_hash with unknown alg":
                return _compact({"alg": "RS999", "kid": kid}, claims, key)
        token = _compact({"alg": "RS256", "kid": kid}, claims, key)
        if fault != "bad signature":
            return token
        head, _, signature = token.rpartition(".")
        return f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"

    def _claims(self, fault: str | None) -> dict[str, object]:
        now = int(time.time())
        half = hashlib.sha256(self.access_token.encode()).digest()[:16]
        claims = {
            **self.claims,
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "exp": now + self.lives,
            "at_hash": unpadded(half),
        } | ({"nonce": self.nonce} if self.nonce else {})
        changes: dict[str, dict[str, object]] = {
            "wrong iss": {"iss": "https://other.example"},
            "wrong aud": {"aud": "somebody-else"},
            "two aud without azp": {"aud": [self.client_id, "somebody-else"]},
            "wrong azp": {"aud": [self.client_id, "somebody-else"], "azp": "somebody-else"},
            "wrong nonce": {"nonce": token_urlsafe(16)},
            "expired": {"iat": now - 7200, "exp": now - 3600},
            "issued tomorrow": {"iat": now + 86400, "exp": now + 90000},
            "wrong at_hash": {"at_hash": unpadded(half[::-1])},
        }
        without = fault.removeprefix("no ") if fault and fault.startswith("no ") else None
        return {name: value for name, value in (claims | changes.get(fault or "", {})).items() if name != without}


def unpadded(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _compact(header: dict[str, str], claims: object, key: RSAKey | OctKey) -> str:
    """A signed text, whatever its header claims."""
    algorithm = JWSRegistry.algorithms["HS256" if isinstance(key, OctKey) else "RS256"]
    said = f"{unpadded(json.dumps(header).encode())}.{unpadded(json.dumps(claims).encode())}"
    return f"{said}.{unpadded(algorithm.sign(said.encode(), key))}"
