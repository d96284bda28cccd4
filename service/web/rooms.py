"""The rooms that routes call, as dependencies: the composition root puts them on the application's state."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from service.accounts.directory import Directory
from service.accounts.sign_in import PasswordSignIn
from service.api_keys.keyring import ApiKeyring
from service.clients.registry import ClientRegistry
from service.keys.keyring import Keyring
from service.revocation.acts import Acts
from service.revocation.entry import RevocationLedger
from service.revocation.feed import RevocationFeed
from service.sessions.ending import SessionEnding
from service.sessions.pairs import TokenPairs
from service.sessions.session import Sessions


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that a route may call."""

    acts: Acts
    directory: Directory
    sign_in: PasswordSignIn
    clients: ClientRegistry
    api_keys: ApiKeyring
    keyring: Keyring
    pairs: TokenPairs
    ending: SessionEnding
    sessions: Sessions
    revocations: RevocationLedger
    feed: RevocationFeed


async def _rooms(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


House = Annotated[Rooms, Depends(_rooms)]
