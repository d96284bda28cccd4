"""The text of codes: a signed name of what they stand for, so that a forged one costs no look-up.

`gp_ac_` + base64url(key id 4 · user id 16 · session id 16 · nonce 8 · MAC 32), and for devices
`gp_dc_` + base64url(key id 4 · session id 16 · nonce 16 · MAC 32). No store holds a whole one: without the
MAC key what lies there redeems nothing.
"""

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.identifiers import packed_id, unpacked_id
from service.protocol.errors import InvalidGrant
from service.signed_text import MacKey, SignedText

CODE_PREFIX, DEVICE_PREFIX = "gp_ac_", "gp_dc_"
_CODE = struct.Struct(">16s16s8s")
_DEVICE = struct.Struct(">16s16s")


@dataclass(frozen=True, slots=True)
class Code:
    """What a genuine authorization code names. The ids are UUIDs as text, the nonce is hexadecimal."""

    user_id: str
    session_id: str
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What a genuine device code names: the session that it will become, and a nonce in hexadecimal."""

    session_id: str
    nonce: str = field(repr=False)


class CodeMint:
    """Makes and reads authorization codes."""

    def __init__(self, keys: Sequence[MacKey]) -> None:
        self._signed = SignedText(CODE_PREFIX, _CODE.size, keys)

    def issue(self, user_id: str, session_id: str) -> tuple[Code, str]:
        """A new code, and its text."""
        code = Code(user_id, session_id, secrets.token_hex(8))
        body = _CODE.pack(packed_id(user_id), packed_id(session_id), bytes.fromhex(code.nonce))
        return code, self._signed.issue(body)

    def read(self, text: str) -> Code:
        """Check form and MAC; no store is asked. Raises `InvalidGrant` for anything that we did not make."""
        try:
            user, session, nonce = _CODE.unpack(self._signed.read(text))
        except ValueError as problem:
            raise InvalidGrant(detail=f"code {problem}") from None
        return Code(unpacked_id(user), unpacked_id(session), nonce.hex())


class DeviceCodeMint:
    """Makes and reads device codes."""

    def __init__(self, keys: Sequence[MacKey]) -> None:
        self._signed = SignedText(DEVICE_PREFIX, _DEVICE.size, keys)

    def issue(self, session_id: str) -> tuple[DeviceCode, str]:
        """A new code, and its text."""
        code = DeviceCode(session_id, secrets.token_hex(16))
        return code, self._signed.issue(_DEVICE.pack(packed_id(session_id), bytes.fromhex(code.nonce)))

    def read(self, text: str) -> DeviceCode:
        """Check form and MAC; no store is asked. Raises `InvalidGrant` for anything that we did not make."""
        try:
            session, nonce = _DEVICE.unpack(self._signed.read(text))
        except ValueError as problem:
            raise InvalidGrant(detail=f"device code {problem}") from None
        return DeviceCode(unpacked_id(session), nonce.hex())
