"""Signing keys over a real ledger: the first ones, rotation, loss, and a secret that is not ours."""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from secrets import token_bytes

import jwt
import pytest

from service import clock
from service.app import House
from service.keys import keyring as keyring_module
from service.keys.keyring import Keyring
from service.keys.signing_key import SigningKey
from service.protocol.errors import Invalid, InvalidToken, NotFound, StoreUnavailable
from service.settings import Settings, load_settings
from service.storage.sql import SqlSigningKeys
from tests.rooms import add_user, quiet_house, sign_in, whoami
from tests.servers.gatepost import settings_for

pytestmark = pytest.mark.anyio
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
MIXED = pytest.mark.parametrize("more_settings", [{"TOKENS__ALGORITHMS": "RS256,ES256,HS256"}], ids=["mixed"])


@pytest.fixture
def keyring(house: House) -> Keyring:
    return house.rooms.keyring


def signed(keyring: Keyring, now: datetime) -> str:
    """The kid that signs at this moment."""
    kid: str = jwt.get_unverified_header(keyring.sign({}, typ="at+jwt", now=now))["kid"]
    return kid


def published(keyring: Keyring, algorithm: str = "ES256") -> list[str]:
    return [key["kid"] for key in keyring.jwks()["keys"] if key["alg"] == algorithm]


async def at(keyring: Keyring, now: datetime) -> Keyring:
    """The keyring as it is when its loop comes round at this moment."""
    keyring._now = lambda: now
    await keyring.make_missing()
    return keyring


def with_secret(settings: Settings, secret: str = "", previous: str = "", **more: str) -> Settings:
    """The same deployment under another secret."""
    environ = settings_for(settings.database_url.get_secret_value(), settings.redis_url.get_secret_value(), **more)
    environ["GATEPOST_SECRET_KEY"] = secret or environ["GATEPOST_SECRET_KEY"]
    environ["GATEPOST_PREVIOUS_SECRET_KEYS"] = previous
    return load_settings(environ)


def new_secret() -> str:
    return urlsafe_b64encode(token_bytes(32)).decode()


@MIXED
@pytest.mark.spec("KEY-04")
async def test_of_racing_workers_one_makes_the_first_keys_and_all_sign_with_them(
    house: House, other_house: House
) -> None:
    async with house.database.begin() as tx:
        await tx._connection.exec_driver_sql("DELETE FROM signing_keys")
    rings = [house.rooms.keyring, other_house.rooms.keyring]
    await asyncio.gather(*(ring.reload() for ring in rings))
    assert [len(ring.keys) for ring in rings] == [0, 0]
    for ring in rings:
        with pytest.raises(StoreUnavailable):
            signed(ring, clock.now())
    await asyncio.gather(*(ring.make_missing() for ring in rings * 2))
    listed = await rings[0].listed()
    assert sorted(key.algorithm for key in listed) == ["ES256", "HS256", "RS256"]
    assert len({signed(ring, clock.now()) for ring in rings}) == 1
    assert {len(ring.keys) for ring in rings} == {3}


@MIXED
@pytest.mark.spec("KEY-02")
async def test_of_racing_workers_one_makes_the_successors_that_are_due(house: House, other_house: House) -> None:
    rings = [house.rooms.keyring, other_house.rooms.keyring]
    later = clock.now() + 31 * DAY
    await asyncio.gather(*(at(ring, later) for ring in rings * 2))
    listed = await rings[0].listed()
    assert sorted(key.algorithm for key in listed) == ["ES256", "ES256", "HS256", "HS256", "RS256", "RS256"]
    assert [key.signs_until for key in listed].count(None) == 3


async def test_the_keys_are_the_same_after_a_restart(settings: Settings, house: House) -> None:
    kid, token = signed(house.rooms.keyring, clock.now()), await sign_in(house, await add_user(house, "alice"))
    async with quiet_house(settings) as restarted:
        assert signed(restarted.rooms.keyring, clock.now()) == kid
        assert (await whoami(restarted, f"Bearer {token.access.token}")).session_id == token.session_id


@pytest.mark.spec("KEY-02")
async def test_a_successor_is_published_before_it_signs_and_the_old_key_until_its_last_token_has_expired(
    keyring: Keyring,
) -> None:
    [old] = published(keyring)
    began = (await keyring.listed())[0].signs_from
    assert published(await at(keyring, began + 30 * DAY - SECOND)) == [old]
    due = began + 30 * DAY
    await at(keyring, due)
    [_, new] = published(keyring)
    for moment, kid in ((due, old), (due + HOUR - SECOND, old), (due + HOUR, new), (due + HOUR + SECOND, new)):
        assert signed(keyring, moment) == kid
    last_token_ends = due + HOUR + DAY  # a client's tokens may live longer than the service's
    assert published(await at(keyring, last_token_ends)) == [old, new]
    assert published(await at(keyring, last_token_ends + timedelta(minutes=1) - SECOND)) == [old, new]
    gone = await at(keyring, last_token_ends + timedelta(minutes=1))
    assert published(gone) == [new]
    assert (gone.keys.find(old), gone.keys.find(new) is not None) == (None, True)


async def test_the_version_rises_with_every_change_and_only_then(keyring: Keyring) -> None:
    version = keyring.version
    for _ in range(3):
        await keyring.make_missing()
    assert keyring.version == version
    await keyring.rotate("ES256", now=clock.now())
    assert keyring.version == version + 1
    assert len(keyring.keys) == 3


async def test_a_rotation_by_command_at_once_or_after_the_lead(keyring: Keyring) -> None:
    now, first = clock.now(), signed(keyring, clock.now())
    planned = await keyring.rotate("ES256", now=now)
    assert (planned.signs_from, signed(keyring, now)) == (now + HOUR, first)
    urgent = await keyring.rotate("ES256", now=now, at_once=True)
    assert (urgent.signs_from, signed(keyring, now)) == (now, urgent.kid)
    assert signed(keyring, now + 2 * HOUR) == urgent.kid
    for algorithm in ("HS256", "none", "", "es256"):
        with pytest.raises(Invalid) as refused:
            await keyring.rotate(algorithm, now=now)
        assert refused.value.field == "algorithm"


@pytest.mark.spec("KEY-03")
async def test_tokens_of_a_compromised_key_are_refused_at_once_on_every_worker(
    house: House, other_house: House
) -> None:
    alice = await add_user(house, "alice")
    token = (await sign_in(house, alice)).access.token
    lost = signed(house.rooms.keyring, clock.now())
    for one in (house, other_house):
        await whoami(one, f"Bearer {token}")
    current = await house.rooms.keyring.retire_compromised(lost, now=clock.now())
    assert current.kid != lost
    assert signed(house.rooms.keyring, clock.now()) == current.kid
    assert published(house.rooms.keyring) == [current.kid]
    with pytest.raises(InvalidToken):
        await whoami(house, f"Bearer {token}")
    await other_house.feed.reconcile()  # the keys themselves are read a moment later
    with pytest.raises(InvalidToken):
        await whoami(other_house, f"Bearer {token}")
    await other_house.rooms.keyring.reload()
    fresh = (await sign_in(other_house, alice)).access.token
    for one in (house, other_house):
        assert (await whoami(one, f"Bearer {fresh}")).subject == alice.id


async def test_the_published_successor_takes_over_from_a_compromised_key(keyring: Keyring) -> None:
    now, lost = clock.now(), signed(keyring, clock.now())
    successor = await keyring.rotate("ES256", now=now)
    assert await keyring.retire_compromised(lost, now=now) == successor
    assert signed(keyring, now) == successor.kid
    assert published(keyring) == [successor.kid]


async def test_a_compromised_successor_leaves_the_key_before_it_and_gets_another(keyring: Keyring) -> None:
    now, first = clock.now(), signed(keyring, clock.now())
    lost = await keyring.rotate("ES256", now=now)
    assert (await keyring.retire_compromised(lost.kid, now=now)).kid == first
    await at(keyring, now + SECOND)
    [_, another] = published(keyring)
    for moment, kid in ((HOUR - SECOND, first), (HOUR, another), (DAY, another)):
        assert signed(keyring, now + moment) == kid


async def test_an_unknown_key_cannot_be_retired(keyring: Keyring) -> None:
    version = keyring.version
    for kid in ("", "unknown", "\0"):
        with pytest.raises(NotFound):
            await keyring.retire_compromised(kid, now=clock.now())
    assert keyring.version == version


@pytest.mark.spec("CLK-02")
async def test_a_clock_that_was_set_back_leaves_no_worker_unable_to_sign(keyring: Keyring) -> None:
    assert signed(keyring, clock.now() - timedelta(minutes=10)) == published(keyring)[0]
    successor = await keyring.rotate("ES256", now=clock.now())
    assert signed(keyring, clock.now() - timedelta(minutes=10)) != successor.kid


@pytest.mark.spec("OIDC Core §15.1")
async def test_by_default_there_is_a_key_for_rs256_beside_the_one_that_signs_access_tokens(keyring: Keyring) -> None:
    now = clock.now()
    for algorithm, expected in ((None, "ES256"), ("RS256", "RS256"), ("ES256", "ES256")):
        header = jwt.get_unverified_header(keyring.sign({}, typ="JWT", now=now, algorithm=algorithm))
        assert (header["alg"], header["kid"]) == (expected, *published(keyring, expected))
    for absent in ("HS256", "none"):
        with pytest.raises(StoreUnavailable):
            keyring.sign({}, typ="JWT", now=now, algorithm=absent)


@MIXED
async def test_the_first_algorithm_signs_and_tokens_of_the_others_are_read(settings: Settings, house: House) -> None:
    secret = settings.secret_key.get_secret_value()
    alice = await add_user(house, "alice")
    for first in ("RS256,ES256,HS256", "ES256,HS256,RS256", "HS256,RS256,ES256"):
        async with quiet_house(with_secret(settings, secret, TOKENS__ALGORITHMS=first)) as one:
            token = (await sign_in(one, alice)).access.token
            assert jwt.get_unverified_header(token)["alg"] == first.partition(",")[0]
            assert (await whoami(house, f"Bearer {token}")).subject == alice.id
    assert len(await house.rooms.keyring.listed()) == 3
    assert {key["alg"] for key in house.rooms.keyring.jwks()["keys"]} == {"RS256", "ES256"}
    assert all("d" not in key and "k" not in key for key in house.rooms.keyring.jwks()["keys"])


@MIXED
@pytest.mark.spec("KEY-05")
async def test_another_secret_opens_no_key_and_makes_none(settings: Settings, house: House) -> None:
    alice = await add_user(house, "alice")
    token = (await sign_in(house, alice)).access.token
    shared = house.rooms.keyring._signers
    forged = next(signer for kid, signer in shared.items() if signer._algorithm == "HS256")
    before = await house.rooms.keyring.listed()
    async with quiet_house(with_secret(settings, TOKENS__ALGORITHMS="RS256,ES256,HS256")) as stranger:
        with pytest.raises(StoreUnavailable):
            await sign_in(stranger, alice)
        assert not stranger.rooms.keyring.can_sign(clock.now())
        assert await stranger.rooms.keyring.listed() == before
        assert (await whoami(stranger, f"Bearer {token}")).subject == alice.id  # a public key needs no secret
        with pytest.raises(InvalidToken):
            await whoami(
                stranger, f"Bearer {forged.sign(jwt.decode(token, options={'verify_signature': False}), typ='at+jwt')}"
            )


async def test_a_previous_secret_still_opens(settings: Settings, house: House) -> None:
    alice = await add_user(house, "alice")
    pair, kid = await sign_in(house, alice), signed(house.rooms.keyring, clock.now())
    old, new = settings.secret_key.get_secret_value(), new_secret()
    async with quiet_house(with_secret(settings, new, previous=old)) as heir:
        assert signed(heir.rooms.keyring, clock.now()) == kid
        renewed = await heir.rooms.pairs.refresh(pair.refresh_token, client_id="gatepost", asked=None, now=clock.now())
        made = await heir.rooms.keyring.rotate("ES256", now=clock.now(), at_once=True)
    async with quiet_house(with_secret(settings, new)) as alone:
        assert signed(alone.rooms.keyring, clock.now()) == made.kid
        assert alone.rooms.pairs.read(renewed.refresh_token).generation == 1


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_module, "_INTERVAL", 0.02)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("fast")
async def test_the_loop_sees_what_another_worker_has_rotated(house: House, other_house: House) -> None:
    mine, theirs = house.rooms.keyring, other_house.rooms.keyring
    await mine.start()
    made = await theirs.rotate("ES256", now=clock.now(), at_once=True)
    await until(lambda: mine.keys.find(made.kid) is not None)
    await mine.stop()
    assert signed(mine, clock.now()) == made.kid


@pytest.mark.usefixtures("fast")
async def test_the_loop_goes_on_after_a_row_that_nobody_can_read(house: House, other_house: House) -> None:
    mine = house.rooms.keyring
    [good] = [key for key in await mine.listed() if key.algorithm == "ES256"]
    broken = SigningKey("broken", "ES256", {"kty": "EC"}, b"", clock.now(), clock.now() - DAY)
    async with house.database.begin() as tx:
        await SqlSigningKeys(house.database).add(tx, broken)
    await mine.start()
    await asyncio.sleep(0.1)
    assert signed(mine, clock.now()) == good.kid
    async with house.database.begin() as tx:
        await tx._connection.exec_driver_sql("DELETE FROM signing_keys WHERE kid = 'broken'")
    made = await other_house.rooms.keyring.rotate("ES256", now=clock.now(), at_once=True)
    await until(lambda: mine.keys.find(made.kid) is not None)
    await mine.stop()
