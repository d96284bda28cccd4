"""A collector of spans on loopback, which reads what it is sent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.receiver import Receiver, receiving


@dataclass(frozen=True)
class Told:
    """One span as it came."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    is_error: bool


@dataclass(frozen=True)
class Spans:
    """What the collector has been told so far."""

    receiver: Receiver

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}/v1/traces"

    def raw(self) -> bytes:
        """All bytes that came."""
        return b"".join(one.body for one in self.receiver.heard)

    async def until(self, word: bytes) -> bytes:
        """All bytes, when this word is among them: spans come in the order in which they ended."""
        async with asyncio.timeout(30):
            while word not in self.raw():
                await asyncio.sleep(0.05)
        return self.raw()

    async def come(self, count: int) -> list[Told]:
        """Every span, when there are so many of them: a busy machine may be slow to send them."""
        async with asyncio.timeout(30):
            while len(found := self.all()) < count:
                await asyncio.sleep(0.05)
        return found

    def all(self) -> list[Told]:
        """Every span, in the order in which they ended."""
        found = []
        for heard in self.receiver.heard:
            assert heard.line == "POST /v1/traces HTTP/1.1"
            assert heard.fields["content-type"] == "application/x-protobuf"
            for resource in ExportTraceServiceRequest.FromString(heard.body).resource_spans:
                names = {one.key: one.value.string_value for one in resource.resource.attributes}
                assert names["service.name"] == "gatepost"
                found += [told(span) for scope in resource.scope_spans for span in scope.spans]
        return found


def told(span: Any) -> Told:
    attributes = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
    assert not span.events, "events are exceptions and their words"
    assert not span.trace_state
    kind = {2: "server", 3: "client"}[span.kind]
    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
    assert span.start_time_unix_nano <= span.end_time_unix_nano
    assert not span.status.message
    return Told(span.name, kind, *ids, attributes, span.status.code == 2)


@asynccontextmanager
async def collecting() -> AsyncIterator[Spans]:
    async with receiving() as receiver:
        yield Spans(receiver)
