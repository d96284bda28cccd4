"""Where spans go: by OTLP over HTTP, in batches, behind everything else. Imported only where traces are wanted."""

import asyncio
import threading
from uuid import uuid4

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

_PATIENCE = 2  # seconds for one batch
_ENDS_WITHIN = 3  # seconds


class Collector:
    """The collector at `address`. Spans wait in memory, two thousand at most; what it does not take is lost.

    `ratio` of all traces is kept, the same ones everywhere; callers can leave theirs out, and cannot force them in.
    """

    def __init__(self, address: str, *, ratio: float, version: str) -> None:
        kept = TraceIdRatioBased(ratio)
        self.provider = TracerProvider(
            sampler=ParentBased(kept, remote_parent_sampled=kept),
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
