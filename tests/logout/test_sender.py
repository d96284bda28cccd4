"""The sender: told once, again and again where nobody hears, not for ever, and nobody waits for somebody else."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from service import clock
from service.app import House
from service.clients.client import Client
from service.clients.metadata import AUTHORIZATION_CODE, ClientMetadata
from service.clients.registry import ClientChange
from service.identifiers import new_id
from service.logout import LogoutSender, LogoutTokens
from service.logout.sender import PAUSES
from service.outgoing import OutgoingHttp
from service.storage.sql import SqlLogoutNotices, SqlSessions
from service.storage.sql.tables import LogoutNoticeRow
from tests.contracts.sql_ground import a_session
from tests.rooms import add_user
from tests.servers.process import free_ports
from tests.servers.receiver import SAYS_OK, Receiver, receiving

pytestmark = pytest.mark.anyio
MINUTE = timedelta(minutes=1)
SAYS_400 = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
PATIENT = timedelta(seconds=60)


@dataclass
class Sending:
    """A worker's sender, whose clock a test turns on, and what it has to send."""

    house: House
    now: datetime = field(default_factory=clock.now)
    outgoing: OutgoingHttp = field(default_factory=lambda: OutgoingHttp(within=PATIENT))

    def __post_init__(self) -> None:
        rooms, ledger = self.house.rooms, SqlLogoutNotices(self.house.database)
        tokens = LogoutTokens(rooms.keyring, issuer="https://op.example", algorithms=("ES256", "RS256"))
        self.sender = LogoutSender(
            ledger, rooms.client_directory, tokens, self.outgoing, posted=asyncio.Event(), now=lambda: self.now
        )

    async def close(self) -> None:
        """The worker ends."""
        await self.sender.stop()
        await self.outgoing.close()

    async def add_client(self, uri: str, **more: Any) -> Client:
        """A client that wants to be told there."""
        metadata = ClientMetadata(
            redirect_uris=("https://app.example/cb",),
            grant_types=frozenset({AUTHORIZATION_CODE}),
            backchannel_logout_uri=uri,
            **more,
        )
        client, _ = await self.house.rooms.clients.create(
            "Told", confidential=True, scopes=(), now=self.now, metadata=metadata
        )
        return client

    async def note(self, client: Client, count: int = 1) -> list[str]:
        """So many sessions that have ended; the ids of the notices."""
        uri, ids = client.metadata.backchannel_logout_uri, [new_id() for _ in range(count)]
        assert uri is not None
        async with self.house.database.begin() as tx:
            for notice_id in ids:
                row = {"id": notice_id, "client_id": client.id, "uri": uri, "subject": new_id(), "session_id": new_id()}
                await tx.add(LogoutNoticeRow(**row, created_at=self.now, next_try_at=self.now, tries=0))
        return ids

    async def send(self, *, after: timedelta = timedelta(0)) -> None:
        """Everything that is due then, to its end."""
        self.now += after
        await self.sender.send_due()
        await self.sender.settle()

    async def waiting(self) -> Sequence[datetime]:
        """When each notice that is neither told nor given up is tried next."""
        far = self.now + timedelta(days=999)
        return [
            notice.next_try_at
            for notice in await SqlLogoutNotices(self.house.database).due(now=far, limit=999, each=999)
        ]


@pytest.fixture
async def sending(house: House) -> AsyncIterator[Sending]:
    """A worker's sender, not started."""
    made = Sending(house)
    yield made
    await made.close()


@pytest.fixture
async def other(other_house: House, sending: Sending) -> AsyncIterator[Sending]:
    """Another worker's."""
    made = Sending(other_house, now=sending.now)
    yield made
    await made.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """An application's server."""
    async with receiving() as receiver:
        yield receiver


def token_of(house: House, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a logout token, verified with the published keys."""
    published: Any = house.rooms.keyring.jwks()
    read = jws.deserialize_compact(text, KeySet.import_key_set(published), algorithms=["RS256", "ES256"])
    return dict(read.headers()), json.loads(read.payload)


@pytest.mark.spec("LOG-07")
async def test_ending_a_session_asks_no_application_anything(sending: Sending, receiver: Receiver) -> None:
    """It leaves a row in the ledger; who signs out has the answer before anything is sent."""
    client, user = await sending.add_client(receiver.url), await add_user(sending.house, "ada")
    session = a_session(user.id, client_id=client.id, created_at=sending.now, ends_at=sending.now + timedelta(days=1))
    async with sending.house.database.begin() as tx:
        await SqlSessions(sending.house.database).add(tx, session)
    ending = sending.house.rooms.ending
    assert await ending.end_if_living(session.id, user_id=user.id, why="logout", now=sending.now)
    assert (receiver.heard, len(await sending.waiting())) == ([], 1)
    await sending.send()
    _, claims = token_of(sending.house, receiver.heard[0].form["logout_token"])
    assert (claims["sub"], claims["sid"], claims["aud"]) == (user.id, session.id, client.id)


@pytest.mark.spec("OIDC Back-Channel Logout §2.5")
@pytest.mark.spec("OIDC Back-Channel Logout §2.8")
@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
async def test_who_has_been_told_is_not_told_again(sending: Sending, receiver: Receiver, status: str) -> None:
    receiver.answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    [notice_id] = await sending.note(await sending.add_client(receiver.url))
    await sending.send()
    await sending.send(after=MINUTE)
    [heard] = receiver.heard
    assert token_of(sending.house, heard.form["logout_token"])[1]["jti"] == notice_id
    assert await sending.waiting() == []


@pytest.mark.spec("LOG-07")
async def test_an_application_that_is_away_is_told_when_it_is_back(sending: Sending) -> None:
    """With growing pauses, and the same `jti` in a token that is fresh each time."""
    receiver = Receiver(port=free_ports(1)[0])
    [notice_id] = await sending.note(await sending.add_client(receiver.url))
    for tries in range(4):
        await sending.send()
        assert await sending.waiting() == [sending.now + PAUSES.after(tries)]
        await sending.send(after=PAUSES.after(tries) - timedelta(seconds=1))
        sending.now += timedelta(seconds=1)
    await receiver.start()
    try:
        receiver.answer = SAYS_400
        await sending.send()
        receiver.answer = SAYS_OK
        await sending.send(after=PAUSES.after(5))
    finally:
        await receiver.stop()
    tokens = [token_of(sending.house, heard.form["logout_token"])[1] for heard in receiver.heard]
    assert [token["jti"] for token in tokens] == [notice_id, notice_id]
    assert [token["exp"] - token["iat"] for token in tokens] == [120, 120]
    assert tokens[1]["iat"] == int(sending.now.timestamp())
    assert await sending.waiting() == []


async def test_pauses_grow_to_half_an_hour() -> None:
    assert [PAUSES.after(tries).seconds for tries in (0, 1, 2, 5, 9, 10, 99)] == [2, 4, 8, 64, 1024, 1800, 1800]


async def test_nobody_is_tried_for_ever(sending: Sending, receiver: Receiver) -> None:
    """The last try is after six hours."""
    receiver.answer = SAYS_400
    await sending.note(await sending.add_client(receiver.url))
    await sending.send(after=timedelta(hours=6) - MINUTE)
    assert len(await sending.waiting()) == 1
    await sending.send(after=2 * MINUTE)
    assert await sending.waiting() == []
    receiver.answer = SAYS_OK
    await sending.send(after=timedelta(hours=1))
    assert len(receiver.heard) == 2


ANSWERS = {
    "400": SAYS_400,
    "500": b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": b"hello\r\n\r\n",
    "cut off": b"HTTP/1.1 200",
    "a field without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 500_000,
}


@pytest.mark.spec("OIDC Back-Channel Logout §2.8")
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_whoever_answers_anything_else_has_not_been_told(
    sending: Sending, receiver: Receiver, answer: bytes
) -> None:
    receiver.answer = answer
    await sending.note(await sending.add_client(receiver.url))
    await sending.send()
    assert len(receiver.heard) == 1
    assert await sending.waiting() == [sending.now + PAUSES.after(0)]


async def test_the_body_of_an_answer_is_not_waited_for(sending: Sending, receiver: Receiver) -> None:
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" + b"x" * 100_000
    await sending.note(await sending.add_client(receiver.url))
    await sending.send()
    assert await sending.waiting() == []


@pytest.mark.spec("DCR-06")
@pytest.mark.parametrize("status", ["301", "302", "303", "307", "308"])
async def test_a_redirect_leads_nowhere(sending: Sending, receiver: Receiver, status: str) -> None:
    async with receiving() as elsewhere:
        location = f"Location: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        receiver.answer = f"HTTP/1.1 {status} Elsewhere\r\n{location}".encode()
        await sending.note(await sending.add_client(receiver.url))
        await sending.send()
        assert (len(receiver.heard), elsewhere.heard) == (1, [])
    assert len(await sending.waiting()) == 1


@pytest.mark.spec("LOG-07")
async def test_who_hangs_holds_up_four_deliveries_of_its_own_and_no_others(
    sending: Sending, receiver: Receiver
) -> None:
    """Though it has two hundred notices, all of them older."""
    async with receiving(answer=None) as hangs:
        await sending.note(await sending.add_client(hangs.url), 200)
        sending.now += timedelta(seconds=1)
        await sending.note(await sending.add_client(receiver.url), 3)
        for _ in range(3):
            await sending.sender.send_due()
        await receiver.hear(3)
        await hangs.hear(4)
        await sending.sender.send_due()
        await hangs.stop()
        await sending.sender.settle()
    assert len(hangs.heard) == 4
    waiting = await sending.waiting()
    assert len(waiting) == 200
    assert sorted(waiting)[-4:] == [sending.now + PAUSES.after(0)] * 4


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 200 OK\r\nX: "], ids=["nothing", "half an answer"])
async def test_who_says_nothing_is_not_waited_for_long(answer: bytes | None) -> None:
    outgoing = OutgoingHttp(within=timedelta(milliseconds=200))
    async with receiving(answer=answer, then_hangs=True) as hangs, asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            await outgoing.post_form(hangs.url, {"logout_token": "x"})
    await outgoing.close()


async def test_two_workers_tell_once(sending: Sending, other: Sending, receiver: Receiver) -> None:
    ids = await sending.note(await sending.add_client(receiver.url), 12)
    for _ in range(6):
        await asyncio.gather(sending.send(), other.send())
    heard = [token_of(sending.house, one.form["logout_token"])[1]["jti"] for one in receiver.heard]
    assert sorted(heard) == sorted(ids)


async def test_what_a_worker_had_under_way_when_it_died_another_sends(
    sending: Sending, other: Sending, receiver: Receiver
) -> None:
    async with receiving(answer=None) as hangs:
        await sending.note(await sending.add_client(hangs.url))
        await sending.sender.send_due()
        await hangs.hear()
        await sending.sender.stop()
        hangs.answer = SAYS_OK
        await other.send(after=timedelta(seconds=29))
        assert len(hangs.heard) == 1
        await other.send(after=timedelta(seconds=2))
        assert len(hangs.heard) == 2
    assert await other.waiting() == []


async def test_a_client_that_was_disabled_meanwhile_is_told_nothing(sending: Sending, receiver: Receiver) -> None:
    client = await sending.add_client(receiver.url)
    await sending.note(client)
    await sending.house.rooms.clients.change(client.id, ClientChange(disabled=True), now=sending.now)
    await sending.send()
    assert receiver.heard == []
    assert await sending.waiting() == []


@pytest.mark.spec("OIDC Back-Channel Logout §2.6")
async def test_the_token_is_signed_as_the_clients_id_tokens_are(sending: Sending, receiver: Receiver) -> None:
    for algorithm in ("RS256", "ES256"):
        await sending.note(await sending.add_client(receiver.url, id_token_alg=algorithm))
        await sending.send()
        header, claims = token_of(sending.house, receiver.heard[-1].form["logout_token"])
        assert (header["alg"], header["typ"]) == (algorithm, "logout+jwt")
        assert claims.keys() == {"iss", "aud", "sub", "sid", "iat", "exp", "jti", "events"}
    only = LogoutTokens(sending.house.rooms.keyring, issuer="https://op.example", algorithms=("ES256",))
    [notice_id] = await sending.note(await sending.add_client(receiver.url))
    [notice] = await SqlLogoutNotices(sending.house.database).due(now=sending.now, limit=9, each=9)
    header, claims = token_of(sending.house, only.issue(notice, algorithm="RS256", now=sending.now))
    assert (header["alg"], claims["jti"]) == ("ES256", notice_id)
