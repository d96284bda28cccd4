"""Verified once, remembered briefly, judged against the revocations each time."""

from datetime import datetime, timedelta

import pytest

from gatepost.jwks import JwksCache
from gatepost.keys import KeySet, VerificationKey
from gatepost.principal import Principal
from gatepost.refusals import KeysUnknown, RevocationsUnknown, ScopesMissing, TokenRefused, UnknownKey
from gatepost.revocation import Revocable, Revocation, RevocationKind, RevocationSet
from gatepost.verify import Verifier, check_scopes
from tests.sdk import forge
from tests.sdk.forge import NOW
from tests.sdk.scripted import URL, ScriptedIssuer

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)
FIRST = {"keys": [forge.public_jwk("es")]}
BOTH = {"keys": [forge.public_jwk("es"), forge.public_jwk("rs")]}


class CountedKey:
    """The issuer's real key, which also counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._key = VerificationKey.from_jwk(forge.public_jwk("es"))

    def verify(self, msg: bytes, sig: bytes) -> bool:
        self.asked += 1
        return self._key.verify(msg, sig)


class Held:
    """Keys and revocations that the test holds in its hand."""

    def __init__(self) -> None:
        self.key = CountedKey()
        self.current = KeySet([VerificationKey("es", "ES256", self.key)])

    async def keys(self, now: datetime) -> KeySet:
        return self.current

    async def newer(self, than: KeySet, now: datetime) -> KeySet:
        return self.current


class Revoked:
    def __init__(self) -> None:
        self.known: RevocationSet | None = RevocationSet()

    def current(self, now: datetime) -> RevocationSet:
        if self.known is None:
            raise RevocationsUnknown("not heard")
        return self.known

    def add(self, kind: RevocationKind, subject: str, epoch: int = 0) -> None:
        self.known.add(Revocation(kind, subject, NOW + timedelta(hours=1), epoch))


def verifier(held: Held, revoked: Revoked | None = None, **options: int) -> Verifier:
    return Verifier(forge.ISSUER, forge.AUDIENCE, held, revoked, **options)


async def test_a_good_token_is_verified_once_and_then_remembered() -> None:
    held = Held()
    gate, token = verifier(held), forge.token()
    first = await gate.verify(token, now=NOW)
    assert first.subject == "alice"
    assert await gate.verify(token, now=NOW + SECOND) is first
    assert held.key.asked == 1


@pytest.mark.parametrize(("seconds", "asked"), [(59, 1), (60, 2), (61, 2)])
async def test_a_token_is_remembered_for_a_minute(seconds: int, asked: int) -> None:
    held = Held()
    gate, token = verifier(held), forge.token()
    await gate.verify(token, now=NOW)
    await gate.verify(token, now=NOW + SECOND * seconds)
    assert held.key.asked == asked


@pytest.mark.parametrize(("seconds", "good"), [(19, True), (20, False), (21, False)])
async def test_a_remembered_token_still_dies_at_exp(seconds: int, good: bool) -> None:
    gate, token = verifier(Held()), forge.token(claims={"exp": forge.NOW_NUMBER + 20})
    await gate.verify(token, now=NOW)
    if good:
        assert (await gate.verify(token, now=NOW + SECOND * seconds)).subject == "alice"
    else:
        with pytest.raises(TokenRefused, match="expired"):
            await gate.verify(token, now=NOW + SECOND * seconds)


@pytest.mark.parametrize(
    ("kind", "subject", "epoch"),
    [
        (RevocationKind.TOKEN, "token-1", 0),
        (RevocationKind.SESSION, "session-1", 0),
        (RevocationKind.USER, "alice", 1),
        (RevocationKind.CLIENT, "web", 1),
        (RevocationKind.SIGNING_KEY, "es", 0),
    ],
)
async def test_a_revocation_counts_before_and_after_the_token_was_remembered(
    kind: RevocationKind, subject: str, epoch: int
) -> None:
    token = forge.token(claims={"sid": "session-1"})
    revoked = Revoked()
    gate = verifier(Held(), revoked)
    await gate.verify(token, now=NOW)
    revoked.add(kind, subject, epoch)
    for _ in range(2):
        with pytest.raises(TokenRefused):
            await gate.verify(token, now=NOW)
    with pytest.raises(TokenRefused):
        await verifier(Held(), revoked).verify(token, now=NOW)


async def test_somebody_elses_revocation_does_not_cost_a_signature_check() -> None:
    held, revoked = Held(), Revoked()
    gate, token = verifier(held, revoked), forge.token()
    for number in range(5):
        revoked.add(RevocationKind.TOKEN, f"other-{number}")
        await gate.verify(token, now=NOW)
    assert held.key.asked == 1


async def test_a_token_is_judged_again_only_when_something_new_was_revoked() -> None:
    class Counted(RevocationSet):
        judged = 0

        def refuses(self, token: Revocable) -> str | None:
            self.judged += 1
            return super().refuses(token)

    revoked = Revoked()
    revoked.known = Counted()
    gate, token = verifier(Held(), revoked), forge.token()
    for judged in (1, 2, 3):
        revoked.add(RevocationKind.TOKEN, f"other-{judged}")
        await gate.verify(token, now=NOW)
        await gate.verify(token, now=NOW)
        assert revoked.known.judged == judged


async def test_revocations_that_are_not_known_refuse_a_remembered_token_too() -> None:
    revoked = Revoked()
    gate, token = verifier(Held(), revoked), forge.token()
    await gate.verify(token, now=NOW)
    revoked.known = None
    with pytest.raises(RevocationsUnknown):
        await gate.verify(token, now=NOW)


async def test_what_was_refused_is_not_remembered() -> None:
    held = Held()
    gate = verifier(held)
    forged = forge.token(signer="stranger-ec")
    for asked in (1, 2, 3):
        with pytest.raises(TokenRefused):
            await gate.verify(forged, now=NOW)
        assert held.key.asked == asked


async def test_another_spelling_of_a_remembered_token_is_another_token() -> None:
    gate, token = verifier(Held()), forge.token()
    await gate.verify(token, now=NOW)
    for other in (token + "=", token + " ", " " + token, token[:-1], token + "\n"):
        with pytest.raises(TokenRefused):
            await gate.verify(other, now=NOW)


async def test_new_keys_forget_every_token() -> None:
    held = Held()
    gate, token = verifier(held), forge.token()
    await gate.verify(token, now=NOW)
    held.current = KeySet([VerificationKey.symmetric("hs", forge.SECRET)])
    with pytest.raises(UnknownKey):
        await gate.verify(token, now=NOW)
    await gate.verify(forge.token({"kid": "hs", "alg": "HS256"}, signer="hs"), now=NOW)
    with pytest.raises(UnknownKey):
        await gate.verify(token, now=NOW)


async def test_only_so_many_tokens_are_remembered_and_the_oldest_goes_first() -> None:
    held = Held()
    gate = verifier(held, max_remembered=2)
    tokens = [forge.token(claims={"jti": f"t{number}"}) for number in range(3)]
    for token in tokens:
        await gate.verify(token, now=NOW)
    assert held.key.asked == 3
    for token in reversed(tokens[1:]):
        await gate.verify(token, now=NOW)
    assert held.key.asked == 3
    await gate.verify(tokens[0], now=NOW)
    assert held.key.asked == 4


@pytest.mark.parametrize(("seconds", "good"), [(9, False), (10, True)])
async def test_a_key_published_after_the_last_look_is_found(seconds: int, good: bool) -> None:
    issuer = ScriptedIssuer(FIRST)
    async with issuer.client() as client:
        gate = Verifier(forge.ISSUER, forge.AUDIENCE, JwksCache(URL, client))
        await gate.verify(forge.token(), now=NOW)
        issuer.answer = BOTH
        rotated = forge.token({"kid": "rs", "alg": "RS256"}, signer="rs")
        if good:
            assert (await gate.verify(rotated, now=NOW + SECOND * seconds)).subject == "alice"
        else:
            with pytest.raises(UnknownKey):
                await gate.verify(rotated, now=NOW + SECOND * seconds)


async def test_a_flood_of_unknown_kids_causes_one_look() -> None:
    issuer = ScriptedIssuer(FIRST)
    async with issuer.client() as client:
        gate = Verifier(forge.ISSUER, forge.AUDIENCE, JwksCache(URL, client))
        for number in range(50):
            with pytest.raises(UnknownKey):
                await gate.verify(forge.token({"kid": f"k{number}"}), now=NOW + SECOND * 10)
    assert len(issuer.asked) == 1


async def test_without_keys_nobody_is_let_in_or_called_a_liar() -> None:
    async with ScriptedIssuer(None).client() as client:
        gate = Verifier(forge.ISSUER, forge.AUDIENCE, JwksCache(URL, client))
        with pytest.raises(KeysUnknown):
            await gate.verify(forge.token(), now=NOW)


def test_scopes_are_checked_exactly() -> None:
    caller = Principal("alice", "user", "bearer", frozenset({"orders:read"}))
    check_scopes(caller, ["orders:read"])
    check_scopes(caller, [])
    with pytest.raises(ScopesMissing) as missing:
        check_scopes(caller, ["orders:read", "orders:write"])
    assert missing.value.needed == {"orders:read", "orders:write"}
    with pytest.raises(ScopesMissing):
        check_scopes(caller, ["orders"])
