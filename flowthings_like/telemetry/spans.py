"""Spans: the observer that makes an OpenTelemetry span of each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..about import VERSION
from .event import CallEvent, Family, Outcome

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["Spans"]

# Only trace ids are sent along: baggage may hold what is nobody else's business.
_TRACE_CONTEXT = TraceContextTextMapPropagator()


class Spans:
    """Makes spans.

    Attributes are those of OpenTelemetry's semantic conventions where these have one. A span says nothing of
    values, paths or tokens, as the events do not.

    Args:
        provider: where the spans go; None for the global one.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("flowthings_like", VERSION, provider)

    def call_began(self, event: CallEvent) -> None:
        """Start a span. Its parent is the current one."""
        span = self._tracer.start_span(
            event.operation, kind=SpanKind.CLIENT, attributes=_attributes(event), start_time=_ns(event.start)
        )
        event.notes[self] = span
        within = trace.set_span_in_context(span)
        if event.family is Family.HTTP:
            _TRACE_CONTEXT.inject(event.headers, within)
        if event.is_block:
            event.notes[self, "token"] = context.attach(within)

    def call_ended(self, event: CallEvent) -> None:
        """End the span, if there is one."""
        token = event.notes.pop((self, "token"), None)
        if token is not None:
            context.detach(token)
        span: Span | None = event.notes.get(self)
        if span is None:
            return
        batch: Span | None = None if event.batch is None else event.batch.notes.get(self)
        if batch is not None:
            span.add_link(batch.get_span_context())
        span.set_attributes(_attributes(event))
        if event.outcome is not Outcome.OK:
            span.set_attribute("error.type", event.error)
            span.set_status(Status(StatusCode.ERROR, event.outcome.value))
        span.end(_ns(event.start + (event.seconds or 0.0)))


def _attributes(event: CallEvent) -> dict[str, Any]:
    found: dict[str, Any] = {"flowthings.family": event.family.value, "flowthings.calls": event.calls}
    if event.host:
        name, colon, port = event.host.rpartition(":")
        if colon and port.isdecimal():
            found["server.address"], found["server.port"] = name.strip("[]"), int(port)
        else:
            found["server.address"] = event.host
    if event.family is Family.HTTP and " " in event.operation:
        found["http.request.method"] = event.operation.partition(" ")[0]
    if event.status is not None:
        found["http.response.status_code"] = event.status
    if event.attempts > 1:
        found["http.request.resend_count"] = event.attempts - 1
    if event.family is Family.DATABASE:
        found["db.operation.name"] = event.operation
    if event.family is Family.STREAMS:
        found["rpc.system"], found["rpc.method"] = "grpc", event.operation
    return found


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
