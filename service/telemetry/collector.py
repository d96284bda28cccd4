"""Where spans go: by OTLP over HTTP, in batches, behind everything else. Imported only where traces are wanted."""

import asyncio
import secrets
import threading
from collections.abc import Sequence
from uuid import uuid4

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

_PATIENCE = 2  # seconds for one batch
_ENDS_WITHIN = 3  # seconds


class Collector:
    """The collector at `address`. Spans wait in memory, two thousand at most; what it does not take is lost.

    `ratio` of all requests is kept. Callers can leave theirs out, and cannot choose that they are kept.
    """

    def __init__(self, address: str, *, ratio: float, version: str) -> None:
        self.provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio), remote_parent_sampled=_Drawn(ratio)),
            resource=Resource(
                {"service.name": "gatepost", "service.version": version, "service.instance.id": str(uuid4())}
            ),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=address, timeout=_PATIENCE)
        self.provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))

    async def close(self) -> None:
        """Send what waits, for a moment: a collector that is away holds nobody up."""
        ending = threading.Thread(target=self.provider.shutdown, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, _ENDS_WITHIN)


class _Drawn(TraceIdRatioBased):  # type: ignore[misc]  # mypy does not read the SDK
    """Keeps such a part of what comes from outside, whatever ids it comes with: a caller chooses those."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See `Sampler.should_sample`."""
        return super().should_sample(parent_context, secrets.randbits(64), name, kind, attributes, links, trace_state)
