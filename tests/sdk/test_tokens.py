"""What a good access token says, and the second at which it stops being one."""

from datetime import UTC, datetime, timedelta

import pytest

from gatepost.refusals import TokenRefused, UnknownKey
from gatepost.revocation import Revocation, RevocationKind, RevocationSet
from gatepost.tokens import AccessToken, TokenReader, token_digest
from tests.sdk import forge

READER = TokenReader(forge.ISSUER, forge.AUDIENCE)


def read(token: str, *, reader: TokenReader = READER, after: timedelta = timedelta(0)) -> AccessToken:
    return reader.read(token, forge.issuer_keys(), now=forge.NOW + after)


@pytest.mark.spec("RFC 9068 §2.2")
def test_every_claim_arrives_in_its_field() -> None:
    claims = {
        "aud": ["https://other.test", forge.AUDIENCE],
        "sid": "session-1",
        "auth_time": forge.NOW_NUMBER - 60,
        "acr": "aal2",
        "amr": ["pwd", "otp"],
        "epoch": 3,
        "client_epoch": 2,
        "tenant": "north",
    }
    token = read(forge.token(claims=claims))
    assert token == AccessToken(
        issuer=forge.ISSUER,
        subject="alice",
        audience=("https://other.test", forge.AUDIENCE),
        client_id="web",
        jti="token-1",
        kid="es",
        issued_at=forge.NOW_NUMBER - 10,
        expires_at=forge.NOW_NUMBER + 300,
        scopes=frozenset({"orders:read", "orders:write"}),
        session_id="session-1",
        epoch=3,
        client_epoch=2,
        auth_time=forge.NOW_NUMBER - 60,
        acr="aal2",
        amr=("pwd", "otp"),
        claims=forge.usual_claims() | claims,
    )


def test_what_may_be_left_out_is_empty() -> None:
    token = read(forge.token(claims={"scope": forge.ABSENT}))
    assert token.scopes == frozenset()
    assert (token.session_id, token.auth_time, token.acr, token.amr) == (None, None, None, ())
    assert (token.epoch, token.client_epoch) == (0, 0)


def test_the_claims_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        read(forge.token()).claims["sub"] = "root"  # type: ignore[index]  # the point of the test


def test_no_text_of_the_token_shows_in_its_repr() -> None:
    assert "orders-note" not in repr(read(forge.token(claims={"note": "orders-note"})))


def test_the_principal_says_who_is_calling() -> None:
    claims = {"sid": "session-1", "auth_time": forge.NOW_NUMBER - 60, "acr": "aal2"}
    principal = read(forge.token(claims=claims)).principal()
    assert (principal.subject, principal.kind, principal.scheme) == ("alice", "user", "bearer")
    assert (principal.client_id, principal.session_id, principal.credential_id) == ("web", "session-1", "token-1")
    assert principal.auth_time == datetime.fromtimestamp(forge.NOW_NUMBER - 60, UTC)
    assert principal.acr == "aal2"
    assert principal.scopes == frozenset({"orders:read", "orders:write"})
    assert principal.claims["jti"] == "token-1"


@pytest.mark.spec("RFC 9068 §2.2")
def test_a_client_that_is_its_own_subject_is_a_client() -> None:
    assert read(forge.token(claims={"sub": "web"})).principal().kind == "client"


def test_the_scheme_can_be_a_cookie() -> None:
    assert read(forge.token()).principal("cookie").scheme == "cookie"


@pytest.mark.spec("RFC 7519 §4.1.4")
@pytest.mark.parametrize(("seconds", "good"), [(299, True), (299.999, True), (300, False), (301, False)])
def test_a_token_is_dead_from_the_second_of_exp_on(seconds: float, good: bool) -> None:
    lenient = TokenReader(forge.ISSUER, forge.AUDIENCE, leeway=timedelta(seconds=30))
    for reader in (READER, lenient):
        if good:
            assert read(forge.token(), reader=reader, after=timedelta(seconds=seconds)).jti == "token-1"
        else:
            with pytest.raises(TokenRefused, match="expired"):
                read(forge.token(), reader=reader, after=timedelta(seconds=seconds))


@pytest.mark.spec("RFC 7519 §4.1.5")
@pytest.mark.parametrize("claim", ["iat", "nbf"])
@pytest.mark.parametrize("leeway", [0, 10, 30])
@pytest.mark.parametrize(("beyond", "good"), [(-1, True), (0, True), (1, False)])
def test_an_issuers_clock_may_run_ahead_by_the_leeway(claim: str, leeway: int, beyond: int, good: bool) -> None:
    reader = TokenReader(forge.ISSUER, forge.AUDIENCE, leeway=timedelta(seconds=leeway))
    token = forge.token(claims={claim: forge.NOW_NUMBER + leeway + beyond})
    if good:
        assert read(token, reader=reader).jti == "token-1"
    else:
        with pytest.raises(TokenRefused, match="not yet valid"):
            read(token, reader=reader)


def test_an_nbf_in_the_past_does_not_excuse_an_iat_in_the_future() -> None:
    with pytest.raises(TokenRefused, match="not yet valid"):
        read(forge.token(claims={"iat": forge.NOW_NUMBER + 60, "nbf": forge.NOW_NUMBER - 60}))


@pytest.mark.parametrize("leeway", [timedelta(seconds=-1), timedelta(seconds=31)])
def test_a_leeway_outside_0_to_30_seconds_is_refused(leeway: timedelta) -> None:
    with pytest.raises(ValueError, match="leeway"):
        TokenReader(forge.ISSUER, forge.AUDIENCE, leeway=leeway)


@pytest.mark.parametrize(("issuer", "audience"), [("", "a"), ("i", "")])
def test_a_reader_without_issuer_or_audience_cannot_be_made(issuer: str, audience: str) -> None:
    with pytest.raises(ValueError, match="issuer and an audience"):
        TokenReader(issuer, audience)


def test_a_naive_now_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="time zone"):
        READER.read(forge.token(), forge.issuer_keys(), now=forge.NOW.replace(tzinfo=None))


def test_an_unknown_kid_is_told_apart_from_other_refusals() -> None:
    with pytest.raises(UnknownKey):
        read(forge.token({"kid": "next"}))


@pytest.mark.parametrize("name", ["x" * 255, "Ålice", "alice smith", "用户"])
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert read(forge.token(claims={"sub": name})).subject == name


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ((RevocationKind.TOKEN, "token-1", 0), "token revoked"),
        ((RevocationKind.SESSION, "session-1", 0), "session ended"),
        ((RevocationKind.USER, "alice", 4), "owner's epoch has passed"),
        ((RevocationKind.CLIENT, "web", 3), "client's epoch has passed"),
        ((RevocationKind.SIGNING_KEY, "es", 0), "signing key compromised"),
        ((RevocationKind.USER, "alice", 3), None),
        ((RevocationKind.CLIENT, "web", 2), None),
        ((RevocationKind.TOKEN, "session-1", 0), None),
        ((RevocationKind.CLIENT, "alice", 9), None),
    ],
)
def test_a_token_tells_a_revocation_set_what_it_needs(entry: tuple, why: str | None) -> None:
    kind, subject, epoch = entry
    revoked = RevocationSet()
    revoked.add(Revocation(kind, subject, forge.NOW, epoch))
    token = read(forge.token(claims={"sid": "session-1", "epoch": 3, "client_epoch": 2}))
    assert revoked.refuses(token) == why


def test_the_digest_is_of_the_whole_token() -> None:
    token = forge.token()
    assert len(token_digest(token)) == 32
    assert len({token_digest(token), token_digest(token + "="), token_digest(token[:-1])}) == 3
    assert len(token_digest("\ud800")) == 32
