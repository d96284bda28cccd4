"""Devices on which somebody has signed in before: strangers' failures do not shut them out."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from service.identifiers import new_id, packed_id, unpacked_id
from service.signed_text import MacKey, SignedText

PREFIX = "gp_kd_"
LIFE = timedelta(days=400)
"""How long after its last sign-in a device is known; browsers keep no cookie for longer."""

_BODY = struct.Struct(">16s16sI")
_MOST = 5
_LONGEST = 1_024


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that `user_id` has signed in on."""

    user_id: str
    device_id: str


@dataclass(frozen=True, slots=True)
class Source:
    """From where somebody tries: the address of the caller, and what it is known as."""

    address: str
    known: Sequence[KnownDevice] = ()

    def known_to(self, user_id: str) -> KnownDevice | None:
        """The device, if this person has signed in on it."""
        return next((device for device in self.known if device.user_id == user_id), None)


class KnownDevices:
    """Makes and reads what a device is known by: a text for each of the last five people who signed in on it, joined
    by dots. It is no credential: it opens nothing, it only keeps a door from being closed by others."""

    def __init__(self, keys: Sequence[MacKey]) -> None:
        self._signed = SignedText(PREFIX, _BODY.size, keys)

    def read(self, text: str, *, now: datetime) -> tuple[KnownDevice, ...]:
        """The people who have signed in; what we did not make, or made too long ago, says nothing."""
        return tuple(device for _, device in self._parts(text, now))

    def remember(self, user_id: str, text: str, *, now: datetime) -> str:
        """The text of a device after this person has signed in on it; `text` is what it was known by."""
        parts = self._parts(text, now)
        device_id = next((device.device_id for _, device in parts if device.user_id == user_id), new_id())
        new = self._signed.issue(_BODY.pack(packed_id(user_id), packed_id(device_id), int(now.timestamp())))
        return ".".join([new, *(part for part, device in parts if device.user_id != user_id)][:_MOST])

    def _parts(self, text: str, now: datetime) -> list[tuple[str, KnownDevice]]:
        if len(text) > _LONGEST:
            return []
        found = []
        for part in text.split("."):
            try:
                user_id, device_id, at = _BODY.unpack(self._signed.read(part))
            except ValueError:
                continue
            if now - datetime.fromtimestamp(at, UTC) < LIFE:
                found.append((part, KnownDevice(unpacked_id(user_id), unpacked_id(device_id))))
        return found
