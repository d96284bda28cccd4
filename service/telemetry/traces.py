"""Spans of requests and of what they ask for (OpenTelemetry, its names for HTTP and databases; W3C Trace Context).

A span tells routes, hosts and outcomes. It never tells a query, a field, a body, an id in a path or what an exception
says: a collector is read by more people than a log. Imported only where traces are wanted.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter, time_ns
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service import logs
from service.telemetry.requests import known_method

_SPAN = "gatepost.span"
_UNMATCHED = "unmatched"
_W3C = TraceContextTextMapPropagator()


class Traces:
    """Makes the spans of one worker. Of the caller's trace context `traceparent` alone is taken: `tracestate` is any
    text, and would go to the collector as it came."""

    def __init__(self, provider: TracerProvider, systems: Mapping[str, str]) -> None:
        self._tracer = provider.get_tracer("gatepost")
        self._systems = systems

    def begin(self, scope: Any) -> object:
        """A request has come: what is done from now on belongs to its span. What it gives is for `leave`."""
        span: Span | None = scope.get(_SPAN)
        if span is None:
            span = scope[_SPAN] = self._request_span(scope)
        ids = span.get_span_context()
        logs.trace.set((f"{ids.trace_id:032x}", f"{ids.span_id:016x}"))
        return context.attach(set_span_in_context(span))

    def leave(self, scope: Any, held: Any) -> None:
        """Nothing more belongs to it. A request that nobody waited for to the end has no status."""
        logs.trace.set(None)
        context.detach(held)
        span: Span | None = scope.pop(_SPAN, None)
        if span is not None:
            span.end()

    def answered(self, scope: Any, method: str, route: str, status: int, began: float) -> None:
        """See `Watch.answered`. What was answered at once gets its span here, whole."""
        span: Span | None = scope.pop(_SPAN, None)
        if span is None:
            span = self._request_span(scope, time_ns() - int((perf_counter() - began) * 1e9))
        if not span.is_recording():
            return
        verb = known_method(method, "_OTHER")
        span.update_name(f"{verb} {route}" if route != _UNMATCHED else verb)
        span.set_attribute("http.request.method", verb)
        span.set_attribute("http.response.status_code", status)
        if route != _UNMATCHED:
            span.set_attribute("http.route", route)
            span.set_attribute("url.path", route)
        if status >= 500:
            span.set_attribute("error.type", str(status))
            span.set_status(StatusCode.ERROR)
        span.end()

    def store_answered(self, seconds: float, kind: tuple[str, ...]) -> None:
        """A store has answered after so long. Told only inside of a request."""
        if not get_current_span().is_recording():
            return
        ended, system = time_ns(), self._systems[kind[0]]
        self._tracer.start_span(
            system,
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": system},
            start_time=ended - int(seconds * 1e9),
        ).end(ended)

    @contextmanager
    def sending(self, method: str, uri: str) -> Iterator[dict[str, str]]:
        """The fields that an outgoing request needs, for its time. A failure's kind is told, not its words."""
        fields: dict[str, str] = {}
        place = urlsplit(uri)
        attributes: dict[str, str | int] = {"http.request.method": method, "server.address": place.hostname or ""}
        attributes["server.port"] = place.port or {"https": 443}.get(place.scheme, 80)
        span = self._tracer.start_span(method, kind=SpanKind.CLIENT, attributes=attributes)
        held = context.attach(set_span_in_context(span))
        try:
            _W3C.inject(fields)
            yield fields
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            context.detach(held)
            span.end()

    def _request_span(self, scope: Any, start_time: int | None = None) -> Span:
        carried = [value for name, value in scope["headers"] if name == b"traceparent"]
        parent = _W3C.extract({"traceparent": carried[0].decode("latin-1")} if len(carried) == 1 else {})
        return self._tracer.start_span(
            "request",
            context=parent,
            kind=SpanKind.SERVER,
            attributes={"url.scheme": scope["scheme"]},
            start_time=start_time,
        )
