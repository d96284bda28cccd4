"""Access tokens: the claims, and the memory of tokens that were found good."""

import tracemalloc
from collections.abc import Mapping
from datetime import datetime, timedelta

import jwt
import pytest

from gatepost.revocation import Revocation, RevocationKind, RevocationSet
from gatepost.testing import TestIssuer
from gatepost.tokens import TokenReader
from service import clock
from service.app import House
from service.keys.keyring import Keyring
from service.protocol.errors import InvalidToken
from service.tokens.issue import AccessTokenIssuer
from service.tokens.verify import Judged, TokenVerifier
from tests.altered import altered
from tests.rooms import add_user, sign_in, whoami

pytestmark = pytest.mark.anyio
ISSUER, AUDIENCE = "https://id.example.com", "https://api.example.com"
NOW = datetime.fromisoformat("2026-01-01T12:00:00.250+00:00")
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


class Ground:
    """An issuer and a verifier of its tokens, over the keys of a real ledger and revocations told by hand."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring, self.revoked = keyring, RevocationSet()
        self.issuer = AccessTokenIssuer(keyring, issuer=ISSUER, audience=AUDIENCE, life=HOUR)
        self.reader = TokenReader(ISSUER, AUDIENCE, leeway=timedelta(seconds=10))
        self.verifier = TokenVerifier(self.reader, keyring, self.revoked)

    @property
    def kid(self) -> str:
        return self.key["kid"]

    @property
    def key(self) -> Mapping[str, str]:
        """The one that signs access tokens."""
        [key] = [key for key in self.keyring.jwks()["keys"] if key["alg"] == "ES256"]
        return key

    def issue(self, **more: object) -> str:
        options: dict[str, object] = {"subject": "alice", "client_id": "gatepost", "scopes": frozenset({"b", "a"})}
        when = {"now": NOW, **{name: more.pop(name) for name in ("now", "not_after") if name in more}}
        draft = self.issuer.draft(
            **{**options, "session_id": "s1", "epoch": 3, "client_epoch": 2, **more}  # type: ignore[arg-type]  # its own
        )
        return self.issuer.issue(draft, **when).token  # type: ignore[arg-type]  # its own

    def revoke(self, kind: RevocationKind, subject: str, epoch: int = 0) -> None:
        self.revoked.add(Revocation(kind, subject, NOW + HOUR, epoch))

    def judge(self, token: str, after: timedelta = SECOND) -> Judged:
        return self.verifier.verify(token, now=NOW + after)

    def refuses(self, token: str, after: timedelta = SECOND) -> str:
        with pytest.raises(InvalidToken) as refused:
            self.judge(token, after)
        assert refused.value.public == "The credential is not valid."
        return refused.value.detail

    def remembers(self) -> int:
        return len(self.verifier._known)


@pytest.fixture
def ground(house: House) -> Ground:
    return Ground(house.rooms.keyring)


@pytest.mark.spec("RFC 9068 §2")
@pytest.mark.spec("JWT-40")
async def test_an_access_token_says_all_that_it_must_and_nothing_secret(ground: Ground) -> None:
    auth_time = NOW - HOUR
    draft = ground.issuer.draft(
        subject="alice",
        client_id="gatepost",
        scopes=frozenset({"b", "a"}),
        session_id="s1",
        epoch=3,
        client_epoch=2,
        auth_time=auth_time,
        amr=("pwd", "otp"),
        acr="silver",
    )
    issued = ground.issuer.issue(draft, now=NOW)
    key = jwt.PyJWK(dict(ground.key))
    read = jwt.decode_complete(
        issued.token,
        key,
        algorithms=["ES256"],
        options={"verify_signature": True, "verify_exp": False, "verify_aud": False, "verify_iat": False},
    )
    assert read["header"] == {"alg": "ES256", "kid": ground.kid, "typ": "at+jwt"}
    assert read["payload"] == {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3600,
        "jti": issued.jti,
        "client_id": "gatepost",
        "scope": "a b",
        "epoch": 3,
        "client_epoch": 2,
        "sid": "s1",
        "auth_time": int(auth_time.timestamp()),
        "amr": ["pwd", "otp"],
        "acr": "silver",
    }
    assert (issued.expires_in, issued.scopes) == (3_600, {"a", "b"})
    assert issued.token not in repr(issued)


@pytest.mark.parametrize("subject", ["a", "ab", "abc", "密", '"\\'])
async def test_what_is_encoded_before_and_what_is_encoded_with_each_token_meet_at_any_place(
    ground: Ground, subject: str
) -> None:
    token = ground.issuer.issue(ground.issuer.draft(subject=subject, client_id="c", scopes=frozenset()), now=NOW).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["iat"], "=" in token) == (subject, int(NOW.timestamp()), False)


async def test_what_is_not_known_is_left_out_and_every_token_has_its_own_id(ground: Ground) -> None:
    tokens = [ground.issue(session_id=None) for _ in range(50)]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert len({one["jti"] for one in claims}) == 50
    assert all(len(one["jti"]) == 22 for one in claims)
    assert not {"sid", "auth_time", "amr", "acr", "nbf"} & claims[0].keys()


@pytest.mark.parametrize(
    ("left", "life"),
    [
        (2 * HOUR, HOUR),
        (HOUR, HOUR),
        (HOUR - SECOND, HOUR - SECOND),
        (0.9 * SECOND, 0 * SECOND),
        (0 * SECOND, 0 * SECOND),
    ],
)
async def test_a_token_never_outlives_its_session(ground: Ground, left: timedelta, life: timedelta) -> None:
    draft = ground.issuer.draft(subject="alice", client_id="gatepost", scopes=frozenset())
    issued = ground.issuer.issue(draft, now=NOW, not_after=NOW + left)
    claims = jwt.decode(issued.token, options={"verify_signature": False})
    assert issued.expires_in == life.total_seconds()
    assert claims["exp"] <= (NOW + left).timestamp()
    assert claims["exp"] == int(NOW.timestamp()) + life.total_seconds()


async def test_a_session_that_has_just_ended_by_another_clock_leaves_a_token_no_time_and_not_less(
    ground: Ground,
) -> None:
    draft = ground.issuer.draft(subject="alice", client_id="gatepost", scopes=frozenset())
    issued = ground.issuer.issue(draft, now=NOW, not_after=NOW - 0.5 * SECOND)
    claims = jwt.decode(issued.token, options={"verify_signature": False})
    assert (issued.expires_in, claims["exp"] - claims["iat"]) == (0, 0)


@pytest.mark.spec("RFC 9068 §3")
async def test_a_token_is_for_the_audience_of_its_grant_and_one_of_them_is_text(ground: Ground) -> None:
    other = "https://other.example.com"
    for audience, said in (((), AUDIENCE), ((other,), other), ((AUDIENCE, other), [AUDIENCE, other])):
        claims = jwt.decode(ground.issue(audience=audience), options={"verify_signature": False})
        assert claims["aud"] == said
    assert ground.judge(ground.issue(audience=(other, AUDIENCE))).token.audience == (other, AUDIENCE)
    ground.refuses(ground.issue(audience=(other,)))


@pytest.mark.parametrize(("left", "life"), [(None, 2 * HOUR), (3 * HOUR, 2 * HOUR), (HOUR, HOUR)])
async def test_a_grant_may_give_its_own_life_and_still_not_outlive_its_session(
    ground: Ground, left: timedelta | None, life: timedelta
) -> None:
    end = None if left is None else NOW + left
    claims = jwt.decode(ground.issue(life=2 * HOUR, not_after=end), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == life.total_seconds()


async def test_a_good_token_is_read_once_and_remembered(ground: Ground) -> None:
    token = ground.issue()
    first = ground.judge(token)
    assert [(first.principal(scheme).subject, first.principal(scheme).scheme) for scheme in ("bearer", "cookie")] == [
        ("alice", "bearer"),
        ("alice", "cookie"),
    ]
    assert (first.token.epoch, first.token.client_epoch, first.token.session_id) == (3, 2, "s1")
    assert ground.judge(token) is first
    assert first.principal("bearer") is first.bearer
    assert first.principal("cookie") is first.principal("cookie")


async def test_no_bad_token_is_remembered(ground: Ground) -> None:
    good = ground.issue()
    stranger = TestIssuer(ISSUER, AUDIENCE)
    for bad in (
        good[:-1],
        good + "=",
        altered(good),
        stranger.token("alice"),
        "",
        "a.b.c",
        "\ud800",
        good + "." + good,
    ):
        ground.refuses(bad)
    ground.refuses(good, after=2 * HOUR)
    ground.refuses(good, after=-HOUR)
    assert ground.remembers() == 0
    ground.judge(good)
    assert ground.remembers() == 1


@pytest.mark.spec("CLK-03")
@pytest.mark.parametrize("remembered", [True, False])
async def test_a_token_dies_exactly_at_its_end(ground: Ground, remembered: bool) -> None:
    token = ground.issue()
    end = timedelta(seconds=int(NOW.timestamp()) + 3600 - NOW.timestamp())
    if remembered:
        ground.judge(token)
    assert ground.judge(token, after=end - SECOND)
    if not remembered:
        ground.verifier._known.clear()
    for after in (end, end + SECOND):
        assert ground.refuses(token, after=after) == "expired"
    assert ground.remembers() == 0


@pytest.mark.parametrize(
    ("kind", "subject", "epoch"),
    [
        (RevocationKind.SESSION, "s1", 0),
        (RevocationKind.USER, "alice", 4),
        (RevocationKind.CLIENT, "gatepost", 3),
    ],
)
async def test_what_is_revoked_after_it_was_remembered_is_refused(
    ground: Ground, kind: RevocationKind, subject: str, epoch: int
) -> None:
    token, bystander = ground.issue(), ground.issue(subject="bob", session_id="s2", client_id="other")
    for one in (token, bystander):
        ground.judge(one)
    ground.revoke(kind, subject, epoch)
    for _ in range(2):
        ground.refuses(token)
        ground.judge(bystander)


async def test_one_token_or_every_token_of_a_key_can_be_revoked(ground: Ground) -> None:
    token, other = ground.issue(), ground.issue()
    ground.judge(token)
    ground.revoke(RevocationKind.TOKEN, str(jwt.decode(token, options={"verify_signature": False})["jti"]))
    ground.refuses(token)
    ground.judge(other)
    ground.revoke(RevocationKind.SIGNING_KEY, ground.kid)
    ground.refuses(other)


@pytest.mark.parametrize(
    ("kind", "subject", "epoch"),
    [
        (RevocationKind.USER, "alice", 3),
        (RevocationKind.CLIENT, "gatepost", 2),
        (RevocationKind.SECRET, "alice", 99),
        (RevocationKind.API_KEY, "s1", 0),
        (RevocationKind.SESSION, "alice", 0),
        (RevocationKind.USER, "gatepost", 99),
        (RevocationKind.CLIENT, "alice", 99),
    ],
)
async def test_a_revocation_of_something_else_touches_no_token(
    ground: Ground, kind: RevocationKind, subject: str, epoch: int
) -> None:
    token = ground.issue()
    ground.judge(token)
    ground.revoke(kind, subject, epoch)
    assert ground.judge(token)


@pytest.mark.spec("KEY-02")
async def test_a_change_of_the_keys_forgets_every_token(ground: Ground) -> None:
    token = ground.issue()
    first = ground.judge(token)
    await ground.keyring.rotate("ES256", now=clock.now(), at_once=True)
    again = ground.judge(token)
    assert again is not first
    assert again.token == first.token
    ground.keyring._now = lambda: clock.now() + 26 * HOUR
    await ground.keyring.reload()  # the old key has gone
    assert ground.refuses(token) != ""
    assert ground.remembers() == 0


async def test_a_flood_of_random_tokens_costs_no_memory(ground: Ground) -> None:
    head, _, tail = ground.issue().rpartition(".")
    ground.judge(f"{head}.{tail}")
    tracemalloc.start()
    for number in range(2_000):
        with pytest.raises(InvalidToken):
            ground.judge(f"{head}.{tail[:-8]}{number:08}")
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ground.remembers() == 1
    assert grown < 200_000


async def test_the_oldest_token_is_forgotten_first(ground: Ground) -> None:
    ground.verifier = TokenVerifier(ground.reader, ground.keyring, ground.revoked, remembered=3)
    tokens = [ground.issue() for _ in range(5)]
    for token in tokens:
        ground.judge(token)
    assert ground.remembers() == 3
    newest = ground.verifier._known[next(reversed(ground.verifier._known))]
    assert ground.judge(tokens[-1]) is newest


@pytest.mark.spec("JWT-16")
async def test_the_kits_own_test_issuer_opens_no_real_door(house: House) -> None:
    pair = await sign_in(house, await add_user(house, "alice"))
    genuine = jwt.decode(pair.access.token, options={"verify_signature": False})
    stranger = TestIssuer(house.rooms.pairs._issuer._issuer)
    forged = stranger.token(genuine["sub"], scopes=["admin:users:write"])
    with pytest.raises(InvalidToken):
        await whoami(house, f"Bearer {forged}")
    assert (await whoami(house, f"Bearer {pair.access.token}")).subject == genuine["sub"]
