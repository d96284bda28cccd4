"""The revocation feed as another service follows it."""

import asyncio
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.feed import RevocationFeed
from gatepost.fetch import FetchError
from gatepost.refusals import RevocationsUnknown
from gatepost.revocation import RevocationKind
from gatepost.testing import CLIENT_ID, TestIssuer
from tests.sdk.forge import NOW, NOW_NUMBER
from tests.sdk.scripted import URL, ScriptedIssuer

pytestmark = pytest.mark.anyio
SECOND = timedelta(seconds=1)


def entry(kind: str = "jti", subject: str = "t1", until: object = NOW_NUMBER + 3600, epoch: object = 0) -> dict:
    return {"kind": kind, "subject": subject, "until": until, "epoch": epoch}


def page(*entries: dict, cursor: str = "c1", more: bool = False) -> dict:
    return {"entries": list(entries), "cursor": cursor, "more": more}


def feed_of(issuer: ScriptedIssuer, **options: timedelta) -> RevocationFeed:
    return RevocationFeed(URL, issuer.client(), client_id="orders", client_secret="s3cret", **options)


async def test_a_snapshot_comes_first_and_then_only_what_is_new() -> None:
    issuer = ScriptedIssuer(page(entry("jti", "t1"), entry("user", "alice", epoch=4), cursor="c1"))
    feed = feed_of(issuer)
    assert await feed.poll(NOW) == 2
    issuer.answer = page(entry("sid", "s1"), cursor="c2")
    assert await feed.poll(NOW) == 1
    assert await feed.poll(NOW) == 0
    known = feed.current(NOW)
    assert known.has(RevocationKind.TOKEN, "t1")
    assert known.has(RevocationKind.SESSION, "s1")
    assert known.user_epoch("alice") == 4
    assert [dict(request.url.params) for request in issuer.asked] == [{}, {"after": "c1"}, {"after": "c2"}]


@pytest.mark.spec("RFC 7617 §2")
async def test_the_service_says_who_it_is() -> None:
    issuer = ScriptedIssuer(page())
    await feed_of(issuer).poll(NOW)
    assert issuer.asked[0].url.path == "/auth/revocations"
    assert issuer.asked[0].headers["authorization"] == "Basic " + b64encode(b"orders:s3cret").decode()


async def test_all_pages_are_taken_before_the_feed_counts_as_heard() -> None:
    class Paged(ScriptedIssuer):
        async def _answer(self, request):  # each cursor leads to the next page
            number = int(request.url.params.get("after", "0"))
            self.answer = page(entry(subject=f"t{number}"), cursor=str(number + 1), more=number < 4)
            return await super()._answer(request)

    issuer = Paged()
    feed = feed_of(issuer)
    assert await feed.poll(NOW) == 5
    assert all(feed.current(NOW).has(RevocationKind.TOKEN, f"t{number}") for number in range(5))


async def test_a_server_that_always_promises_more_is_not_followed_for_ever() -> None:
    issuer = ScriptedIssuer(page(entry(), cursor="same", more=True))
    feed = feed_of(issuer)
    assert await feed.poll(NOW) == 1
    assert len(issuer.asked) == 2


@pytest.mark.parametrize(("seconds", "fresh"), [(29, True), (30, True), (31, False)])
async def test_a_feed_that_was_not_heard_for_too_long_refuses(seconds: int, fresh: bool) -> None:
    feed = feed_of(ScriptedIssuer(page(entry())))
    await feed.poll(NOW)
    later = NOW + SECOND * seconds
    assert feed.fresh(later) is fresh
    if fresh:
        assert len(feed.current(later)) == 1
    else:
        with pytest.raises(RevocationsUnknown):
            feed.current(later)


def test_a_feed_that_was_never_heard_refuses() -> None:
    feed = feed_of(ScriptedIssuer(page()))
    assert not feed.fresh(NOW)
    with pytest.raises(RevocationsUnknown):
        feed.current(NOW)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (None, 200),
        (page(), 503),
        (page(), 401),
        ({}, 200),
        ({"entries": [], "more": False}, 200),
        ({"entries": {}, "cursor": "c"}, 200),
        ({"entries": [], "cursor": 1}, 200),
        ({"entries": [], "cursor": "c", "more": "yes"}, 200),
        (page("t1"), 200),
        (page(entry(subject="")), 200),
        (page(entry(subject=7)), 200),
        (page(entry(kind=None)), 200),
        (page(entry(until="soon")), 200),
        (page(entry(until=True)), 200),
        (page(entry(until=1.5)), 200),
        (page(entry(until=-1)), 200),
        (page(entry(until=10**15)), 200),
        (page(entry(epoch=-1)), 200),
        (page(entry(epoch="1")), 200),
    ],
)
async def test_a_poll_that_fails_makes_nothing_fresher(answer: object, status: int) -> None:
    issuer = ScriptedIssuer(page(entry("jti", "kept")))
    feed = feed_of(issuer)
    await feed.poll(NOW)
    issuer.answer, issuer.status = answer, status
    with pytest.raises(FetchError):
        await feed.poll(NOW + SECOND * 20)
    assert feed.current(NOW + SECOND * 30).has(RevocationKind.TOKEN, "kept")
    assert not feed.fresh(NOW + SECOND * 31)


async def test_a_kind_of_a_later_version_is_passed_over() -> None:
    feed = feed_of(ScriptedIssuer(page(entry("planet", "mars"), entry("jti", "t1"))))
    assert await feed.poll(NOW) == 1


@pytest.mark.parametrize("status", [400, 410, 422])
async def test_a_cursor_that_the_server_has_forgotten_leads_back_to_a_snapshot(status: int) -> None:
    issuer = ScriptedIssuer(page(entry("jti", "t1")))
    feed = feed_of(issuer)
    await feed.poll(NOW)
    issuer.status = status
    with pytest.raises(FetchError):
        await feed.poll(NOW)
    issuer.status, issuer.answer = 200, page(entry("jti", "t2"))
    await feed.poll(NOW)
    assert dict(issuer.asked[-1].url.params) == {}
    assert feed.current(NOW).has(RevocationKind.TOKEN, "t1")
    assert feed.current(NOW).has(RevocationKind.TOKEN, "t2")


async def test_entries_that_no_longer_matter_are_forgotten() -> None:
    feed = feed_of(ScriptedIssuer(page(entry(until=NOW_NUMBER + 10))))
    await feed.poll(NOW)
    assert len(feed.current(NOW)) == 1
    await feed.poll(NOW + SECOND * 11)
    assert len(feed.current(NOW + SECOND * 11)) == 0


async def until(condition, patience: float = 3) -> None:
    async with asyncio.timeout(patience):
        while not condition():  # what is waited for happens at the far end of a poll
            await asyncio.sleep(0.01)


async def test_following_hears_of_a_revocation_within_a_second_and_outlives_an_outage(
    caplog: pytest.LogCaptureFixture,
) -> None:
    issuer = TestIssuer()
    feed = RevocationFeed(
        issuer.url, issuer.client(), client_id=CLIENT_ID, client_secret=issuer.client_secret, max_age=SECOND
    )
    following = asyncio.create_task(feed.follow())
    try:
        await until(lambda: feed.fresh(datetime.now(UTC)))
        issuer.revoke(RevocationKind.SESSION, "s1")
        await until(lambda: feed.current(datetime.now(UTC)).has(RevocationKind.SESSION, "s1"), patience=1)
        issuer.available = False
        await until(lambda: not feed.fresh(datetime.now(UTC)))
        issuer.revoke(RevocationKind.SESSION, "s2")
        issuer.available = True
        await until(lambda: feed.fresh(datetime.now(UTC)), patience=1)
        assert feed.current(datetime.now(UTC)).has(RevocationKind.SESSION, "s2")
    finally:
        following.cancel()
        await asyncio.wait([following])
    told = [record.getMessage() for record in caplog.records if record.name == "gatepost.feed"]
    assert told == ["the revocation feed is not heard: answered 503", "the revocation feed answers again"]


def test_the_feed_is_not_asked_over_plain_http() -> None:
    with pytest.raises(ValueError, match="https"):
        RevocationFeed("http://issuer.test", ScriptedIssuer().client(), client_id="a", client_secret="b")
