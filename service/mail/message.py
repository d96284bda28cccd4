"""A letter as it is sent, and what carries it."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text to one address. `id` stays the same when a letter is sent again; `text` may hold a link."""

    id: str
    address: str
    subject: str
    text: str = field(repr=False)
    language: str = "en"


class Carrier(Protocol):
    """Takes messages away."""

    async def send(self, message: Message) -> None:
        """Hand it over. Raises `MessageRefused` when it never will be taken, `OSError` when it was not this time."""


class MessageRefused(Exception):
    """The other side says that it will not take this message at any time."""
