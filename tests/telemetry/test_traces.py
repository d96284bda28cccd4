"""Spans, as a collector gets them: what they tell, whose they are, and what they never say."""

import subprocess
import sys
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from service import logs
from service.outgoing import OutgoingHttp
from service.telemetry.collector import Collector
from service.telemetry.traces import Traces
from service.web.edge import Edge
from tests.servers.gatepost import PASSWORD, bearer, settings_for
from tests.servers.receiver import receiving
from tests.telemetry.spans import Spans, collecting
from tests.web.running import running_web

pytestmark = pytest.mark.anyio
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
async def spans() -> AsyncIterator[Spans]:
    async with collecting() as found:
        yield found


async def test_a_request_is_one_span_and_what_it_asks_of_the_stores_are_its_children(
    spans: Spans, sqlite_url: str, valkey_url: str
) -> None:
    async with running_web(sqlite_url, valkey_url, TELEMETRY__TRACES=spans.url) as web:
        await web.add_user("ada")
        body = {"username": "ada", "password": PASSWORD}
        fields = {"traceparent": TRACEPARENT, "tracestate": "vendor=canary"}
        signed_in = (await web.client.post("/auth/login?state=canary", json=body, headers=fields)).json()
        owner = bearer(signed_in["access_token"])
        await web.client.delete("/users/me/api-keys/canary-id?code=canary", headers=owner)
        await web.client.get("/canary/nowhere", headers={"x-canary": "canary"})
        scope = {"type": "http", "method": "GET", "path": "/auth/verify", "query_string": b"", "scheme": "http"}
        scope["headers"] = [(b"authorization", owner["Authorization"].encode())]
        assert web.edge.at_hand(scope, b"") is not None
    told = await spans.come(8)
    by_name = {one.name: one for one in told if one.kind == "server"}
    assert list(by_name) == ["POST /auth/login", "DELETE /users/me/api-keys/{key_id}", "GET", "GET /auth/verify"]
    sign_in = by_name["POST /auth/login"]
    assert (sign_in.trace, sign_in.parent) == (TRACE, PARENT)
    assert sign_in.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/auth/login",
        "url.path": "/auth/login",
        "url.scheme": "http",
    }
    children = [one for one in told if one.kind == "client" and one.parent == sign_in.id]
    assert {one.attributes["db.system.name"] for one in children} == {"sqlite", "redis"}
    assert {one.trace for one in children} == {TRACE}
    assert {one.parent for one in told if one.kind == "client"} <= {one.id for one in by_name.values()}
    assert by_name["GET"].attributes["http.response.status_code"] == 404
    assert by_name["GET"].parent == ""
    assert not any(word in spans.raw() for word in (b"canary", PASSWORD.encode(), owner["Authorization"][7:].encode()))


async def test_a_defect_is_an_error_whose_words_stay_here(spans: Spans) -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        structlog.get_logger().warning("inside")
        raise RuntimeError("canary")

    collector = Collector(spans.url, ratio=1, version="1")
    edge = Edge(broken, hot={}, secure=False, max_body=9, tracing=Traces(collector.provider, {}))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(edge), base_url="http://a") as client:
        with structlog.testing.capture_logs(processors=[logs._with_request_id]) as lines:
            assert (await client.get("/x")).status_code == 500
    await collector.close()
    [span] = await spans.come(1)
    assert (span.is_error, span.attributes["error.type"], span.name) == (True, "500", "GET")
    assert b"canary" not in spans.raw()
    assert {(line["trace_id"], line["span_id"]) for line in lines} == {(span.trace, span.id)}
    assert logs.trace.get() is None


async def test_outgoing_requests_carry_the_trace_on_and_tell_where_they_went_and_no_more(spans: Spans) -> None:
    collector, outgoing = Collector(spans.url, ratio=1, version="1"), OutgoingHttp()
    outgoing.sending = Traces(collector.provider, {}).sending
    async with receiving() as application:
        await outgoing.post_form(f"http://127.0.0.1:{application.port}/canary?token=canary", {"logout_token": "canary"})
        [heard] = application.heard
    with pytest.raises(OSError, match="Connect"):
        await outgoing.post_form("http://127.0.0.1:1/", {})
    await outgoing.close()
    await collector.close()
    good, failed = await spans.come(2)
    assert heard.fields["traceparent"].startswith(f"00-{good.trace}-{good.id}-")
    assert good.attributes == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": application.port,
    }
    assert (failed.is_error, failed.attributes["error.type"]) == (True, "ConnectError")
    assert b"canary" not in spans.raw()


@pytest.mark.parametrize("carried", ["00-xyz", "", f"ff-{TRACE}-{PARENT}-01", "00-" + "0" * 32 + f"-{PARENT}-01"])
async def test_what_is_no_trace_context_begins_a_trace_of_its_own(spans: Spans, carried: str) -> None:
    collector = Collector(spans.url, ratio=1, version="1")
    traces = Traces(collector.provider, {})
    headers = [(b"traceparent", carried.encode())]
    traces.answered({"scheme": "http", "headers": headers}, "PROPFIND", "unmatched", 405, time.perf_counter())
    two = [(b"traceparent", TRACEPARENT.encode())] * 2
    traces.answered({"scheme": "http", "headers": two}, "GET", "/livez", 200, time.perf_counter())
    await collector.close()
    made_up, doubled = await spans.come(2)
    assert (made_up.name, made_up.parent, doubled.parent) == ("_OTHER", "", "")
    assert TRACE not in {made_up.trace, doubled.trace}


async def test_nobody_can_force_a_trace_that_is_not_to_be_kept(spans: Spans) -> None:
    collector = Collector(spans.url, ratio=0, version="1")
    traces = Traces(collector.provider, {})
    scope = {"scheme": "http", "headers": [(b"traceparent", TRACEPARENT.encode())]}
    traces.answered(scope, "GET", "/livez", 200, time.perf_counter())
    await collector.close()
    assert spans.all() == []


async def test_whoever_chooses_the_ids_does_not_choose_what_is_kept(spans: Spans) -> None:
    collector = Collector(spans.url, ratio=0.5, version="1")
    traces = Traces(collector.provider, {})
    for number in range(200):
        for low in (f"{number:016x}", f"{(1 << 64) - 1 - number:016x}"):
            carried = f"00-{'1' * 16}{low}-{PARENT}-01"
            scope = {"scheme": "http", "headers": [(b"traceparent", carried.encode())]}
            traces.answered(scope, "GET", "/livez", 200, time.perf_counter())
    await collector.close()
    kept = [one.trace[16] for one in spans.all()]
    assert 40 < kept.count("0") < 160, "by low ids it would be each of them"
    assert 40 < kept.count("f") < 160, "and none of these"


async def test_a_caller_may_leave_a_trace_out(spans: Spans) -> None:
    collector = Collector(spans.url, ratio=1, version="1")
    traces = Traces(collector.provider, {})
    scope = {"scheme": "http", "headers": [(b"traceparent", f"{TRACEPARENT[:-1]}0".encode())]}
    traces.answered(scope, "GET", "/livez", 200, time.perf_counter())
    await collector.close()
    assert spans.all() == []


async def test_a_collector_that_is_silent_holds_nobody_up() -> None:
    async with receiving(answer=None) as silent:
        collector = Collector(f"http://127.0.0.1:{silent.port}/v1/traces", ratio=1, version="1")
        traces = Traces(collector.provider, {})
        for _ in range(2_048):  # four batches, each of which would be waited for
            traces.answered({"scheme": "http", "headers": []}, "GET", "/livez", 200, time.perf_counter())
        began = time.monotonic()
        await collector.close()
        assert time.monotonic() - began < 6


FRAMEWORK = """
import asyncio, os, httpx2
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from service.app import create_app
from service.settings import load_settings

provider, told = TracerProvider(), InMemorySpanExporter()
provider.add_span_processor(SimpleSpanProcessor(told))
trace.set_tracer_provider(provider)

async def main():
    transport = httpx2.ASGITransport(create_app(load_settings(os.environ)))
    async with httpx2.AsyncClient(transport=transport, base_url="http://a") as client:
        print((await client.get("/livez?token=canary")).status_code, len(told.get_finished_spans()))

asyncio.run(main())
"""


def test_the_frameworks_own_spans_are_off_whatever_else_has_set_tracing_up() -> None:
    environ = {**settings_for("sqlite:///never-opened.db", "redis://127.0.0.1:1/0"), "PYTHONPATH": ":".join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", FRAMEWORK], env=environ, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["200", "0"]


def test_nothing_of_it_is_loaded_where_it_is_not_wanted() -> None:
    program = "import sys, service.app; sys.exit(any(name.startswith('opentelemetry.sdk') for name in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, check=False)
    assert ran.returncode == 0
